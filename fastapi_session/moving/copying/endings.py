"""A session that has ended in one store ends in the other, for good."""

from __future__ import annotations

from fastapi_session.moving.copying.places import CopyStore
from fastapi_session.stores.taking_in import MOVING_KEPT, mark_of


async def end(session_id: str, store: CopyStore, *, now: int) -> None:
    """Delete the session in *store*, and let none of its id be taken in from *now* (milliseconds) on. It may be repeated."""
    # Remembered first: a page that was read before it ended may be taken in at this moment.
    await store.once(mark_of(session_id), until=now + MOVING_KEPT)
    await store.delete(session_id)
