"""Finding a session's record by its handle, and changing it without losing another writer's change."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

from fastapi_session.core.payload import is_same
from fastapi_session.engine.background import ensure_asyncio
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import SessionRecord, split_handle
from fastapi_session.stores.base import SessionStore

ATTEMPTS = 1_000
"""How often a change is tried again. Each attempt that fails is another writer's that succeeded."""


_SESSION_ID = re.compile("[0-9a-f]{32}")


class SessionLocks:
    """A lock for each session that is being changed, on each event loop. What nobody waits for is not kept."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, handle: str) -> asyncio.Lock:
        """Return the lock of the session *handle*: `async with locks.of(handle)`. Raises as `ensure_asyncio`."""
        ensure_asyncio()
        return self._locks.setdefault((asyncio.get_running_loop(), handle), asyncio.Lock())


def is_handle(handle: str) -> bool:
    """Say whether *handle* has the form of a session's handle. A store need not know what to make of any other."""
    return _SESSION_ID.fullmatch(split_handle(handle)[0]) is not None


def handles_in(given: Sequence[str]) -> list[str]:
    """Return the handles in *given*, which may be a single one, each once and without what can be no handle."""
    handles = [given] if isinstance(given, str) else given
    return list(dict.fromkeys(handle for handle in handles if is_handle(handle)))


async def live_record(store: SessionStore, handle: str) -> SessionRecord | None:
    """Return the record that *handle* names, tenant included, if no deadline of it has passed. Raises as `ensure_asyncio`."""
    ensure_asyncio()
    if not is_handle(handle):
        return None
    session_id, tenant_id = split_handle(handle)
    reading = await store.get(session_id)
    record = reading.record
    if record is None or record.tenant_id != tenant_id or record.lineage.expired(reading.now):
        return None
    return record


async def change_record(
    store: SessionStore,
    handle: str,
    *,
    change: Callable[[SessionRecord], SessionRecord],
    stale: Callable[[SessionRecord], None] | None = None,
) -> SessionRecord | None:
    """Write the payload and data that *change* makes of the record; if another writer came first, change theirs.

    Nothing is written if it makes no difference. With *stale* every process hears of what is written: this one by that
    function, the others by the store. Return the record as it is then, `None` if there is none. What *change* raises leaves
    the record as it was.
    """
    for _ in range(ATTEMPTS):
        record = await live_record(store, handle)
        if record is None:
            return None
        changed = change(record)
        if _says_the_same(record, changed):
            return record
        if await store.update(
            record.session_id,
            version=record.version,
            access_token_payload=changed.access_token_payload,
            session_data=changed.session_data,
            marks_stale=stale is not None,
        ):
            if stale is not None:
                stale(changed)
            return changed
    raise StoreUnavailable("the session kept changing while it was being changed")


def _says_the_same(one: SessionRecord, other: SessionRecord) -> bool:
    return is_same(one.access_token_payload, other.access_token_payload) and is_same(
        one.session_data, other.session_data
    )
