"""Which sessions make room for a new one: one table for every store.

Sessions of the user in the tenant count that live by the store's clock, but

| not counted | why |
|---|---|
| those that the new one replaces | they end with the same write |
| impersonations, which have an `actor` | they are somebody else's |
| another kind, if the limit has one, else the kinds that it does not count | they have a limit of their own, or none |

If there are as many as the limit or more, so many have to end that with the new one there are as many as the limit:

| the limit | these end | if those are too few |
|---|---|---|
| evicts | those it names first, then the one whose newest refresh token is the oldest; of several the smallest id | they never are |
| refuses | only those it names, in the same order | nothing is written |

So a limit that was lowered counts from the next sign-in on. What cannot be read counts as the oldest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fastapi_session.insertion import Limit
from fastapi_session.model import SessionRecord


class Living(NamedTuple):
    """What has to be known of a session that lives: the columns of these names. A database may hold anything as a number."""

    session_id: str
    kind: str
    actor: str | None
    window_at: object

    @classmethod
    def of(cls, record: SessionRecord) -> Living:
        """Return what has to be known of *record*."""
        return cls(record.session_id, record.kind, record.actor, record.lineage.window_at)


def making_room(living: Iterable[Living], limit: Limit, *, replacing: Sequence[str]) -> list[str] | None:
    """Return the ids of those *living* sessions of a user that end for a new one, `None` if *limit* refuses it."""
    counted = [each for each in living if _counts(each, limit) and each.session_id not in replacing]
    too_many = len(counted) + 1 - limit.count
    ending = [each.session_id for each in sorted(counted, key=lambda each: _place(each, limit))[: max(too_many, 0)]]
    if limit.refuses and not {*ending} <= {*limit.evict}:
        return None
    return ending


def _counts(each: Living, limit: Limit) -> bool:
    is_of_kind = each.kind not in limit.uncounted if limit.kind is None else each.kind == limit.kind
    return each.actor is None and is_of_kind


def _place(each: Living, limit: Limit) -> tuple[bool, int, str]:
    # What is damaged must not fail every sign-in of its user.
    window_at = each.window_at if isinstance(each.window_at, int) else 0
    return each.session_id not in limit.evict, window_at, each.session_id
