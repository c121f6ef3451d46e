"""What a store promises whose sessions can be looked through: pages whose places somebody keeps meanwhile."""

from __future__ import annotations

import pytest

from fastapi_session.stores.base import PagedStore, SessionPage, Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import full_session, new_session


def paged(store: Store) -> PagedStore:
    """Return *store*, whose sessions can be looked through."""
    assert isinstance(store, PagedStore)
    return store


async def all_pages(store: Store, *, limit: int) -> list[SessionPage]:
    """Return the pages of *store* from the first to the last."""
    pages = [await paged(store).session_page(after=None, limit=limit)]
    while pages[-1].after is not None:
        pages.append(await paged(store).session_page(after=pages[-1].after, limit=limit))
    return pages


class PagingContract:
    """The contract of a `PagedStore`. Inherit it beside `StoreContract`."""

    async def test_pages_have_all_sessions(self, store: Store, clock: HandClock) -> None:
        """Page by page all sessions come, of all users and tenants, expired ones too, and none twice while nothing changes."""
        records = [
            full_session(f"{user}{tenant}{n}", now=clock(), user_id=user, tenant_id=tenant)
            for user in ("a", "b", 'ü"(')
            for tenant in ("public", "t1")
            for n in range(3)
        ]
        records.append(new_session("expired", now=clock(), lineage={"idle_expires_at": clock() - 1}))
        for record in records:
            await store.insert(record)

        for limit in (1, 4, 19, 100):
            pages = await all_pages(store, limit=limit)
            found = [record for page in pages for record in page.records]
            assert sorted(records, key=lambda each: each.session_id) == sorted(found, key=lambda each: each.session_id)
            assert max(len(page.records) for page in pages) <= limit

    async def test_an_empty_store_has_one_empty_page(self, store: Store) -> None:
        """Where nothing is kept, the first page is the last."""
        page = await paged(store).session_page(after=None, limit=9)

        assert ([], None) == ([*page.records], page.after)

    async def test_a_place_outlives_its_session(self, store: Store, clock: HandClock) -> None:
        """Sessions that stay come, though the one with which a page ended is gone when the next is asked for."""
        staying = [new_session(f"{n}", now=clock()) for n in range(12)]
        going = [new_session(f"going{n}", now=clock()) for n in range(12)]
        for record in (*staying, *going):
            await store.insert(record)
        gone = {each.session_id for each in going}
        came, place = set[str](), None
        while (page := await paged(store).session_page(after=place, limit=3)).after is not None:
            came |= {each.session_id for each in page.records}
            for record in page.records:
                if record.session_id in gone:
                    await store.delete(record.session_id)
            place = page.after
        came |= {each.session_id for each in page.records}

        assert {each.session_id for each in staying} <= came

    @pytest.mark.parametrize("place", ["9999.KA==", "x", "0.x", "0.!", "-", "0.eA=="])
    async def test_a_place_that_was_made_up_is_harmless(self, store: Store, clock: HandClock, place: str) -> None:
        """What never was a place raises ValueError, or is taken for one: it neither fails otherwise nor goes on for ever."""
        await store.insert(new_session("a", now=clock()))
        try:
            page = await paged(store).session_page(after=place, limit=2)
        except ValueError:
            return
        assert page.after is None
