"""What a store promises out of which sessions move: all that is there comes, page by page."""

from __future__ import annotations

from fastapi_session.model import SessionRecord
from fastapi_session.stores.base import MovableStore, Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import digest, full_session, new_session


def movable(store: Store) -> MovableStore:
    """Return *store*, into which sessions move."""
    assert isinstance(store, MovableStore)
    return store


async def every_session(store: Store, *, batch: int = 3) -> list[SessionRecord]:
    """Return all sessions of *store*, by their ids."""
    sessions = [each async for page in movable(store).every_session(batch=batch) for each in page]
    return sorted(sessions, key=lambda each: each.session_id)


class LeavingContract:
    """The contract of what a `MovableStore` yields."""

    async def test_every_session_is_yielded(self, store: Store, clock: HandClock) -> None:
        """All sessions come, of all users and tenants, expired ones too, and pages are no longer than asked for."""
        users = {"user_id": ["a", "b", "ü"], "tenant_id": ["public", "t1"]}
        records = [
            full_session(f"{user}{tenant}{n}", now=clock(), user_id=user, tenant_id=tenant)
            for user in users["user_id"]
            for tenant in users["tenant_id"]
            for n in range(3)
        ]
        records.append(new_session("expired", now=clock(), lineage={"idle_expires_at": clock() - 1}))
        for record in records:
            await store.insert(record)

        assert sorted(records, key=lambda each: each.session_id) == await every_session(store)
        pages = [len(page) async for page in movable(store).every_session(batch=4)]
        assert 19 == sum(pages)
        assert max(pages) <= 4

    async def test_an_empty_store_yields_nothing(self, store: Store) -> None:
        """Where nothing is kept, nothing comes."""
        moving = movable(store)
        pages = [page async for page in moving.every_session(batch=9)]
        devices = [page async for page in moving.every_device(batch=9)]
        remembered = [page async for page in moving.every_remembered(batch=9)]

        assert [0, 0, 0] == [sum(map(len, each)) for each in (pages, devices, remembered)]

    async def test_what_stays_is_never_left_out(self, store: Store, clock: HandClock) -> None:
        """Sessions that are there all the time come, though others come and go meanwhile."""
        staying = [new_session(f"{n}", now=clock()) for n in range(12)]
        going = [new_session(f"going{n}", now=clock()) for n in range(12)]
        for record in (*staying, *going):
            await store.insert(record)
        came = set[str]()
        async for page in movable(store).every_session(batch=3):
            came |= {each.session_id for each in page}
            if going:
                await store.delete(going.pop().session_id)
                await store.insert(new_session(f"new{len(going)}", now=clock()))

        assert {each.session_id for each in staying} <= came

    async def test_every_device_is_yielded(self, store: Store, clock: HandClock) -> None:
        """All devices come, of all users and tenants, with the moment of their last sign-in."""
        seen = {(user, tenant, digest(name)) for user in ("a", 'ü"') for tenant in ("public", "t1") for name in "xyz"}
        for device in sorted(seen):
            await store.see_device(*device)
        pages = [page async for page in movable(store).every_device(batch=5)]

        assert {(*device, clock()) for device in seen} == {tuple(each) for page in pages for each in page}
        assert all(len(page) <= 5 for page in pages)
