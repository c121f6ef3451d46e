"""Serves `client.js`, the script by which a page keeps its session, and its types, from the folder `script`.

A browser asks each time whether the script has changed, which costs one empty response. With the version of this package in the
address, `client.js?v=0.1.0`, it caches the script for good.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response

from fastapi_session.web.transport import FOR_ANY_ORIGIN

FOLDER = Path(__file__).parent / "script"
MEDIA_TYPES = {"client.js": "text/javascript", "client.d.ts": "text/plain"}

CHECKED = "public, no-cache"
KEPT = "public, max-age=31536000, immutable"

_COMMENT = re.compile(r"^ */\*(?!\*).*?\*/\n+", re.MULTILINE | re.DOTALL)


def serve_client(router: APIRouter) -> None:
    """Add the script and its types to *router*, for pages of any origin."""
    installed = version("fastapi-session-auth")
    for name, media_type in MEDIA_TYPES.items():
        router.get(f"/{name}", include_in_schema=False)(_serving(client_file(name), media_type, installed))


def client_file(name: str) -> bytes:
    """Return a file of the client as it is served: without the comments on lines of their own, which only its authors read."""
    return _COMMENT.sub("", (FOLDER / name).read_text("utf-8")).encode()


def _serving(content: bytes, media_type: str, installed: str) -> Callable[..., Awaitable[Response]]:
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    async def serve(v: str = "", if_none_match: Annotated[str, Header()] = "") -> Response:
        headers = {
            **FOR_ANY_ORIGIN,
            "Cache-Control": KEPT if v == installed else CHECKED,
            "ETag": etag,
        }
        if etag in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return serve
