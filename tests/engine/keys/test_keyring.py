"""The signing keys as one process knows them: made in time, read again, and never lost."""

from __future__ import annotations

import asyncio
import itertools
import time
import timeit
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from fastapi_session.core.key_encryption import generate_private_key
from fastapi_session.core.signing_keys import RELOAD_MARGIN
from fastapi_session.engine.from_config import PUBLISH_LEAD, milliseconds
from fastapi_session.engine.keys.keyring import COOLDOWN, RELOAD_INTERVAL
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.stores.base import Store
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import duration
from tests.conftest import Place
from tests.engine.processes import Process, kids
from tests.engines import NEW_SECRET, SECRET, WRONG_SECRET, TroubledStore, secrets
from tests.moments import DAY, HOUR, MILLISECOND, MINUTE, SECOND, WEEK
from tests.rsa import makes_keys_aside

UNKNOWN = "d-" + "0" * 32


async def test_the_first_key_signs_at_once(store: Store, clock: HandClock) -> None:
    """A new deployment makes its first key when it is needed, and publishes it."""
    process = Process(store, clock)
    kid = await process.signing_kid()

    assert kid.startswith("d-")
    assert [kid] == await kids(store) == await process.published()
    assert kid == await process.signing_kid()


async def test_a_static_key_never_rotates(store: Store, clock: HandClock) -> None:
    """The static key is named after its family and signs for years."""
    process = Process(store, clock)
    first = await process.signing_kid(static=True)
    clock.advance(1000 * WEEK)

    assert first.startswith("s-")
    assert first == await process.signing_kid(static=True)
    assert [first] == await kids(store)


async def test_a_key_made_ahead(store: Store, clock: HandClock) -> None:
    """A key that is asked for is published at once and signs ten minutes later, and while it waits no other is made."""
    process, other = Process(store, clock), Process(store, clock)
    first = await process.signing_kid()
    clock.advance(HOUR)
    made = await process.keyring.rotate()
    assert made is not None

    assert await other.keyring.rotate() is None
    assert [first, made.kid] == await process.published()
    clock.advance(PUBLISH_LEAD - MILLISECOND)
    assert first == await process.signing_kid()
    clock.advance(MILLISECOND)
    assert made.kid == await process.signing_kid()


async def test_the_next_key_is_published_before_it_signs(store: Store, clock: HandClock) -> None:
    """The next key appears in the JWKS ten minutes before the turn of the week, and signs from then on to the millisecond."""
    process = Process(store, clock)
    first = await process.signing_kid()
    clock.advance(WEEK - PUBLISH_LEAD - MILLISECOND)
    await process.signing_kid()
    assert [first] == await kids(store)

    clock.advance(MILLISECOND)
    assert first == await process.signing_kid()
    _, second = await process.published()
    clock.advance(PUBLISH_LEAD - MILLISECOND)
    assert first == await process.signing_kid()
    clock.advance(MILLISECOND)
    assert second == await process.signing_kid()


async def test_a_retired_key_verifies_as_long_as_its_tokens_live(store: Store, clock: HandClock) -> None:
    """A retired key verifies until the last token that anybody can have signed with it has expired, and is then dropped."""
    process = Process(store, clock)
    first = await process.signing_kid()
    clock.advance(WEEK - PUBLISH_LEAD)
    await process.signing_kid()
    clock.advance(PUBLISH_LEAD + HOUR + duration(RELOAD_MARGIN) - MILLISECOND)
    assert await process.knows(first)

    clock.advance(MILLISECOND)
    assert not await process.knows(first)
    assert first not in await process.published()


async def test_expired_keys_leave_the_store(store: Store, clock: HandClock) -> None:
    """Who makes a key drops those that verify nothing any more: a store holds two or three, not one a week."""
    process = Process(store, clock)
    counts = []
    for _ in range(10):
        await process.signing_kid()
        clock.advance(WEEK / 2)
        counts.append(len(await kids(store)))

    assert 3 >= max(counts)


async def test_keys_rotate_while_they_serve(store: Store, clock: HandClock) -> None:
    """Over three weeks, two processes always verify what the other has just signed, and every key until its tokens end."""
    here, there = Process(store, clock), Process(store, clock, jitter=200)
    in_use: dict[str, int] = {}
    for _ in range(3 * 7 * 24 * 2):
        for signer, verifier in ((here, there), (there, here)):
            kid = await signer.signing_kid()
            in_use[kid] = clock() + milliseconds(HOUR)
            assert await verifier.knows(kid)
        assert all([await here.knows(kid) for kid, until in in_use.items() if until > clock()])
        clock.advance(HOUR / 2)

    assert 3 <= len(in_use) <= 4


