"""What a store does with a row that cannot be read, or is not the one it looked for: damaged, or changed by another hand.

| the store looks for | such a row |
|---|---|
| a session, by its id | `StoreUnavailable`, until it is mended, superseded by a sign-in, or ended with all of its user |
| a session that is taken in, by its id | is there, and stays as it is |
| the sessions of a user, or all sessions | is left out |
| the sessions of a user, or of an identity provider, to delete them | is deleted with the others; a notice is in the feed, but no event is published |
| what is old, to delete it | is never read |
| the signing keys | is left out: what it signed is refused with "try refresh token", and a new key is made if none is left |
| the feed, the events | is left out |

So nobody is harmed by the row of another one. What is left out is logged, once a process. Neither the log nor an error
has anything that the row holds, but for its own name.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from fastapi_session.audit import EventRecord
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import Notice, SessionRecord, SigningKeyRecord, external_digests
from fastapi_session.stores.columns import Row, Unreadable
from fastapi_session.stores.rows import event_of, key_record, notice_of, session_record

T = TypeVar("T")

_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)
_MOST_LOGGED = 1_000
"""How many rows are cached as logged. Then the cache is emptied, and they may be logged again."""

logger = logging.getLogger("fastapi_session")


class Readable:
    """Reads the rows of the store called *name*, such as "Redis"."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._logged: set[str] = set()  # a cache: a row that was dropped from it is logged once more

    def session(self, row: Row, *, session_id: str) -> SessionRecord:
        """Return the session in *row*, whose id is *session_id*. Raises StoreUnavailable if it is not or cannot be read."""
        try:
            return _belonging(session_record(row), is_wanted=lambda record: record.session_id == session_id)
        except Unreadable as error:
            # Without its cause: a traceback with locals would show the row.
            raise StoreUnavailable(
                f"{self._name} failed: session {_shown(session_id)} cannot be read, for its {error.column}"
            ) from None

    def kept(self, row: Row, *, session_id: str) -> SessionRecord | None:
        """Return the session in *row*, whose id is *session_id*, `None` if it is not or cannot be read."""

        def read(row: Row) -> SessionRecord:
            return _belonging(session_record(row), is_wanted=lambda record: record.session_id == session_id)

        return next(self._each([row], read, what="session"), None)

    def sessions(self, rows: Iterable[Row]) -> list[SessionRecord]:
        """Return the sessions in *rows* that can be read."""
        return [*self._each(rows, session_record, what="session")]

    def sessions_of(self, rows: Iterable[Row], *, user_id: str, tenant_id: str | None) -> list[SessionRecord]:
        """Return the sessions in *rows* that can be read, and are those of the user and, if one is given, of the tenant."""

        def is_wanted(record: SessionRecord) -> bool:
            return record.user_id == user_id and tenant_id in {None, record.tenant_id}

        def read(row: Row) -> SessionRecord:
            return _belonging(session_record(row), is_wanted=is_wanted)

        return [*self._each(rows, read, what="session")]

    def external(self, rows: Iterable[Row], *, digest: bytes) -> list[SessionRecord]:
        """Return the sessions in *rows* that can be read, and whose external session or external subject is *digest*."""

        def read(row: Row) -> SessionRecord:
            return _belonging(session_record(row), is_wanted=lambda record: digest in external_digests(record))

        return [*self._each(rows, read, what="session")]

    def signing_keys(self, rows: Iterable[Row]) -> list[SigningKeyRecord]:
        """Return the signing keys in *rows* that can be read."""
        return [*self._each(rows, key_record, what="signing key")]

    def events(self, rows: Iterable[Row]) -> tuple[EventRecord, ...]:
        """Return the events in *rows* that can be read."""
        return tuple(self._each(rows, event_of, what="event"))

    def notices(self, rows: Iterable[Row]) -> tuple[Notice, ...]:
        """Return the notices in *rows* that can be read."""
        return tuple(self._each(rows, notice_of, what="notice"))

    def _each(self, rows: Iterable[Row], read: Callable[[Row], T], *, what: str) -> Iterator[T]:
        for row in rows:
            try:
                yield read(row)
            except Unreadable as error:
                self._log(f"{what} {_shown(row[0] if row else None)} cannot be read, for its {error.column}")

    def _log(self, row: str) -> None:
        if row in self._logged:
            return
        if len(self._logged) == _MOST_LOGGED:
            self._logged.clear()
        self._logged.add(row)
        logger.error("%s: %s, and is left out", self._name, row)


def _belonging(record: SessionRecord, *, is_wanted: Callable[[SessionRecord], bool]) -> SessionRecord:
    if not is_wanted(record):
        raise Unreadable("owner (another one than was looked for)")
    return record


def _shown(name: object) -> str:
    """Return *name* if it has the form of one: a damaged row may have anything there."""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else "of an unknown name"
