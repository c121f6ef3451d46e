"""The addresses of pages as browsers see them: behind proxies that strip a prefix, and say so or not, and below mounts.

`api_base_path` is a path as browsers see it, and the application knows at which path of its own it serves the refresh for pages.
The difference between the two is the prefix of every page.
"""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.routing import NoMatchFound
from starlette.types import Scope

from fastapi_session import endpoint_paths
from fastapi_session.config import SessionConfig
from fastapi_session.local_address import CHARACTERS, is_local

REFRESH_ROUTE = "fastapi_session:refresh_page"
"""The name of the refresh for pages: an application that has such a route serves pages with sessions."""


def refresh_page(config: SessionConfig) -> str:
    """Return the path of the refresh for pages, as browsers see it: they send the refresh cookie there."""
    return f"{config.api_base_path}{endpoint_paths.REFRESH_PAGE}"


def prefix_of(app: FastAPI, config: SessionConfig) -> str | None:
    """Return the prefix that browsers see in front of the paths of *app*; `None` if it serves no pages with sessions."""
    try:
        served = str(app.url_path_for(REFRESH_ROUTE))
    except NoMatchFound:
        return None
    seen = refresh_page(config)
    return seen.removesuffix(served) if seen.endswith(served) else ""


def known_path(scope: Scope) -> str:
    """Return the path of a request, with the prefix that the server knows of."""
    # Some servers put the prefix back in front of the path, and some do not.
    root, path = scope.get("root_path", ""), _path(scope)
    return path if path.startswith(f"{root}/") else f"{root}{path}"


def address_of(connection: HTTPConnection, prefix: str) -> str | None:
    """Return path and query of the request of *connection* as browsers see them, *prefix* being that of the application.

    `None` if a browser cannot be sent there safely: it is too long, or it would be taken for another host.
    """
    scope = connection.scope
    path = f"{_unknown(prefix, scope.get('root_path', ''))}{known_path(scope)}"
    query = quote(scope.get("query_string", b""), safe=CHARACTERS)
    address = f"{path}?{query}" if query else path
    return address if is_local(address) else None


def with_next(path: str, address: str | None) -> str:
    """Return *path*, which may have a query of its own, with *address* as its `next`."""
    if address is None:
        return path
    return f"{path}{'&' if '?' in path else '?'}next={quote(address, safe='/:@?=,;!$()*~')}"


def _path(scope: Scope) -> str:
    """Return the path as it was sent: what was percent-encoded in it, such as a slash, stays so."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
    return quote(raw.partition(b"?")[0], safe=CHARACTERS)


def _unknown(prefix: str, root: str) -> str:
    """Return the part of *prefix* that the server does not know of, which is not at the beginning of *root*."""
    # *root* begins with what the server knows of the prefix, and ends with the mounts: the longest beginning counts that ends
    # the prefix.
    ends = [place for place in range(len(root), 0, -1) if root[place:][:1] in {"", "/"}]
    known = next((root[:place] for place in ends if prefix.endswith(root[:place])), "")
    return prefix.removesuffix(known)
