"""Engines, through which connections come: the user's, or our own, one for each event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.sql.dialects import DIFFERENCES
from fastapi_session.stores.sql.options import destination

Look = Callable[[Connection], None]
"""What sees a connection before it is used. Raises ConfigurationError for one that must not be."""

POOL: Mapping[str, object] = {
    "pool_size": 10,
    # None beyond the pool: if all are busy, to wait for one takes less time than to open another.
    "max_overflow": 0,
    "pool_recycle": 1800,
    # A connection comes back with its transaction ended, or not at all: on MySQL a ROLLBACK is one more round trip.
    "pool_reset_on_return": None,
}
"""How the connections of a store's own engine are pooled."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Two ways through one pool of connections: for a statement *alone*, and for several *together*.

    Each connection is shown to *look* before it is used, which may refuse it.
    """

    alone: AsyncEngine
    together: AsyncEngine
    look: Look | None

    @classmethod
    def through(cls, engine: AsyncEngine, *, look: Look | None) -> Ways:
        """Return the ways through the user's *engine*, whose connections are switched over when they are lent."""
        return cls(engine.execution_options(**DIFFERENCES[engine.dialect.name].alone), for_transactions(engine), look)

    @classmethod
    def of_our_own(cls, url: str, *, look: Look | None, **options: object) -> Ways:
        """Return the ways through a new engine for *url*, whose connections are made for a statement alone."""
        engine = new_engine(url, **options)
        return cls(engine, for_transactions(engine), look)


class Engine(Protocol):
    """Gives connections to the running event loop."""

    name: str

    def open(self) -> None:
        """Make ready for the running event loop."""

    def ways(self) -> Ways:
        """Return the ways to a connection for the running event loop."""

    async def close(self, *, patience: timedelta) -> None:
        """Let go of what is one's own, and wait no longer than *patience* for a server that does not respond."""


class GivenEngine:
    """The user's own engine, which is used as it is and never disposed. Each of its connections is shown to *look*."""

    def __init__(self, engine: AsyncEngine, *, look: Look | None) -> None:
        self.name = known(engine.dialect.name)
        self._ways = Ways.through(engine, look=look)

    def open(self) -> None:
        """Do nothing: it is the user's."""

    def ways(self) -> Ways:
        """Return the ways through the user's engine, whichever event loop is running."""
        return self._ways

    async def close(self, *, patience: timedelta) -> None:
        """Do nothing: it is the user's."""


class OwnEngine:
    """Engines for *url*, one for each event loop, to which its connections belong: only one that is opened pools them.

    Each connection is shown to *look*.
    """

    def __init__(self, url: str, *, look: Look | None) -> None:
        self._url = url
        self._look = look
        dialect = new_engine(url, poolclass=NullPool).dialect
        self.name, self.driver = dialect.name, dialect.driver
        # A cache of engines, one for each event loop: a connection belongs to the loop that opened it.
        self._ways: WeakKeyDictionary[asyncio.AbstractEventLoop, Ways] = WeakKeyDictionary()
        self._pooling: WeakSet[asyncio.AbstractEventLoop] = WeakSet()

    def open(self) -> None:
        """Pool the connections of the running event loop, until it closes."""
        loop = asyncio.get_running_loop()
        if loop not in self._pooling:
            self._pooling.add(loop)
            self._ways[loop] = Ways.of_our_own(self._url, look=self._look, **POOL)

    @property
    def is_open(self) -> bool:
        """Whether the connections of the running event loop are pooled."""
        return asyncio.get_running_loop() in self._pooling

    def ways(self) -> Ways:
        """Return the ways for the running event loop. If the store was not opened on it, they open a connection each time."""
        loop = asyncio.get_running_loop()
        if loop not in self._ways:
            self._ways[loop] = Ways.of_our_own(self._url, look=self._look, poolclass=NullPool)
        return self._ways[loop]

    async def close(self, *, patience: timedelta) -> None:
        """Close the connections of the running event loop; those whose server is silent are dropped after *patience*."""
        loop = asyncio.get_running_loop()
        self._pooling.discard(loop)
        if (ways := self._ways.pop(loop, None)) is not None:
            try:
                async with asyncio.timeout(patience.total_seconds()):
                    await ways.together.dispose()
            except TimeoutError:
                await ways.together.dispose(close=False)


def for_transactions(engine: AsyncEngine) -> AsyncEngine:
    """Return *engine* as one for transactions of several statements. Raises ConfigurationError for an unknown database."""
    return engine.execution_options(**DIFFERENCES[known(engine.dialect.name)].together)


def known(name: str) -> str:
    """Return the *name* of a dialect. Raises ConfigurationError for a database that nobody has tried."""
    if name not in DIFFERENCES:
        raise ConfigurationError(f"SqlStore knows {', '.join(DIFFERENCES)}, and not {name}")
    return name


def new_engine(url: str, **options: object) -> AsyncEngine:
    """Return an engine for *url*. Raises ConfigurationError if it names none, or its driver is not installed."""
    name = known(url.partition("://")[0].partition("+")[0])
    differences = DIFFERENCES[name]
    try:
        found = destination(url)
        return create_async_engine(
            found.url, connect_args=found.arguments, hide_parameters=True, **differences.connecting, **options
        )
    except (ModuleNotFoundError, SQLAlchemyError, ValueError) as error:
        raise ConfigurationError(
            f"SqlStore needs a URL such as {differences.example}, and the driver that it names: "
            f"pip install 'fastapi-session-auth[{differences.extra}]'"
        ) from error


def place_of(url: URL) -> str:
    """Name the server and the database of *url* without user and password. The host may be in the query: a socket of PostgreSQL."""
    host = url.host or url.query.get("host") or "the default host"
    return f"{host if isinstance(host, str) else ', '.join(host)}:{url.port or 'the default port'}, database {url.database}"
