"""Reading the database of a core: in transactions that are read-only, as a user who need be allowed nothing but SELECT."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import SecretStr
from sqlalchemy import Connection, Select, case, func, null, select, text

from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.foreign_sessions import ForeignKey
from fastapi_session.model import MAX_OBJECT
from fastapi_session.moving.supertokens.names import SuperTokensTables
from fastapi_session.moving.supertokens.probing import UNREADABLE, probe
from fastapi_session.moving.supertokens.public_keys import dynamic_key, static_key
from fastapi_session.moving.supertokens.rows import ReadRow, SessionRow, read
from fastapi_session.moving.supertokens.tables import PREVIOUS_HASH, ROTATED_AT, Tables
from fastapi_session.moving.supertokens.user_look_up import candidates_for, users_of
from fastapi_session.store_url import StoreUrl
from fastapi_session.stores.sql.connections import PooledConnections
from fastapi_session.stores.sql.dialects import StatementMoment, error_code, mistake_in_address
from fastapi_session.stores.sql.engines import OwnEngine, place_of

T = TypeVar("T")

_MOST_KEYS = 1_000
_LONGEST_READ = timedelta(minutes=10)
"""For counting a table, and for a page of many rows."""


class SuperTokensDatabase:
    """The sessions, keys and users of one app in the database at *url*. Each look-up has to end within *timeout*."""

    def __init__(self, url: StoreUrl, *, names: SuperTokensTables, app_id: str, timeout: timedelta) -> None:
        with _about_the_url():
            self._engine = OwnEngine(url, look=_read_only)
        self._tables = Tables(names, folds=self._engine.name == "postgresql")
        self._app_id = app_id
        self._timeout = timeout
        self._connections = PooledConnections(self._engine, timeout=timeout)
        self._patient = PooledConnections(self._engine, timeout=max(timeout, _LONGEST_READ))
        self._rotates = False

    async def open(self) -> SecretStr:
        """Connect, see that all that is read here is there, and return the key of the app's refresh tokens.

        Raises `ConfigurationError` if it is not such a database, or the app is not in it; `StoreUnavailable` if it is down.
        """
        self._engine.open()
        try:
            found = await self._run(lambda connection: probe(connection, self._tables, app_id=self._app_id))
        except BaseException:
            await self.close()
            raise
        if found.key is None:
            await self.close()
            raise ConfigurationError(found.mistake or "")
        self._rotates = found.rotates
        return found.key

    async def close(self) -> None:
        """Close the connections of the running event loop."""
        await self._connections.idle()
        await self._patient.idle()
        await self._engine.close(patience=self._timeout)

    async def session(self, handle: str, tenant_id: str) -> ReadRow | None:
        """Return the session *handle* of *tenant_id*, `None` if it is not there."""
        sessions = self._tables.sessions
        found = await self._read(
            self._sessions().where(sessions.c.tenant_id == tenant_id, sessions.c.session_handle == handle)
        )
        # MySQL finds what differs in upper and lower case alone.
        return next((each for row, each in found if (row.handle, row.tenant_id) == (handle, tenant_id)), None)

    async def sessions_of(self, user_id: str, tenant_id: str | None) -> Sequence[ReadRow]:
        """Return the sessions of *user_id*, that have not expired, and rows that cannot be taken and may be among them."""
        ids = await self._run(lambda connection: candidates_for(connection, self._tables, self._app_id, user_id))
        sessions = self._tables.sessions
        statement = self._sessions().where(sessions.c.user_id.in_(ids), sessions.c.expires_at > StatementMoment())
        found = await self._read(statement if tenant_id is None else statement.where(sessions.c.tenant_id == tenant_id))
        return [each for _, each in found if each.session is None or each.session.user_id == user_id]

    async def public_keys(self) -> Sequence[ForeignKey]:
        """Return the public keys of the app's access tokens. The private ones that stand beside them are dropped at once."""
        return await self._run(self._public_keys)

    async def count(self) -> int:
        """Return how many sessions the app has that have not expired."""
        sessions = self._tables.sessions
        statement = (
            select(func.count())
            .select_from(sessions)
            .where(sessions.c.app_id == self._app_id, sessions.c.expires_at > StatementMoment())
        )
        return int(await self._run(lambda connection: connection.scalar(statement) or 0, patiently=True))

    async def pages(self, *, batch: int) -> AsyncIterator[Sequence[ReadRow]]:
        """Return all sessions that have not expired, *batch* rows at a time: tenant by tenant, each in the order of its handles."""
        tenant_id = await self._tenant_after("")
        while tenant_id is not None:
            after = ""
            while page := await self._page(tenant_id, after, batch=batch):
                yield [each for _, each in page]
                after = page[-1][0].handle
            tenant_id = await self._tenant_after(tenant_id)

    async def there(self, handles: Sequence[str], tenant_id: str) -> frozenset[str]:
        """Return which of *handles* of *tenant_id* have a row, expired or not."""
        sessions = self._tables.sessions
        statement = select(sessions.c.session_handle).where(
            sessions.c.app_id == self._app_id,
            sessions.c.tenant_id == tenant_id,
            sessions.c.session_handle.in_(handles),
        )
        return frozenset(await self._run(lambda connection: connection.scalars(statement).all(), patiently=True))

    async def _tenant_after(self, tenant_id: str) -> str | None:
        sessions = self._tables.sessions
        statement = select(func.min(sessions.c.tenant_id)).where(
            sessions.c.app_id == self._app_id, sessions.c.tenant_id > tenant_id
        )
        return await self._run(lambda connection: connection.scalar(statement), patiently=True)

    async def _page(self, tenant_id: str, after: str, *, batch: int) -> Sequence[tuple[SessionRow, ReadRow]]:
        sessions = self._tables.sessions
        statement = (
            self._sessions()
            .where(
                sessions.c.tenant_id == tenant_id,
                sessions.c.session_handle > after,
                sessions.c.expires_at > StatementMoment(),
            )
            .order_by(sessions.c.session_handle)
            .limit(batch)
        )
        return await self._read(statement, patiently=True)

    def _sessions(self) -> Select[Any]:
        """Return the statement for rows of the app, in the order of `SessionRow`."""
        table = self._tables.sessions
        size_of = func.octet_length
        columns = [
            table.c.tenant_id,
            table.c.session_handle,
            table.c.user_id,
            table.c.refresh_token_hash_2,
            table.c.created_at_time,
            table.c.expires_at,
        ]
        for content in (table.c.jwt_user_payload, table.c.session_data):
            columns += [case((size_of(content) <= MAX_OBJECT, content)), size_of(content)]  # type: ignore[list-item]
        rotation = [table.c[PREVIOUS_HASH], table.c[ROTATED_AT]] if self._rotates else [null(), null()]
        return select(*columns, *rotation).where(table.c.app_id == self._app_id)

    async def _read(self, statement: Select[Any], *, patiently: bool = False) -> Sequence[tuple[SessionRow, ReadRow]]:
        def work(connection: Connection) -> Sequence[tuple[SessionRow, ReadRow]]:
            rows = [SessionRow(*each) for each in connection.execute(statement)]
            users = users_of(connection, self._tables, self._app_id, {row.user_id for row in rows})
            return [(row, read(row, user_id=users.user_of(row.user_id))) for row in rows]

        return await self._run(work, patiently=patiently)

    def _public_keys(self, connection: Connection) -> Sequence[ForeignKey]:
        dynamic, static = self._tables.dynamic_keys, self._tables.static_keys
        changing = (
            select(dynamic.c.created_at_time, dynamic.c.value)
            .where(dynamic.c.app_id == self._app_id)
            .order_by(dynamic.c.created_at_time.desc())
            .limit(_MOST_KEYS)
        )
        staying = (
            select(static.c.key_id, static.c.key_string, static.c.algorithm)
            .where(static.c.app_id == self._app_id)
            .limit(_MOST_KEYS)
        )
        keys = [dynamic_key(*row) for row in connection.execute(changing)]
        keys += [static_key(*row) for row in connection.execute(staying)]
        return [key for key in keys if key is not None]

    async def _run(self, work: Callable[[Connection], T], *, patiently: bool = False) -> T:
        with self._named():
            return await (self._patient if patiently else self._connections).run(work)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Let an error name the place, and one that lasts until somebody corrects the configuration be one of it."""
        try:
            yield
        except StoreUnavailable as error:
            url = self._engine.ways().alone.url
            place = place_of(url)
            cause = error.__cause__
            if why := mistake_in_address(cause):
                raise ConfigurationError(f"database: {why} ({place})") from error
            if cause is not None and error_code(cause) in UNREADABLE:
                tables = ", ".join(table.fullname for table in self._tables)
                raise ConfigurationError(
                    f"database: its user may not read: GRANT SELECT on {tables} ({place})"
                ) from error
            raise StoreUnavailable(f"the database of SuperTokens: {error}, at {place}") from error


@contextmanager
def _about_the_url() -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        why = str(error).removeprefix("store: ").replace("SqlStore", "SuperTokens")
        if "currentSchema" in why:
            why = "it has the option currentSchema of JDBC: give tables=SuperTokensTables(schema=...) in its place"
        raise ConfigurationError(f"database: {why}") from error


def _read_only(connection: Connection) -> None:
    """Let the database refuse whatever would write, in the transaction that has just begun."""
    connection.execute(text("SET TRANSACTION READ ONLY"))
