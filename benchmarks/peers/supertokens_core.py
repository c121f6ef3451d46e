"""Stands in for the server that supertokens-python asks: it creates sessions and publishes its key, and keeps nothing."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI
from jwt.algorithms import RSAAlgorithm

KID = "d-1"
HANDLE = "7c0cd4c5-5fdc-4fd5-8c8f-7a4a3d7c1a11"


def supertokens_core() -> FastAPI:
    """Return the endpoints of the core's interface (CDI 5.4) that creating and verifying a session need."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    app = FastAPI()

    @app.get("/apiversion")
    async def versions() -> dict[str, list[str]]:
        return {"versions": ["5.4"]}

    @app.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, Any]:
        public = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
        return {"keys": [{**public, "kid": KID, "alg": "RS256", "use": "sig"}]}

    @app.get("/user/id")
    async def user() -> dict[str, str]:
        return {"status": "UNKNOWN_USER_ID_ERROR"}

    @app.post("/public/recipe/session")
    async def begin(wish: dict[str, Any]) -> dict[str, Any]:
        return begun(wish, key)

    return app


def begun(wish: dict[str, Any], key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """Return the session that *wish* asks for, as the core does."""
    user_id, now = wish["userId"], int(time.time())
    payload = {
        **wish["userDataInJWT"],
        "sub": user_id,
        "rsub": user_id,
        "tId": "public",
        "sessionHandle": HANDLE,
        "refreshTokenHash1": "0" * 64,
        "parentRefreshTokenHash1": None,
        "antiCsrfToken": None,
        "iat": now,
        "exp": now + 24 * 3600,
    }
    text = jwt.encode(payload, key, algorithm="RS256", headers={"kid": KID, "version": "5"})
    token = {"token": text, "expiry": (now + 24 * 3600) * 1000, "createdTime": now * 1000}
    session = {
        "handle": HANDLE,
        "userId": user_id,
        "recipeUserId": user_id,
        "userDataInJWT": wish["userDataInJWT"],
        "tenantId": "public",
    }
    return {"status": "OK", "session": session, "accessToken": token, "refreshToken": {**token, "token": "none"}}
