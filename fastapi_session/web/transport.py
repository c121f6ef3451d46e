"""Where tokens travel: the names of the wire, read from a request and written onto a response.

| method | access token | refresh token |
|---|---|---|
| cookie | cookie `sAccessToken`, Path=/ | cookie `sRefreshToken`, Path = the refresh endpoint |
| header | request `Authorization: Bearer`, response `st-access-token` | the same, response `st-refresh-token` |

With a new access token always goes the `front-token`, which tells the page who is signed in and until when.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fastapi_session.config import SessionConfig
from fastapi_session.model import Tokens
from fastapi_session.web.caching import for_nobody
from fastapi_session.web.cookies import EPOCH, lasting_until, read_cookies, set_cookie
from fastapi_session.web.header_size import SizeWatch, bytes_of

Method = Literal["cookie", "header"]
METHODS: tuple[Method, Method] = ("header", "cookie")
"""The transfer methods, in the order in which they are looked for."""

ACCESS_COOKIE = "sAccessToken"
REFRESH_COOKIE = "sRefreshToken"
LEGACY_COOKIE = "sIdRefreshToken"
ACCESS_HEADER = "st-access-token"
REFRESH_HEADER = "st-refresh-token"
FRONT_TOKEN_HEADER = "front-token"
ANTI_CSRF_HEADER = "anti-csrf"
EXPOSE_HEADER = "access-control-expose-headers"

SUBPROTOCOL = "session"
"""What a socket is accepted with whose client offered its access token as another subprotocol: this and the token."""
SUBPROTOCOL_BEARER = "session.bearer."

REQUEST_HEADERS = ("rid", "fdi-version", ANTI_CSRF_HEADER, "authorization", "st-auth-mode")
"""What clients send beside the safelisted headers of the Fetch standard."""
RESPONSE_HEADERS = (FRONT_TOKEN_HEADER, ACCESS_HEADER, REFRESH_HEADER, ANTI_CSRF_HEADER)
"""What clients have to be able to read."""

_COOKIES = frozenset({ACCESS_COOKIE, REFRESH_COOKIE, LEGACY_COOKIE})
_ACCESS_COOKIE_LIFE = 365 * 24 * 3600 * 1000
"""An expired access token must still arrive, so that the answer is "try refresh token": its cookie outlives it."""

RawHeaders = Iterable[tuple[bytes, bytes]]


@dataclass(slots=True)  # Not frozen, which would cost each request more than a microsecond.
class Credentials:
    """What a request brought, not yet believed. Of each cookie all values, in order."""

    access_cookies: tuple[str, ...] = field(default=(), repr=False)
    refresh_cookies: tuple[str, ...] = field(default=(), repr=False)
    has_legacy_cookie: bool = False
    bearer: str | None = field(default=None, repr=False)
    anti_csrf: str | None = field(default=None, repr=False)
    has_rid: bool = False
    auth_mode: str | None = None


def read(headers: RawHeaders, *, subprotocols: Sequence[str] = ()) -> Credentials:
    """Answer the credentials in the raw *headers* of a request, and in the *subprotocols* that a WebSocket offers.

    Nothing in them is an error.
    """
    cookies: list[bytes] = []
    values: dict[bytes, str] = {}
    for name, value in headers:
        if name == b"cookie":
            cookies.append(value)
        elif name in _WANTED:
            values.setdefault(name, value.decode("latin-1"))
    credentials = Credentials()
    if cookies:
        found = read_cookies(cookies, _COOKIES)
        credentials.access_cookies = found.get(ACCESS_COOKIE, ())
        credentials.refresh_cookies = found.get(REFRESH_COOKIE, ())
        credentials.has_legacy_cookie = LEGACY_COOKIE in found
    if values:
        credentials.bearer = _bearer(values.get(b"authorization", ""))
        credentials.anti_csrf = values.get(b"anti-csrf")
        credentials.has_rid = b"rid" in values
        credentials.auth_mode = values.get(b"st-auth-mode")
    if subprotocols and credentials.bearer is None:
        credentials.bearer = _bearer_among(subprotocols)
    return credentials


_WANTED = frozenset({b"authorization", b"anti-csrf", b"rid", b"st-auth-mode"})


def _bearer(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token.strip(" ") or None if scheme.lower() == "bearer" else None


def _bearer_among(subprotocols: Iterable[str]) -> str | None:
    """Browsers can send no header of one's own with a WebSocket, but can offer any subprotocol."""
    bearers = [offer.removeprefix(SUBPROTOCOL_BEARER) for offer in subprotocols if offer.startswith(SUBPROTOCOL_BEARER)]
    return bearers[0] or None if bearers else None


@dataclass(slots=True)
class Outcome:
    """What one request's answer does to the client's tokens: for each method new ones, or `None` to clear them.

    *older_cookies* are names to clear under the older domain.
    """

    tokens: dict[Method, Tokens | None] = field(default_factory=dict)
    older_cookies: tuple[str, ...] = ()
    clears_legacy_cookie: bool = False


