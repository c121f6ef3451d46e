"""What an application may put into a session: a JSON object, and exactly what is read back."""

from __future__ import annotations

import json
from typing import Any

from fastapi_session.errors import PayloadError
from fastapi_session.model import Json


def json_object(value: Json | None, what: str) -> dict[str, Any]:
    """Answer a copy of *value* as it will be read back; `None` is the empty object.

    Raises `PayloadError` naming *what* where JSON cannot say it: other types, keys that are no strings, NaN,
    text that UTF-8 cannot encode.
    """
    try:
        text = json.dumps(dict(value or {}), allow_nan=False, ensure_ascii=False)
        text.encode()
        copy: dict[str, Any] = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"{what}: {type(error).__name__}, give an object of strings, numbers, lists and such") from error
    if copy != value and value is not None:
        raise PayloadError(f"{what}: JSON reads it back differently (tuples, keys that are no strings); give plain JSON")
    return copy


def merged(payload: Json, changes: Json) -> dict[str, Any]:
    """Answer *payload* with *changes* laid over its top level; a value of `None` removes its key."""
    return {key: value for key, value in {**payload, **changes}.items() if value is not None}
