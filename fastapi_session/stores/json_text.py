"""JSON objects as text, in one way alone: equal objects are equal text."""

from __future__ import annotations

import json
import math

from fastapi_session.model import Json

# What most sessions carry, and what needs no parser.
_EMPTY = "{}"
_BLANKS = " \t\n\r"
"""What may stand around a JSON text (RFC 8259, section 2)."""

# Once: json.dumps would make one each time.
_JSON = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False)


def dump_json(value: Json) -> str:
    """Return *value* as JSON text. Raises ValueError or TypeError for what JSON cannot say, NaN included."""
    return _JSON.encode(value) if value else _EMPTY


def load_json(text: str) -> Json:
    """Return the JSON object that `dump_json` wrote. Raises ValueError, TypeError or RecursionError for any other text."""
    if text == _EMPTY:
        return {}
    # `raw_decode`, since `decode` is two regular expressions more. It stops where the object ends.
    said = text.strip(_BLANKS)
    value, end = _PARSER.raw_decode(said)
    if end != len(said) or not isinstance(value, dict):
        raise TypeError("no object")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("no number of JSON")
    return number


# Python reads NaN and numbers beyond all floats (1e999) as well, which no other reader of JSON understands.
_PARSER = json.JSONDecoder(parse_constant=_finite, parse_float=_finite)
