"""Sessions in PostgreSQL, MySQL or MariaDB, and in whatever else the user's own SQLAlchemy engine leads to."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from fastapi_session.clock import Clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import MAX_OBJECT
from fastapi_session.store_url import unprinted
from fastapi_session.stores.facts import Overdue, SqlFacts, StoreKind
from fastapi_session.stores.opening import opening
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.sql.batched import BatchedVerbs, Batches
from fastapi_session.stores.sql.connections import JoinedConnection, PooledConnections, Work
from fastapi_session.stores.sql.dialects import DIFFERENCES, mistake_in_address
from fastapi_session.stores.sql.engines import GivenEngine, Look, OwnEngine, place_of
from fastapi_session.stores.sql.facts import count_overdue, read_facts
from fastapi_session.stores.sql.fate import Callback, Fate
from fastapi_session.stores.sql.mysql.batches import MysqlBatches
from fastapi_session.stores.sql.postgres.batches import batches_in
from fastapi_session.stores.sql.prepared import ensure_apart
from fastapi_session.stores.sql.tables import METADATA, missing_columns
from fastapi_session.stores.sql.verbs import SqlVerbs

T = TypeVar("T")

LARGEST_STATEMENT = 8 * MAX_OBJECT
"""Bytes. Two objects, each up to 3.5 times as large as in UTF-8: we write ü as six characters, and drivers a backslash twice."""


class SqlStore(BatchedVerbs):
    """Keeps sessions, signing keys and the revocation feed in a database.

    *engine* is your own `AsyncEngine`, or the URL of one to be made: `SqlStore("postgresql+asyncpg://app@host/app")`.
    The database's clock decides, unless *clock* is given. An operation that takes longer than *timeout* is
    `StoreUnavailable`; what was in a batch, and has to go alone after it, may take as long once more.
    The tables must be there: `python -m fastapi_session.stores.sql migrate` makes them.

    Statements are prepared under the driver's names only if the engine, or an option in its URL, says so. Behind a pooler such as
    PgBouncer that is refused when a connection is first used, unless *trusts_pooler* says that the pooler keeps them apart.
    By a URL with asyncpg, `insert`, `rotate` and `get` are prepared under random names where no pooler is found.

    Raises ConfigurationError if the URL names no database, its driver is not installed or does not know an option.
    """

    kind: StoreKind = "sql"

    def __init__(
        self,
        engine: AsyncEngine | str,
        *,
        clock: Clock | None = None,
        timeout: timedelta = timedelta(seconds=5),
        trusts_pooler: bool = False,
    ) -> None:
        engine = unprinted(engine)
        self.look: Look | None = None if trusts_pooler else ensure_apart
        """What sees a connection before it is used."""
        self._engine = (
            OwnEngine(engine, look=self.look) if isinstance(engine, str) else GivenEngine(engine, look=self.look)
        )
        self._timeout = timeout
        # Weak: connections are the user's, and may come by the thousand.
        self._fates: WeakKeyDictionary[Connection, Fate] = WeakKeyDictionary()
        self._pooled = PooledConnections(self._engine, timeout=timeout)
        super().__init__(
            self._pooled,
            clock=clock,
            readable=Readable(self._engine.name),
            batches=self._own_batches(clock),
            timeout=timeout,
        )

    async def open(self) -> None:
        """Connect, and look for the tables.

        Raises ConfigurationError if they, or columns of them, are missing, if a statement may not be as large as a session, or
        if the server refuses the user or has no such database.

        The event loop that opens the store pools its connections; any other one connects anew for each operation.
        """
        self._engine.open()
        if missing := await self._at_first(missing_columns):
            raise ConfigurationError(
                f"the database lacks {', '.join(missing)}: run fastapi-session migrate, or "
                "python -m fastapi_session.stores.sql migrate URL"
            )
        await self._pooled.run(ensure_room)

    async def close(self) -> None:
        """Finish what was begun, and close the connections of an engine of its own. The store may be opened again."""
        await self._idle_batches()
        await self._pooled.idle()
        await self._engine.close(patience=self._timeout)

    async def facts(self) -> SqlFacts:
        """Return how the database is set up. Raises as `open`, but not for what is missing."""
        own, engine = isinstance(self._engine, OwnEngine), self._engine.ways().together
        return await self._at_first(partial(read_facts, own=own, engine=engine))

    async def overdue(self, *, sessions: int, notices: int, events: int, digests: int = 0, devices: int = 0) -> Overdue:
        """Count what is kept though its time was over at these moments (milliseconds of the database's clock)."""
        moments = Overdue(sessions, notices, events, digests, devices)
        return await self._pooled.run(partial(count_overdue, moments=moments))

    async def create_all(self) -> None:
        """Create the tables that are missing, in development and tests. In production, migrate."""
        await self._pooled.run(METADATA.create_all)

    async def _at_first(self, work: Work[T]) -> T:
        """Do *work*, which may be the first to connect: what is wrong with the address is a mistake of the configuration."""
        with opening(place_of(self._engine.ways().alone.url), mistake=mistake_in_address):
            return await self._pooled.run(work)

    def _own_batches(self, clock: Clock | None) -> Batches | None:
        """Return what runs batches: where the engine is our own, and its database and driver can."""
        if not isinstance(self._engine, OwnEngine):
            return None
        if self._engine.name in MysqlBatches.dialects:
            return MysqlBatches(self._engine, self._pooled, clock=clock)
        return batches_in(self._engine, clock=clock, timeout=self._timeout)

    def within(self, connection: AsyncConnection) -> JoinedStore:
        """Return a store whose sessions are written in the open transaction of *connection*, and end as it ends."""
        return JoinedStore(self, connection, clock=self._clock, readable=self._readable)

    def fate_on(self, connection: AsyncConnection) -> Fate:
        """Return what observes the transactions of *connection*: one for each connection, however often it is joined."""
        target = _sync(connection)
        if target not in self._fates:
            self._fates[target] = Fate(target)
        return self._fates[target]


class JoinedStore(SqlVerbs):
    """Reads and writes inside a transaction of the user's, who commits it or rolls it back.

    The notices of what was revoked are written there too: other processes hear of it when the user has committed.
    After `StoreUnavailable`, that transaction can only be rolled back.
    """

    def __init__(
        self, store: SqlStore, connection: AsyncConnection, *, clock: Clock | None, readable: Readable
    ) -> None:
        super().__init__(JoinedConnection(connection, look=store.look), clock=clock, readable=readable)
        self._connection = connection
        self._fate = store.fate_on(connection)

    def on_end(self, callback: Callback) -> None:
        """Call *callback* once it is certain what became of what was just written."""
        self._fate.on_end(_sync(self._connection), callback)

    async def open(self) -> None:
        """Do nothing: the connection is the user's."""

    async def close(self) -> None:
        """Do nothing: the connection is the user's."""


def _sync(connection: AsyncConnection) -> Connection:
    if connection.sync_connection is None:
        raise ConfigurationError("within: the connection has not been started; give one that is open")
    return connection.sync_connection


def ensure_room(connection: Connection) -> None:
    """Raise ConfigurationError if *connection* takes no statement as large as `LARGEST_STATEMENT`."""
    query = DIFFERENCES[connection.dialect.name].largest_statement
    if query is not None and (largest := int(connection.exec_driver_sql(query).scalar_one())) < LARGEST_STATEMENT:
        raise ConfigurationError(
            f"store: the database takes statements of {largest} bytes, and a session can need {LARGEST_STATEMENT}: "
            f"set its max_allowed_packet to that or more"
        )
