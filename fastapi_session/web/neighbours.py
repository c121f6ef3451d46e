"""Warnings of middlewares that may respond in place of the endpoints by which browsers bind sessions.

| a middleware of | may respond with | at which a browser |
|---|---|---|
| a package that limits rates | 429 | ends the binding for good, and its user is signed out at the next refresh |
| a package against forged requests | 403 | the same: it sends no token, and no `Origin` in older versions |

A package is known by its name. What a proxy in front does, nobody can see from here.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import FastAPI

from fastapi_session import endpoint_paths
from fastapi_session.config import SessionConfig

_LIMITERS = frozenset({"slowapi", "asgi_ratelimit", "ratelimit", "fastapi_limiter", "fastapi_throttle"})
_FORGERY_CHECKS = frozenset({"starlette_csrf", "asgi_csrf", "fastapi_csrf_protect", "csrf_starlette_fastapi"})


def neighbour_problems(app: FastAPI, config: SessionConfig) -> Iterator[str]:
    """Yield which middlewares of *app* may end bindings, each with its fix."""
    if config.device_binding == "off":
        return
    paths = ", ".join(f"{config.api_base_path}{path}" for path in (endpoint_paths.DEVICE, endpoint_paths.REFRESH))
    for middleware in app.user_middleware:
        kind: object = middleware.cls
        package = getattr(kind, "__module__", "").partition(".")[0]
        name = getattr(kind, "__name__", package)
        if package in _LIMITERS:
            yield f"device_binding: browsers end a binding at the 429 of {name}; let it pass {paths} and what is below them"
        if package in _FORGERY_CHECKS:
            yield f"device_binding: browsers have no token for {name}; let it pass {paths} and what is below them"
