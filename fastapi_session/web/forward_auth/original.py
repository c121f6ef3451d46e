"""The request that a proxy asks about, as the proxy describes it.

| proxy | method | scheme, host and path |
|---|---|---|
| `nginx` | `X-Original-Method` | `X-Original-URL` |
| `traefik`, `caddy` | `X-Forwarded-Method` | `X-Forwarded-Proto`, `X-Forwarded-Host`, `X-Forwarded-Uri` |
| `envoy` | that of the question | `X-Forwarded-Proto`, `Host`, the path after `/verify` |

Only the headers of the one proxy are read: it sets those, and passes on all others as the client has sent them. What is missing, came
twice or is malformed is not known. Whoever decides takes that for the worst: a method for one that changes something, a path for one
that no rule is about, and a method or a host for one that a stricter rule may name. A method with small letters is malformed: some
services read `post` as `POST`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from fastapi_session.origin import Origin
from fastapi_session.web.forward_auth.paths import read_path

Proxy = Literal["nginx", "traefik", "caddy", "envoy"]
PROXIES: tuple[Proxy, ...] = get_args(Proxy)

_HOST = re.compile(r"([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])\.?(:[0-9]{1,5})?", re.IGNORECASE)
_URL = re.compile(r"([a-z]+)://([^/?#@\\\s]*)(/.*)", re.IGNORECASE)
_METHOD = re.compile(r"[A-Z0-9!#$%&'*+.^_`|~-]+")
"""A token (RFC 9110, section 5.6.2) without small letters."""
_SCHEMES: Mapping[str, str] = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
PATH_HEADERS: Mapping[Proxy, str] = {
    "nginx": "x-original-url",
    "traefik": "x-forwarded-uri",
    "caddy": "x-forwarded-uri",
}
"""Where a proxy writes the path; Envoy has it in that of its question."""
_OF_SOCKETS = ("sec-websocket-key", "sec-websocket-version")
"""What each handshake of a WebSocket has (RFC 6455, section 4.1), and proxies keep; `Upgrade` they take away."""


@dataclass(frozen=True, slots=True)
class Original:
    """A request that a proxy asks about; `None` is what is not known.

    *host* is its name, in lower case and without a port, *path* is decoded, *target* is path and query as they were sent.
    """

    method: str | None
    origin: Origin | None
    host: str | None
    target: str | None
    path: str | None
    opens_socket: bool

    @property
    def unread(self) -> tuple[str, ...]:
        """What is not known of it, by its name."""
        return tuple(name for name in ("method", "host", "path") if getattr(self, name) is None)


def original_of(connection: HTTPConnection, proxy: Proxy, *, asked_at: str) -> Original:
    """Return the request that *proxy* asks about by that of *connection*, as the table says. It is asked at the path *asked_at*."""
    headers = connection.headers
    if proxy == "nginx":
        scheme, authority, target = _parts(_one(headers, "x-original-url"))
        method = _one(headers, "x-original-method")
    elif proxy == "envoy":
        scheme, authority = _one(headers, "x-forwarded-proto"), _one(headers, "host")
        method, target = connection.scope["method"], _target_after(asked_at, connection)
    else:
        scheme, authority = _one(headers, "x-forwarded-proto"), _one(headers, "x-forwarded-host")
        method, target = _one(headers, "x-forwarded-method"), _one(headers, "x-forwarded-uri")
    host = _HOST.fullmatch(authority or "")
    return Original(
        method=method if _METHOD.fullmatch(method or "") else None,
        origin=None if host is None else Origin.parse(f"{_SCHEMES.get(scheme or '')}://{host[1]}{host[2] or ''}"),
        host=None if host is None else host[1].lower(),
        target=target,
        path=None if target is None else read_path(target),
        opens_socket=scheme in {"ws", "wss"} or any(name in headers for name in _OF_SOCKETS),
    )


def is_described(connection: HTTPConnection, proxy: Proxy, *, asked_at: str) -> bool:
    """Say whether there is a path where *proxy* writes that of the request, whatever it is worth."""
    header = PATH_HEADERS.get(proxy)
    return header in connection.headers if header else not connection.scope["path"].endswith(asked_at)


def _one(headers: Headers, name: str) -> str | None:
    """Return the header *name*, `None` if it did not come, or more than once."""
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else None


def _parts(url: str | None) -> tuple[str | None, str | None, str | None]:
    """Return scheme, authority and target of *url*."""
    # Not by `urlsplit`, which finds a host in anything: nginx puts the client's `Host` into the middle as it came. There is none in
    # HTTP/1.0, and before nginx 1.29.5 in HTTP/3: then the host alone is not known.
    match = _URL.fullmatch(url or "")
    return (None, None, None) if match is None else (match[1].lower(), match[2], match[3])


def _target_after(asked_at: str, connection: HTTPConnection) -> str | None:
    """Return path and query of the question after *asked_at*, as they were sent."""
    scope = connection.scope
    raw: bytes | None = scope.get(
        "raw_path"
    )  # not every server has it, and in `path` what was encoded is not seen any more
    if raw is None:
        return None
    _, found, rest = raw.partition(b"?")[0].decode("latin-1").partition(asked_at)
    query = scope.get("query_string", b"").decode("latin-1")
    if not found or not rest.startswith("/"):
        return None
    return f"{rest}?{query}" if query else rest