class Transport:
    """Writes tokens as one deployment's configuration says; what can be prepared is prepared once."""

    def __init__(self, config: SessionConfig) -> None:
        self._size = SizeWatch()
        self._refresh_path = config.refresh_path
        self._exposes_access_token = config.expose_access_token_to_frontend_in_cookie_based_auth
        self._secure_by_scheme = "cookie_secure" not in config.model_fields_set
        self._attributes = cookie_attributes(config, config.cookie_domain)
        self._older_attributes = cookie_attributes(config, config.older_cookie_domain)

    def write(self, headers: RawHeaders, outcome: Outcome, *, now: int, https: bool) -> list[tuple[bytes, bytes]]:
        """Return the response *headers* with *outcome* written onto them, at *now* (milliseconds).

        *https* says that the request came so: then the cookies are Secure, unless the configuration says otherwise.
        No cache keeps the response, whatever *headers* said: its next reader would be given these tokens, or lose their own.
        """
        # First, since the application's headers may be none, and no token is in a variable here yet.
        kept = for_nobody([*headers])
        secure = "; Secure" if https and self._secure_by_scheme and "Secure" not in self._attributes else ""
        sent = [tokens for tokens in outcome.tokens.values() if tokens is not None]
        named = dict(self._named(outcome, sent))
        cookies = [*self._cookies(outcome, now, secure)]
        kept.extend((name.encode(), value.encode("latin-1")) for name, value in named.items())
        kept.extend((b"set-cookie", cookie) for cookie in cookies)
        self._size.heed(bytes_of(kept))
        return _exposing(kept, named)

    def _named(self, outcome: Outcome, sent: list[Tokens]) -> Iterator[tuple[str, str]]:
        if "header" in outcome.tokens:
            yield from _token_headers(outcome.tokens["header"])
        if cookie_tokens := outcome.tokens.get("cookie"):
            if self._exposes_access_token:
                yield ACCESS_HEADER, cookie_tokens.access_token
            if cookie_tokens.anti_csrf_token is not None and cookie_tokens.refresh_token is not None:
                yield ANTI_CSRF_HEADER, cookie_tokens.anti_csrf_token
        if outcome.tokens:
            yield FRONT_TOKEN_HEADER, front_token(sent[0]) if sent else "remove"

    def _cookies(self, outcome: Outcome, now: int, secure: str) -> Iterator[bytes]:
        paths = {ACCESS_COOKIE: "/", REFRESH_COOKIE: self._refresh_path, LEGACY_COOKIE: "/"}
        cleared = [LEGACY_COOKIE] if outcome.clears_legacy_cookie else []
        if "cookie" in outcome.tokens:
            tokens = outcome.tokens["cookie"]
            if tokens is None:
                cleared += [ACCESS_COOKIE, REFRESH_COOKIE]
            else:
                for name, value, expires in _token_cookies(tokens, now):
                    yield set_cookie(
                        name, value, path=paths[name], expires=expires, attributes=self._attributes + secure
                    )
        for name in cleared:
            yield set_cookie(name, "", path=paths[name], expires=EPOCH, attributes=self._attributes + secure)
        for name in outcome.older_cookies:
            yield set_cookie(name, "", path=paths[name], expires=EPOCH, attributes=self._older_attributes + secure)


def front_token(tokens: Tokens) -> str:
    """Return what the page may know of *tokens*: their end in milliseconds, the user, the access token's payload.

    It goes into the header `front-token` wherever a response carries a new access token. Its keys are in the order of that
    token: the helpers of supertokens-auth-react for Next.js compare the two payloads as text.
    """
    content = {"ate": tokens.access_token_expires_at, "uid": tokens.claims["sub"], "up": tokens.claims}
    return base64.b64encode(json.dumps(content, separators=(",", ":")).encode()).decode("ascii")


def _token_headers(tokens: Tokens | None) -> Iterator[tuple[str, str]]:
    yield ACCESS_HEADER, tokens.access_token if tokens else ""
    if tokens is None or tokens.refresh_token is not None:
        yield REFRESH_HEADER, (tokens.refresh_token or "") if tokens else ""


def _token_cookies(tokens: Tokens, now: int) -> Iterator[tuple[str, str, str]]:
    yield ACCESS_COOKIE, tokens.access_token, lasting_until(now + _ACCESS_COOKIE_LIFE, now=now)
    if tokens.refresh_token is not None:
        yield REFRESH_COOKIE, tokens.refresh_token, lasting_until(tokens.refresh_token_expires_at, now=now)


def cookie_attributes(config: SessionConfig, domain: str | None) -> str:
    """Return the attributes that cookies for *domain* have by *config*, those of a single one left out."""
    same_site = {"lax": "Lax", "strict": "Strict", "none": "None"}[config.cookie_same_site]
    return "".join(
        [
            f"; Domain={domain}" if domain else "",
            f"; SameSite={same_site}",
            "; Secure" if config.cookie_secure else "",
            "; Partitioned" if config.cookie_partitioned else "",
        ]
    )


def _exposing(headers: list[tuple[bytes, bytes]], named: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Append the names of *named* to what other origins' scripts may read."""
    if not named:
        return headers
    expose = EXPOSE_HEADER.encode()
    already = [value.decode("latin-1") for name, value in headers if name.lower() == expose]
    rest = [(name, value) for name, value in headers if name.lower() != expose]
    return [*rest, (expose, ", ".join([*already, *named]).encode("latin-1"))]
