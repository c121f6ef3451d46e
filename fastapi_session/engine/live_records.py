"""Finding the record of a session by its handle."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastapi_session.engine.continued_store import ContinuedStore
from fastapi_session.engine.event_loop import ensure_asyncio
from fastapi_session.handles import own_handle, split_handle
from fastapi_session.model import Reading, SessionRecord
from fastapi_session.stores.base import SessionStore

_SESSION_ID = re.compile("[0-9a-f]{32}")


def is_handle(handle: str) -> bool:
    """Say whether *handle* has the form of a session's handle. A store need not know what to make of any other."""
    return _SESSION_ID.fullmatch(split_handle(handle)[0]) is not None


def handles_in(given: Sequence[str]) -> list[str]:
    """Return the handles in *given*, which may be a single one, each once and without what can be no handle."""
    handles = [given] if isinstance(given, str) else given
    return list(dict.fromkeys(own_handle(handle) for handle in handles if is_handle(handle)))


async def live_record(store: SessionStore, handle: str) -> SessionRecord | None:
    """Return the record that *handle* names, tenant included, if no deadline of it has passed.

    An impersonation ends with the session of who acts, so that one is read too. Raises `StoreUnavailable`, and
    `ConfigurationError` if asyncio is not running.
    """
    record = await kept_record(store, handle)
    if record is None or record.actor_session is None or await kept_record(store, record.actor_session) is not None:
        return record
    return None


async def kept_record(store: SessionStore, handle: str) -> SessionRecord | None:
    """Return what `live_record` does, but also an impersonation that has ended with the session of who acted."""
    ensure_asyncio()
    session_id, tenant_id = split_handle(handle)
    if not _SESSION_ID.fullmatch(session_id):
        return None
    reading = await store.get(session_id)
    if isinstance(store, ContinuedStore) and _may_go_on_elsewhere(reading):
        reading = await store.taken_in(session_id, tenant_id)
    record = reading.record
    # By the store's clock: all processes agree on it.
    if record is None or record.tenant_id != tenant_id or record.lineage.expired(reading.now):
        return None
    return record


def _may_go_on_elsewhere(reading: Reading) -> bool:
    """Say whether the session is not here, or has expired since it was read there: it may have been refreshed there meanwhile."""
    record = reading.record
    return record is None or (record.waits and record.lineage.expired(reading.now))
