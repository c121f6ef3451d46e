"""What a store makes of a row that cannot be read, or is not the one that was asked for: damaged, or changed by another hand.

| asked | such a row |
|---|---|
| a session, by its id | `StoreUnavailable`, until it is mended, superseded by a sign-in, or ended with all of its user |
| the sessions of a user | is left out |
| to delete the sessions of a user | is deleted with the others; the feed hears of it, no event tells of it |
| to delete what is old | is never read |
| the signing keys | is left out: what it signed is answered "try refresh token", and a new one is made if none is left |
| the feed | is left out |

So nobody is harmed by the row of another one. What is left out is told in the log, once a process. Neither there nor in an
error is anything of what the row holds, but for its own name.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import Notice, SessionRecord, SigningKeyRecord
from fastapi_session.stores.rows import Row, Unreadable, key_record, notice_of, session_record

T = TypeVar("T")

_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)
_MOST_TOLD = 1_000
"""How many rows are remembered as told of."""

logger = logging.getLogger("fastapi_session")


class Readable:
    """Reads the rows of the store called *name*, such as "Redis"."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: set[str] = set()

    def session(self, row: Row, *, session_id: str) -> SessionRecord:
        """Return the session in *row*, whose id is *session_id*. Raises StoreUnavailable if it is not or cannot be read."""
        try:
            return _belonging(session_record(row), is_asked=lambda record: record.session_id == session_id)
        except Unreadable as error:
            raise StoreUnavailable(
                f"{self._name} failed: session {_shown(session_id)} cannot be read, for its {error.column}"
            ) from None

    def sessions_of(self, rows: Iterable[Row], *, user_id: str, tenant_id: str | None) -> list[SessionRecord]:
        """Return the sessions in *rows* that can be read, and are those of the user and, if one is given, of the tenant."""

        def is_asked(record: SessionRecord) -> bool:
            return record.user_id == user_id and tenant_id in {None, record.tenant_id}

        def read(row: Row) -> SessionRecord:
            return _belonging(session_record(row), is_asked=is_asked)

        return [*self._each(rows, read, what="session")]

    def signing_keys(self, rows: Iterable[Row]) -> list[SigningKeyRecord]:
        """Return the signing keys in *rows* that can be read."""
        return [*self._each(rows, key_record, what="signing key")]

    def notices(self, rows: Iterable[Row]) -> tuple[Notice, ...]:
        """Return the notices in *rows* that can be read."""
        return tuple(self._each(rows, notice_of, what="notice"))

    def _each(self, rows: Iterable[Row], read: Callable[[Row], T], *, what: str) -> Iterator[T]:
        for row in rows:
            try:
                yield read(row)
            except Unreadable as error:
                self._tell(f"{what} {_shown(row[0] if row else None)} cannot be read, for its {error.column}")

    def _tell(self, row: str) -> None:
        if row in self._told:
            return
        if len(self._told) == _MOST_TOLD:
            self._told.clear()
        self._told.add(row)
        logger.error("%s: %s, and is left out", self._name, row)


def _belonging(record: SessionRecord, *, is_asked: Callable[[SessionRecord], bool]) -> SessionRecord:
    if not is_asked(record):
        raise Unreadable("owner (another one than was asked for)")
    return record


def _shown(name: object) -> str:
    """Return *name* if it has the form of one: a damaged row may have anything there."""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else "of an unknown name"
