"""Middlewares that may respond in place of the endpoints by which browsers bind sessions.

| id | a middleware of | may respond with | at which a browser | level |
|---|---|---|---|---|
| FS061 | a package that limits rates | 429 | ends the binding for good, and its user is signed out at the next refresh | warning |
| FS062 | a package against forged requests | 403 | the same: it sends no token, and no `Origin` in older versions | warning |

A package is known by its name. What a proxy in front does, nobody can see from here.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi_session import endpoint_paths
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.finding import Check, Finding, Level

LIMITER = Check(
    "FS061",
    Level.WARNING,
    "browsers end a binding for good at a 429 of its endpoints",
    "have the middleware leave these paths alone, and all below them",
)
FORGERY_CHECK = Check(
    "FS062",
    Level.WARNING,
    "browsers have no token for a middleware against forged requests, and end a binding for good at its refusal",
    "have the middleware leave these paths alone, and all below them",
)

CHECKS = (LIMITER, FORGERY_CHECK)

_LIMITERS = frozenset({"slowapi", "asgi_ratelimit", "ratelimit", "fastapi_limiter", "fastapi_throttle"})
_FORGERY_CHECKS = frozenset({"starlette_csrf", "asgi_csrf", "fastapi_csrf_protect", "csrf_starlette_fastapi"})


def neighbour_findings(installed: Installed) -> Iterator[Finding]:
    """Yield which middlewares of *installed* may end bindings."""
    config, app = installed.config, installed.app
    if app is None or config.device_binding == "off":
        return
    paths = " and ".join(f"{config.api_base_path}{path}" for path in (endpoint_paths.DEVICE, endpoint_paths.REFRESH))
    for middleware in app.user_middleware:
        kind: object = middleware.cls
        package = getattr(kind, "__module__", "").partition(".")[0]
        name = getattr(kind, "__name__", package)
        if package in _LIMITERS:
            yield LIMITER.found(f"{name} stands before {paths}")
        if package in _FORGERY_CHECKS:
            yield FORGERY_CHECK.found(f"{name} stands before {paths}")