@pytest.fixture
async def eight(any_place: Place, clock: HandClock) -> AsyncIterator[list[Store]]:
    """One store of each kind as eight processes have it open."""
    shared = store_by_url(any_place.url, clock=clock)
    stores = [shared if any_place.kind == "memory" else store_by_url(any_place.url, clock=clock) for _ in range(8)]
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()


async def test_eight_processes_make_one_key_a_week(eight: list[Store], clock: HandClock) -> None:
    """Over twenty weeks eight processes make one key a week between them, publish it in time, and all of them agree on it."""
    processes = [Process(store, clock, jitter=30 * number) for number, store in enumerate(eight)]
    signed = [await one_kid(processes)]
    for _ in range(20):
        clock.advance(HOUR - MILLISECOND)
        assert all([await process.knows(kid) for process in processes for kid in signed[-2:]])
        clock.advance(WEEK - PUBLISH_LEAD - HOUR)
        assert signed[-1] == await one_kid(processes)
        assert signed[-1] == (await kids(eight[0]))[-1]
        clock.advance(MILLISECOND)
        assert signed[-1] == await one_kid(processes)
        assert signed[-1] == (await kids(eight[0]))[-2]
        clock.advance(PUBLISH_LEAD - MILLISECOND)
        assert signed[-1] == await one_kid(processes)
        clock.advance(MILLISECOND)
        signed.append(await one_kid(processes))
    last = (await eight[0].signing_keys())[-1]

    assert 21 == len(set(signed)) == last.sequence + 1
    assert milliseconds(PUBLISH_LEAD) == last.activates_at - last.created_at


async def one_kid(processes: list[Process]) -> str:
    """Return the one kid that all *processes* sign with when they sign at the same time, and that each of them knows."""
    (kid,) = set(await asyncio.gather(*(process.signing_kid() for process in processes)))
    assert all([await process.knows(kid) for process in processes])
    return kid


async def test_one_process_makes_one_key_for_all_who_wait(troubled: TroubledStore, clock: HandClock) -> None:
    """A hundred requests that find no key read the store once and make one key between them."""
    process = Process(troubled, clock)
    troubled.ready.clear()
    asking = [asyncio.ensure_future(process.keyring.signing_key()) for _ in range(100)]
    await asyncio.sleep(0.01)
    troubled.ready.set()
    found = {key.kid for key in await asyncio.gather(*asking)}

    assert 1 == len(found)
    assert {"signing_keys": 2, "insert_key": 1} == troubled.asked


async def test_a_restarted_process_verifies_its_first_requests(troubled: TroubledStore, clock: HandClock) -> None:
    """Requests that arrive together while a new process reads its first keys are all verified."""
    kid = await Process(troubled, clock).signing_kid()
    troubled.asked.clear()
    restarted = Process(troubled, clock)
    troubled.ready.clear()
    asking = [asyncio.ensure_future(restarted.keyring.verifying_key(kid)) for _ in range(64)]
    await asyncio.sleep(0.01)
    troubled.ready.set()
    answers = await asyncio.gather(*asking)

    assert 64 == sum(key is not None for key in answers)
    assert 1 == troubled.asked["signing_keys"]


async def test_a_client_that_goes_away_takes_no_keys_with_it(troubled: TroubledStore, clock: HandClock) -> None:
    """Where the request that began to read the keys is cancelled, the next one verifies all the same."""
    kid = await Process(troubled, clock).signing_kid()
    restarted = Process(troubled, clock)
    troubled.ready.clear()
    first = asyncio.ensure_future(restarted.keyring.verifying_key(kid))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    troubled.ready.set()

    assert await restarted.knows(kid)


async def test_a_key_made_elsewhere_is_found_at_once(troubled: TroubledStore, clock: HandClock) -> None:
    """Many requests with the same new kid all learn it from one reading of the store."""
    here, there = Process(troubled, clock), Process(troubled, clock)
    await here.signing_kid()
    await there.knows(UNKNOWN)
    clock.advance(WEEK - PUBLISH_LEAD)
    await here.signing_kid()
    new = (await here.published())[-1]
    troubled.asked.clear()
    answers = await asyncio.gather(*(there.keyring.verifying_key(new) for _ in range(64)))

    assert 64 == sum(key is not None for key in answers)
    assert 1 == troubled.asked["signing_keys"]


async def test_made_up_kids_do_not_load_the_store(troubled: TroubledStore, clock: HandClock) -> None:
    """A hundred thousand unknown kids cost one reading of the store in five seconds."""
    process = Process(troubled, clock)
    await process.signing_kid()
    clock.advance(SECOND)
    troubled.asked.clear()
    for number in range(100_000):
        await process.keyring.verifying_key(f"d-{number:032}")
        if number == 50_000:
            clock.advance(duration(COOLDOWN) - MILLISECOND)
            assert 1 == troubled.asked["signing_keys"]
            clock.advance(MILLISECOND)

    assert 2 == troubled.asked["signing_keys"]


