"""What the CORS middleware of an application has to let through, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from fastapi_session.web.transport import REQUEST_HEADERS, RESPONSE_HEADERS


def get_all_cors_headers() -> list[str]:
    """Answer the request headers for `allow_headers` of a CORSMiddleware."""
    return ["content-type", *REQUEST_HEADERS]


def cors_problems(app: FastAPI) -> Iterator[str]:
    """Answer what in the CORSMiddleware of *app* would keep sessions from working across origins."""
    for middleware in app.user_middleware:
        kind: object = middleware.cls
        if kind is CORSMiddleware:
            yield from _problems(middleware)


def _problems(middleware: Middleware) -> Iterator[str]:
    given: Mapping[str, Any] = middleware.kwargs
    allowed = {str(name).lower() for name in given.get("allow_headers", ())}
    if "*" not in allowed and not allowed >= set(REQUEST_HEADERS):
        yield "CORSMiddleware: allow_headers keeps session headers out, add get_all_cors_headers()"
    if not {"*", "POST"} & set(given.get("allow_methods", ())):
        yield "CORSMiddleware: allow_methods keeps POST out, by which sessions are refreshed and ended"
    if not given.get("allow_credentials"):
        yield "CORSMiddleware: without allow_credentials=True browsers send no session cookies from other origins"
    if "*" in given.get("allow_origins", ()):
        yield "CORSMiddleware: allow_origins=['*'] opens sessions to every site, name the origins of yours"
    exposed = {str(name).lower() for name in given.get("expose_headers", ())}
    if exposed and not exposed >= set(RESPONSE_HEADERS):
        yield f"CORSMiddleware: expose_headers replaces those of sessions, add {', '.join(RESPONSE_HEADERS)}"
