"""The signed access token: a JWT (RFC 7519) in the shape that SuperTokens clients and verifiers know.

| part | content |
|---|---|
| header | `alg`, `typ` "JWT", `kid`, `version` "5", and nothing else |
| payload | `sub rsub tId sessionHandle refreshTokenHash1 parentRefreshTokenHash1 antiCsrfToken iss iat exp`, `jti` if a refresh gave it out, `browserSession` if its cookie ends with the browser, `act` if another user acts as this one, `is_anonymous` if this is a guest, `cnf` or `deviceBound` if the session is bound to a key, those of `authentication` if its user's is known, then the custom claims |

Reading is strict: `parse` returns `None` for all that has not this structure. What it returns is trusted only once its
signature is verified (`ParsedAccessToken.is_signed_by`) and it has not expired (`ensure_alive`).

A token whose key is called as those of a SuperTokens core are is read by the table of `foreign_claims`: its session may go on here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fastapi_session.core import authentication, base64url, foreign_claims, impersonation, jws
from fastapi_session.core.authentication import Authenticated
from fastapi_session.core.jws import Jws
from fastapi_session.core.payload import copied
from fastapi_session.core.signing_keys import SigningKey, is_foreign_kid
from fastapi_session.errors import TryRefreshTokenError
from fastapi_session.handles import PUBLIC_TENANT
from fastapi_session.json_types import JsonObject, JsonValue
from fastapi_session.model import Actor, Json

LONGEST = 8_192
"""Characters of the longest access token that is read: far more than a browser keeps, so no genuine one is refused."""

VERSION = "5"
OLDEST_VERSION = 3

STANDARD_CLAIMS = frozenset(
    "sub rsub tId sessionHandle refreshTokenHash1 parentRefreshTokenHash1 antiCsrfToken iss iat exp".split()
)
"""Claims that every token has."""

_BROWSER_SESSION = "browserSession"

_IS_ANONYMOUS = "is_anonymous"

_CONFIRMATION = "cnf"
_THUMBPRINT = "jkt"
# Not `cnf` for a browser's key: whoever sees `cnf.jkt` asks for a DPoP proof (RFC 9449, section 6.1), and browsers send none.
_DEVICE_BOUND = "deviceBound"

RESERVED_CLAIMS = STANDARD_CLAIMS | {
    "jti",
    _BROWSER_SESSION,
    impersonation.CLAIM,
    _IS_ANONYMOUS,
    _CONFIRMATION,
    _DEVICE_BOUND,
    authentication.AUTH_TIMES,
}
"""Claims that an application cannot set: in its payload they are dropped."""

_RESERVED_IF_AUTHENTICATED = RESERVED_CLAIMS | authentication.CLAIMS
"""The same, in a session that tells how its user was authenticated."""

# No others, and above all none that brings a key (`jwk`, `jku`, `x5u`): anybody can sign with a key of their own (RFC 8725, section 3.10).
_HEADER_NAMES = frozenset({"alg", "typ", "kid", "version"})
_KID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")
_ISSUE_ID = re.compile(r"[A-Za-z0-9_-]{12}")
_JKT = re.compile(r"[A-Za-z0-9_-]{43}")
_NUMBERS = (int, float)
_MISSING: Any = object()
"""In the place of a claim that did not come, since null may have come."""
_MAX_MOMENT = 253_402_300_800
"""Seconds until the year 10000, which no datetime can say."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The content of an access token. Moments are whole seconds since the epoch, *custom* the application's claims.

    *issue_id* is that of the refresh token it came with, `None` for the first of a session. As `jti` (RFC 7519, section
    4.1.7) it stays the same when the claims are changed in between. A token that is not *persistent* says so, as `true` under
    `browserSession`: whoever sends the client another one, with other claims, has to know without asking the store.
    *authenticated* is how the user was, `None` if the application does not say.
    *actor* is who acts as the user, and the actor's own session that waits meanwhile; as `act`. A guest's token says so, as `true`
    under `is_anonymous`.
    *jkt* is the thumbprint of the key by which its client has to prove each request (RFC 9449, section 6.1), as `cnf`. If it
    *is_device_bound*, its browser proves a key when it refreshes; as `true` under `deviceBound`.
    """

    user_id: str
    recipe_user_id: str
    tenant_id: str
    session_handle: str
    refresh_token_hash: str = field(repr=False)
    parent_refresh_token_hash: str | None = field(repr=False)
    anti_csrf_token: str | None = field(repr=False)
    issuer: str
    issued_at: int
    expires_at: int
    custom: Json = field(repr=False)
    issue_id: bytes | None = field(repr=False, default=None)
    persistent: bool = True
    authenticated: Authenticated | None = None
    actor: Actor | None = None
    is_guest: bool = False
    jkt: str | None = None
    is_device_bound: bool = False

    @property
    def is_bound(self) -> bool:
        """Whether it says that its session is bound to a key."""
        return self.is_device_bound or self.jkt is not None

    @property
    def session_id(self) -> str:
        """The session's id, which its handle begins with."""
        return self.session_handle.partition("_")[0]

    def claims(self) -> dict[str, Any]:
        """Return the whole payload of the JWT, a copy of your own."""
        # *custom* is copied deeply: a verified token is cached, and shared between requests.
        return {
            "sub": self.user_id,
            "rsub": self.recipe_user_id,
            "tId": self.tenant_id,
            "sessionHandle": self.session_handle,
            "refreshTokenHash1": self.refresh_token_hash,
            "parentRefreshTokenHash1": self.parent_refresh_token_hash,
            "antiCsrfToken": self.anti_csrf_token,
            "iss": self.issuer,
            "iat": self.issued_at,
            "exp": self.expires_at,
            **({} if self.issue_id is None else {"jti": base64url.encode(self.issue_id)}),
            **({} if self.persistent else {_BROWSER_SESSION: True}),
            **({} if self.authenticated is None else self.authenticated.claims()),
            **({} if self.actor is None else {impersonation.CLAIM: impersonation.act_claim(self.actor)}),
            **({_IS_ANONYMOUS: True} if self.is_guest else {}),
            **({} if self.jkt is None else {_CONFIRMATION: {_THUMBPRINT: self.jkt}}),
            **({_DEVICE_BOUND: True} if self.is_device_bound else {}),
            **copied(self.custom),
        }


