"""A SuperTokens core whose sessions go on here: with its database, or, after the import, with what was in it of keys."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from copy import copy
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING

from pydantic import SecretStr

from fastapi_session.core.payload import is_name
from fastapi_session.errors import ConfigurationError, PayloadError
from fastapi_session.foreign_sessions import ForeignKey, ForeignSession, ForeignToken
from fastapi_session.model import Json
from fastapi_session.moving.supertokens.handles import handle_of
from fastapi_session.moving.supertokens.names import SuperTokensTables
from fastapi_session.moving.supertokens.public_keys import keys_of
from fastapi_session.moving.supertokens.refresh_token import opened
from fastapi_session.store_url import StoreUrl

if TYPE_CHECKING:  # it needs SQLAlchemy, which a move without the database does not
    from fastapi_session.moving.supertokens.database import SuperTokensDatabase

_logger = logging.getLogger(__name__)

NAME = "supertokens"

_KEY = re.compile(r"[0-9]{1,9}:[0-9a-f]{2,1024}:[0-9a-f]{2,1024}")
_EXTRAS = {
    "mariadb+asyncmy": "mysql",
    "mysql+asyncmy": "mysql",
    "postgresql+asyncpg": "postgres",
    "postgresql+psycopg": "postgres",
}
_LONGEST_VALIDITY = timedelta(days=7)
_LONGEST_GRACE = timedelta(minutes=5)


class SuperTokens:
    """The sessions of a SuperTokens core, which go on here: `Sessions(config, moving_from=SuperTokens(database=...))`.

    *database* is the URL of its database, as `postgresql+asyncpg://user@host/supertokens` or `mysql+asyncmy://...`, whose user
    need be allowed nothing but SELECT; *tables* and *app_id* say what is read there. From it comes the key of the refresh
    tokens, which is kept in memory only. Without the database, once all sessions have been imported, give that key as
    *refresh_token_key*, and as *public_keys* the JWK Set of the core, while access tokens of it may be alive.

    *access_token_validity* and *rotation_grace* are the core's `access_token_validity` and `refresh_token_rotation_grace_period`.
    A look-up that takes longer than *timeout* is `StoreUnavailable`.
    Raises `ConfigurationError` for what cannot be, and if a driver is not installed.
    """

    def __init__(
        self,
        database: str | None = None,
        *,
        tables: SuperTokensTables | None = None,
        app_id: str = "public",
        refresh_token_key: SecretStr | str | None = None,
        public_keys: Json | None = None,
        access_token_validity: timedelta = timedelta(hours=1),
        rotation_grace: timedelta = timedelta(seconds=30),
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self._key = None if refresh_token_key is None else _checked_key(refresh_token_key)
        self._url = None if database is None else StoreUrl(database)
        self._app_id = app_id
        self._database = (
            None if self._url is None else _database(self._url, tables or SuperTokensTables(), app_id, timeout)
        )
        if self._database is None and self._key is None:
            raise ConfigurationError(
                "database: give the URL of the core's database, or refresh_token_key if all sessions have been imported"
            )
        self._public_keys = None if public_keys is None else keys_of(public_keys)
        self._validity = _within(access_token_validity, "access_token_validity", _LONGEST_VALIDITY)
        self._grace = _within(rotation_grace, "rotation_grace", _LONGEST_GRACE)

    def __repr__(self) -> str:
        place = "no database" if self._url is None else self._url.printed
        return f"SuperTokens({place}, app_id={self._app_id!r})"

    @property
    def name(self) -> str:
        """`supertokens`, the `source` of its sessions."""
        return NAME

    @property
    def has_database(self) -> bool:
        """Whether the sessions of the core can be read."""
        return self._database is not None

    @property
    def access_token_validity(self) -> timedelta:
        """How long an access token of the core is believed at most."""
        return self._validity

    @property
    def rotation_grace(self) -> timedelta:
        """For how long the core accepts the refresh token before the current one."""
        return self._grace

    @property
    def database(self) -> SuperTokensDatabase:
        """The core's database, for those who read all of it. Raises `ConfigurationError` if none was given."""
        if self._database is None:
            raise ConfigurationError("database: give the URL of the core's database")
        return self._database

    async def key_digest(self) -> bytes:
        """Return what tells this app of this core from all others: a digest of its key, 32 bytes. Raises as `open`."""
        if self._key is None:  # the database was down when the application began
            await self.open()
        assert self._key is not None
        return hashlib.sha256(self._key.get_secret_value().encode()).digest()

    def for_import(self) -> SuperTokens:
        """Return the same core with access tokens that are never believed: so an import keeps no keys, whose time would count from then."""
        source = copy(self)
        source._validity = timedelta()  # noqa: SLF001  it is one of these
        return source

    async def open(self) -> None:
        """Connect, and read the key of the refresh tokens.

        Raises `ConfigurationError` if it is not such a database, if the app is not in it, or if the key that was given is
        another one; `StoreUnavailable` if the database is down.
        """
        if self._database is None:
            return
        key = await self._database.open()
        if self._key is not None and self._key != key:
            await self._database.close()
            raise ConfigurationError(
                f"refresh_token_key: it is not that of the app {self._app_id!r} in the database: leave it out, or correct app_id"
            )
        self._key = key

    async def close(self) -> None:
        """Let go of the connections."""
        if self._database is not None:
            await self._database.close()

    def read_refresh_token(self, text: str) -> ForeignToken | None:
        """Return the content of the refresh token *text*, `None` if the core did not write it, or the key has not been read yet."""
        return None if self._key is None else opened(text, key=self._key)

    async def public_keys(self) -> Sequence[ForeignKey]:
        """Return the keys by which access tokens of the core verify: those that were given, else those of the database."""
        if self._public_keys is not None:
            return self._public_keys
        return () if self._database is None else await self._database.public_keys()

    async def session(self, session_id: str, tenant_id: str) -> ForeignSession | None:
        """Return the session as it is in the database now, `None` if it is not there.

        Raises `PayloadError` if its row cannot be taken, with the reason.
        """
        handle = handle_of(session_id, tenant_id)
        if self._database is None or handle is None or not is_name(tenant_id):
            return None
        found = await self._database.session(handle, tenant_id)
        if found is not None and found.session is None:
            raise PayloadError("; ".join(f"{remark.handle}: {remark.reason}" for remark in found.remarks))
        return None if found is None else found.session

    async def sessions_of(self, user_id: str, tenant_id: str | None) -> Sequence[ForeignSession]:
        """Return the user's sessions as they are in the database now; of every tenant if none is given.

        Of a row that cannot be taken, and may be among them, the log tells.
        """
        if self._database is None:
            return ()
        rows = await self._database.sessions_of(user_id, tenant_id)
        for remark in (remark for row in rows if row.session is None for remark in row.remarks):
            _logger.warning("SuperTokens: the session %s cannot be taken: %s", remark.handle, remark.reason)
        return [row.session for row in rows if row.session is not None]


