"""Whether requests to the session endpoints arrive at the application: without a token it refuses them in its own words.

| id | looks at | level |
|---|---|---|
| FS205 | a refresh and a sign-out without a token: the refusal is the application's, and no page, redirect or 405 of something in front | error |
| FS207 | a few refreshes one after the other: none is refused by a rate limiter | warning |
| FS226 | a refresh without a token: the response is none of a proxy that does not reach the application | error |

The status and the body may be those that a handler of the application gives. Then it shows by the tokens that it clears.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi_session import endpoint_paths
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.reached import FROM_A_CLIENT, Reached
from fastapi_session.web.transport import FRONT_TOKEN_HEADER

NOT_OURS = Check(
    "FS205",
    Level.ERROR,
    "requests to a session endpoint do not arrive at the application",
    "let POST requests to it pass whatever is in front: sign-in pages, firewalls, redirects, other routes, error pages of a proxy",
)
LIMITED = Check(
    "FS207",
    Level.WARNING,
    "refreshes are limited by how many come from one address",
    "do not limit the refresh endpoint so: all users behind one address share it, and a wrong token costs no more than a request",
)
NO_APPLICATION = Check(
    "FS226",
    Level.ERROR,
    "what is in front does not reach the application",
    "start the application, and see in the log of what is in front at which address it looks for it",
)

CHECKS = (NOT_OURS, LIMITED, NO_APPLICATION)

_OF_GATEWAYS = frozenset({502, 503, 504, *range(520, 527), 530})
"""Statuses by which proxies, and those of Cloudflare, say that nobody is behind them, or not in time."""

BURST = 20
"""How many refreshes come one after the other: those of the tabs that a browser opens again."""


async def reach_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield it if nobody is behind what is in front. Raises `Unreached`."""
    response = await reached.refresh()
    if response.status in _OF_GATEWAYS and response.json() is None:
        yield NO_APPLICATION.found(str(response))


async def refresh_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield it if a refresh does not arrive. Raises `Unreached`."""
    response = await reached.refresh()
    if not reached.is_refusal(response) and not await _is_refused_elsewise(reached, response.status):
        yield NOT_OURS.found(str(response))


async def sign_out_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield it if a sign-out does not arrive. Raises `Unreached`."""
    response = await reached.post(endpoint_paths.SIGN_OUT, FROM_A_CLIENT)
    if response.status != reached.refused_status or response.is_redirect:
        yield NOT_OURS.found(str(response))


async def limit_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield it if one of a few refreshes is refused otherwise than the others. Raises `Unreached`."""
    first = None
    for number in range(1, BURST + 1):
        response = await reached.refresh()
        first = first or response
        if response.status != first.status or response.status == 429:
            yield LIMITED.found(f"{number}. of {BURST} in a row, {response}")
            return


async def _is_refused_elsewise(reached: Reached, status: int) -> bool:
    """Say whether the application refuses by *status*, which a handler of its own may give: it clears tokens that are none."""
    if status not in range(400, 500):
        return False
    by_token = await reached.refresh({"authorization": "Bearer none"})
    return by_token.status == status and by_token.value(FRONT_TOKEN_HEADER) is not None
