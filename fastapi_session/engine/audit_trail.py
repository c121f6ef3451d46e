"""Reading the events that a store has kept."""

from __future__ import annotations

from fastapi_session.audit import EventQuery
from fastapi_session.core.payload import ensure_text, is_name
from fastapi_session.errors import ConfigurationError, PayloadError
from fastapi_session.events import AuditEvent, EventPage
from fastapi_session.stores.base import EventStore, Store

LARGEST_PAGE = 1_000

KEEPS_NO_EVENTS = "audit: this store keeps no events; SqliteStore, SqlStore, RedisStore and MemoryStore do"


def event_store(store: Store) -> EventStore:
    """Return *store* as one that keeps events. Raises `ConfigurationError` if it does not."""
    if not isinstance(store, EventStore):
        raise ConfigurationError(KEEPS_NO_EVENTS)
    return store


async def page(store: EventStore, query: EventQuery) -> EventPage:
    """Return the events in *store* that *query* asks for. Raises `PayloadError` for a query that cannot be, `StoreUnavailable`."""
    if not 1 <= query.limit <= LARGEST_PAGE:
        raise PayloadError(f"limit: give 1 to {LARGEST_PAGE}")
    for name in ("user_id", "tenant_id"):
        value = getattr(query, name)
        if value is not None:
            ensure_text(value, name)
            if not is_name(value):
                return EventPage((), query.after)
    try:
        reading = await store.events(query)
    except ValueError as error:
        raise PayloadError("after: give what the page before said") from error
    return EventPage(tuple(map(AuditEvent.of, reading.events)), reading.place)
