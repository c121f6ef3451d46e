"""Sessions of the doctor's own, in the store of the deployment, which end with the look at them.

| of such a session | is |
|---|---|
| user and tenant | `USER` in `TENANT`: no tenant of the application, so no list, limit or person has to do with it |
| beginning | a little in the past, as a token that is used at once is not exchanged |
| claims | what a check needs: those of the application are fetched for persons that it knows |
| subscribers | none hears of its beginning and its end; the audit has both, by the user agent of the doctor |
| life | 5 minutes, should this program be killed; else it is revoked whatever happens |
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.config.lifetimes import Lifetime
from fastapi_session.config.session_limit import SessionLimit
from fastapi_session.doctor.outside.asking import USER_AGENT
from fastapi_session.engine.from_config import configured_store, rotation_policy
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import Circumstances, Json
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.stores.sqlite.file import is_there
from fastapi_session.web.cookie_names import ACCESS_COOKIE, REFRESH_COOKIE, CookieNames
from fastapi_session.web.header_size import PROBES_TENANT
from fastapi_session.web.transport import ANTI_CSRF_HEADER, AUTHORIZATION_HEADER, Method

USER = "fastapi-session doctor"
TENANT = PROBES_TENANT
BY_DOCTOR = Circumstances(user_agent=USER_AGENT)

_LIFE = timedelta(minutes=5)
_LONGEST_AGO = 60_000
"""Milliseconds. What a browser is offered to bind a session by is good for five minutes."""


@dataclass(frozen=True, slots=True)
class OwnSessions:
    """Where they begin: *earlier*, a little in the past. They end *now*, so that every process hears of it."""

    config: SessionConfig
    earlier: Sessions = field(repr=False)
    now: Sessions = field(repr=False)

    @asynccontextmanager
    async def begun(self, *, payload: Json | None = None, bound_key: str | None = None) -> AsyncIterator[IssuedSession]:
        """Give a session that ends with the context. Raises `StoreUnavailable`, also if it could not be ended, `PayloadError`."""
        issued = await self.earlier.create(
            USER,
            tenant_id=TENANT,
            access_token_payload=payload,
            circumstances=BY_DOCTOR,
            lifetime=Lifetime(absolute=_LIFE),
            limit=SessionLimit(None),
            bound_key=bound_key,
        )
        try:
            yield issued
        finally:
            await self.now.revoke(issued.access_token.session_handle, circumstances=BY_DOCTOR)

    def offer(self, issued: IssuedSession) -> str | None:
        """Return the challenge with which a browser may bind the session that is *issued*, `None` if none is to be bound."""
        return self.now.device_binding.offer(issued.access_token.session_id)

    async def recorded_address(self, issued: IssuedSession) -> str | None:
        """Return the address that the store has of the session, `None` if it has none. Raises `StoreUnavailable`."""
        known = await self.now.information(issued.access_token.session_handle)
        return None if known is None else known.last_seen.ip_address


@asynccontextmanager
async def own_sessions(config: SessionConfig, *, clock: Clock) -> AsyncIterator[OwnSessions]:
    """Give sessions in the store of *config*. Raises `ConfigurationError` if no other process has it, or nothing is there yet."""
    _ensure_is_shared(configured_store(config, clock=clock))
    # A token that is exchanged too early comes back as it is, and the store does not note by whom.
    ago = rotation_policy(config).debounce + 1_000
    if config.requires_binding or ago > _LONGEST_AGO:
        ago = 0
    now, earlier = Sessions(config, clock=clock), Sessions(config, clock=lambda: clock() - ago)
    try:
        yield OwnSessions(config, earlier, now)
    finally:
        await earlier.close()
        await now.close()


def _ensure_is_shared(store: Store) -> None:
    if isinstance(store, MemoryStore):
        raise ConfigurationError(
            "store: a store in memory is that of one process, so no session in it is known elsewhere"
        )
    if isinstance(store, SqliteStore) and not is_there(Path(store.path)):
        raise ConfigurationError(f"store: there is no file {store.path}; call the doctor where the application runs")


def headers_to_refresh(issued: IssuedSession, method: Method, *, names: CookieNames, scheme: str) -> dict[str, str]:
    """Return the headers of a refresh by *method*, in headers by the *scheme* of `Authorization`, beside those of every client."""
    tokens = issued.tokens
    if method == "header":
        return {AUTHORIZATION_HEADER: f"{scheme} {tokens.refresh_token}"}
    values = {ACCESS_COOKIE: tokens.access_token, REFRESH_COOKIE: tokens.refresh_token or ""}
    cookies = "; ".join(f"{names.on_wire[name]}={quote(value, safe='')}" for name, value in values.items())
    return {"cookie": cookies} | ({ANTI_CSRF_HEADER: tokens.anti_csrf_token} if tokens.anti_csrf_token else {})