@pytest.mark.parametrize("back", [MINUTE, 5 * HOUR])
async def test_a_clock_that_is_set_back(back: timedelta, store: Store, clock: HandClock) -> None:
    """A key that another process made then is found as soon as its token comes, and one that it deleted is not believed on."""
    here, there = Process(store, clock), Process(store, clock)
    first = await here.signing_kid()
    assert not await here.knows(UNKNOWN)
    clock.advance(-back)
    await there.keyring.revoke(first)
    second = await there.signing_kid()

    assert await here.knows(second)
    assert not await here.knows(first)


async def test_a_process_that_signed_nothing_for_long(store: Store, clock: HandClock) -> None:
    """It signs with the key that took over meanwhile, not with the one that it knew."""
    here, there = Process(store, clock), Process(store, clock)
    first = await here.signing_kid()
    clock.advance(2 * WEEK)
    await there.signing_kid()
    clock.advance(PUBLISH_LEAD)

    assert first != await there.signing_kid() == await here.signing_kid()


async def test_a_warm_process_whose_clock_is_set_back(store: Store, clock: HandClock) -> None:
    """Who meets only tokens that it knows reads the keys again too, however far the clock went back."""
    here, there = Process(store, clock), Process(store, clock)
    first = await here.signing_kid()
    clock.advance(-5 * HOUR)
    await there.keyring.revoke(first)

    assert [True, False] == [await here.knows(first), await here.knows(first)]


async def test_made_up_kids_do_not_load_an_empty_store(troubled: TroubledStore, clock: HandClock) -> None:
    """Nor do they before the first user has signed in, when there is no key at all."""
    process = Process(troubled, clock)
    for number in range(1000):
        await process.keyring.verifying_key(f"d-{number:032}")

    assert 1 == troubled.asked["signing_keys"]


async def test_keys_are_read_again_every_minute(troubled: TroubledStore, clock: HandClock) -> None:
    """The store is read once a minute, in the background of a verification, and never sooner."""
    process = Process(troubled, clock)
    kid = await process.signing_kid()
    troubled.asked.clear()
    readings = []
    for _ in range(4):
        clock.advance(duration(RELOAD_INTERVAL) - MILLISECOND)
        assert await process.knows(kid)
        readings.append(troubled.asked["signing_keys"])
        clock.advance(MILLISECOND)
        assert await process.knows(kid)

    assert [0, 1, 2, 3] == readings


async def test_workers_do_not_march_in_step(troubled: TroubledStore, clock: HandClock) -> None:
    """The minute is shortened at random, by at most a quarter."""
    process = Process(troubled, clock, jitter=255)
    kid = await process.signing_kid()
    troubled.asked.clear()
    clock.advance(0.75 * duration(RELOAD_INTERVAL))
    await process.knows(kid)
    assert 0 == troubled.asked["signing_keys"]
    clock.advance(SECOND)
    await process.knows(kid)

    assert 1 == troubled.asked["signing_keys"]


async def test_a_failed_reading_leaves_the_keys(troubled: TroubledStore, clock: HandClock) -> None:
    """While the store is down the known keys sign and verify, and it is asked again only every five seconds."""
    process = Process(troubled, clock)
    kid = await process.signing_kid()
    troubled.down = True
    troubled.asked.clear()
    clock.advance(duration(RELOAD_INTERVAL))
    for _ in range(100):
        assert kid == await process.signing_kid()
        assert await process.knows(kid)
        assert [kid] == await process.published()
        clock.advance(SECOND / 10)

    assert 2 == troubled.asked["signing_keys"]


async def test_a_late_answer_takes_no_key_away(troubled: TroubledStore, clock: HandClock) -> None:
    """A reading that began before a key was made, and is answered after it, does not make the process forget the key."""

    class Racing(TroubledStore):
        async def signing_keys(self) -> Any:
            answer = await super().signing_keys()
            if self.asked["signing_keys"] == 1:
                await held.wait()
            return answer

    held = asyncio.Event()
    store = Racing(clock)
    process = Process(store, clock)
    late = asyncio.ensure_future(process.keyring._reload())
    await asyncio.sleep(0)
    kid = await process.signing_kid()
    held.set()
    await late

    assert [kid] == await process.published()


async def test_nothing_is_signed_while_no_key_can_be_had(troubled: TroubledStore, clock: HandClock) -> None:
    """A process that starts while the store is down says so at every request, and goes on as soon as it is up."""
    kid = await Process(troubled, clock).signing_kid()
    process = Process(troubled, clock)
    troubled.down = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await process.keyring.signing_key()
        with pytest.raises(StoreUnavailable):
            await process.keyring.verifying_key(kid)
        with pytest.raises(StoreUnavailable):
            await process.keyring.jwks()
    troubled.down = False

    assert await process.knows(kid)
    assert kid == await process.signing_kid()


