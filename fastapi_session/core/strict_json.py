"""JSON objects as tokens are read: nothing that two readers could understand in two ways (RFC 8259, RFC 8725)."""

from __future__ import annotations

import json
import math
from typing import Any


def read_object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object that *data* is, or `None`.

    Refused are: other encodings than UTF-8, lone surrogates, a key twice, NaN and infinities, numbers out of range,
    nesting that is too deep, and anything but an object.
    """
    try:
        value = _DECODER.decode(data.decode("utf-8"))
        if b"\\ud" in data.lower():  # the only way to a lone surrogate, which UTF-8 cannot say again
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number out of range")
    return number


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_refuse, parse_float=_finite)
