"""What an operator asks of a deployment beside the verbs of `Sessions`: all sessions, the signing keys, how it is.

The command line asks it, and so do the pages and endpoints of administrators.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from fastapi_session.config import SessionConfig
from fastapi_session.core.signing_keys import ROTATING, SigningKey
from fastapi_session.engine.assembly import Engine
from fastapi_session.engine.event_loop import ensure_asyncio
from fastapi_session.engine.keys.known_keys import KeyInformation, described_keys
from fastapi_session.engine.store_clock import store_now
from fastapi_session.errors import ConfigurationError, PayloadError
from fastapi_session.session_information import SessionInformation
from fastapi_session.stores.base import PagedStore

LARGEST_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class InformationPage:
    """Some *sessions*, and what to give as *after* for those that follow; there are none if it has none."""

    sessions: tuple[SessionInformation, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """How a deployment is. *feed_age* is `Sessions.revocation_feed_age`, *clock_ahead* how far this process is before the store."""

    store: str
    feed_age: timedelta | None
    clock_ahead: timedelta
    keys: tuple[KeyInformation, ...]


class Administration:
    """Asks the parts of *engine*, which *config* made."""

    def __init__(self, config: SessionConfig, engine: Engine) -> None:
        self._config = config
        self._engine = engine

    async def page(self, *, after: str | None = None, limit: int = 100) -> InformationPage:
        """Return some of all sessions, in an order of the store's own. Sessions of another system that still wait there are not among them.

        Give `InformationPage.after` of one page as *after* for the next; a page may be empty before the last. Raises `PayloadError` if
        that is no place, or *limit* is not 1 to 1,000, `ConfigurationError` if the store has no pages, and `StoreUnavailable`.
        """
        ensure_asyncio()
        store = self._engine.store
        if not isinstance(store, PagedStore):
            raise ConfigurationError(
                "store: this one cannot be looked through (PagedStore); ask for the sessions of a user"
            )
        if not 1 <= limit <= LARGEST_PAGE:
            raise PayloadError(f"limit: give 1 to {LARGEST_PAGE}")
        try:
            found = await store.session_page(after=after, limit=limit)
        except ValueError as error:
            raise PayloadError("after: give what the page before said") from error
        now = await store_now(store)
        alive = (record for record in found.records if not record.lineage.expired(now))
        return InformationPage(tuple(map(SessionInformation.of, alive)), found.after)

    async def keys(self) -> list[KeyInformation]:
        """Return what the store has of signing keys, by family and sequence. Nothing is made. Raises `StoreUnavailable`."""
        records = await self._engine.store.signing_keys()
        return await asyncio.to_thread(
            described_keys,
            records,
            self._engine.secrets,
            now=self._engine.clock(),
            algorithm=self._config.access_token_signing_algorithm,
        )

    async def rotate_keys(self) -> tuple[SigningKey, bool]:
        """Make the next signing key before its time, unless one waits already; return that, and whether it was made now.

        Raises `ConfigurationError` if keys do not rotate here, `StoreUnavailable`.
        """
        if not self._config.use_dynamic_access_token_signing_key:
            raise ConfigurationError(
                "use_dynamic_access_token_signing_key: it is off, so one key signs for ever; to replace it, revoke it"
            )
        keyring = self._engine.keyring
        made = await keyring.rotate()
        newest = made or keyring.keys.newest(ROTATING)
        assert newest is not None  # `rotate` makes one if there is none
        return newest, made is not None

    async def health(self) -> Health:
        """Return how the deployment is. Raises `StoreUnavailable` if the store is down."""
        engine = self._engine
        by_store = await store_now(engine.store)
        ahead = timedelta(milliseconds=engine.clock() - by_store)
        age = engine.feed.age
        return Health(
            store=type(engine.store).__name__,
            feed_age=None if age is None else timedelta(milliseconds=age),
            clock_ahead=ahead,
            keys=tuple(await self.keys()),
        )
