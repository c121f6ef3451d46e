"""How each proxy asks: the headers of its question, as it sends them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_urlsafe

from fastapi_session.web.forward_auth.original import Proxy

SECRET = token_urlsafe(48)
HOST = "reports.example"

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """What a proxy sends to ask about a request."""

    method: str
    path: str
    headers: Headers


Ask = Callable[[str, str, Headers], Question]
"""Returns the question about a request: its method, its path with its query, and its headers."""


def nginx(method: str, target: str, headers: Headers) -> Question:
    """As nginx 1.22 does by the configuration of the page; `Host` is that of `proxy_pass`, unless it is set."""
    own = {"x-original-method": method, "x-original-url": f"https://{HOST}{target}", "x-proxy-secret": SECRET}
    return Question("GET", "/auth/verify", {**headers, **own})


def traefik(method: str, target: str, headers: Headers) -> Question:
    """As Traefik 3's forwardAuth does without trustForwardHeader: `Upgrade` and `Connection` are taken away."""
    return Question("GET", "/auth/verify", {**headers, **_forwarded(method, target), "x-forwarded-server": "edge"})


def caddy(method: str, target: str, headers: Headers) -> Question:
    """As Caddy 2's forward_auth does: a GET with the headers of the request."""
    return Question("GET", "/auth/verify", {**headers, **_forwarded(method, target), "via": "2.0 Caddy"})


def envoy(method: str, target: str, headers: Headers) -> Question:
    """As Envoy's ext_authz does by HTTP: method, path and `Host` of the request, with a prefix before the path, and no body."""
    own = {"host": HOST, "x-forwarded-proto": "https", "content-length": "0", "x-proxy-secret": SECRET}
    return Question(method, f"/auth/verify{target}", {**headers, **own, "x-envoy-internal": "true"})


def _forwarded(method: str, target: str) -> Headers:
    return {
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-proto": "https",
        "x-forwarded-host": HOST,
        "x-forwarded-method": method,
        "x-forwarded-uri": target,
        "x-proxy-secret": SECRET,
    }


ASKED_BY: Mapping[Proxy, Ask] = {"nginx": nginx, "traefik": traefik, "caddy": caddy, "envoy": envoy}
