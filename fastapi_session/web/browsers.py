"""Whether a browser made a request for a page of ours: then cookies are kept, and nobody else had them set.

Browsers say so by themselves, and no page can change what they say (Fetch Metadata, section 2; Fetch, section 3.2):

| `Sec-Fetch-Site` | and | for a page of ours |
|---|---|---|
| `same-origin`, `same-site`, `none` | | yes |
| `cross-site` | `Origin` is the configuration's website or API | yes |
| `cross-site` | a GET with `Sec-Fetch-Mode: navigate`: a link, the callback of a sign-in elsewhere | yes |
| `cross-site` | anything else: a form of another site may sign its visitors in as somebody else | no |
| none: plain http, except on localhost | `Origin` as above, or of the host that was asked | yes |
| none | no `Origin`, a GET that accepts HTML | yes |
| none | anything else: no browser of today | no |

`Sec-Fetch-Mode` alone proves nothing: Node's `fetch` sends it, and keeps no cookies.
"""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.config import SessionConfig
from fastapi_session.origin import Origin


def is_configured_origin(origin: str, config: SessionConfig) -> bool:
    """Return whether *origin*, as in the header of that name, is the website or the API of *config*."""
    return Origin.parse(origin) in {Origin.parse(config.website_domain), Origin.parse(config.api_domain)}


def made_for_own_page(connection: HTTPConnection, config: SessionConfig) -> bool:
    """Return whether a browser made the request of *connection* for a page of ours, as the table has it."""
    headers, is_get = connection.headers, connection.scope.get("method", "GET") == "GET"
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "cross-site":
        return True
    if origin is not None and is_configured_origin(origin, config):
        return True
    if site is not None:
        return is_get and headers.get("sec-fetch-mode") == "navigate"
    if origin is not None:
        return _names_host(origin, headers.get("host", ""))
    return is_get and "text/html" in headers.get("accept", "")


def _names_host(origin: str, host: str) -> bool:
    """Return whether *origin* has the host name of *host*, a `Host` header, on whatever port."""
    page, asked = Origin.parse(origin), Origin.parse(f"http://{host}")
    return page is not None and asked is not None and page.host == asked.host
