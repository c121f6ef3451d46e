"""Public keys of another system: believed for a while from when they were first known, whatever happens meanwhile."""

from __future__ import annotations

import pytest
from jose import jwk

from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.engine.keys.foreign_keys import keep_foreign_keys
from fastapi_session.engine.keys.published_keys import PublishedKeys
from fastapi_session.foreign_sessions import ForeignKey
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.conftest import Place
from tests.core.keys import PRIVATE
from tests.engine.processes import Process, kids
from tests.engines import config
from tests.milliseconds import HOUR as HOUR_IN_MILLISECONDS
from tests.moments import DAY, HOUR, MILLISECOND, MINUTE

DYNAMIC, STATIC = "d-1765440000000", "s-01234567-89ab-4def-8123-456789abcdef"
PUBLIC = {
    name: value
    for name, value in jwk.construct(PRIVATE["RS256"].public_key(), "RS256").to_dict().items()
    if name != "alg"
}


def of_theirs(kid: str = DYNAMIC, **fields: str) -> ForeignKey:
    return ForeignKey(kid, "RS256", {**PUBLIC, **fields})


@pytest.fixture
def place(any_place: Place) -> Place:
    """Every kind of store."""
    return any_place


async def test_a_key_verifies_and_signs_nothing(store: Store, clock: HandClock) -> None:
    """It is in the JWK Set beside ours, as long as an access token of it may live, and is then cleared away."""
    process = Process(store, clock)
    await keep_foreign_keys(store, [of_theirs(), of_theirs(STATIC)], validity=HOUR_IN_MILLISECONDS, clock=clock)
    own = await process.signing_kid()
    assert {own, DYNAMIC, STATIC} == {*await process.published()}
    key = await process.keyring.verifying_key(DYNAMIC)
    assert key is not None
    assert not isinstance(key, SigningKey)

    clock.advance(HOUR - MILLISECOND)
    assert await process.knows(DYNAMIC)
    clock.advance(MILLISECOND)
    assert not await process.knows(STATIC)
    assert [own] == await process.published()
    clock.advance(8 * DAY)
    await process.signing_kid()
    clock.advance(8 * DAY)
    await process.signing_kid()
    assert not {DYNAMIC, STATIC} & {*await kids(store)}


async def test_a_restart_brings_none_back(store: Store, clock: HandClock) -> None:
    """However often it is read in the other system: its time counts from the first, and it stays away once revoked."""
    for minutes in (0, 30, 40):
        clock.advance(minutes * MINUTE)
        await keep_foreign_keys(store, [of_theirs(), of_theirs(STATIC)], validity=HOUR_IN_MILLISECONDS, clock=clock)
        known = [await Process(store, clock).knows(kid) for kid in (DYNAMIC, STATIC)]
        assert [minutes < 40, minutes == 0] == known
        keys = Process(store, clock).keyring
        if not minutes:
            assert await PublishedKeys(config(), keyring=keys, clock=clock, joined=None).revoke(STATIC)


async def test_what_is_no_key_is_left_out(store: Store, clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """One that cannot be read, or is called as ours are, harms nobody else; a validity of nothing believes none."""
    odd = [of_theirs(kid="d-" + "0" * 32), of_theirs("d-1000000000001", n="!"), of_theirs("d-1000000000002", kty="oct")]
    await keep_foreign_keys(store, [*odd, of_theirs()], validity=HOUR_IN_MILLISECONDS, clock=clock)
    await keep_foreign_keys(store, [of_theirs(STATIC)], validity=0, clock=clock)

    assert [DYNAMIC] == await kids(store)
    assert len(odd) == len(caplog.records)