async def test_the_next_key_waits_for_a_store_that_is_down(troubled: TroubledStore, clock: HandClock) -> None:
    """A key that cannot be made is tried again after five seconds; until then, and after its time, the old one signs."""
    process = Process(troubled, clock)
    first = await process.signing_kid()
    clock.advance(WEEK)
    troubled.down = True
    troubled.asked.clear()
    for _ in range(100):
        assert first == await process.signing_kid()
    assert 1 == troubled.asked["insert_key"]

    troubled.down = False
    clock.advance(duration(COOLDOWN))
    assert first == await process.signing_kid()
    clock.advance(PUBLISH_LEAD)
    assert first != await process.signing_kid()


async def test_a_wrong_secret_is_a_mistake_of_the_configuration(store: Store, clock: HandClock) -> None:
    """A process whose secret does not open the store's keys says so, and makes no key of its own."""
    kid = await Process(store, clock).signing_kid()
    process = Process(store, clock, secrets=secrets(WRONG_SECRET))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="secret: it does not open"):
            await process.keyring.signing_key()
    with pytest.raises(ConfigurationError, match="secret: it does not open"):
        await process.keyring.verifying_key(kid)

    assert [kid] == await kids(store)


async def test_a_new_secret_opens_the_keys_of_the_old(store: Store, clock: HandClock) -> None:
    """With the new secret before the old one the keys stay, and in time every key is encrypted under the new one."""
    kid = await Process(store, clock).signing_kid()
    process = Process(store, clock, secrets=secrets(NEW_SECRET, SECRET))
    assert kid == await process.signing_kid()
    for _ in range(5):
        clock.advance(WEEK / 2)
        await process.signing_kid()

    assert await Process(store, clock, secrets=secrets(NEW_SECRET)).signing_kid() in await kids(store)


async def test_another_algorithm_takes_over_in_time(store: Store, clock: HandClock) -> None:
    """Where RS256 is asked for, its key is published first, and ES256 signs until every verifier knows it."""
    first = await Process(store, clock).signing_kid()
    process = Process(store, clock, algorithm="RS256")
    assert first == await process.signing_kid()
    clock.advance(PUBLISH_LEAD)
    key = await process.keyring.signing_key()

    assert "RS256" == key.algorithm
    assert await process.knows(first)


async def test_two_algorithms_side_by_side_make_one_key_each(store: Store, clock: HandClock) -> None:
    """Over a day of a rolling change, each process signs with its algorithm, verifies the other's, and one more key is made."""
    processes = [Process(store, clock, algorithm=algorithm) for algorithm in ("ES256", "RS256")]
    made: set[str] = set()
    used: list[set[str]] = [set(), set()]
    for _ in range(24 * 60):
        for signer, verifier, kids_used in zip(processes, reversed(processes), used, strict=True):
            kid = await signer.signing_kid()
            kids_used.add(kid)
            assert await verifier.knows(kid)
        made.update(await kids(store))
        clock.advance(MINUTE)

    assert 2 == len(made) == len(await processes[0].published())
    assert [1, 2] == [len(kids_used) for kids_used in used]


async def test_an_algorithm_taken_back_signs_at_once(store: Store, clock: HandClock) -> None:
    """Where the change to another algorithm is taken back, the key that was there signs again: no other one is made."""
    first = await Process(store, clock).signing_kid()
    changed = Process(store, clock, algorithm="RS256")
    await changed.signing_kid()
    clock.advance(DAY)
    second = await changed.signing_kid()

    assert first != second
    assert first == await Process(store, clock).signing_kid()
    assert [first, second] == await kids(store)


@makes_keys_aside
async def test_rsa_keys_do_not_hold_up_the_event_loop(clock: HandClock) -> None:
    """While an RSA key is made and loaded other requests go on: they need not wait half as long as checking a key alone takes.

    A busy machine makes everybody wait, so one calm try of many is proof enough; held up, no try would be.
    """
    der = generate_private_key("RS256").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    checking = min(timeit.repeat(partial(load_der_private_key, der, password=None), number=1, repeat=3))

    assert any([await longest_wait(clock) < checking / 2 for _ in range(10)])


async def longest_wait(clock: HandClock) -> float:
    """Return how long (seconds) a task waited at most for its turn while a process made its first RSA key."""
    locks: list[float] = []

    async def serve() -> None:
        while True:
            locks.append(time.perf_counter())
            await asyncio.sleep(0.001)

    serving = asyncio.ensure_future(serve())
    await Process(TroubledStore(clock), clock, algorithm="RS256").signing_kid()
    serving.cancel()
    return max(after - before for before, after in itertools.pairwise(locks))
