"""The keys of a deployment: published, used beside sessions, and revoked."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

from fastapi_session.config import SessionConfig
from fastapi_session.core import json_web_token
from fastapi_session.core.payload import json_object
from fastapi_session.core.signing_keys import is_kid
from fastapi_session.engine.assembly import Engine
from fastapi_session.engine.from_config import milliseconds
from fastapi_session.errors import PayloadError, StoreUnavailable
from fastapi_session.model import Json


class PublishedKeys:
    """What can be done with the signing keys of *config*'s deployment."""

    def __init__(self, config: SessionConfig, engine: Engine) -> None:
        self.config = config
        self._engine = engine

    async def create_jwt(
        self,
        payload: Json,
        *,
        validity: timedelta,
        use_static_signing_key: bool = True,
        typ: str = json_web_token.TYPE,
    ) -> str:
        """Return *payload* as a JWT that expires after *validity*, for other services that know the JWKS.

        It is no access token and opens no session. *typ* stands in its header, so that nobody takes it for one (RFC 8725,
        section 3.11); give "JWT" only for a verifier that knows no other.

        Raises `PayloadError`, also if *validity* is not positive or *typ* no media type, and `StoreUnavailable`.
        """
        if validity <= timedelta(0):
            raise PayloadError("validity: give more than nothing")
        typ = json_web_token.type_name(typ)
        key = await self._engine.keyring.signing_key(static=use_static_signing_key, through=self._engine.joined)
        claims = {"iss": self.config.issuer, **json_object(payload, "payload")}
        return json_web_token.mint(claims, key, typ=typ, now=self._engine.clock(), validity=milliseconds(validity))

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public keys that verify access tokens and JWTs, as a JWK Set (RFC 7517).

        The key that does not rotate is among them before it has signed anything. Raises `StoreUnavailable` if no key is
        known at all.
        """
        with contextlib.suppress(StoreUnavailable):  # then those that are known
            await self._engine.keyring.signing_key(static=True, through=self._engine.joined)
        return await self._engine.keyring.jwks(through=self._engine.joined)

    def discovery(self) -> dict[str, str]:
        """Return the discovery document: who issues the tokens, and where the keys are (OpenID Connect Discovery, section 3)."""
        return {"issuer": self.config.issuer, "jwks_uri": f"{self.config.issuer}/jwt/jwks.json"}

    async def revoke_signing_key(self, kid: str) -> bool:
        """Delete the signing key named *kid*, as after a leak of it, and say whether it was there.

        What it signed is refused from now on, in other processes within two seconds; clients refresh and go on with
        another key. Services that verify by the JWKS believe it until they read that again: after five to ten minutes as a
        rule, PyJWT with `cache_keys=True` only after a restart. Raises `StoreUnavailable`.
        """
        return is_kid(kid) and await self._engine.keyring.revoke(kid)
