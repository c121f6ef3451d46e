"""Logins of Django: sessions in its database (the backends `db` and `cached_db`), or in signed cookies.

A session of Django is a login only as long as the password of its user is the same: it has a hash of that, which is compared here with
the user's row, as Django does with each request. So what a change of the password has ended is not adopted, nor a user who is not active.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Boolean, DateTime, String, column, delete, select
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from fastapi_session.adoption import Adoption
from fastapi_session.clock import Clock, system_clock
from fastapi_session.config.lifetimes import Lifetime
from fastapi_session.model import Json
from fastapi_session.moving.adopters.adopter import Check, OldCookie, Presented, awaited
from fastapi_session.moving.adopters.credentials import presented_by, presented_text
from fastapi_session.moving.adopters.databases import milliseconds_of, row_of, table_of, write
from fastapi_session.moving.adopters.django_signatures import COOKIES_SALT, DB_SALT, DjangoSignatures
from fastapi_session.moving.adopters.settings import texts_of

_COOKIE = OldCookie("sessionid")
_TWO_WEEKS = timedelta(days=14)
_MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


async def everybody(adoption: Adoption, _session: Json) -> Adoption:
    """Let everybody in whom Django would."""
    return adoption


@dataclass(frozen=True, slots=True)
class DjangoTables:
    """Where Django keeps sessions and users: the tables (perhaps `schema.auth_user`), and columns of that of the users.

    *read_user_id* makes of the id in a session, which is text, what the column takes: `UUID` for one of that type in PostgreSQL.
    *is_active* is `None` if the users have no such column. *backends* are `AUTHENTICATION_BACKENDS`: a login by any other is over.
    """

    sessions: str = "django_session"
    users: str = "auth_user"
    user_id: str = "id"
    read_user_id: Callable[[str], Any] = int
    is_active: str | None = "is_active"
    backends: Sequence[str] = (_MODEL_BACKEND,)

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` if the backends are no list."""
        texts_of("backends", self.backends)


_TABLES = DjangoTables()


class DjangoSessions:
    """Adopts the logins in `django_session`, where the backends `db` and `cached_db` keep sessions.

    *secret_keys* are `SECRET_KEY` and then those of `SECRET_KEY_FALLBACKS`. *cookie* is `SESSION_COOKIE_NAME` with its path and domain.
    *check* is given the session as Django has it: it can take over some of it, or keep a user out.
    Nothing is written in Django's tables unless it *retires* each session that was adopted: then its row is deleted.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        secret_keys: Sequence[str],
        *,
        check: Check = everybody,
        tables: DjangoTables = _TABLES,
        cookie: OldCookie = _COOKIE,
        retires: bool = False,
        name: str = "django",
        clock: Clock = system_clock,
    ) -> None:
        self.name = name
        self._engine = engine
        self._logins = _Logins(engine, DjangoSignatures(secret_keys, salt=DB_SALT), tables, check)
        self._sessions = table_of(
            tables.sessions,
            column("session_key", String()),
            column("session_data", String()),
            column("expire_date", DateTime(timezone=True)),
        )
        self._cookie = cookie
        self._retires = retires
        self._clock = clock

    def presented(self, connection: HTTPConnection) -> Presented | None:
        """Return what came as the key of a session: whether it is one, and of whom, the table knows."""
        text = presented_text(connection, self._cookie)
        return None if text is None else presented_by(self._cookie, key=text)

    async def adopt(self, presented: Presented) -> Adoption | None:
        """Return the login of the session, if it has not expired and Django would let its user in. Raises `StoreUnavailable`."""
        sessions = self._sessions
        row = await row_of(self._engine, select(sessions).where(sessions.c.session_key == presented.key))
        # Compared again: some databases find a text by another one, of other case.
        if row is None or row["session_key"] != presented.key:
            return None
        read = self._logins.signatures.read(row["session_data"])
        deadline = milliseconds_of(row["expire_date"])
        if read is None or deadline <= self._clock():
            return None
        retire = partial(self._delete, presented.key) if self._retires else None
        return await self._logins.adopt(read[0], deadline, retire=retire)

    async def _delete(self, session_key: str) -> None:
        await write(self._engine, delete(self._sessions).where(self._sessions.c.session_key == session_key))


class DjangoSignedCookies:
    """Adopts the logins of the backend `signed_cookies`; of Django's tables it reads that of the users.

    *max_age* is `SESSION_COOKIE_AGE`. All else as `DjangoSessions`.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        secret_keys: Sequence[str],
        *,
        check: Check = everybody,
        tables: DjangoTables = _TABLES,
        cookie: OldCookie = _COOKIE,
        max_age: timedelta = _TWO_WEEKS,
        name: str = "django",
        clock: Clock = system_clock,
    ) -> None:
        self.name = name
        self._logins = _Logins(engine, DjangoSignatures(secret_keys, salt=COOKIES_SALT), tables, check)
        self._cookie = cookie
        self._max_age = max_age // timedelta(milliseconds=1)
        self._clock = clock

    def presented(self, connection: HTTPConnection) -> Presented | None:
        """Return the login in the cookie, if that is signed, not too old, and has one."""
        text = presented_text(connection, self._cookie)
        read = None if text is None else self._logins.signatures.read(text)
        if text is None or read is None or _USER_ID not in read[0]:
            return None
        content, at = read
        if (deadline := at + self._max_age) <= self._clock():
            return None
        # Without the signature: other texts of that are the same signature too.
        return presented_by(self._cookie, key=text.rpartition(":")[0], content=(content, deadline))

    async def adopt(self, presented: Presented) -> Adoption | None:
        """Return the login, if Django would let its user in. Raises `StoreUnavailable`."""
        content, deadline = presented.content
        return await self._logins.adopt(content, deadline)


_USER_ID = "_auth_user_id"
_BACKEND = "_auth_user_backend"
_HASH = "_auth_user_hash"
_EXPIRY = "_session_expiry"


class _Logins:
    """What makes a session of Django a login: the same for every backend."""

    def __init__(self, engine: AsyncEngine, signatures: DjangoSignatures, tables: DjangoTables, check: Check) -> None:
        self.signatures = signatures
        self._engine = engine
        self._tables = tables
        self._check = awaited(check)
        active = () if tables.is_active is None else (column(tables.is_active, Boolean()),)
        self._users = table_of(tables.users, column(tables.user_id), column("password", String()), *active)

    async def adopt(
        self, session: Mapping[str, Any], deadline: int, *, retire: Callable[[], Any] | None = None
    ) -> Adoption | None:
        """Return the login that *session* has, `None` if it has none, or one that Django would not accept any more."""
        user_id = session.get(_USER_ID)
        if not isinstance(user_id, str) or session.get(_BACKEND) not in self._tables.backends:
            return None
        try:
            value = self._tables.read_user_id(user_id)
        except ValueError:
            return None
        user = await row_of(self._engine, select(self._users).where(self._users.c[self._tables.user_id] == value))
        if user is None or not self._is_active(user):
            return None
        if not self.signatures.is_hash_of(user["password"], session.get(_HASH)):
            return None
        # Django's "0" is a session that ends with the browser.
        lifetime = Lifetime(remember=session.get(_EXPIRY) != 0)
        return await self._check(Adoption(user_id, deadline, lifetime=lifetime, retire=retire), session)

    def _is_active(self, user: Mapping[str, Any]) -> bool:
        return self._tables.is_active is None or bool(user[self._tables.is_active])
