"""The keys of an identity provider, as the application fetches them: cached, and fetched again now and then.

| a token names | fetched when | asked of the application |
|---|---|---|
| a key that is known | less than ten minutes ago | no |
| a key that is known | earlier | yes; if that fails, the known key stays valid |
| a key that is not known | less than thirty seconds ago, with or without success | no: anybody can make such a token |
| a key that is not known | earlier, or never | yes |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi_session.core.foreign_keys import ForeignKey, ForeignKeys
from fastapi_session.engine.background import Background, SingleFlight

Fetch = Callable[[], Awaitable[Mapping[str, Any]]]
"""An async function of the application that returns the provider's JWK Set."""

KEPT = 10 * 60 * 1000
"""Milliseconds for which keys count without being fetched again."""
PAUSE = 30 * 1000
"""Milliseconds between two fetches at least."""
PATIENCE = 10
"""Seconds that a fetch may take."""

logger = logging.getLogger("fastapi_session")


class ProviderKeysUnavailable(Exception):
    """The key is not known, and the last fetch failed: the token may be genuine."""


class ProviderKeys:
    """The keys that *fetch* returns."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._keys: ForeignKeys | None = None
        self._fetched_at: int | None = None
        self._failed = False
        self._fetching = SingleFlight(self._read, background=Background())

    async def find(self, kid: str | None, algorithm: str, *, now: int) -> ForeignKey | None:
        """Return the key of a token, `None` if the provider has none. Raises `ProviderKeysUnavailable`. *now* is in milliseconds."""
        await self._fetching.join()
        key = self._known(kid, algorithm)
        kept = PAUSE if key is None or self._failed else KEPT
        if self._fetched_at is None or not self._fetched_at <= now < self._fetched_at + kept:
            await self._fetching(now)
            key = self._known(kid, algorithm)
        if key is None and self._failed:
            raise ProviderKeysUnavailable
        return key

    def _known(self, kid: str | None, algorithm: str) -> ForeignKey | None:
        return None if self._keys is None else self._keys.find(kid, algorithm)

    async def _read(self, now: int) -> None:
        self._fetched_at, self._failed = now, True
        try:
            async with asyncio.timeout(PATIENCE):
                self._keys = ForeignKeys(await self._fetch())
        except Exception:  # whatever the application's function raises: its client's errors are its own
            logger.exception("the keys of an identity provider could not be fetched")
        else:
            self._failed = False
