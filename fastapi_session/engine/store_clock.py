"""What time it is by a store. All processes share its clock, so that decides what has expired."""

from __future__ import annotations

from fastapi_session.stores.base import SessionStore

_NOBODY = "0" * 32
"""The id of no session. A reading comes with the store's clock, whether or not the session is there."""


async def store_now(store: SessionStore) -> int:
    """Return the milliseconds since the epoch by the clock of *store*: one reading. Raises `StoreUnavailable`."""
    return (await store.get(_NOBODY)).now
