"""What the CORS middleware of an application has to let through."""

from __future__ import annotations

from fastapi_session.web.transport import PROOF_HEADER, REQUEST_HEADERS


def get_all_cors_headers() -> list[str]:
    """Return the request headers that pages of another origin send: `CORSMiddleware, allow_headers=get_all_cors_headers()`.

    They are in lower case. Add the names of your own to the list: it is a new one at each call.
    """
    return ["content-type", *REQUEST_HEADERS, PROOF_HEADER]
