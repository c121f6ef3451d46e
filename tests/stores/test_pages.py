"""What may be much is read in pages: the same comes out, and no page is larger than it may be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from fastapi_session.model import LATEST
from fastapi_session.stores.base import Store
from fastapi_session.stores.columns import Row
from fastapi_session.stores.pages import pages
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import new_session
from tests.conftest import Place

PAGES = {
    "SESSIONS_PAGE": ("sql.verbs", "sqlite.store", "redis.store"),
    "NOTICES_PAGE": ("sql.notice_verbs", "sqlite.store", "redis.notice_verbs"),
}
"""Each page, and the modules that read by it."""


@pytest.fixture
async def store(place: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A store that reads three at once."""
    for name, modules in PAGES.items():
        for module in modules:
            monkeypatch.setattr(f"fastapi_session.stores.{module}.{name}", 3)
    store = place.store(HandClock())
    await store.open()
    yield store
    await store.close()


@pytest.mark.parametrize("count", [0, 1, 3, 5, 6, 10])
async def test_pages_of_rows(count: int) -> None:
    """Each row comes once, and who reads less than a page asks once."""
    asked: list[int] = []

    async def read(after: int) -> Sequence[Row]:
        asked.append(after)
        return [(number,) for number in range(count)][after : after + 3]

    rows = [row async for page in pages(read, size=3, first=0, place=lambda row: int(row[0]) + 1) for row in page]

    assert [(number,) for number in range(count)] == rows
    assert [*range(0, count + 1, 3)] == asked


async def test_sessions_of_several_pages(store: Store) -> None:
    """All of a user's sessions are found, of one tenant or of each, oldest first; expired ones are left out."""
    tenants = ["public", "t1", "t1", "t2", "t1", "public", "t1", "t1", "t2", "t1"]
    records = [
        new_session(f"{n}", now=1_000 + n, tenant_id=tenant, lineage={"idle_expires_at": 0 if n == 6 else 2**45})
        for n, tenant in enumerate(tenants)
    ]
    for record in [*records, new_session("other", now=1_000, user_id="other")]:
        await store.insert(record)
    living = [record for n, record in enumerate(records) if n != 6]

    assert living == list(await store.sessions_of("user"))
    for tenant in {*tenants}:
        assert [each for each in living if each.tenant_id == tenant] == list(
            await store.sessions_of("user", tenant_id=tenant)
        )


async def test_notices_of_several_pages(place: Place, store: Store) -> None:
    """All are read, each once and oldest first, whether many are of one moment or none."""
    clock = HandClock()
    writer = place.store(clock)
    dated: list[tuple[str, int]] = []
    for number in range(13):
        record = new_session(f"{number}", now=clock())
        await writer.insert(record)
        await writer.delete(record.session_id)
        dated.append((record.session_id, clock()))
        if number in {4, 10, 11}:
            clock.advance(timedelta(milliseconds=1))
    await writer.close()

    for after, until in ((0, LATEST), (dated[0][1], LATEST), (0, dated[-1][1] - 1), (dated[0][1], dated[-1][1] - 1)):
        read = [(notice.subject, notice.at) for notice in (await store.notices(after=after, until=until)).notices]
        expected = [(subject, at) for subject, at in dated if after < at <= until]
        assert sorted(expected) == sorted(read)
        assert [at for _, at in expected] == [at for _, at in read]
