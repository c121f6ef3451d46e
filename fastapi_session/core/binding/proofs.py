"""A proof that its sender has a private key: a JWS (RFC 7515, section 7.1) whose header brings the public part.

Both standards by which a session can be bound have such a proof, and each has a `typ` of its own: none is taken for the
other's, nor for a token. The first row that matches refuses it:

| the proof | |
|---|---|
| is longer than `LONGEST` | before anything of it is decoded |
| is no three segments, or one of them is not strict (see `jws`) | |
| has a header with another `typ`, exactly as it is written here | |
| has a header with `crit`: something that has to be understood, and nothing is (RFC 7515, section 4.1.11) | |
| has a header whose `alg` and `jwk` are no key of an algorithm allowed (see `proof_keys`) | none, and symmetric ones, never are |
| has to be by a key that is known, and names another one, or another algorithm than that key's | |
| has no `jwk`, and no key is known | |
| is not signed by the private part of that key | |

Other names in the header are not looked at, as RFC 7515, section 4 says: above all no certificate and no address of a key is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from fastapi_session.core import base64url, jws
from fastapi_session.core.binding.proof_keys import ProofKey, proof_key
from fastapi_session.json_types import JsonObject, JsonValue

LONGEST = 8_192
"""Characters of a proof: the longest key and its signature are half of it."""
_KNOWN_HEADERS = 2_048
"""Headers whose key is kept: a client sends the same one each time, and to make a key takes longer than to verify with it."""


@dataclass(slots=True)  # Not frozen, which would cost each request half a microsecond.
class Proof:
    """A proof whose signature is that of *key*. Its *claims* are what that key signed; nothing is checked of them yet."""

    key: ProofKey
    claims: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Header:
    typ: JsonValue
    algorithm: JsonValue
    key: ProofKey | None


def read_proof(text: str, *, typ: str, allowed: frozenset[str], key: ProofKey | None = None) -> Proof | None:
    """Return the proof that *text* is, by a key of an algorithm *allowed*; `None` if it is none.

    With a *key* that is known already, the header need not bring one.
    """
    if len(text) > LONGEST or not text.isascii() or text.count(".") != 2:
        return None
    signed, _, last = text.rpartition(".")
    first, _, second = signed.partition(".")
    header, signature = _read_header(first, allowed), base64url.decode(last)
    if header is None or signature is None or header.typ != typ:
        return None
    by = header.key if key is None else _known(header, key)
    # Before anything that it says is read.
    if by is None or not by.is_signature(signature, signed.encode("ascii")):
        return None
    claims = jws.read_segment(second)
    return None if claims is None else Proof(by, claims)


@lru_cache(maxsize=_KNOWN_HEADERS)
def _read_header(text: str, allowed: frozenset[str]) -> _Header | None:
    header = jws.read_segment(text)
    if header is None or "crit" in header:
        return None
    algorithm = header.get("alg")
    if "jwk" not in header:
        return _Header(header.get("typ"), algorithm, None)
    key = proof_key(header["jwk"], algorithm, allowed=allowed)
    return None if key is None else _Header(header.get("typ"), algorithm, key)


def _known(header: _Header, known: ProofKey) -> ProofKey | None:
    is_same = header.key is None or header.key.thumbprint == known.thumbprint
    return known if is_same and header.algorithm == known.algorithm else None
