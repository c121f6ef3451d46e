"""One segment of a JWT in compact form (RFC 7515, section 3.1)."""

from __future__ import annotations

import json
from typing import Any

from fastapi_session.core import base64url
from fastapi_session.core.strict_json import read_object

_JSON = json.JSONEncoder(separators=(",", ":"))  # once: json.dumps would make one each time


def segment(value: dict[str, Any]) -> str:
    """Return *value* as base64url of its JSON text."""
    return base64url.encode(_JSON.encode(value).encode("ascii"))


def read_segment(text: str) -> dict[str, Any] | None:
    """Return the JSON object that *text* says, `None` if it says none (duplicate names included)."""
    data = base64url.decode(text)
    return None if data is None else read_object(data)
