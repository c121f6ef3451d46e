"""Which limit of sessions holds for a new session, as the table of `config.session_limit` says, and inserting under it."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi_session.audit import InsertionAudit
from fastapi_session.config import SessionConfig
from fastapi_session.config.session_limit import SessionLimit
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.live_records import handles_in
from fastapi_session.errors import ConfigurationError, SessionLimitReached
from fastapi_session.handles import split_handle
from fastapi_session.insertion import REFUSED, Limit
from fastapi_session.model import GUEST_KIND, Predecessor, SessionRecord
from fastapi_session.stores.base import SessionStore


class SessionLimits:
    """Knows the limits of a configuration."""

    def __init__(self, config: SessionConfig) -> None:
        self._general = config.session_limit
        self._own = {name: kind.limit for name, kind in config.kinds.items() if kind.limit is not None}
        self._uncounted = frozenset({GUEST_KIND, *self._own})

    def limit_for(self, record: SessionRecord, *, said: SessionLimit | None, evict: Sequence[str]) -> Limit | None:
        """Return what the store has to keep when *record* is inserted, `None` if there is no limit.

        *said* is what the sign-in said, and *evict* are the handles of the sessions that may end for it. Raises what the limit's
        function raises, and `ConfigurationError` for a limit that is none.
        """
        own = self._own.get(record.kind)
        limit = said or own or self._general
        if limit is None or record.kind == GUEST_KIND or record.actor is not None:
            return None
        # Checked here although the types say it: a number would look right.
        if not isinstance(limit, SessionLimit):
            raise ConfigurationError("limit: give a SessionLimit, as in SessionLimit(3)")
        count = limit.count_for(record.user_id, record.tenant_id, record.kind)
        if count is None:
            return None
        return Limit(
            count,
            kind=record.kind if own is not None or limit.per == "kind" else None,
            uncounted=self._uncounted,
            refuses=limit.when_reached == "refuse",
            evict=tuple(split_handle(handle)[0] for handle in handles_in(evict)),
        )


async def insert_under(
    limit: Limit | None,
    record: SessionRecord,
    *,
    store: SessionStore,
    announcements: Announcements,
    replacing: Sequence[str],
    succeeding: Predecessor | None = None,
    audit: InsertionAudit | None = None,
) -> bool:
    """Insert *record* into *store*, and announce whoever had to end for that; say if it was kept, or *succeeding* has changed.

    Raises `SessionLimitReached` if *limit* refuses, and `StoreUnavailable`.
    """
    inserted = await store.insert(record, replacing=replacing, succeeding=succeeding, limit=limit, audit=audit)
    if limit is not None and inserted == REFUSED:
        raise SessionLimitReached(limit.count)
    for evicted in inserted.evicted:
        announcements.evicted(evicted, by=record, audit=audit)
    return inserted.is_kept
