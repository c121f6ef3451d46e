"""How a piece of work comes to a connection: what a failure means, and what a cancelled caller leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy import Engine as SyncEngine
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util import greenlet_spawn

from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.stores.finishing import Finishing
from fastapi_session.stores.sql.dialects import DIFFERENCES, error_code
from fastapi_session.stores.sql.engines import Engine, Look, known

T = TypeVar("T")
Work = Callable[[Connection], T]
"""Statements on a connection; SQLAlchemy's greenlet lets them wait for the driver."""

ATTEMPTS = 5
"""How often a transaction is tried that runs into others."""
PAUSE = 0.005
"""Seconds between the first two attempts; each further pause is longer by as much."""


class Connections(Protocol):
    """Something that brings work to a connection."""

    begins_transactions: bool
    """Whether each piece of work has a transaction of its own, in which nothing was read before."""

    async def run(self, work: Work[T], *, alone: bool = False) -> T:
        """Do *work* in a transaction; *alone* says that it is a single statement. Raises StoreUnavailable."""

    def savepoint(self, connection: Connection) -> AbstractContextManager[object]:
        """Return what undoes a statement alone, if it fails, while *work* is on *connection*."""


class PooledConnections:
    """Brings each piece of work to a connection of *engine*, in a task of its own that ends within *timeout*.

    A caller that is cancelled leaves the task to its end, so that no connection is cut while a result is under way.
    """

    begins_transactions = True

    def __init__(self, engine: Engine, *, timeout: timedelta) -> None:
        self._engine = engine
        self._timeout = timeout.total_seconds()
        self._finishing: Finishing[Any] = Finishing()

    async def run(self, work: Work[T], *, alone: bool = False) -> T:
        """Do *work* in a transaction; *alone* says that it is a single statement. Raises StoreUnavailable."""
        result: T = await self._finishing.run(self.run_to_the_end(work, alone=alone))
        return result

    def savepoint(self, connection: Connection) -> AbstractContextManager[object]:  # noqa: ARG002 - needed on none
        """Return nothing to undo: a statement that is alone in its transaction is undone with it."""
        return nullcontext()

    async def idle(self) -> None:
        """Wait until what was begun on this event loop has ended."""
        await self._finishing.idle()

    async def run_to_the_end(self, work: Work[T], *, alone: bool = False) -> T:
        """Do the same in the task that calls, which is one that nobody cancels."""
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
        return await greenlet_spawn(in_transaction, engine.sync_engine, work, ways.look)


class JoinedConnection:
    """Brings work to the user's *connection*, inside the user's transaction, which is neither ended nor tried again.

    The connection is shown to *look*, which may refuse it.
    """

    begins_transactions = False

    def __init__(self, connection: AsyncConnection, *, look: Look | None) -> None:
        self._connection = connection
        self._look = look
        self._name = known(connection.dialect.name)

    async def run(self, work: Work[T], *, alone: bool = False) -> T:  # noqa: ARG002 - never alone here
        """Do *work* in the user's transaction. Raises StoreUnavailable, after which it can only be rolled back."""
        with unavailable(self._name):
            return await self._connection.run_sync(seen, work, self._look)

    def savepoint(self, connection: Connection) -> AbstractContextManager[object]:
        """Return a savepoint: what the user's transaction did before stays."""
        return connection.begin_nested()


def seen(connection: Connection, work: Work[T], look: Look | None) -> T:
    """Return what *work* does on *connection*, which is shown to *look* before."""
    if look is not None:
        look(connection)
    try:
        return work(connection)
    except DBAPIError:
        raise  # SQLAlchemy knows which of them end a connection
    except Exception as error:
        # What is no error of the database (a codec's, the result of another query) says that nobody knows any more what
        # comes next on this connection.
        connection.invalidate(error)
        raise


def in_transaction(engine: SyncEngine, work: Work[T], look: Look | None) -> T:
    """Return what *work* does on a connection of *engine*, in a transaction that ends with it."""
    with engine.connect() as connection, connection.begin() as transaction:
        result = seen(connection, work, look)
        try:
            transaction.commit()
        except BaseException:
            connection.invalidate()  # Nobody would roll it back: for SQLAlchemy a COMMIT that failed is an end.
            raise
        return result


@contextmanager
def unavailable(name: str) -> Iterator[None]:
    """Let whatever goes wrong with the database *name* be StoreUnavailable, but for how it is set up."""
    try:
        yield
    except ConfigurationError:
        raise
    except Exception as error:
        if isinstance(error, StatementError):
            error.hide_parameters = True  # they are printed with a traceback
        # The code alone: some messages of databases quote the row that they are about.
        raise StoreUnavailable(f"{name} failed: {error_code(error) or type(error).__name__}") from error
