"""Tokens of this deployment that no client of a session brings, but another service: read, and their session found.

| the token | what says that it is genuine |
|---|---|
| a JWT for a service | its signature, its issuer, and that it has not expired |
| a refresh token | its MAC, whichever generation it is of |
| a refresh token of a system whose sessions go on here | that system's key, and that the session began there |
"""

from __future__ import annotations

from pydantic import SecretStr

from fastapi_session.core import audience_token, refresh_token
from fastapi_session.core.audience_token import AudienceToken
from fastapi_session.core.service_jwt import ParsedServiceJwt
from fastapi_session.engine.assembly import Engine
from fastapi_session.engine.live_records import kept_record
from fastapi_session.handles import session_handle


class KnownTokens:
    """Reads such tokens with the keys, secrets and store of *engine*."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def audience_token(self, jwt: ParsedServiceJwt) -> AudienceToken | None:
        """Return what *jwt* says, `None` unless it is genuine, alive, and a token for one service. Raises `StoreUnavailable`.

        Nothing is said of its session.
        """
        engine, token = self._engine, audience_token.read(jwt.claims)
        if token is None or not engine.verified_tokens.accepts(token.issuer):
            return None
        now = engine.clock()
        if not engine.feed.trusted_from <= now < engine.feed.trusted_until:
            await engine.slow_verifying.catch_up(None)  # it may report that the key was deleted
        key = await engine.keyring.verifying_key(jwt.kid, through=engine.joined)
        is_alive = engine.clock() < token.expires_at * 1000
        return token if is_alive and jwt.is_signed_by(key) else None

    async def handle_of_refresh_token(self, text: SecretStr) -> str | None:
        """Return the handle of the session that is there and has had the refresh token *text*, `None` if none has. Raises `StoreUnavailable`."""
        engine, token = self._engine, refresh_token.read(text.get_secret_value(), self._engine.secrets)
        if token is not None:  # which does not say the tenant
            reading = await engine.store.get(token.session_id)
            return None if reading.record is None else reading.record.handle
        foreign = await engine.read_foreign_when_open(text)
        if foreign is None or engine.continuing is None:
            return None
        source = engine.continuing.taking_in.source.name
        record = await kept_record(engine.records, session_handle(foreign.session_id, foreign.tenant_id))
        return record.handle if record is not None and record.source == source else None
