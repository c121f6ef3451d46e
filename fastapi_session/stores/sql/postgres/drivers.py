"""The drivers, as far as they differ below SQLAlchemy: how each runs a statement, and what it knows of its connection.

| driver | a statement |
|---|---|
| asyncpg | is prepared once a connection, under a name that nobody else has; without names it is sent whole each time, in the same round trip |
| psycopg | is sent whole each time: it counts its names up, so another client behind a pooler would have the same |
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from secrets import token_hex
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection
from sqlalchemy.pool import PoolProxiedConnection

from fastapi_session.stores.sql.prepared import is_pooled
from fastapi_session.stores.sql.results import Rows

PREFIX = "fastapi_session_"
"""How the names of our statements begin."""


class Done(NamedTuple):
    """The *rows* that a statement returned, and what the server said when it was *done*, such as `UPDATE 2`."""

    rows: Rows
    done: str


class Driver(Protocol):
    """What batches need of a driver."""

    names: bool
    """Whether it can name a statement so that nobody else has the name."""

    async def rows(self, lent: PoolProxiedConnection, text: str, values: list[object], *, named: bool) -> Done:
        """Return what became of the statement *text*, which is kept by the server only if it is *named*."""

    def has_ended(self, lent: PoolProxiedConnection) -> bool:
        """Say whether the connection is known to have ended."""

    def is_unsent(self, error: BaseException) -> bool:
        """Say whether *error* means that the statement was not even sent."""

    def is_pooled(self, connection: Connection) -> bool:
        """Say whether *connection* leads to a pooler, where names are not one's own."""


class Asyncpg:
    """https://magicstack.github.io/asyncpg/current/api/index.html"""

    names = True

    async def rows(self, lent: PoolProxiedConnection, text: str, values: list[object], *, named: bool) -> Done:
        """Return what became of the statement *text*, which is kept by the server only if it is *named*."""
        connection: Any = lent.driver_connection
        is_named, prepared = lent.info.get(text, (None, None))
        if is_named is not named:
            name = f"{PREFIX}{token_hex(8)}" if named else ""
            prepared = await connection.prepare(text, name=name)
            lent.info[text] = named, prepared
        return Done(await prepared.fetch(*values), prepared.get_statusmsg())

    def has_ended(self, lent: PoolProxiedConnection) -> bool:
        """Say whether the connection is known to have ended."""
        connection: Any = lent.driver_connection
        return bool(connection.is_closed())

    def is_unsent(self, error: BaseException) -> bool:
        """Say whether *error* means that the statement was not even sent: a parameter cannot be written."""
        return isinstance(error, ValueError) and not isinstance(error, UnicodeDecodeError)

    def is_pooled(self, connection: Connection) -> bool:
        """Say whether *connection* leads to a pooler, where names are not one's own."""
        driver: Any = connection.connection.driver_connection
        return is_pooled(connection, pid=driver.get_server_pid())


class Psycopg:
    """https://www.psycopg.org/psycopg3/docs/"""

    names = False

    @cached_property
    def _psycopg(self) -> Any:
        return import_module("psycopg")

    @cached_property
    def _binary_arrays(self) -> Any:
        return import_module("psycopg.types.array").ListBinaryDumper

    async def rows(self, lent: PoolProxiedConnection, text: str, values: list[object], *, named: bool) -> Done:  # noqa: ARG002 - never
        """Return what became of the statement *text*, which the server does not keep."""
        cursor = self._psycopg.AsyncRawCursor(lent.driver_connection)
        # By default arrays are text, of which psycopg looks at each element for what has to be quoted.
        cursor.adapters.register_dumper(list, self._binary_arrays)
        await cursor.execute(text, values, binary=True)
        return Done(await cursor.fetchall() if cursor.description else [], cursor.statusmessage)

    def has_ended(self, lent: PoolProxiedConnection) -> bool:
        """Say whether the connection is known to have ended: it is not before something was sent."""
        connection: Any = lent.driver_connection
        return bool(connection.closed)

    def is_unsent(self, error: BaseException) -> bool:
        """Say whether *error* means that the statement was not even sent: a parameter cannot be written."""
        return isinstance(error, UnicodeEncodeError | self._psycopg.DataError)

    def is_pooled(self, connection: Connection) -> bool:  # noqa: ARG002 - it makes no difference
        """Say whether names are not one's own: never are they here."""
        return True


DRIVERS: Mapping[str, Driver] = {"asyncpg": Asyncpg(), "psycopg": Psycopg()}
"""By SQLAlchemy's names."""
