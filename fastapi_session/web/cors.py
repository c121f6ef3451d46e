"""What the CORS middleware of an application has to let through."""

from __future__ import annotations

from fastapi_session.web.transport import PROOF_HEADER, REQUEST_HEADERS


def get_all_cors_headers() -> list[str]:
    """Return the request headers for `allow_headers` of a CORSMiddleware."""
    return ["content-type", *REQUEST_HEADERS, PROOF_HEADER]
