"""How tokens travel: the names of the wire, read from a request and written onto a response.

| method | access token | refresh token |
|---|---|---|
| cookie | cookie `sAccessToken`, Path=/ | cookie `sRefreshToken`, Path = the refresh endpoint (`cookie_names` has prefixes) |
| header | request `Authorization: Bearer`, response `st-access-token` | the same, response `st-refresh-token` |
| header, bound by DPoP | request `Authorization: DPoP` and a proof in `DPoP`, response as above | the same |

With each new access token goes the `front-token`, which says to the page who is signed in and until when.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fastapi_session.config import SessionConfig
from fastapi_session.config.settings import is_https
from fastapi_session.model import Tokens
from fastapi_session.moving.adopters.adopter import OldCookie
from fastapi_session.web.cache_headers import for_nobody
from fastapi_session.web.cookie_names import ACCESS_COOKIE, LEGACY_COOKIE, REFRESH_COOKIE, CookieNames
from fastapi_session.web.cookies import COOKIE_HEADER, SET_COOKIE_HEADER, read_cookies
from fastapi_session.web.device_session import OFFER_HEADER, DeviceSession
from fastapi_session.web.header_size import PROBES_TENANT, SizeWatch, bytes_of
from fastapi_session.web.token_cookies import TokenCookies, cleared_old_cookie, without_old_cookies

Method = Literal["cookie", "header"]
Scheme = Literal["bearer", "dpop"]
"""By which scheme of `Authorization` a token came; the names of schemes have no case (RFC 9110, section 11.1)."""
SCHEMES: dict[str, Scheme] = {"bearer": "bearer", "dpop": "dpop"}
METHODS: tuple[Method, Method] = ("header", "cookie")
"""The transfer methods, in the order in which they are looked for."""

ACCESS_HEADER = "st-access-token"
REFRESH_HEADER = "st-refresh-token"
FRONT_TOKEN_HEADER = "front-token"
ANTI_CSRF_HEADER = "anti-csrf"
AUTH_MODE_HEADER = "st-auth-mode"
AUTHORIZATION_HEADER = "authorization"
PROOF_HEADER = "dpop"
NONCE_HEADER = "DPoP-Nonce"
CHALLENGE_HEADER = "WWW-Authenticate"
RID_HEADER = "rid"
FDI_VERSION_HEADER = "fdi-version"

EXPOSE_HEADER = "access-control-expose-headers"
FOR_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
RETRY_AFTER_HEADER = "Retry-After"

FAILED_CLAIMS = "claimValidationErrors"
"""The key in the body of a refusal under which the claims stand that were not satisfied."""

SUBPROTOCOL = "session"
"""The subprotocol that is chosen for a client that offered it, and its access token as another one."""
SUBPROTOCOL_BEARER = "session.bearer."
SUBPROTOCOL_DPOP = "session.dpop."
"""The same for a token that is bound by DPoP, and beside it the proof as a third one: `SUBPROTOCOL_PROOF`."""
SUBPROTOCOL_PROOF = "session.proof."

REQUEST_HEADERS = (RID_HEADER, FDI_VERSION_HEADER, ANTI_CSRF_HEADER, AUTHORIZATION_HEADER, AUTH_MODE_HEADER)
"""What clients send beside the safelisted headers of the Fetch standard."""
RESPONSE_HEADERS = (FRONT_TOKEN_HEADER, ACCESS_HEADER, REFRESH_HEADER, ANTI_CSRF_HEADER)
"""What clients have to be able to read."""
PROOF_RESPONSE_HEADERS = (NONCE_HEADER, CHALLENGE_HEADER)
"""What clients have to be able to read besides, if they prove a key by DPoP."""

_PLAIN = CookieNames()
RawHeaders = Iterable[tuple[bytes, bytes]]


@dataclass(slots=True)  # Not frozen, which would cost each request more than a microsecond.
class Credentials:
    """What a request brought, not verified. Of each cookie all values, in order.

    *older_cookies* came under the names from before a change of prefix. *bindings* are credentials of bound sessions. *bearer* is the
    token of `Authorization`, by whichever *scheme*, and *proofs* are the headers `DPoP`.
    """

    access_cookies: tuple[str, ...] = field(default=(), repr=False)
    refresh_cookies: tuple[str, ...] = field(default=(), repr=False)
    bindings: tuple[str, ...] = field(default=(), repr=False)
    older_cookies: Mapping[str, tuple[str, ...]] | None = field(default=None, repr=False)
    has_legacy_cookie: bool = False
    bearer: str | None = field(default=None, repr=False)
    scheme: Scheme | None = None
    proofs: tuple[str, ...] = field(default=(), repr=False)
    anti_csrf: str | None = field(default=None, repr=False)
    has_rid: bool = False
    auth_mode: str | None = None

    def count_older(self, older: Mapping[str, tuple[str, ...]], *, is_own: Callable[[str], bool]) -> None:
        """Use those *older* cookies that *is_own* says this deployment wrote, if none came under the present name."""
        own = {cookie: tuple(filter(is_own, values)) for cookie, values in older.items()}
        self.older_cookies = {cookie: values for cookie, values in own.items() if values}
        self.access_cookies = self.access_cookies or self.older_cookies.get(ACCESS_COOKIE, ())
        self.refresh_cookies = self.refresh_cookies or self.older_cookies.get(REFRESH_COOKIE, ())


def read(headers: RawHeaders, *, names: CookieNames = _PLAIN, subprotocols: Sequence[str] = ()) -> Credentials:
    """Return the credentials in the raw *headers* of a request, and in the *subprotocols* that a WebSocket offers.

    *names* are those of the cookies on the wire. Whatever is malformed counts as absent.
    """
    cookies: list[bytes] = []
    proofs: list[bytes] = []
    values: dict[str, str] = {}
    lists = {COOKIE_HEADER: cookies, _PROOF: proofs}
    for name, value in headers:
        if name in lists:
            lists[name].append(value)
        elif name in _WANTED:
            values.setdefault(_WANTED[name], value.decode("latin-1"))
    credentials = Credentials()
    if cookies:
        found = read_cookies(cookies, names.wanted)
        credentials.access_cookies = found.get(names.on_wire[ACCESS_COOKIE], ())
        credentials.refresh_cookies = found.get(names.on_wire[REFRESH_COOKIE], ())
        credentials.bindings = tuple(value for name in names.binding for value in found.get(name, ()))
        credentials.has_legacy_cookie = LEGACY_COOKIE in found
        if names.older:
            credentials.older_cookies = {cookie: found[name] for cookie, name in names.older.items() if name in found}
    if values:
        scheme, _, token = values.get(AUTHORIZATION_HEADER, "").partition(" ")
        credentials.bearer = (token.strip(" ") or None) if scheme.lower() in SCHEMES else None
        credentials.scheme = SCHEMES[scheme.lower()] if credentials.bearer else None
        credentials.anti_csrf = values.get(ANTI_CSRF_HEADER)
        credentials.has_rid = RID_HEADER in values
        credentials.auth_mode = values.get(AUTH_MODE_HEADER)
    credentials.proofs = tuple(proof.decode("latin-1") for proof in proofs)
    if subprotocols and credentials.bearer is None:
        _count_subprotocols(credentials, subprotocols)
    return credentials


_PROOF = PROOF_HEADER.encode()
_WANTED = {name.encode(): name for name in (AUTHORIZATION_HEADER, ANTI_CSRF_HEADER, RID_HEADER, AUTH_MODE_HEADER)}


def read_proofs(headers: RawHeaders) -> list[str]:
    """Return the DPoP proofs in the raw *headers* of a request."""
    return [value.decode("latin-1") for name, value in headers if name == _PROOF]


def _count_subprotocols(credentials: Credentials, offered: Sequence[str]) -> None:
    """Use the token that a client offered as a subprotocol, and the proof beside it, if it did."""
    # For browsers: a page can set no header of a WebSocket, but can offer any subprotocol.
    for scheme, prefix in _OFFERED.items():
        if credentials.bearer is None and (tokens := _offered(offered, prefix)) and tokens[0]:
            credentials.bearer, credentials.scheme = tokens[0], scheme
    if credentials.scheme == "dpop":
        credentials.proofs += _offered(offered, SUBPROTOCOL_PROOF)


_OFFERED: dict[Scheme, str] = {"bearer": SUBPROTOCOL_BEARER, "dpop": SUBPROTOCOL_DPOP}


def _offered(offered: Iterable[str], prefix: str) -> tuple[str, ...]:
    return tuple(offer.removeprefix(prefix) for offer in offered if offer.startswith(prefix))


@dataclass(slots=True)
class Outcome:
    """What a response does to the client's tokens: for each method new ones, or `None` to clear them.

    *older_cookies* are those to clear under the older domain. *device* is what the cookie of the browser's device is to have,
    *offer* the challenge with which the browser may bind the session to its key.
    *old_cookies* are those of other systems to clear; if it *signs_out*, all in which a login came. *nonce* is for the client's next
    DPoP proof.
    """

    tokens: dict[Method, Tokens | None] = field(default_factory=dict)
    older_cookies: tuple[str, ...] = ()
    clears_legacy_cookie: bool = False
    device: str | None = None
    offer: str | None = field(default=None, repr=False)
    old_cookies: tuple[OldCookie, ...] = ()
    signs_out: bool = False
    nonce: str | None = None


class Transport:
    """Writes tokens as the configuration says. What follows from that alone is computed once."""

    def __init__(self, config: SessionConfig) -> None:
        self._token_cookies = TokenCookies(config)
        self.device_session = DeviceSession(config, self._token_cookies)
        self._is_https = is_https(config.api_domain)
        self.names = self._token_cookies.names
        """What the cookies are called on the wire."""
        self.access_cookie = self.names.on_wire[ACCESS_COOKIE].encode()
        """The name of the access cookie, as it is in a raw header."""
        self._size = SizeWatch()
        self._exposes_access_token = config.expose_access_token_to_frontend_in_cookie_based_auth

    def write(
        self, headers: RawHeaders, outcome: Outcome, *, now: int, https: bool, came_as_older: Collection[str] = ()
    ) -> list[tuple[bytes, bytes]]:
        """Return the response *headers* with *outcome* written onto them, at *now* (milliseconds).

        A cookie that *came_as_older* is cleared under its older name as soon as it is written under the present one.
        *https* says that the request came so: then the cookies are Secure, unless the configuration says otherwise.
        """
        # No cache may keep the response: the next reader would be given these tokens, or lose their own. This comes first, since
        # it raises if the application's headers are malformed, and so far no token is in a variable of this frame.
        kept = for_nobody(without_old_cookies(headers, outcome.old_cookies))
        sent = [tokens for tokens in outcome.tokens.values() if tokens is not None]
        named = dict(self._named(outcome, sent))
        cookies = [*self._cookies(outcome, now=now, https=https, came_as_older=came_as_older)]
        kept.extend((name.encode(), value.encode("latin-1")) for name, value in named.items())
        kept.extend((SET_COOKIE_HEADER, cookie) for cookie in cookies)
        if outcome.offer is not None and (https or self._is_https):  # by http browsers bind nothing
            kept.append((OFFER_HEADER.encode(), self.device_session.offer(outcome.offer).encode()))
        if not any(tokens.claims.get("tId") == PROBES_TENANT for tokens in sent):
            self._size.note(bytes_of(kept))
        return _exposing(kept, named)

    def binding(self, credential: str, *, now: int, https: bool) -> bytes:
        """Return the cookie of *credential*, of a session that is bound to a key of its browser."""
        return self._token_cookies.binding(credential, now=now, https=https)

    def _named(self, outcome: Outcome, sent: list[Tokens]) -> Iterator[tuple[str, str]]:
        if "header" in outcome.tokens:
            yield from _token_headers(outcome.tokens["header"])
        if cookie_tokens := outcome.tokens.get("cookie"):
            if self._exposes_access_token:
                yield ACCESS_HEADER, cookie_tokens.access_token
            if cookie_tokens.anti_csrf_token is not None and cookie_tokens.refresh_token is not None:
                yield ANTI_CSRF_HEADER, cookie_tokens.anti_csrf_token
        if outcome.nonce is not None:
            yield NONCE_HEADER, outcome.nonce
        if outcome.tokens:
            yield FRONT_TOKEN_HEADER, front_token(sent[0]) if sent else "remove"

    def _cookies(self, outcome: Outcome, *, now: int, https: bool, came_as_older: Collection[str]) -> Iterator[bytes]:
        if "cookie" in outcome.tokens:
            tokens = outcome.tokens["cookie"]
            yield from self._token_cookies.changed(tokens, now=now, https=https, came_as_older=came_as_older)
        if outcome.device is not None:
            yield self._token_cookies.device(outcome.device, now=now, https=https)
        for cookie in outcome.old_cookies:
            yield cleared_old_cookie(cookie, https=https)
        if outcome.clears_legacy_cookie:
            yield self._token_cookies.cleared_legacy(https=https)
        yield from self._token_cookies.cleared_under_older_domain(outcome.older_cookies, https=https)


def front_token(tokens: Tokens) -> str:
    """Return what the page may know of *tokens*: their end in milliseconds, the user, the access token's payload.

    It is sent as the header `front-token` with every response that carries a new access token.
    """
    # The keys stay in the order of the access token: the helpers of supertokens-auth-react for Next.js compare the payloads as
    # text.
    content = {"ate": tokens.access_token_expires_at, "uid": tokens.claims["sub"], "up": tokens.claims}
    return base64.b64encode(json.dumps(content, separators=(",", ":")).encode()).decode("ascii")


def _token_headers(tokens: Tokens | None) -> Iterator[tuple[str, str]]:
    yield ACCESS_HEADER, tokens.access_token if tokens else ""
    if tokens is None or tokens.refresh_token is not None:
        yield REFRESH_HEADER, (tokens.refresh_token or "") if tokens else ""


def _exposing(headers: list[tuple[bytes, bytes]], named: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Return *headers* so that the scripts of other origins may read those of *named* too."""
    if not named:
        return headers
    expose = EXPOSE_HEADER.encode()
    already = [value.decode("latin-1") for name, value in headers if name.lower() == expose]
    rest = [(name, value) for name, value in headers if name.lower() != expose]
    return [*rest, (expose, ", ".join([*already, *named]).encode("latin-1"))]
