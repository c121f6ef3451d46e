"""What is newer of a session that was taken in, and how a store remembers that it was: one rule for every store.

A record may be taken in many times: the system that it comes from goes on to change it until the last client has moved. Of a record
whose session is there already, each of these is taken if it is newer:

| what | is newer in the record if |
|---|---|
| whose it is: user and recipe user | both wait: nothing has happened here yet that says otherwise |
| the lineage and the circumstances | the table below says so |
| payload, data, label and version | its version is higher; or both wait, and the version is the same |
| the idle deadline, and when it was last seen | it is later |
| the key that it is bound to | the row has none: a session is bound once, wherever that is |

A session waits while no refresh token of it has been exchanged here (`SessionRecord.waits`).

| the row | the record | the lineage of the record is newer |
|---|---|---|
| waits | waits | if generation, current or previous differ: it was just read where the session still goes on |
| waits | does not | always: it was exchanged in another store of ours |
| does not | waits | never: here the session has gone on |
| does not | does not | if its generation is higher; or that and current are the same, and it is acknowledged, or else its window, or else its crossed exchanges, later |

A row that was deleted is not there to be compared. So a store remembers each id that it took in, as a digest among those of `once`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from fastapi_session.errors import PayloadError
from fastapi_session.model import Lineage, SessionRecord
from fastapi_session.stores.base import TakenIn
from fastapi_session.stores.columns import Row
from fastapi_session.stores.rows import session_row

_MARK = b"fastapi_session/"
_ID_LENGTH = 16
_SESSION_ID = re.compile("[0-9a-f]{32}")

MOVING_KEPT = 400 * 24 * 60 * 60 * 1000
"""Milliseconds for which an id is remembered after the idle deadline of its session: moving takes no longer. `marked_until` has the exception."""


@dataclass(frozen=True, slots=True)
class Taking:
    """What becomes of a session: its *outcome*; if that is kept or renewed, the *row* to write, and whether that *makes_stale* what access tokens say."""

    outcome: TakenIn
    row: Row = ()
    makes_stale: bool = False


def taking(record: SessionRecord, kept: SessionRecord | None, *, was_taken_in: bool) -> Taking:
    """Return what becomes of *record*, of which the store has *kept*, or else *was_taken_in* before: the table of `MovableStore.take_in`."""
    if kept is None:
        return Taking("ended") if was_taken_in else Taking("kept", session_row(record))
    if (kept.tenant_id, kept.source) != (record.tenant_id, record.source):
        return Taking("there")  # another session, which has the same id
    changed = renewed(kept, record)
    row = session_row(changed)
    if row == session_row(kept):
        return Taking("there")
    return Taking("renewed", row, makes_stale=has_stale_claims(kept, changed))


def renewed(kept: SessionRecord, record: SessionRecord) -> SessionRecord:
    """Return *kept*, a session that is there, with what is newer in *record*; as it is if nothing is."""
    both_wait = kept.waits and record.waits
    changed = kept
    if both_wait:
        changed = replace(changed, user_id=record.user_id, recipe_user_id=record.recipe_user_id)
    if _is_lineage_newer(kept, record):
        changed = replace(changed, lineage=record.lineage, circumstances=record.circumstances)
    if record.version > kept.version or (both_wait and record.version == kept.version):
        changed = replace(
            changed,
            access_token_payload=record.access_token_payload,
            session_data=record.session_data,
            label=record.label,
            version=record.version,
        )
    idle_expires_at = max(kept.lineage.idle_expires_at, record.lineage.idle_expires_at)
    return replace(
        changed,
        lineage=replace(changed.lineage, idle_expires_at=idle_expires_at),
        last_seen_at=max(kept.last_seen_at, record.last_seen_at),
        bound_key=record.bound_key if kept.bound_key is None else kept.bound_key,
    )


def has_stale_claims(kept: SessionRecord, changed: SessionRecord) -> bool:
    """Say whether access tokens of *kept* that were issued here may say what is no longer so, now that it is *changed*."""
    return not kept.waits and kept.access_token_payload != changed.access_token_payload


def mark_of(session_id: str) -> bytes:
    """Return the digest, 32 bytes, under which a store remembers that it took in *session_id*: `marked_session` reads the id from it.

    Raises `PayloadError` if that is no id of a session, as in a damaged row.
    """
    if not _SESSION_ID.fullmatch(session_id):
        raise PayloadError("session_id: it is not 32 hexadecimal digits in lower case")
    return _MARK + bytes.fromhex(session_id)


def marked_session(digest: bytes) -> str | None:
    """Return the id of the session that `mark_of` made *digest* of, `None` if it is another digest."""
    is_mark = digest.startswith(_MARK) and len(digest) == len(_MARK) + _ID_LENGTH
    return digest.removeprefix(_MARK).hex() if is_mark else None


def marked_until(record: SessionRecord) -> int:
    """Return until when (milliseconds) it is to be remembered that *record* was taken in."""
    absolute = record.lineage.absolute_expires_at
    # Where a session of elsewhere goes on it may outlive our absolute deadline: it must not come back from there.
    if absolute is not None and record.source is None:
        return absolute
    return record.lineage.idle_expires_at + MOVING_KEPT


def _is_lineage_newer(kept: SessionRecord, record: SessionRecord) -> bool:
    ours, theirs = kept.lineage, record.lineage
    if record.waits:
        return kept.waits and _tokens(ours) != _tokens(theirs)
    if kept.waits or theirs.generation != ours.generation:
        return kept.waits or theirs.generation > ours.generation
    return theirs.current == ours.current and _progress(theirs) > _progress(ours)


def _tokens(lineage: Lineage) -> tuple[int, bytes, bytes | None]:
    return lineage.generation, lineage.current, lineage.previous


def _progress(lineage: Lineage) -> tuple[bool, int, int]:
    return lineage.acknowledged, lineage.window_at, lineage.crossed
