"""Statements on a connection of SQLAlchemy's pool, but below SQLAlchemy: a statement costs little more than the driver takes for it.

The pool stays the one place where connections are made, counted and closed. It lends one for each statement.

| what goes wrong | then |
|---|---|
| the server refuses the statement, or the driver cannot write its parameters | `Undone`: nothing was done, and the connection is kept |
| ... since it does not know the name of the statement | the same, and from then on nothing is named |
| ... since the tables have changed after it was prepared | the same, and it is prepared anew |
| the connection breaks, or ends | the error itself, and the connection is dropped |
| the result cannot belong to the statement, or comes too late | the same |
| a connection has ended while it was idle, and the driver knows | another one is lent |
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn

from fastapi_session.stores.sql import results
from fastapi_session.stores.sql.dialects import error_code
from fastapi_session.stores.sql.engines import Look, OwnEngine, Ways
from fastapi_session.stores.sql.postgres.drivers import Driver
from fastapi_session.stores.sql.postgres.statements import Statement
from fastapi_session.stores.sql.prepared import NOT_ONES_OWN
from fastapi_session.stores.sql.results import Rows

T = TypeVar("T")

_SEEN = "fastapi_session.borrowed"
"""Under which a connection notes that it was looked at."""

_ENDED = ("08", "57P")
"""How the codes begin by which PostgreSQL says that a connection ends: a statement may have been done before."""


class Undone(Exception):
    """The statement did nothing."""


class Borrowing:
    """Runs statements on connections of *engine*, by *driver*, each for at most *timeout*."""

    def __init__(self, engine: OwnEngine, driver: Driver, *, timeout: timedelta) -> None:
        self._engine = engine
        self._driver = driver
        self._timeout = timeout.total_seconds()
        self._names = driver.names

    @property
    def has_pool(self) -> bool:
        """Whether the running event loop has a pool to borrow from."""
        return self._engine.is_open

    async def run(self, statement: Statement, values: list[object], read: Callable[[Rows], T]) -> T:
        """Return what *read* makes of the rows of *statement*. Raises Undone, and whatever else goes wrong."""
        async with asyncio.timeout(self._timeout):
            # One greenlet from the loan to the return.
            return await greenlet_spawn(self._run, self._engine.ways(), statement, values, read)

    def _run(self, ways: Ways, statement: Statement, values: list[object], read: Callable[[Rows], T]) -> T:
        lent = self._lent(ways.alone.sync_engine)
        try:
            if _SEEN not in lent.info:
                self._see(Connection(ways.alone.sync_engine, lent), ways.look)
            rows, done = await_only(self._driver.rows(lent, statement.text, values, named=self._names))
            return read(results.said_of(rows, done, tag=statement.tag))
        except BaseException as error:
            if not self._is_refusal(error, lent):
                lent.invalidate(error)
                raise
            self._names = self._names and error_code(error) not in NOT_ONES_OWN
            lent.info.pop(statement.text, None)  # what the server has kept may be out of date
            raise Undone from error
        finally:
            lent.close()

    def _see(self, connection: Connection, look: Look | None) -> None:
        """Look at *connection*, which is new. Behind a pooler nothing is named, unless that is trusted."""
        if look is not None:
            look(connection)
            self._names = self._names and not self._driver.is_pooled(connection)
        connection.info[_SEEN] = True

    def _lent(self, engine: Engine) -> PoolProxiedConnection:
        lent = engine.raw_connection()
        while self._driver.has_ended(lent):
            lent.invalidate()
            lent.close()
            lent = engine.raw_connection()
        return lent

    def _is_refusal(self, error: BaseException, lent: PoolProxiedConnection) -> bool:
        if self._driver.has_ended(lent):
            return False
        code: Any = error_code(error)
        if isinstance(code, str):
            return not code.startswith(_ENDED)
        return self._driver.is_unsent(error)
