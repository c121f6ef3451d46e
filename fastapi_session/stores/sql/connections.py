"""How a piece of work comes to a connection: whose engine it is, what a failure means, what a cancelled caller leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Connection
from sqlalchemy import Engine as SyncEngine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import greenlet_spawn

from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.stores.sql.dialects import DIFFERENCES, error_code

T = TypeVar("T")
Work = Callable[[Connection], T]
"""Statements on a connection; SQLAlchemy's greenlet lets them wait for the driver."""

ATTEMPTS = 5
"""How often a transaction is tried that runs into others."""
PAUSE = 0.005
"""Seconds between the first two attempts; each further pause is longer by as much."""

POOL: Mapping[str, object] = {
    "pool_size": 10,
    # None beyond the pool: who comes when all are busy waits less than for a connection of his own.
    "max_overflow": 0,
    "pool_recycle": 1800,
    # A connection comes back with its transaction ended, or not at all: on MySQL a ROLLBACK is one more round trip.
    "pool_reset_on_return": None,
}
"""How the connections of a store's own engine are pooled."""


class Connections(Protocol):
    """Something that brings work to a connection."""

    async def run(self, work: Work[T], *, alone: bool = False) -> T:
        """Do *work* in a transaction; *alone* says that it is a single statement. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Two ways through one pool of connections: for a statement *alone*, and for several *together*."""

    alone: AsyncEngine
    together: AsyncEngine

    @classmethod
    def through(cls, engine: AsyncEngine) -> Ways:
        """Answer the ways through the user's *engine*, whose connections are switched over when they are lent."""
        return cls(engine.execution_options(**DIFFERENCES[engine.dialect.name].alone), for_transactions(engine))

    @classmethod
    def of_our_own(cls, url: str, **options: object) -> Ways:
        """Answer the ways through a new engine for *url*, whose connections are made for a statement alone."""
        engine = new_engine(url, **options)
        return cls(engine, for_transactions(engine))


class Engine(Protocol):
    """Where connections come from."""

    name: str

    def open(self) -> None:
        """Make ready for the running event loop."""

    def ways(self) -> Ways:
        """Answer the ways to a connection for the running event loop."""

    async def close(self, *, patience: timedelta) -> None:
        """Let go of what is one's own, and wait no longer than *patience* for a server that does not answer."""


class GivenEngine:
    """The user's own engine, which is used as it is and never disposed."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.name = known(engine.dialect.name)
        self._ways = Ways.through(engine)

    def open(self) -> None:
        """Do nothing: it is the user's."""

    def ways(self) -> Ways:
        """Answer the ways through the user's engine, whichever event loop is running."""
        return self._ways

    async def close(self, *, patience: timedelta) -> None:
        """Do nothing: it is the user's."""