@dataclass(frozen=True, slots=True)
class ParsedAccessToken(Jws):
    """What has the structure of an access token of ours. Its signature is not verified yet."""

    content: AccessToken


def custom_claims(payload: Json, *, is_authenticated: bool) -> JsonObject:
    """Return *payload* without the names that are ours. More of them are if the session tells how its user *is_authenticated*."""
    reserved = _RESERVED_IF_AUTHENTICATED if is_authenticated else RESERVED_CLAIMS
    return {name: value for name, value in payload.items() if name not in reserved}


def mint(claims: JsonObject, key: SigningKey) -> str:
    """Return the access token of these *claims* (`AccessToken.claims`) signed by *key*, however long it is.

    Whether a browser keeps it was checked when the application's claims were written.
    """
    return jws.signed(header_segment(key.algorithm, key.kid), claims, key)


def parse(text: str, *, issuer: str | None = None) -> ParsedAccessToken | None:
    """Return *text* taken apart, or `None` if it has not the structure of an access token of ours.

    A token that names *issuer* has that very text, so that all those of a deployment share one.
    """
    # First of all, so that a hostile text costs no decoding.
    if len(text) > LONGEST or text.count(".") != 2:
        return None
    header_text, payload_text, signature_text = text.split(".")
    header, payload = _read_header(header_text), jws.read_segment(payload_text)
    signature = base64url.decode(signature_text)
    if header is None or payload is None or not signature:
        return None
    kid, algorithm, foreign_version = header
    if foreign_version is not None:
        payload = foreign_claims.as_ours(payload, version=foreign_version, reserved=RESERVED_CLAIMS)
    content = _content(payload, issuer)
    return None if content is None else ParsedAccessToken(text, kid, algorithm, signature, content)


def ensure_alive(token: AccessToken, *, now: int) -> None:
    """Raise `TryRefreshTokenError` if *token* has expired at *now* (milliseconds)."""
    if token.expires_at * 1000 <= now:
        raise TryRefreshTokenError("access token: expired", handle=token.session_handle)


@lru_cache(maxsize=64)
def header_segment(algorithm: str, kid: str) -> str:
    """Return the header segment of the tokens of a key. It is cached: all tokens of a key have the same."""
    return jws.segment({"alg": algorithm, "kid": kid, "typ": "JWT", "version": VERSION})


