"""What every store makes of rows that were damaged, or changed by another hand: a test class inherits it and damages its store."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from operator import attrgetter

import pytest

from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import Notice, SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from fastapi_session.testing.leaving_contract import every_session
from fastapi_session.testing.movable_contract import take_in
from fastapi_session.testing.paging_contract import all_pages
from fastapi_session.testing.records import IDLE_TIMEOUT, duration, new_session, new_signing_key

Damage = Callable[[SessionRecord], Awaitable[None]]
"""Makes the row of a session unreadable."""
DamageKey = Callable[[str], Awaitable[None]]
"""Makes the row of the signing key of this kid unreadable."""
DamageFeed = Callable[[int], Awaitable[None]]
"""Appends something unreadable to the feed, as of this moment."""

SECRET_VALUE = "what-nobody-may-read"
"""What fixtures write into the row."""


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


class DamagedSessions:
    """Give it the fixtures *store*, *clock* and *damage*."""

    @pytest.fixture
    async def three(self, store: Store, clock: HandClock, damage: Damage) -> list[SessionRecord]:
        """Sessions of one user, of which the second is damaged."""
        records = [new_session(f"{n}", now=clock(), created_at=clock() + n) for n in range(3)]
        for record in records:
            await store.insert(record)
        await damage(records[1])
        return records

    async def test_a_damaged_session_is_unavailable(self, store: Store, three: list[SessionRecord]) -> None:
        """It is named and told in words, without anything of what is there; the others are as they were."""
        with pytest.raises(StoreUnavailable) as caught:
            await store.get(three[1].session_id)

        assert f"failed: session {three[1].session_id} cannot be read, for its " in str(caught.value)
        assert SECRET_VALUE not in str(caught.value)
        assert three[2] == (await store.get(three[2].session_id)).record

    async def test_pages_go_on_behind_it(self, store: Store, three: list[SessionRecord]) -> None:
        """Page by page all others come, also if it is alone on a page."""
        pages = await all_pages(store, limit=1)
        found = [record for page in pages for record in page.records]

        assert sorted([three[0], three[2]], key=attrgetter("session_id")) == sorted(found, key=attrgetter("session_id"))

    async def test_the_others_of_the_user_are_found(
        self, store: Store, three: list[SessionRecord], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A list of sessions leaves it out, and the log says so once."""
        for _ in range(2):
            assert [three[0], three[2]] == list(await store.sessions_of("user"))

        [line] = errors_in(caplog)
        assert " cannot be read, for its " in line
        assert SECRET_VALUE not in line

    async def test_a_sign_in_takes_its_place(self, store: Store, clock: HandClock, three: list[SessionRecord]) -> None:
        """Who has such a session signs in over it, and it is gone."""
        await store.insert(new_session("new", now=clock()), replacing=[three[1].session_id])

        assert (await store.get(three[1].session_id)).record is None
        assert 3 == len(await store.sessions_of("user"))

    async def test_it_is_deleted_with_the_others(self, store: Store, three: list[SessionRecord]) -> None:
        """Who deletes all of a user's sessions is given as many as asked for while there are more, and none is left."""
        deleted = [await store.delete_sessions_of("user", limit=1) for _ in range(3)]

        assert [1, 1, 0] == [len(each) for each in deleted]
        assert {three[0].session_id, three[2].session_id} == {each.session_id for some in deleted for each in some}
        assert [None] * 3 == [(await store.get(record.session_id)).record for record in three]
        heard = {notice.subject for notice in (await store.notices(after=0)).notices}
        assert {record.session_id for record in three} == heard

    async def test_moving_goes_on(
        self, store: Store, clock: HandClock, three: list[SessionRecord], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A copy leaves it out, and whoever takes it in leaves it as it is: all others move, and the log says so once."""
        assert [three[0], three[2]] == sorted(await every_session(store), key=attrgetter("created_at"))
        assert ["there", "there", "kept"] == await take_in(store, *three[:2], new_session("new", now=clock()))

        [line] = errors_in(caplog)
        assert " cannot be read, for its " in line
        assert SECRET_VALUE not in line

    async def test_housekeeping_goes_on(self, store: Store, clock: HandClock, three: list[SessionRecord]) -> None:
        """What has expired is deleted, whatever is beside it."""
        clock.advance(duration(IDLE_TIMEOUT + 1))

        assert len(three) == await store.delete_expired(limit=10)


class DamagedKeysAndFeed:
    """Give it the fixtures *store*, *clock*, *damage_key* and *damage_feed*."""

    async def test_the_other_keys_are_read(
        self, store: Store, clock: HandClock, damage_key: DamageKey, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A key that cannot be read is left out, and the log names it once. Its place stays taken."""
        first, second = new_signing_key("k1", now=clock()), new_signing_key("k2", now=clock(), sequence=2)
        for key in (first, second):
            assert await store.insert_key(key)
        await damage_key("k1")

        for _ in range(2):
            assert [second] == list(await store.signing_keys())
        assert 1 == len([line for line in errors_in(caplog) if "signing key k1 cannot be read, for its " in line])
        assert not await store.insert_key(new_signing_key("k3", now=clock()))

    async def test_the_other_notices_are_heard(
        self, store: Store, clock: HandClock, damage_feed: DamageFeed, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A notice that cannot be read hides none that can, before or after it."""
        began, records = clock(), [new_session(f"{n}", now=clock()) for n in range(4)]
        for record in records:
            await store.insert(record)
            await store.delete(record.session_id)
            await damage_feed(clock())
            clock.advance(duration(1))

        every = [Notice(record.session_id, "session_revoked", began + n) for n, record in enumerate(records)]
        assert every == list((await store.notices(after=0)).notices)
        assert {"cannot be read"} == {"cannot be read" if "notice" in line else line for line in errors_in(caplog)}