class OwnEngine:
    """Engines for *url*, one for each event loop, to which its connections belong: only one that is opened pools them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.name = new_engine(url, poolclass=NullPool).dialect.name
        self._ways: WeakKeyDictionary[asyncio.AbstractEventLoop, Ways] = WeakKeyDictionary()
        self._pooling: WeakSet[asyncio.AbstractEventLoop] = WeakSet()

    def open(self) -> None:
        """Pool the connections of the running event loop, until it closes."""
        loop = asyncio.get_running_loop()
        if loop not in self._pooling:
            self._pooling.add(loop)
            self._ways[loop] = Ways.of_our_own(self._url, **POOL)

    def ways(self) -> Ways:
        """Answer the ways for the running event loop. Where that was not opened, they connect anew each time."""
        loop = asyncio.get_running_loop()
        if loop not in self._ways:
            self._ways[loop] = Ways.of_our_own(self._url, poolclass=NullPool)
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


class PooledConnections:
    """Brings each piece of work to a connection of *engine*, in a task of its own that ends within *timeout*.

    A caller that is cancelled leaves the task to its end, so that no connection is cut in the middle of an answer.
    """

    def __init__(self, engine: Engine, *, timeout: timedelta) -> None:
        self._engine = engine
        self._timeout = timeout.total_seconds()
        self._tasks: set[asyncio.Task[object]] = set()

    async def run(self, work: Work[T], *, alone: bool = False) -> T:
        """Do *work* in a transaction; *alone* says that it is a single statement. Raises StoreUnavailable."""
        task = asyncio.create_task(self._run(work, alone=alone))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def idle(self) -> None:
        """Wait until what was begun on this event loop has ended."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(task for task in self._tasks if task.get_loop() is loop), return_exceptions=True)

    async def _run(self, work: Work[T], *, alone: bool) -> T:
        with unavailable(self._engine.name):
            async with asyncio.timeout(self._timeout):
                for attempt in range(1, ATTEMPTS):
                    try:
                        return await self._attempt(work, alone=alone)
                    except DBAPIError as error:
                        if error_code(error) not in DIFFERENCES[self._engine.name].lost_races:
                            raise
                    await asyncio.sleep(PAUSE * attempt)
                return await self._attempt(work, alone=alone)

    async def _attempt(self, work: Work[T], *, alone: bool) -> T:
        ways = self._engine.ways()
        engine = ways.alone if alone else ways.together
        # One greenlet from the loan to the return: an AsyncConnection would take three, and a task to close it.
        return await greenlet_spawn(in_transaction, engine.sync_engine, work)


class JoinedConnection:
    """Brings work to the user's *connection*, inside the user's transaction, which is neither ended nor tried again."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._name = known(connection.dialect.name)

    async def run(self, work: Work[T], *, alone: bool = False) -> T:  # noqa: ARG002 - never alone here
        """Do *work* in the user's transaction. Raises StoreUnavailable, after which it can only be rolled back."""
        with unavailable(self._name):
            return await self._connection.run_sync(work)


def in_transaction(engine: SyncEngine, work: Work[T]) -> T:
    """Answer what *work* does on a connection of *engine*, in a transaction that ends with it."""
    with engine.connect() as connection, connection.begin() as transaction:
        answer = work(connection)
        try:
            transaction.commit()
        except BaseException:
            connection.invalidate()  # Nobody would roll it back: for SQLAlchemy a COMMIT that failed is an end.
            raise
        return answer


def for_transactions(engine: AsyncEngine) -> AsyncEngine:
    """Answer *engine* as one for transactions of several statements. Raises ConfigurationError for an unknown database."""
    return engine.execution_options(**DIFFERENCES[known(engine.dialect.name)].together)


def known(name: str) -> str:
    """Answer the *name* of a dialect. Raises ConfigurationError for a database that nobody has tried."""
    if name not in DIFFERENCES:
        raise ConfigurationError(f"SqlStore knows {', '.join(DIFFERENCES)}, and not {name}")
    return name


def new_engine(url: str, **options: object) -> AsyncEngine:
    """Answer an engine for *url*. Raises ConfigurationError where it names none, or its driver is not installed."""
    name = known(url.partition("://")[0].partition("+")[0])
    differences = DIFFERENCES[name]
    try:
        return create_async_engine(url, hide_parameters=True, **differences.connecting, **options)
    except (ModuleNotFoundError, SQLAlchemyError, ValueError) as error:
        raise ConfigurationError(
            f"SqlStore needs a URL such as {differences.example}, and the driver that it names: "
            f"pip install 'fastapi-session-auth[{differences.extra}]'"
        ) from error


@contextmanager
def unavailable(name: str) -> Iterator[None]:
    """Let whatever goes wrong with the database *name* be StoreUnavailable."""
    try:
        yield
    except Exception as error:
        if isinstance(error, StatementError):
            error.hide_parameters = True  # they are printed with a traceback
        # The code alone: some messages of databases quote the row that they complain about.
        raise StoreUnavailable(f"{name} failed: {error_code(error) or type(error).__name__}") from error
