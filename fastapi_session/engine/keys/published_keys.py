"""The keys of a deployment beside its sessions: published as a JWK Set, signing JWTs for other services, and revoked."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

from fastapi_session import endpoint_paths
from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.core import service_jwt
from fastapi_session.core.binding.dpop import ALGORITHMS
from fastapi_session.core.payload import json_object
from fastapi_session.core.signing_keys import is_kid
from fastapi_session.engine.keys.keyring import Keyring
from fastapi_session.errors import PayloadError, StoreUnavailable
from fastapi_session.model import Json
from fastapi_session.stores.base import JoinedStore


class PublishedKeys:
    """The keys of *keyring* as other services know them, and by which algorithms a client may prove a key of its own.

    They are read through the *joined* store, if there is one: waiting for a second connection can deadlock a full pool.
    """

    def __init__(self, config: SessionConfig, *, keyring: Keyring, clock: Clock, joined: JoinedStore | None) -> None:
        self._issuer = config.issuer
        self._proves = config.dpop != "off"
        self._keyring = keyring
        self._clock = clock
        self._joined = joined

    async def sign(self, payload: Json, *, validity: timedelta, static: bool, typ: str) -> str:
        """Return *payload* as a JWT that expires after *validity*. Raises `PayloadError` and `StoreUnavailable`."""
        if validity <= timedelta(0):
            raise PayloadError("validity: give more than nothing")
        typ = service_jwt.type_name(typ)
        key = await self._keyring.signing_key(static=static, through=self._joined)
        claims = {"iss": self._issuer, **json_object(payload, "payload")}
        duration = validity // timedelta(milliseconds=1)
        return service_jwt.mint(claims, key, typ=typ, now=self._clock(), validity=duration)

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the JWK Set (RFC 7517). Raises `StoreUnavailable` if no key is known at all."""
        # Made now if there is none, so that it is published before it signs. If it cannot be made, the known keys are returned.
        with contextlib.suppress(StoreUnavailable):
            await self._keyring.signing_key(static=True, through=self._joined)
        return await self._keyring.jwks(through=self._joined)

    def discovery(self) -> dict[str, str | list[str]]:
        """Return the discovery document (OpenID Connect Discovery, section 3; RFC 9449, section 5.1)."""
        document: dict[str, str | list[str]] = {
            "issuer": self._issuer,
            "jwks_uri": f"{self._issuer}{endpoint_paths.JWKS}",
        }
        return document | ({"dpop_signing_alg_values_supported": [*ALGORITHMS]} if self._proves else {})

    async def revoke(self, kid: str) -> bool:
        """Delete the signing key named *kid*, and say whether it was there. Raises `StoreUnavailable`."""
        return is_kid(kid) and await self._keyring.revoke(kid)