@lru_cache(maxsize=64)
def _read_header(text: str) -> tuple[str, str, int | None] | None:
    """Return the kid and the algorithm that a header segment names, and the version if another system wrote it. Cached, as it is written.

    `None` if it is not ours.
    """
    header = jws.read_segment(text)
    if header is None or not header.keys() <= _HEADER_NAMES:
        return None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or not isinstance(kid, str) or not _KID.fullmatch(kid):
        return None
    version = _version(header.get("version"))
    if header.get("typ") != "JWT" or version is None or version < OLDEST_VERSION:
        return None
    return kid, algorithm, version if is_foreign_kid(kid) else None


def _version(value: JsonValue) -> int | None:
    # Others write 5, not "5". Not more than three digits: int() of very many takes long.
    if isinstance(value, str) and re.fullmatch("[0-9]{1,3}", value):
        return int(value)
    return value if type(value) is int else None


def _content(payload: dict[str, Any], known_issuer: str | None) -> AccessToken | None:
    """Return the content that *payload* says; `None` unless it has every claim that a session needs, and each of ours is of our type.

    They are taken out: what is left are the custom ones.
    """
    take, told = payload.pop, None
    if authentication.AUTH_TIMES in payload and (told := authentication.take_from(payload)) is None:
        return None
    user_id, handle, own = take("sub", None), take("sessionHandle", None), take("refreshTokenHash1", None)
    recipe_user_id, tenant_id, issuer = take("rsub", user_id), take("tId", PUBLIC_TENANT), take("iss", "")
    issued_at, expires_at, issue_id = take("iat", None), take("exp", None), take("jti", _MISSING)
    parent, anti_csrf = take("parentRefreshTokenHash1", None), take("antiCsrfToken", None)
    ends_with_browser, is_guest = take(_BROWSER_SESSION, _MISSING), take(_IS_ANONYMOUS, _MISSING)
    act, device_bound = take(impersonation.CLAIM, _MISSING), take(_DEVICE_BOUND, _MISSING)
    jkt = _thumbprint_in(take(_CONFIRMATION)) if _CONFIRMATION in payload else None
    actor = None if act is _MISSING else impersonation.actor_in(act)
    # One condition, as each function more costs each cold token. `type(...)`, since to isinstance true and false are numbers.
    if not (
        type(user_id) is type(handle) is type(own) is type(recipe_user_id) is type(tenant_id) is type(issuer) is str
        and _HASH.fullmatch(own)
        and type(issued_at) in _NUMBERS
        and 0 <= issued_at < _MAX_MOMENT
        and type(expires_at) in _NUMBERS
        and 0 <= expires_at < _MAX_MOMENT
        and (parent is None or (type(parent) is str and _HASH.fullmatch(parent)))
        and (anti_csrf is None or type(anti_csrf) is str)
        and (issue_id is _MISSING or (type(issue_id) is str and _ISSUE_ID.fullmatch(issue_id)))
        and (ends_with_browser is _MISSING or ends_with_browser is True)  # false is never written, but left out
        and (is_guest is _MISSING or is_guest is True)
        and (act is _MISSING or actor is not None)
        and jkt != ""
        and (device_bound is _MISSING or device_bound is True)
    ):
        return None
    return AccessToken(
        user_id=user_id,
        recipe_user_id=user_id if recipe_user_id == user_id else recipe_user_id,  # once in memory: tokens are cached
        tenant_id=PUBLIC_TENANT if tenant_id == PUBLIC_TENANT else tenant_id,
        session_handle=handle,
        refresh_token_hash=own,
        parent_refresh_token_hash=parent,
        anti_csrf_token=anti_csrf,
        issuer=known_issuer if issuer == known_issuer else issuer,
        issued_at=int(issued_at),
        expires_at=int(expires_at),
        custom={**payload},  # not *payload*, which keeps the room of what was taken out
        issue_id=None if issue_id is _MISSING else base64url.decode(issue_id),
        persistent=ends_with_browser is _MISSING,
        authenticated=told,
        actor=actor,
        is_guest=is_guest is True,
        jkt=jkt,
        is_device_bound=device_bound is True,
    )


def _thumbprint_in(confirmation: object) -> str:
    """Return the thumbprint that the claim `cnf` says, "" if it is not as we write it."""
    if type(confirmation) is not dict or confirmation.keys() != {_THUMBPRINT}:
        return ""
    thumbprint = confirmation[_THUMBPRINT]
    return thumbprint if type(thumbprint) is str and _JKT.fullmatch(thumbprint) else ""
