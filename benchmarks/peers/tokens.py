"""JSON Web Tokens without sessions: PyJWT by hand, and authx. They verify the signature and the expiry."""

# No `from __future__ import annotations`: some annotations name dependencies that a function has just made.

import time
from datetime import timedelta
from typing import Annotated, Any

import jwt
from authx import AuthX, AuthXConfig, TokenPayload
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from benchmarks.applications import SECRET, Answer, application, by_header

LIFETIME = 24 * 3600


def pyjwt(algorithm: str) -> FastAPI:
    """Return an application whose dependency calls PyJWT."""
    signing, verifying = keys(algorithm)
    bearer = HTTPBearer()

    async def payload(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> dict[str, Any]:
        try:
            return jwt.decode(credentials.credentials, verifying, algorithms=[algorithm])
        except jwt.InvalidTokenError as error:
            raise HTTPException(401) from error

    async def endpoint(token: Annotated[dict[str, Any], Depends(payload)]) -> Answer:
        return {"user_id": token["sub"]}

    async def login() -> Answer:
        now = int(time.time())
        return by_header(jwt.encode({"sub": "alice", "iat": now, "exp": now + LIFETIME}, signing, algorithm=algorithm))

    return application(endpoint, login=login)


def keys(algorithm: str) -> tuple[Any, Any]:
    """Return the key that signs and the key that verifies."""
    if algorithm == "HS256":
        return SECRET, SECRET
    private = ec.generate_private_key(ec.SECP256R1())
    return private, private.public_key()


def authx() -> FastAPI:
    """Return an application whose dependency is authx's, with HS256, its default."""
    config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_ACCESS_TOKEN_EXPIRES=timedelta(seconds=LIFETIME))
    auth: AuthX[Any] = AuthX(config)

    async def endpoint(token: Annotated[TokenPayload, Depends(auth.access_token_required)]) -> Answer:
        return {"user_id": token.sub}

    async def login() -> Answer:
        return by_header(auth.create_access_token("alice"))

    app = application(endpoint, login=login)
    auth.handle_errors(app)
    return app
