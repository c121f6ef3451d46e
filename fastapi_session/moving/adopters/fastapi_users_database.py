"""Logins of fastapi-users that are rows of a table (`DatabaseStrategy` with SQLAlchemy), whose token is in a cookie or comes as a bearer token."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy import TIMESTAMP, String, column, delete, select
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from fastapi_session.adoption import Adoption
from fastapi_session.clock import Clock, system_clock
from fastapi_session.moving.adopters.adopter import LONGEST_LOGIN, Check, OldCookie, Presented, awaited
from fastapi_session.moving.adopters.credentials import presented_by, presented_text
from fastapi_session.moving.adopters.databases import milliseconds_of, row_of, table_of, write

_COOKIE = OldCookie("fastapiusersauth")


class FastAPIUsersDatabase:
    """Adopts the users of the tokens in the table *access_tokens* (perhaps `schema.accesstoken`), whom *check* lets in.

    *lifetime* is that of the strategy, `None` if it has none. *cookie* is that of the transport; `None` for bearer tokens.
    *check* is given nothing more: fastapi-users looks up the user of each request, and so has *check*, as to whether he is active.
    Nothing is written in the table unless it *retires* each token that was adopted: then its row is deleted.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        check: Check,
        lifetime: timedelta | None,
        cookie: OldCookie | None = _COOKIE,
        access_tokens: str = "accesstoken",
        retires: bool = False,
        name: str = "fastapi-users",
        clock: Clock = system_clock,
    ) -> None:
        self.name = name
        self._engine = engine
        self._check = awaited(check)
        self._lifetime = LONGEST_LOGIN if lifetime is None else lifetime // timedelta(milliseconds=1)
        self._cookie = cookie
        self._table = table_of(
            access_tokens,
            column("token", String()),
            column("created_at", TIMESTAMP(timezone=True)),
            column("user_id"),
        )
        self._retires = retires
        self._clock = clock

    def presented(self, connection: HTTPConnection) -> Presented | None:
        """Return what came as a token: whether it is one, the table knows."""
        text = presented_text(connection, self._cookie)
        return None if text is None else presented_by(self._cookie, key=text)

    async def adopt(self, presented: Presented) -> Adoption | None:
        """Return the login that the table has, if it has not expired and *check* lets its user in. Raises `StoreUnavailable`."""
        row = await row_of(self._engine, select(self._table).where(self._table.c.token == presented.key))
        # Compared again: some databases find a text by another one, of other case.
        if row is None or row["token"] != presented.key:
            return None
        created_at = milliseconds_of(row["created_at"])
        if (deadline := created_at + self._lifetime) <= self._clock():
            return None
        retire = partial(self._delete, presented.key) if self._retires else None
        adoption = Adoption(str(row["user_id"]), deadline, created_at=created_at, retire=retire)
        return await self._check(adoption, {})

    async def _delete(self, token: str) -> None:
        await write(self._engine, delete(self._table).where(self._table.c.token == token))
