"""An application as it was before the change: it answers as supertokens-python 0.31.4 over FastAPI does, with golden tokens.

It has no core. Who logs in gets the tokens of a golden client, whose access token is signed anew for the address.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import quote, unquote

import jwt
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tests.supertokens_core.golden import Client, Golden, golden, signing_key

Method = Literal["cookie", "header"]
AntiCsrf = Literal["NONE", "VIA_TOKEN"]

YEAR = timedelta(days=365)
REFRESH_PATH = "/auth/session/refresh"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the SDK hands out. The *anti_csrf_token* is `None` where such tokens are not used."""

    access_token: str
    refresh_token: str
    anti_csrf_token: str | None


def issued(data: Golden, client: Client, *, issuer: str) -> Tokens:
    """Return the tokens of a golden *client*, the access token as one that *issuer* issued at the moment of the data."""
    row = next(row for row in data.tables["jwt_signing_keys"] if row["app_id"] == client.app_id)
    now = data.moment // 1000
    claims = claims_of(client.access_token) | {
        "iss": issuer,
        "iat": now,
        "exp": now + data.access_token_validity // 1000,
    }
    header = {"kid": row["key_id"], "version": "5"}
    access_token = jwt.encode(claims, signing_key(row), "RS256", headers=header)
    return Tokens(access_token, client.refresh_token, client.opened["anti_csrf_token"] if client.opened else None)


def recorded_tokens(anti_csrf: AntiCsrf) -> Tokens:
    """Return the tokens of which it was written down how the SDK hands them out."""
    state, name = {"NONE": ("fresh", "the client"), "VIA_TOKEN": ("with an anti-CSRF token", "right")}[anti_csrf]
    client = golden().client(state, name)
    assert client.opened is not None
    return Tokens(client.access_token, client.refresh_token, client.opened["anti_csrf_token"])


def timeless(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the *headers* that carry tokens, in order, without the moments at which cookies end."""
    kept = [(name.lower(), re.sub("expires=[^;]+", "expires=LATER", value)) for name, value in headers]
    return sorted(each for each in kept if not each[0].startswith("content-"))


def claims_of(access_token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(access_token, options={"verify_signature": False})
    return claims


def attach(response: Response, tokens: Tokens, method: Method) -> None:
    """Put the *tokens* into the *response* as the SDK does, which percent-encodes a cookie and has Starlette quote it."""
    claims = claims_of(tokens.access_token)
    front = {"uid": claims["sub"], "ate": claims["exp"] * 1000, "up": claims}
    headers = {
        "front-token": base64.b64encode(json.dumps(front, separators=(",", ":"), sort_keys=True).encode()).decode()
    }
    exposed = ["front-token"]
    if method == "cookie":
        set_cookie(response, "sAccessToken", tokens.access_token, path="/", lasts=YEAR)
        set_cookie(response, "sRefreshToken", tokens.refresh_token, path=REFRESH_PATH, lasts=timedelta(days=100))
    else:
        set_cookie(response, "sAccessToken", "", path="/", lasts=timedelta())
        set_cookie(response, "sRefreshToken", "", path=REFRESH_PATH, lasts=timedelta())
        headers |= {"st-access-token": tokens.access_token, "st-refresh-token": tokens.refresh_token}
        exposed += headers
    if tokens.anti_csrf_token is not None:
        headers["anti-csrf"] = tokens.anti_csrf_token
        exposed.append("anti-csrf")
    for name, value in headers.items():
        response.headers[name] = value
    response.headers["Access-Control-Expose-Headers"] = ",".join(exposed)


def set_cookie(response: Response, name: str, value: str, *, path: str, lasts: timedelta) -> None:
    seconds = lasts // timedelta(seconds=1)
    response.set_cookie(name, quote(value, encoding="utf-8"), expires=seconds, path=path, httponly=True, samesite="lax")


def add_old_backend(app: FastAPI, data: Golden, *, origin: str) -> None:
    """Give *app*, which is at *origin*, the routes of the old application: a log-in as any golden client, and one that needs a session."""

    @app.post("/login")
    async def login(request: Request, response: Response, state: str, client: str = "the client") -> dict[str, str]:
        method: Method = "header" if request.headers.get("st-auth-mode") == "header" else "cookie"
        attach(response, issued(data, data.client(state, client), issuer=f"{origin}/auth"), method)
        return {"state": state}

    @app.get("/me")
    async def me(request: Request) -> Response:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        token = bearer or unquote(request.cookies.get("sAccessToken", ""))
        row = data.tables["jwt_signing_keys"][0]
        try:
            claims = jwt.decode(token, signing_key(row).public_key(), ["RS256"])
        except jwt.InvalidTokenError:
            return JSONResponse({"message": "try refresh token"}, 401)
        return JSONResponse({"user_id": claims["sub"]})
