"""Keys of an identity provider, read from its JWK Set (RFC 7517), and whether one of them signed a JWS.

| algorithm | key | RFC 7518 |
|---|---|---|
| RS256, RS384, RS512 | RSA of 2048 bits or more | section 3.3 |
| ES256 | P-256 | section 3.4 |
| ES384 | P-384 | section 3.4 |
| ES512 | P-521 | section 3.4 |

No other algorithm is believed. A key that says it is for another algorithm or another use is not used, and one that cannot be
read is left out: a provider may have keys that are for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jose import jwk
from jose.exceptions import JOSEError

from fastapi_session.json_types import JsonObject

_RSA, _EC = ("kty", "n", "e"), ("kty", "crv", "x", "y")
_PARTS = {"RS256": _RSA, "RS384": _RSA, "RS512": _RSA, "ES256": _EC, "ES384": _EC, "ES512": _EC}
"""The public parts of a key, by algorithm."""
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_LEAST_BITS = 2048

ALGORITHMS = frozenset(_PARTS)
"""The algorithms by which a provider may sign."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A public key of a provider, for one algorithm."""

    _key: Any = field(repr=False)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Say whether *signature* is that of *message*. No input raises."""
        try:
            return bool(self._key.verify(message, signature))
        except (JOSEError, ValueError):
            return False


class ForeignKeys:
    """The keys in a JWK Set. Raises `ValueError` if *document* is none."""

    def __init__(self, document: object) -> None:
        keys = document.get("keys") if isinstance(document, Mapping) else None
        if not isinstance(keys, list | tuple):
            raise ValueError(  # noqa: TRY004 - JSON of another shape is a wrong value
                'it is no JWK Set, an object such as {"keys": [...]}'
            )
        self._keys: list[JsonObject] = [{**each} for each in keys if isinstance(each, Mapping)]

    def find(self, kid: str | None, algorithm: str) -> ForeignKey | None:
        """Return the key named *kid*; without a name the only one that is for *algorithm*. `None` if there is none."""
        fitting = [each for each in self._keys if _is_for(each, algorithm) and kid in (None, each.get("kid"))]
        found = [key for key in (_read(each, algorithm) for each in fitting) if key is not None]
        return found[0] if len(found) == 1 else None


def _is_for(key: JsonObject, algorithm: str) -> bool:
    operations = key.get("key_ops", ["verify"])
    return (
        algorithm in ALGORITHMS
        and all(isinstance(key.get(name), str) for name in _PARTS[algorithm])
        and key.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and key.get("alg", algorithm) == algorithm
        and key.get("crv") == _CURVES.get(algorithm, key.get("crv"))
    )


def _read(key: JsonObject, algorithm: str) -> ForeignKey | None:
    try:
        # Its public parts alone, whatever else was published by mistake.
        read = jwk.construct({name: key[name] for name in _PARTS[algorithm]}, algorithm)
    except (JOSEError, ValueError):
        return None
    return None if algorithm not in _CURVES and read.prepared_key.key_size < _LEAST_BITS else ForeignKey(read)
