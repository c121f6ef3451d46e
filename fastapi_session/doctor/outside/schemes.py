"""By which scheme, and under which name, a deployment is reached, and under which it believes to be.

| id | looks at | level |
|---|---|---|
| FS211 | http on the host of an https deployment: the application does not respond there | error |
| FS212 | the redirect from http to https goes to the same host and path | warning |
| FS213 | it keeps a POST a POST: 307 or 308 | info |
| FS214 | HSTS (RFC 6797) | info |
| FS215 | the redirect that the application makes leads back to this address | warning |

http is asked at port 80, and only if https has its own port too. Nobody there is well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace

from fastapi_session import endpoint_paths
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.asking import Response, Unreached, place_of
from fastapi_session.doctor.outside.reached import FROM_A_CLIENT, Reached

SERVED_IN_CLEAR = Check(
    "FS211",
    Level.ERROR,
    "the application is served by http too, so tokens travel where anybody on the way reads them",
    "redirect http to https by 308, or serve nothing there",
)
LED_ASTRAY = Check(
    "FS212",
    Level.WARNING,
    "the redirect from http to https leads elsewhere",
    "redirect to the same host and path, as by nginx's return 308 https://$host$request_uri",
)
POST_LOST = Check(
    "FS213",
    Level.INFO,
    "the redirect from http to https makes a GET of a POST",
    "redirect by 308 in place of 301, if clients may have the address with http",
)
NO_HSTS = Check(
    "FS214",
    Level.INFO,
    "browsers are not told to come by https alone",
    "send Strict-Transport-Security: max-age=31536000, once all of the host is served by https",
)
ELSEWHERE = Check(
    "FS215",
    Level.WARNING,
    "the application believes to be at another address than its clients see",
    "pass on Host and X-Forwarded-Proto, have the server trust the proxy (uvicorn: --forwarded-allow-ips), and give it a stripped prefix (--root-path)",
)

CHECKS = (SERVED_IN_CLEAR, LED_ASTRAY, POST_LOST, NO_HSTS, ELSEWHERE)

_KEEP_THE_METHOD = (307, 308)


def has_plain(reached: Reached) -> bool:
    """Say whether http may be served beside https: both at the ports that they have by themselves."""
    return reached.is_https and not reached.url.port


async def scheme_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield what is wrong with http beside https."""
    plain, path = replace(reached.url, scheme="http"), reached.path(endpoint_paths.REFRESH)
    with suppress(Unreached):
        response = await reached.caller.ask("POST", f"{plain}{path}", FROM_A_CLIENT)
        if response.is_redirect:
            for check in _of_redirect(response, reached, seen_from=f"{plain}{path}"):
                yield check.found(str(response))
        elif reached.is_refusal(response):
            yield SERVED_IN_CLEAR.found(str(response))


def _of_redirect(response: Response, reached: Reached, *, seen_from: str) -> Iterator[Check]:
    place = place_of(response.value("location") or "", seen_from=seen_from)
    if place != (reached.url, reached.path(endpoint_paths.REFRESH)):
        yield LED_ASTRAY
    if response.status not in _KEEP_THE_METHOD:
        yield POST_LOST


async def hsts_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield it if browsers are not told of https. Raises `Unreached`."""
    response = await reached.get(endpoint_paths.DISCOVERY)
    if response.value("strict-transport-security") is None:
        yield NO_HSTS.found(response.asked)


async def redirect_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield it if a redirect that FastAPI makes leads elsewhere. Raises `Unreached`."""
    # A slash too many: FastAPI sends the client to the address without it, the whole of which it has from the request.
    response = await reached.get(f"{endpoint_paths.JWKS}/")
    asked = reached.at(f"{endpoint_paths.JWKS}/")
    origin, path = place_of(response.value("location") or "", seen_from=asked)
    # Anything in front may redirect too, such as to where one signs in.
    is_own = response.is_redirect and path.endswith(endpoint_paths.JWKS)
    if is_own and (origin, path) != (reached.url, reached.path(endpoint_paths.JWKS)):
        yield ELSEWHERE.found(str(response))
