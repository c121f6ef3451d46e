"""What browsers say by themselves of where a request comes from (Fetch Metadata, section 2; Fetch, section 3.2). No page can change it.

Whether a browser made a request for a page of ours, so that cookies are kept, and nobody else had them set:

| `Sec-Fetch-Site` | and | for a page of ours |
|---|---|---|
| `same-origin`, `same-site`, `none` | | yes |
| `cross-site` | `Origin` is the configuration's website or API | yes |
| `cross-site` | a GET with `Sec-Fetch-Mode: navigate`: a link, the callback of a sign-in elsewhere | yes |
| `cross-site` | anything else: a form of another site may sign its visitors in as somebody else | no |
| none: plain http, except on localhost | `Origin` as above, or of the host that was asked | yes |
| none | no `Origin`, a GET that accepts HTML | yes |
| none | anything else: no browser of today | no |

`Sec-Fetch-Mode` alone says nothing: Node's `fetch` sends it, and keeps no cookies.

Whether a page of our own sent a form:

| `Sec-Fetch-Site` | and | of our own |
|---|---|---|
| `same-origin`, `none` | | yes |
| `same-site`, `cross-site` | `Origin` is the configuration's website or API | yes |
| the same | anything else | no |
| none: plain http, except on localhost | `Origin` as above, or that of the host that was asked | yes |
| none | anything else | no |
"""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.config import SessionConfig
from fastapi_session.origin import Origin

_SITE = "sec-fetch-site"
_ORIGIN = "origin"


def is_configured_origin(origin: str, config: SessionConfig) -> bool:
    """Return whether *origin*, as in the header of that name, is the website or the API of *config*."""
    return Origin.parse(origin) in {Origin.parse(config.website_domain), Origin.parse(config.api_domain)}


def made_for_own_page(connection: HTTPConnection, config: SessionConfig) -> bool:
    """Return whether a browser made the request of *connection* for a page of ours, as the first table has it."""
    headers, is_get = connection.headers, connection.scope.get("method", "GET") == "GET"
    site, origin = headers.get(_SITE), headers.get(_ORIGIN)
    if site is not None and site != "cross-site":
        return True
    if origin is not None and is_configured_origin(origin, config):
        return True
    if site is not None:
        return is_get and headers.get("sec-fetch-mode") == "navigate"
    if origin is not None:
        return _names_host(origin, headers.get("host", ""))
    return is_get and "text/html" in headers.get("accept", "")


def is_of_own_page(connection: HTTPConnection, config: SessionConfig) -> bool:
    """Return whether a page of our own sent the request of *connection*, as the second table has it."""
    headers = connection.headers
    site, origin = headers.get(_SITE), headers.get(_ORIGIN)
    if site in {"same-origin", "none"} or (origin is not None and is_configured_origin(origin, config)):
        return True
    return site is None and origin is not None and _is_of_host(origin, headers.get("host", ""))


def _is_of_host(origin: str, host: str) -> bool:
    """Return whether *origin* is the one at which *host*, a `Host` header, was asked."""
    page = Origin.parse(origin)
    return page is not None and page == Origin.parse(f"{page.scheme}://{host}")


def _names_host(origin: str, host: str) -> bool:
    """Return whether *origin* has the host name of *host*, a `Host` header, on whatever port."""
    # The port may differ: cookies do not know ports, and a page under development has a server of its own.
    page, asked = Origin.parse(origin), Origin.parse(f"http://{host}")
    return page is not None and asked is not None and page.host == asked.host
