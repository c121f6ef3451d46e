"""One segment of a JWT in compact form (RFC 7515, section 3.1)."""

from __future__ import annotations

import json
from typing import Any

from fastapi_session.core import base64url

_JSON = json.JSONEncoder(separators=(",", ":"))  # once: json.dumps would make one each time


def segment(value: dict[str, Any]) -> str:
    """Answer *value* as base64url of its JSON text."""
    return base64url.encode(_JSON.encode(value).encode("ascii"))
