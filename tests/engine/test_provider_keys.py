"""The keys of an identity provider are asked of the application as seldom as the table says, whatever tokens come."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastapi_session.engine.provider_keys import KEPT, PAUSE, ProviderKeys, ProviderKeysUnavailable
from tests.core.provider import jwks

NOW = 2_000_000_000_000


class Provider:
    """Publishes keys, and counts how often it is asked."""

    def __init__(self, *algorithms: str) -> None:
        self.algorithms = algorithms
        self.asked = 0
        self.down = False

    async def keys(self) -> dict[str, Any]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise OSError("no route to host")
        return jwks(*self.algorithms)


async def is_known(keys: ProviderKeys, algorithm: str, *, now: int) -> bool:
    return await keys.find(algorithm, algorithm, now=now) is not None


async def test_keys_are_kept() -> None:
    """They are fetched once for all who wait for them, and again after ten minutes."""
    provider = Provider("RS256", "ES256")
    keys = ProviderKeys(provider.keys)
    found = await asyncio.gather(*(is_known(keys, each, now=NOW) for each in ("RS256", "ES256", "RS256")))
    asked = [provider.asked]
    for now in (NOW + KEPT - 1, NOW + KEPT, NOW + KEPT + 1):
        assert await is_known(keys, "RS256", now=now)
        asked.append(provider.asked)

    assert [True] * 3 == found
    assert [1, 1, 2, 2] == asked


async def test_a_key_that_is_not_known() -> None:
    """It is looked for again after the pause; until then anybody's token costs the application nothing."""
    provider = Provider("RS256")
    keys = ProviderKeys(provider.keys)
    assert not await is_known(keys, "ES256", now=NOW)
    provider.algorithms = ("RS256", "ES256")
    found = [await is_known(keys, "ES256", now=NOW + later) for later in (0, PAUSE - 1, PAUSE)]

    assert [False, False, True] == found
    assert 2 == provider.asked


async def test_a_key_that_was_withdrawn() -> None:
    """It counts no longer than the keys are kept."""
    provider = Provider("RS256", "ES256")
    keys = ProviderKeys(provider.keys)
    assert await is_known(keys, "ES256", now=NOW)
    provider.algorithms = ("RS256",)

    assert [True, False] == [await is_known(keys, "ES256", now=NOW + later) for later in (KEPT - 1, KEPT)]


async def test_a_provider_that_is_down(caplog: pytest.LogCaptureFixture) -> None:
    """A key that is known counts on; of another one nobody can say whether it is genuine. Each pause one fetch is tried."""
    provider = Provider("RS256")
    keys = ProviderKeys(provider.keys)
    assert await is_known(keys, "RS256", now=NOW)
    provider.down = True
    for later in (KEPT, KEPT + 1, KEPT + PAUSE):
        assert await is_known(keys, "RS256", now=NOW + later)
        with pytest.raises(ProviderKeysUnavailable):
            await is_known(keys, "ES256", now=NOW + later)
    asked, provider.down = provider.asked, False

    assert 3 == asked
    assert "keys of an identity provider could not be fetched" in caplog.text
    assert not await is_known(keys, "ES256", now=NOW + KEPT + 2 * PAUSE)


@pytest.mark.parametrize("wrong", [None, [], {"keys": None}])
async def test_what_is_no_set_of_keys(wrong: Any) -> None:
    """What is no JWK Set is a fetch that failed, and no provider without keys."""

    async def keys() -> Any:
        return wrong

    with pytest.raises(ProviderKeysUnavailable):
        await ProviderKeys(keys).find("RS256", "RS256", now=NOW)


async def test_a_clock_that_is_set_back() -> None:
    """Keys of the future are fetched anew."""
    provider = Provider("RS256")
    keys = ProviderKeys(provider.keys)
    assert await is_known(keys, "RS256", now=NOW)
    assert await is_known(keys, "RS256", now=NOW - KEPT)

    assert 2 == provider.asked
