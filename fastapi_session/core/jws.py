"""JSON Web Signature in compact form (RFC 7515, section 7.1): written, read strictly, signed and verified.

Strictly means that nothing is read which two readers could understand in two ways (RFC 8259, RFC 8725):

| part of a segment | refused |
|---|---|
| its base64url | padding, blanks, other alphabets, spare bits (see `base64url`) |
| its text | other encodings than UTF-8, lone surrogates |
| its JSON | a name twice, NaN and infinities, numbers out of range, nesting that is too deep, anything but an object |
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

from fastapi_session.core import base64url
from fastapi_session.core.signatures import is_signature, sign
from fastapi_session.core.signing_keys import SigningKey, VerifyingKey
from fastapi_session.json_types import JsonObject, JsonValue

_BLANKS = " \t\n\r"
"""What may stand around a JSON text (RFC 8259, section 2)."""

# Once: json.dumps and json.loads would make one each time.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Jws:
    """A JWS as it came: its whole *text*, what its header says, and its signature. Not verified yet."""

    text: str = field(repr=False)
    kid: str
    algorithm: str
    signature: bytes = field(repr=False)

    def is_signed_by(self, key: VerifyingKey | None) -> bool:
        """Say whether *key* signed this, whatever the time is.

        The algorithm is the key's; the one that the header names has to be the same (RFC 8725, section 3.1).
        """
        if key is None or key.algorithm != self.algorithm:
            return False
        # Not in a variable of its own: reporters of errors send those of a frame.
        return is_signature(self.signature, self.text.rpartition(".")[0].encode("ascii"), key.public)


def signed(header: str, payload: JsonObject, key: SigningKey) -> str:
    """Return the compact form of *payload* below *header*, a segment already, signed by *key*."""
    signing_input = f"{header}.{segment(payload)}"
    return f"{signing_input}.{base64url.encode(sign(signing_input.encode('ascii'), key.private))}"


def segment(value: JsonObject) -> str:
    """Return *value* as base64url of its JSON text (RFC 7515, section 3.1)."""
    return base64url.encode(_ENCODER.encode(value).encode("ascii"))


def read_segment(text: str) -> JsonObject | None:
    """Return the JSON object that the segment *text* says, `None` if it is not strict JSON."""
    data = base64url.decode(text)
    if data is None:
        return None
    try:
        # `raw_decode`, since `decode` is two functions and two regular expressions more. It stops where the object ends.
        said = data.decode("utf-8").strip(_BLANKS)
        value, end = _DECODER.raw_decode(said)
        if b"\\" in data and b"\\ud" in data.lower():  # the only way to a lone surrogate, which UTF-8 cannot encode
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and end == len(said) else None


def _without_duplicates(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    # Of two equal names Python keeps the last, and another reader may keep the first.
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name twice")
    return value


def _finite(text: str) -> float:
    # JSON has no infinity, but 1e400 is JSON, and Python reads it as one.
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number out of range")
    return number


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_refuse, parse_float=_finite)
