"""The signing keys when the secret is replaced: on every store, whichever processes run side by side meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from fastapi_session.engine.keys.keyring import RELOAD_INTERVAL
from fastapi_session.engine.keys.reencryption import REENCRYPTION_INTERVAL
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.model import SigningKeyRecord
from fastapi_session.stores.base import Store
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import duration
from tests.conftest import Place
from tests.engine.processes import Process, kids
from tests.engines import NEW_SECRET, SECRET, secrets
from tests.moments import DAY, MILLISECOND, MINUTE

OLD, NEW = secrets(SECRET), secrets(NEW_SECRET)
OLD_FIRST, NEW_FIRST = secrets(SECRET, NEW_SECRET), secrets(NEW_SECRET, SECRET)


@pytest.fixture
async def store(any_place: Place, clock: HandClock) -> AsyncIterator[Store]:
    """An open, empty store of each kind."""
    store = store_by_url(any_place.url, clock=clock)
    await store.open()
    yield store
    await store.close()


class CountingStore(MemoryStore):
    """Counts the keys that were written over; can fail to do so."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.replaced = 0
        self.down = False

    async def replace_key(self, record: SigningKeyRecord, *, expected_secret_kid: int) -> bool:
        await asyncio.sleep(0)
        if self.down:
            raise StoreUnavailable("the store is down")
        replaced = await super().replace_key(record, expected_secret_kid=expected_secret_kid)
        self.replaced += replaced
        return replaced


async def encrypted_under(store: Store) -> set[int]:
    return {record.secret_kid for record in await store.signing_keys()}


async def test_the_earlier_secret_can_go(store: Store, clock: HandClock) -> None:
    """Once a process has the new secret first, the new one alone opens every key, that which never rotates too."""
    earlier = Process(store, clock)
    used = [await earlier.signing_kid(), await earlier.signing_kid(static=True)]
    await Process(store, clock, secrets=OLD_FIRST).signing_kid()
    assert {OLD.newest.kid} == await encrypted_under(store)

    await Process(store, clock, secrets=NEW_FIRST).signing_kid()
    later = Process(store, clock, secrets=NEW)
    assert {NEW.newest.kid} == await encrypted_under(store)
    assert used == [await later.signing_kid(), await later.signing_kid(static=True)] == await kids(store)


async def test_a_process_that_was_left_behind(store: Store, clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """With the earlier secret alone, who has the key open goes on in peace, and who starts later is told what is wrong."""
    left_behind = Process(store, clock)
    kid = await left_behind.signing_kid()
    await Process(store, clock, secrets=NEW_FIRST).signing_kid()
    clock.advance(DAY)
    assert kid == await left_behind.signing_kid()
    assert await left_behind.knows(kid)
    assert [] == caplog.messages

    with pytest.raises(ConfigurationError, match="secret: it does not open the signing key"):
        await Process(store, clock).signing_kid()


async def test_opposite_lists_do_not_fight(clock: HandClock) -> None:
    """While some processes have the one secret first and others the other, a key changes hands once a day and process at most."""
    store = CountingStore(clock)
    processes = [Process(store, clock, secrets=secrets) for secrets in (OLD_FIRST, NEW_FIRST)]
    used = set()
    for _ in range(3 * 24 * 60):
        used.update([await process.signing_kid() for process in processes])
        clock.advance(MINUTE)

    assert 1 == len(used)
    assert 1 <= store.replaced <= 2 * 3


async def test_the_list_that_is_left_prevails(clock: HandClock) -> None:
    """Within a day of the end of the last process with the earlier list, every key is under the newest secret, and stays so."""
    store = CountingStore(clock)
    left = Process(store, clock, secrets=NEW_FIRST)
    kid = await left.signing_kid()
    await Process(store, clock, secrets=OLD_FIRST).signing_kid()
    assert {OLD.newest.kid} == await encrypted_under(store)

    clock.advance(duration(REENCRYPTION_INTERVAL) - MILLISECOND)
    await left.signing_kid()
    assert {OLD.newest.kid} == await encrypted_under(store)
    clock.advance(MINUTE)
    await left.signing_kid()
    assert {NEW.newest.kid} == await encrypted_under(store)
    assert kid == await Process(store, clock, secrets=NEW).signing_kid()


async def test_many_processes_do_it_once(clock: HandClock) -> None:
    """Of many processes that start at the same time with the new secret first, exactly one writes each key."""
    store = CountingStore(clock)
    for static in (False, True):
        await Process(store, clock).signing_kid(static=static)
    processes = [Process(store, clock, secrets=NEW_FIRST) for _ in range(8)]
    await asyncio.gather(*(process.signing_kid() for process in processes))

    assert 2 == store.replaced
    assert {NEW.newest.kid} == await encrypted_under(store)


async def test_a_failure_is_told_and_tried_again(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """Where the store fails meanwhile, requests go on, a warning says so, and the next reading tries again."""
    store = CountingStore(clock)
    kid = await Process(store, clock).signing_kid()
    process = Process(store, clock, secrets=NEW_FIRST)
    store.down = True
    with caplog.at_level(logging.WARNING):
        assert kid == await process.signing_kid()
    assert ["signing keys could not be encrypted under the newest secret yet"] == caplog.messages

    store.down = False
    assert kid == await process.signing_kid()
    assert {OLD.newest.kid} == await encrypted_under(store)
    clock.advance(duration(RELOAD_INTERVAL))
    assert kid == await process.signing_kid()
    assert {NEW.newest.kid} == await encrypted_under(store)


async def test_keys_rotate_all_the_while(store: Store, clock: HandClock) -> None:
    """Through all steps of a change of the secret, a week and a day each, processes before and after verify each other's tokens."""
    running = Process(store, clock, secrets=OLD)
    for listed in (OLD_FIRST, NEW_FIRST, NEW):
        started = Process(store, clock, secrets=listed)
        for _ in range(7):
            for signer, verifier in ((running, started), (started, running)):
                assert await verifier.knows(await signer.signing_kid())
            clock.advance(DAY)
        await started.signing_kid()
        running = started

    assert {NEW.newest.kid} == await encrypted_under(store)
