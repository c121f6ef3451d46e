"""A pass: what goes over beside sessions and keys, what is told of what cannot go over, and that it may fail anywhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from fastapi_session import MemoryStore, StoreUnavailable
from fastapi_session.model import LATEST, FeedReading, Notice, SessionRecord
from fastapi_session.moving.copying.copied_sessions import NotCopied
from fastapi_session.moving.copying.places import Places
from fastapi_session.moving.copying.store_copy import StoreCopy
from fastapi_session.stores.base import TakenIn
from fastapi_session.testing import HandClock
from fastapi_session.testing.movable_contract import waiting_session
from fastapi_session.testing.records import digest, new_session
from tests.engines import created
from tests.moving.copying.conftest import Move


class Choosy(MemoryStore):
    """A store that cannot keep the sessions called so, and is down for a while."""

    def __init__(self, *names: str, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.names = names
        self.is_down = False
        self.calls_to_fail = 0
        self.before_taking_in: Callable[[], Awaitable[None]] | None = None

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        if self.is_down:
            raise StoreUnavailable("down")
        return await super().notices(after=after, until=until)

    async def take_in(self, records: Sequence[SessionRecord], **options: Any) -> Sequence[TakenIn]:
        if self.before_taking_in is not None:
            await self.before_taking_in()
        if self.is_down or self.calls_to_fail:
            self.calls_to_fail -= not self.is_down
            raise StoreUnavailable("down")
        if {record.session_id for record in records} & {*self.names}:
            raise StoreUnavailable("a row is too large")
        return await super().take_in(records, **options)


async def test_devices_and_digests(move: Move) -> None:
    """The new store knows the devices of a user, and what must not happen twice; what moving remembers does not go over."""
    await created(move.old)
    await move.old.store.see_device("alice", "public", digest("phone"))
    await move.old.store.once(digest("a logout token"), until=move.clock() + 1_000)
    done = await move.begin()

    assert (1, 1) == (done.devices, done.digests)
    assert await move.new.store.see_device("alice", "public", digest("phone")) is False
    assert not await move.new.store.once(digest("a logout token"), until=move.clock())
    assert (0, 0) == ((again := await move.another_run().run("only")).devices, again.digests)


async def test_devices_of_later(move: Move) -> None:
    """What was seen while the copy ran goes over with the last pass."""
    await move.begin()
    await move.old.store.see_device("alice", "public", digest("phone"))

    assert 0 == (await move.another_pass()).devices
    assert 1 == (await move.another_pass("last")).devices


async def test_what_cannot_be_copied_is_told(move: Move) -> None:
    """A session that the new store cannot keep is told by its handle and the reason, and holds up no other."""
    handles = [(await created(move.old))[0] for _ in range(5)]
    choosy = Choosy(handles[2], clock=move.clock)
    copy = StoreCopy(Places(move.stores[0], choosy), tell=move.not_copied.append)
    done = await copy.run("only")

    assert {"kept": 4, None: 1} == dict(done.sessions)
    assert 1 == done.not_copied
    assert [NotCopied(handles[2], "a row is too large")] == move.not_copied
    choosy.names = ()
    assert {"kept": 1, "there": 4} == dict((await copy.run("only")).sessions)


async def test_a_failure_is_no_verdict(move: Move) -> None:
    """What failed once and succeeds again was not refused: nothing is told."""
    for _ in range(5):
        await created(move.old)
    choosy = Choosy(clock=move.clock)
    choosy.calls_to_fail = 1
    copy = StoreCopy(Places(move.stores[0], choosy), tell=move.not_copied.append)

    assert {"kept": 5} == dict((await copy.run("only")).sessions)
    assert [] == move.not_copied


async def test_many_pages(move: Move) -> None:
    """More sessions than one page has go over, each once."""
    for n in range(250):
        await move.old.store.insert(new_session(f"{n}", now=move.clock()))
    done = await move.begin()

    assert (250, {"kept": 250}) == (done.read, dict(done.sessions))
    every = [record async for page in move.stores[1].every_session(batch=1_000) for record in page]
    assert 250 == len({record.session_id for record in every})


async def test_what_ends_while_its_page_is_under_way(move: Move) -> None:
    """A session that was read, ended on the old store, and is written only then into the new one, has ended there too."""
    handle, _ = await created(move.old)
    choosy = Choosy(clock=move.clock)
    copy = StoreCopy(Places(move.stores[0], choosy), tell=move.not_copied.append)
    await copy.begin()

    async def end_it() -> None:
        await move.old.revoke(handle)
        await copy.carry()

    choosy.before_taking_in = end_it

    assert {"ended": 1} == dict((await copy.run("first")).sessions)
    assert (await choosy.get(handle)).record is None


async def test_what_is_remembered_of_moving_does_not_go_over(move: Move) -> None:
    """That the old store took a session in says nothing of the new one, which can still take it in."""
    record = waiting_session("a", now=move.clock())
    await move.stores[0].take_in([record])
    choosy = Choosy(record.session_id, clock=move.clock)
    copy = StoreCopy(Places(move.stores[0], choosy), tell=move.not_copied.append)
    assert {None: 1} == dict((await copy.run("only")).sessions)
    choosy.names = ()

    assert {"kept": 1} == dict((await copy.run("only")).sessions)


async def test_a_notice_goes_over_once(move: Move) -> None:
    """However often the feeds are read, and in both directions at the same time, each notice is in each of them once."""
    await move.begin()
    back = move.another_run(back=True)
    handle, _ = await created(move.old)
    await move.another_pass()
    other, _ = await created(move.new)
    await move.old.merge_into_access_token_payload(handle, {"role": "admin"})
    await move.old.revoke(handle)
    await move.new.revoke(other)
    for _ in range(3):
        await move.another_pass("last")
        await back.run("last")
    feeds = [(await store.notices(after=0)).notices for store in move.stores]

    assert {*feeds[0]} == {*feeds[1]}
    assert {handle, other} == {notice.subject for notice in feeds[0]}
    await move.another_pass("last")
    await back.run("last")
    assert feeds == [(await store.notices(after=0)).notices for store in move.stores]


async def test_a_notice_of_no_session(move: Move) -> None:
    """What is no session cannot end, and keeps nobody from moving; a kind of notice that is not known here ends nobody."""
    handle, _ = await created(move.old)
    await move.begin()
    odd: Any = "a kind of later"
    now = move.clock()
    notices = [Notice("damaged", "session_revoked", now), Notice(handle, odd, now)]
    await move.stores[0].append_notices(notices)

    assert len(notices) == (await move.another_pass()).notices
    assert await move.new.information(handle) is not None


async def test_a_session_with_no_id(move: Move) -> None:
    """A row whose id is none is told, and the others go over."""
    await move.stores[0].insert(replace(new_session("bad", now=move.clock()), session_id="damaged"))
    good, _ = await created(move.old)
    done = await move.begin()

    assert {"kept": 1, None: 1} == dict(done.sessions)
    assert [NotCopied("damaged", "session_id: it is not 32 hexadecimal digits in lower case")] == move.not_copied
    assert await move.new.information(good) is not None
