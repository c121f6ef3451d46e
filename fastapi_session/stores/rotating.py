"""When a session is handed on to its next refresh token, and what its line of tokens is then: for stores that decide in Python.

It is row D4 of the table in `core.rotation`, which a store repeats. The first row that matches decides:

| the session | is handed on |
|---|---|
| is of another generation, or its newest token is another one than was presented | no |
| is bound to another key than was proved, or to one while none was proved, or to none while one was | no |
| handed its newest token out less than the debounce ago | no |
| has expired | no |
| otherwise | yes |

`stores.sql.statements` and the scripts of Redis have the same as a condition of theirs. The contract of stores tests them alike.
"""

from __future__ import annotations

from dataclasses import replace

from fastapi_session.model import Lineage, Rotation


def rotated(lineage: Lineage, rotation: Rotation, *, bound_key: str | None, now: int) -> Lineage | None:
    """Return what *rotation* makes of *lineage*, of a session bound to *bound_key*, at *now* (milliseconds), `None` if it does not apply."""
    if bound_key != rotation.proved or not _applies(rotation, lineage, now=now):
        return None
    # Not a new Lineage: a field that is not named here stays as it is.
    return replace(
        lineage,
        generation=lineage.generation + 1,
        current=rotation.successor,
        previous=lineage.current,
        current_kid=rotation.successor_kid,
        window_at=now,
        acknowledged=False,
        idle_expires_at=lineage.idle_deadline(now, configured=rotation.idle_timeout),
        exchanged=rotation.issue_id,
        crossed=lineage.crossed_before(),
    )


def _applies(rotation: Rotation, lineage: Lineage, *, now: int) -> bool:
    return (
        (lineage.generation, lineage.current) == (rotation.generation, rotation.presented)
        and lineage.window_at + rotation.debounce <= now
        and not lineage.expired(now)
    )
