"""A DPoP proof (RFC 9449): whether it is of this very request. What a proof is at all, `proofs` says.

The first row that matches refuses it:

| error | reason | the request, or its proof |
|---|---|---|
| `invalid_dpop_proof` | `header` | has no header `DPoP`, or has it more than once |
| `invalid_dpop_proof` | `proof` | is none of the type `dpop+jwt` by one of `ALGORITHMS` |
| `invalid_dpop_proof` | `htm` | is for another method; a WebSocket is opened by a GET |
| `invalid_dpop_proof` | `htu` | is for another URL, as the table below has it |
| `invalid_dpop_proof` | `iat` | was made more than a minute ago, or will be in more than one; or `iat` is no number |
| `invalid_dpop_proof` | `jti` | has no identifier, or one that is no text |
| `invalid_dpop_proof` | `ath` | comes with an access token, and is for another one or none |
| `use_dpop_nonce` | `nonce` | has no nonce of this server, or an old one, where one is asked for |
| `invalid_dpop_proof` | `replay` | was used before, by whoever: that is known when all else is checked (`engine.binding.replays`) |

Whether its key is the one that the session is bound to, `Sessions.verify` and `Sessions.refresh` say.

A URL is that of the request, as its client sees it, if these are equal:

| part | compared |
|---|---|
| scheme | in lower case; `wss` is `https`, and `ws` is `http` |
| host and port | in lower case, without the scheme's own port |
| path | decoded, as the application has it: two spellings that it cannot tell apart are one; none is `/` |
| query, fragment | not at all (RFC 9449, section 4.3) |
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote, unquote

from fastapi_session.core import base64url
from fastapi_session.core.binding.proofs import read_proof
from fastapi_session.errors import DpopError
from fastapi_session.json_types import JsonObject, JsonValue
from fastapi_session.origin import Origin

TYPE = "dpop+jwt"
ALGORITHMS = ("ES256", "EdDSA", "Ed25519", "PS256", "RS256")
"""Those by which a client may sign, as they are published."""

WINDOW = 60
"""Seconds by which a proof may be old, or ahead of this machine's clock."""

_ALLOWED = frozenset(ALGORITHMS)
_URL = re.compile(r"(https?|wss?)(://[^/?#\s]*)([^?#]*).*", re.IGNORECASE | re.DOTALL)
_NUMBERS = (int, float)
_NONCE = "nonce"
_OF_SOCKETS = {"ws": "http", "wss": "https"}


@dataclass(slots=True)  # Not frozen, which would cost each request half a microsecond; so is the next.
class Expected:
    """What a proof has to be of: a request by *method* to *path*, decoded, at *origin*: together *url*.

    *access_token* is the one that came with it, `None` if none has to be proved; *nonces* are those that count now, `None` if none
    is asked for.
    """

    method: str
    url: str
    origin: Origin
    path: str
    access_token: str | None = field(repr=False, default=None)
    nonces: Container[str] | None = field(repr=False, default=None)


@dataclass(slots=True)
class CheckedProof:
    """A proof of this request, by the key with the thumbprint *jkt*. Until *until* (milliseconds) it could come again.

    *digest* is what it is known by then: of its key and its identifier, so that nobody can use up those of another client.
    """

    jkt: str
    digest: bytes = field(repr=False)
    until: int
    nonce: str | None = field(repr=False)


def checked_proof(texts: Sequence[str], expected: Expected, *, now: int) -> CheckedProof:
    """Return the proof that *texts*, the headers `DPoP` of a request, are at *now* (milliseconds). Raises `DpopError` as the table says."""
    if (times := len(texts)) != 1:
        del texts  # error reporters send the local variables of this frame
        raise DpopError("invalid_dpop_proof", f"header: one DPoP is needed, and {times} came")
    proof = read_proof(texts[0], typ=TYPE, allowed=_ALLOWED)
    del texts
    if proof is None:
        raise DpopError(
            "invalid_dpop_proof", f"proof: not a {TYPE} that the key in its jwk has signed, or by another algorithm"
        )
    reason = _refusal(proof.claims, expected, now // 1000)
    if reason is not None:
        raise DpopError("use_dpop_nonce" if reason == _NONCE else "invalid_dpop_proof", reason)
    claims, jkt = proof.claims, proof.key.thumbprint
    # One text for each pair: a thumbprint has 43 characters.
    digest = sha256(f"dpop {jkt} {claims['jti']}".encode()).digest()
    return CheckedProof(jkt, digest, (int(claims["iat"]) + WINDOW + 1) * 1000, claims.get("nonce"))  # type: ignore[arg-type]  # as checked


def _refusal(claims: JsonObject, expected: Expected, now: int) -> str | None:  # noqa: PLR0911 - one for each row
    """Return the reason of the first row that what a proof says does not meet at *now* (seconds)."""
    # One function: one for each row would cost every request more than a microsecond.
    get = claims.get
    issued_at, jti, nonce = get("iat"), get("jti"), get("nonce")
    if get("htm") != expected.method:
        return f"htm: not {expected.method}"
    # Nearly always it is, letter by letter. A decoded path that has one of the three would read like the URL of another one.
    path = expected.path
    is_plain = "%" not in path and "?" not in path and "#" not in path
    if not (is_plain and get("htu") == expected.url) and not is_url_of(get("htu"), origin=expected.origin, path=path):
        return f"htu: not {expected.origin}{quote(path)}"
    # `type(...)`, not isinstance: to that, true and false are numbers.
    if type(issued_at) not in _NUMBERS or not now - WINDOW <= issued_at <= now + WINDOW:  # type: ignore[operator]  # it is a number
        return f"iat: more than {WINDOW} seconds from the clock of this server"
    if type(jti) is not str or not jti:
        return "jti"
    if expected.access_token is not None and get("ath") != token_hash(expected.access_token):
        return "ath: not the hash of the access token that came"
    if expected.nonces is not None and (type(nonce) is not str or nonce not in expected.nonces):
        return _NONCE
    return None


@lru_cache(maxsize=2_048)  # a client has the same token for many requests
def token_hash(access_token: str) -> str:
    """Return what a proof says of the access token that it comes with (RFC 9449, section 4.2)."""
    return base64url.encode(sha256(access_token.encode()).digest())


def is_url_of(htu: JsonValue, *, origin: Origin, path: str) -> bool:
    """Say whether *htu* is the URL of a request to *path*, decoded, at *origin*, as the table says."""
    found = _URL.fullmatch(htu) if isinstance(htu, str) else None
    if found is None:
        return False
    scheme = found[1].lower()
    return Origin.parse(f"{_OF_SOCKETS.get(scheme, scheme)}{found[2]}") == origin and (unquote(found[3]) or "/") == path
