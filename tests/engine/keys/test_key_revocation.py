"""A signing key is revoked in an emergency: on every store, in the process that does it and in those that hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from fastapi_session.core.signing_keys import RELOAD_MARGIN
from fastapi_session.engine.from_config import PUBLISH_LEAD
from fastapi_session.errors import StoreUnavailable, TryRefreshTokenError
from fastapi_session.model import SigningKeyRecord
from fastapi_session.stores.base import Store
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import duration
from tests.conftest import Place
from tests.engine.processes import Process, kids
from tests.engines import TroubledStore, engine
from tests.moments import DAY, HOUR, MINUTE, SECOND, WEEK


@pytest.fixture
async def store(any_place: Place, clock: HandClock) -> AsyncIterator[Store]:
    """An open, empty store of each kind."""
    store = store_by_url(any_place.url, clock=clock)
    await store.open()
    yield store
    await store.close()


@pytest.mark.parametrize("static", [False, True])
async def test_the_signing_key_is_revoked(store: Store, clock: HandClock, static: bool) -> None:
    """Its tokens are refused from then on, it is published no more, and the next token is signed by a new key at once."""
    process = Process(store, clock)
    kid = await process.signing_kid(static=static)
    clock.advance(HOUR)

    assert await process.keyring.revoke(kid)
    assert not await process.knows(kid)
    new = await process.signing_kid(static=static)
    assert kid != new
    assert [new] == await process.published() == await kids(store)
    assert not await process.keyring.revoke(kid)
    assert new == await process.signing_kid(static=static)


async def test_another_process_hears_of_it(store: Store, clock: HandClock) -> None:
    """Once another process is told, it refuses the key, signs with the new one as well, and verifies what that signed."""
    here, there = Process(store, clock), Process(store, clock)
    kid = await here.signing_kid()
    assert kid == await there.signing_kid()
    clock.advance(SECOND)
    await here.keyring.revoke(kid)
    assert kid == await there.signing_kid()
    assert not await here.knows(kid)

    there.keyring.forget(kid)
    new = await there.signing_kid()
    assert new == await here.signing_kid() != kid
    assert not await there.knows(kid)
    assert all([await process.knows(new) for process in (here, there)])
    assert [new] == await kids(store)


async def test_tokens_of_the_new_key_are_verified_at_once(store: Store, clock: HandClock) -> None:
    """A process that was told learns the new key from the first token of it, though it has just been asked for unknown ones."""
    here, there = Process(store, clock), Process(store, clock)
    kid = await here.signing_kid()
    await there.knows("d-unknown")
    await here.keyring.revoke(kid)
    there.keyring.forget(kid)

    assert await there.knows(await here.signing_kid())


async def test_a_retired_key_is_revoked(store: Store, clock: HandClock) -> None:
    """A key that only verifies is gone, and nothing else changes: no other key is made."""
    process = Process(store, clock)
    retired = await process.signing_kid()
    clock.advance(WEEK)
    await process.signing_kid()
    clock.advance(PUBLISH_LEAD)
    kid = await process.signing_kid()

    assert await process.keyring.revoke(retired)
    assert not await process.knows(retired)
    assert kid == await process.signing_kid()
    assert [kid] == await kids(store)


async def test_no_retired_key_signs_again(store: Store, clock: HandClock) -> None:
    """Where the one before the revoked key still verifies, it signs no more all the same, in no process, old or new."""
    here, there = Process(store, clock), Process(store, clock)
    retired = await here.signing_kid()
    clock.advance(WEEK - PUBLISH_LEAD)
    await here.signing_kid()
    clock.advance(PUBLISH_LEAD)
    revoked = await here.signing_kid()
    assert retired != revoked == await there.signing_kid()
    await here.keyring.revoke(revoked)
    there.keyring.forget(revoked)
    (new,) = {await process.signing_kid() for process in (here, there, Process(store, clock))}

    assert new not in {retired, revoked}
    assert await there.knows(retired)
    assert [retired, new] == await kids(store)


async def test_a_pending_key_is_revoked(store: Store, clock: HandClock) -> None:
    """A key that does not sign yet never does: another one takes its place in the order, for processes old and new."""
    here, there = Process(store, clock), Process(store, clock)
    first = await here.signing_kid()
    clock.advance(WEEK - PUBLISH_LEAD)
    await here.signing_kid()
    clock.advance(PUBLISH_LEAD - SECOND)
    assert first == await there.signing_kid()
    _, pending = await store.signing_keys()
    assert await here.keyring.revoke(pending.kid)
    assert first == await here.signing_kid()
    _, following = await store.signing_keys()
    there.keyring.forget(pending.kid)

    clock.advance(SECOND)
    assert first == await here.signing_kid() == await there.signing_kid()
    clock.advance(PUBLISH_LEAD - SECOND)
    assert following.kid == await here.signing_kid() == await there.signing_kid()
    assert pending.sequence == following.sequence
    assert not await there.knows(pending.kid)


async def test_a_cached_token_is_refused(store: Store, clock: HandClock) -> None:
    """A token that was verified a moment ago is refused as well when its key is revoked."""
    sessions = engine(clock, store=store)
    token = (await sessions.create("alice")).tokens.access_token
    key = await sessions._parts.keyring.signing_key()
    await sessions.verify(token)
    await sessions._parts.keyring.revoke(key.kid)

    with pytest.raises(TryRefreshTokenError):
        await sessions.verify(token)


async def test_a_reading_under_way_brings_nothing_back(clock: HandClock) -> None:
    """What was read before the deletion and is answered after it does not bring the key back."""

    class SlowStore(MemoryStore):
        async def signing_keys(self) -> Sequence[SigningKeyRecord]:
            answer = await super().signing_keys()
            await answered.wait()
            return answer

    answered = asyncio.Event()
    answered.set()
    store = SlowStore(clock=clock)
    process = Process(store, clock)
    kid = await process.signing_kid()
    answered.clear()
    for reader in (process, Process(store, clock)):
        reading = asyncio.ensure_future(reader.keyring._reload())
        await asyncio.sleep(0)
        await store.delete_key(kid)
        reader.keyring.forget(kid)
        answered.set()
        await reading
        assert [] == list(reader.keyring._known)


async def test_being_told_again_costs_nothing(troubled: TroubledStore, clock: HandClock) -> None:
    """Whoever hears of the same deletion a hundred times, or of a key that nobody knows, reads the store once."""
    process = Process(troubled, clock)
    kid = await process.signing_kid()
    new = Process(troubled, clock)
    await new.keyring.revoke(kid)
    troubled.asked.clear()
    for _ in range(100):
        process.keyring.forget(kid)
        process.keyring.forget("d-unknown")
        await process.signing_kid()

    assert {"signing_keys": 1} == troubled.asked


async def test_a_routine_deletion_is_harmless(store: Store, clock: HandClock) -> None:
    """To be told of a key that was deleted because its last token has expired changes nothing."""
    process = Process(store, clock)
    expired = await process.signing_kid()
    clock.advance(WEEK - PUBLISH_LEAD)
    await process.signing_kid()
    clock.advance(PUBLISH_LEAD + HOUR + duration(RELOAD_MARGIN))
    kid = await process.signing_kid()
    process.keyring.forget(expired)

    assert kid == await process.signing_kid()
    assert [kid] == await process.published()


async def test_a_store_that_is_down(troubled: TroubledStore, clock: HandClock) -> None:
    """Nothing is forgotten that could not be deleted, and the next try does it."""
    process = Process(troubled, clock)
    kid = await process.signing_kid()
    troubled.down = True
    with pytest.raises(StoreUnavailable):
        await process.keyring.revoke(kid)
    assert kid == await process.signing_kid()

    troubled.down = False
    assert await process.keyring.revoke(kid)
    assert kid != await process.signing_kid()


class CrowdedStore(MemoryStore):
    """Lets another process take the next place in the order first, some *times*."""

    times = 0

    async def insert_key(self, record: SigningKeyRecord) -> bool:
        if self.times:
            self.times -= 1
            await super().insert_key(await self._rival(record))
        return await super().insert_key(record)

    async def _rival(self, record: SigningKeyRecord) -> SigningKeyRecord:
        there = MemoryStore(clock=self._clock)
        await Process(there, self._clock).signing_kid()
        (made,) = await there.signing_keys()
        return SigningKeyRecord(
            **{
                **{name: getattr(made, name) for name in made.__slots__},
                "sequence": record.sequence,
                "activates_at": record.activates_at + 1000,
            }
        )


async def test_a_rival_makes_the_next_key_first(clock: HandClock) -> None:
    """Where others make the next key at that moment, the one that signs at once is made after theirs; not for ever."""
    store = CrowdedStore(clock=clock)
    process = Process(store, clock)
    kid = await process.signing_kid()
    store.times = 2
    assert await process.keyring.revoke(kid)
    assert (await store.signing_keys())[-1].kid == await process.signing_kid()
    assert 3 == len(await kids(store))

    store.times = 3
    with pytest.raises(StoreUnavailable, match="in the place of the one to be revoked"):
        await process.keyring.revoke(await process.signing_kid())


async def test_a_revoked_key_leaves_the_other_algorithm(store: Store, clock: HandClock) -> None:
    """Of two algorithms side by side, the one whose key is revoked signs with the other's at once, and makes its own again."""
    earlier, changed = Process(store, clock), Process(store, clock, algorithm="RS256")
    revoked = await earlier.signing_kid()
    await changed.signing_kid()
    clock.advance(DAY)
    other = await changed.signing_kid()
    assert await earlier.keyring.revoke(revoked)
    assert other == await earlier.signing_kid()

    clock.advance(PUBLISH_LEAD + MINUTE)
    assert await earlier.signing_kid() not in {revoked, other}
    assert other == await changed.signing_kid()
