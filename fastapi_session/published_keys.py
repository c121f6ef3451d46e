"""The keys of a deployment: published, used beside sessions, and revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi_session.config import SessionConfig
from fastapi_session.core import json_web_token
from fastapi_session.core.payload import json_object
from fastapi_session.engine.deployment import milliseconds
from fastapi_session.engine.parts import Parts
from fastapi_session.errors import PayloadError
from fastapi_session.model import Json


class PublishedKeys:
    """What can be done with the signing keys of *config*'s deployment."""

    def __init__(self, config: SessionConfig, parts: Parts) -> None:
        self.config = config
        self._parts = parts

    async def create_jwt(self, payload: Json, *, validity: timedelta, use_static_signing_key: bool = True) -> str:
        """Answer *payload* as a JWT that expires after *validity*, for other services that know the JWKS.

        It is no access token and opens no session. Raises `PayloadError`, also where *validity* is not positive,
        `StoreUnavailable`.
        """
        if validity <= timedelta(0):
            raise PayloadError("validity: give more than nothing")
        key = await self._parts.keyring.signing_key(static=use_static_signing_key)
        claims = {"iss": self.config.issuer, **json_object(payload, "payload")}
        return json_web_token.mint(claims, key, now=self._parts.clock(), validity=milliseconds(validity))

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Answer the public keys that verify access tokens, as a JWK Set (RFC 7517)."""
        return await self._parts.keyring.jwks()

    def discovery(self) -> dict[str, str]:
        """Answer the discovery document: who issues the tokens, and where the keys are (OpenID Connect Discovery, section 3)."""
        return {"issuer": self.config.issuer, "jwks_uri": f"{self.config.issuer}/jwt/jwks.json"}

    async def revoke_signing_key(self, kid: str) -> bool:
        """Delete the signing key named *kid*, as after a leak of it, and say whether it was there.

        What it signed is refused from now on, in other processes within two seconds; clients refresh and go on with
        another key. Services that verify by the JWKS have to read it again. Raises `StoreUnavailable`.
        """
        return await self._parts.keyring.revoke(kid)
