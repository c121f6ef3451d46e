"""What the pages of other origins may send and read (CORS), as browsers find out.

| id | looks at | level |
|---|---|---|
| FS218 | the preflight of a page of `website_domain`, for a refresh with all headers of a client | error |
| FS219 | what such a page may read of a refresh, and that the headers are there once | error |
| FS220 | pages of strangers are kept out | error |

The first two are looked at if `website_domain` is another origin than the API's own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from fastapi_session import endpoint_paths
from fastapi_session.config import SessionConfig
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.asking import Response, in_a_line
from fastapi_session.doctor.outside.cleared import bringing
from fastapi_session.doctor.outside.reached import Reached
from fastapi_session.origin import Origin
from fastapi_session.web.cors import get_all_cors_headers
from fastapi_session.web.transport import ACCESS_HEADER, EXPOSE_HEADER, FRONT_TOKEN_HEADER, PROOF_HEADER, REFRESH_HEADER

KEPT_OUT = Check(
    "FS218",
    Level.ERROR,
    "browsers keep the requests of the website's pages from the application",
    "let OPTIONS requests pass to CORSMiddleware, with website_domain in its allow_origins and get_all_cors_headers() in allow_headers",
)
UNREADABLE = Check(
    "FS219",
    Level.ERROR,
    "the website's pages cannot read what the application responds",
    "let the headers of CORS pass as CORSMiddleware makes them, and add none in the proxy: twice is as bad as never",
)
OPEN = Check(
    "FS220",
    Level.ERROR,
    "pages of strangers may use the sessions of their visitors",
    "name the origins of yours in allow_origins, and let the proxy add no header of CORS",
)

CHECKS = (KEPT_OUT, UNREADABLE, OPEN)

_ORIGIN = "access-control-allow-origin"
_CREDENTIALS = "access-control-allow-credentials"
_HEADERS = "access-control-allow-headers"
_STRANGER = "stranger.example"
"""A host that nobody owns (RFC 2606)."""


async def origin_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield what is wrong for pages of other origins. Raises `Unreached`."""
    if (website := website_of(reached.known)) is not None and reached.known is not None:
        response = await _preflight(reached, website, wanted=_wanted(reached.known))
        for seen in _refused(response, website, reached.known):
            yield KEPT_OUT.found(f"{seen}, {response}")
    for stranger in (f"https://{_STRANGER}", f"{reached.url.scheme}://{reached.url.host}.{_STRANGER}", "null"):
        response = await _preflight(reached, stranger, wanted=["rid"])
        if stranger in response.values(_ORIGIN):
            yield OPEN.found(f"{stranger}, {response}")


async def reading_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield what a page of the website cannot read of a refresh. Raises `Unreached`."""
    website, config = website_of(reached.known), reached.known
    if website is None or config is None:
        return
    for method in reached.methods[:1]:
        response = await reached.refresh({**bringing(method, "none", config), "origin": website})
        for seen in _unreadable(response, website, config):
            yield UNREADABLE.found(f"{seen}, {response}")


def website_of(config: SessionConfig | None) -> str | None:
    """Return the origin of the website's pages, if it is another than that of the API and known."""
    api, website = (None, None) if config is None else map(Origin.parse, (config.api_domain, config.website_domain))
    return None if website is None or website == api else str(website)


async def _preflight(reached: Reached, origin: str, *, wanted: list[str]) -> Response:
    asks = {"origin": origin, "access-control-request-method": "POST"}
    headers = {**asks, "access-control-request-headers": ", ".join(wanted)}
    return await reached.caller.ask("OPTIONS", reached.at(endpoint_paths.REFRESH), headers)


def _wanted(config: SessionConfig) -> list[str]:
    return sorted(name for name in get_all_cors_headers() if name != PROOF_HEADER or config.dpop != "off")


def _refused(response: Response, website: str, config: SessionConfig) -> Iterator[str]:
    if response.status not in range(200, 300):
        yield "the preflight is refused"
        return
    yield from _origin_refused(response, website, config)
    allowed = response.listed(_HEADERS)
    # With credentials a star is a header of that name, and never means Authorization (Fetch, "CORS-preflight fetch").
    by_star = "*" in allowed and not _needs_credentials(config)
    missing = {*_wanted(config)} - allowed - ({*_wanted(config)} - {"authorization"} if by_star else set())
    if missing:
        yield f"{_HEADERS} has no {', '.join(sorted(missing))}"


def _origin_refused(response: Response, website: str, config: SessionConfig) -> Iterator[str]:
    origins = response.values(_ORIGIN)
    if origins != [website] and (origins != ["*"] or _needs_credentials(config)):
        said = " and ".join(map(in_a_line, origins)) or "nothing"
        yield f"{_ORIGIN} is {said}, not {website} once"
    elif _needs_credentials(config) and response.values(_CREDENTIALS) != ["true"]:
        yield f"{_CREDENTIALS} is not true once"


def _unreadable(response: Response, website: str, config: SessionConfig) -> Iterator[str]:
    yield from _origin_refused(response, website, config)
    wanted = {FRONT_TOKEN_HEADER, *([ACCESS_HEADER, REFRESH_HEADER] if "header" in response_methods(config) else [])}
    missing = {name for name in wanted if response.values(name)} - response.listed(EXPOSE_HEADER)
    if missing and ("*" not in response.listed(EXPOSE_HEADER) or _needs_credentials(config)):
        yield f"{EXPOSE_HEADER} has no {', '.join(sorted(missing))}"


def response_methods(config: SessionConfig) -> tuple[str, ...]:
    """Return by which methods tokens may travel."""
    configured = config.token_transfer_method
    return (configured,) if configured in ("cookie", "header") else ("cookie", "header")


def _needs_credentials(config: SessionConfig) -> bool:
    return "cookie" in response_methods(config)