def _checked_key(key: SecretStr | str) -> SecretStr:
    key = SecretStr(key) if isinstance(key, str) else key
    if not _KEY.fullmatch(key.get_secret_value()):
        raise ConfigurationError(
            "refresh_token_key: give the value of the row refresh_token_key in key_value as it is: a number and two hexadecimal texts, with : between them"
        )
    return key


def _within(given: timedelta, name: str, most: timedelta) -> timedelta:
    if not timedelta() <= given <= most:
        raise ConfigurationError(f"{name}: give 0 to {most.total_seconds():.0f} seconds")
    return given


def _database(url: StoreUrl, tables: SuperTokensTables, app_id: str, timeout: timedelta) -> SuperTokensDatabase:
    scheme = url.partition("://")[0]
    if scheme not in _EXTRAS:
        raise ConfigurationError(
            f"database: give a URL with a driver, as {', '.join(f'{each}://user@host/database' for each in sorted(_EXTRAS))}"
        )
    try:
        # Only then: without a database, what it needs need not be installed.
        module = import_module("fastapi_session.moving.supertokens.database")
        database: SuperTokensDatabase = module.SuperTokensDatabase(url, names=tables, app_id=app_id, timeout=timeout)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"database: {scheme} needs {error.name}, which comes with pip install 'fastapi-session-auth[{_EXTRAS[scheme]}]'"
        ) from error
    return database
