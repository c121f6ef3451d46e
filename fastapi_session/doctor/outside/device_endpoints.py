"""Whether browsers that bind sessions to a key of theirs (Device Bound Session Credentials) come through to the endpoints for it.

| id | looks at | level |
|---|---|---|
| FS221 | a registration without a proof, and a renewal of what is nobody's: the refusals are the application's | error |
| FS222 | a few of each, one after the other | error |

With anything else, such as a 429, a redirect or a page, a browser ends the binding for good. What a sign-in offers, the header
`Secure-Session-Registration`, no request without a sign-in shows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi_session import endpoint_paths
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.asking import Response
from fastapi_session.doctor.outside.reached import Reached
from fastapi_session.web.device_endpoints import NOT_BOUND
from fastapi_session.web.device_session import IDENTIFIER_HEADER

NO_WAY_THROUGH = Check(
    "FS221",
    Level.ERROR,
    "browsers that bind a session to their key do not come through to the application",
    "let POST requests and the headers Secure-Session-Response and Sec-Secure-Session-Id pass, as for the refresh",
)
LIMITED = Check(
    "FS222",
    Level.ERROR,
    "requests by which browsers bind sessions are limited, and a browser that meets the limit ends the binding for good",
    "limit none of the session endpoints by address",
)

CHECKS = (NO_WAY_THROUGH, LIMITED)

BURST = 4
_NOBODYS = "doctor"
"""A session identifier that no session has."""


async def device_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield which of the endpoints are not reached. Raises `Unreached`."""
    registration = await reached.post(endpoint_paths.DEVICE)
    if registration.status != 403 or registration.member("message") != NOT_BOUND:
        yield NO_WAY_THROUGH.found(str(registration))
    renewal = await _renew(reached)
    if not _is_ended(renewal):
        yield NO_WAY_THROUGH.found(str(renewal))


async def device_limit_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield it if one of a few is refused otherwise than the others. Raises `Unreached`."""
    for _ in range(BURST):
        for response in (await reached.post(endpoint_paths.DEVICE), await _renew(reached)):
            if response.status == 429:
                yield LIMITED.found(str(response))
                return


def binds(reached: Reached) -> bool:
    """Say whether browsers are to bind sessions there."""
    config = reached.known
    return config is not None and config.device_binding != "off" and reached.is_https and "cookie" in reached.methods


async def _renew(reached: Reached) -> Response:
    config = reached.known
    scope = "refresh" if config is None else config.device_binding_scope
    endpoint = endpoint_paths.DEVICE_REFRESH if scope == "all" else endpoint_paths.DEVICE_RENEWAL
    return await reached.post(endpoint, {IDENTIFIER_HEADER: f'"{_NOBODYS}"'})


def _is_ended(response: Response) -> bool:
    return response.status == 200 and response.member("continue") is False
