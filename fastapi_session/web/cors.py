"""What the CORS middleware of an application has to let through, and warnings if it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware

from fastapi_session.config import SessionConfig
from fastapi_session.origin import Origin, registrable_domain
from fastapi_session.web.transport import PROOF_HEADER, PROOF_RESPONSE_HEADERS, REQUEST_HEADERS, RESPONSE_HEADERS

_STRANGER = "stranger.example"
"""A host that nobody owns (RFC 2606)."""


def get_all_cors_headers() -> list[str]:
    """Return the request headers for `allow_headers` of a CORSMiddleware."""
    return ["content-type", *REQUEST_HEADERS, PROOF_HEADER]


def cors_problems(app: FastAPI, config: SessionConfig) -> Iterator[str]:
    """Yield what keeps the pages of *config*'s website out of *app*, or lets those of others in, each with its fix."""
    kinds: list[object] = [middleware.cls for middleware in app.user_middleware]  # the outermost first
    places = [place for place, kind in enumerate(kinds) if isinstance(kind, type) and issubclass(kind, CORSMiddleware)]
    api, website = Origin.parse(config.api_domain), Origin.parse(config.website_domain)
    if not places and api != website:
        yield f"website_domain: pages of {website} cannot read the responses of {api}, add CORSMiddleware for them"
    for place in places:
        given = _arguments(app.user_middleware[place])
        yield from _closed(given)
        if config.dpop != "off":
            yield from _closed_to_proofs(given)
        yield from _origins(given, str(website) if api != website else None)
        yield from _open(given, [each.host for each in (api, website) if each is not None])
        for kind in kinds[:place]:
            if isinstance(kind, type) and issubclass(kind, BaseHTTPMiddleware):
                yield "CORSMiddleware: pages cannot read the responses of a middleware around it, add it as the last one"
                break


Given = Mapping[str, Any]
"""The arguments of a CORSMiddleware by their names. Each has a type of its own."""


def _arguments(middleware: Middleware) -> Given:
    """Return the arguments of a CORSMiddleware by their names, however they were given."""
    return signature(CORSMiddleware).bind_partial(None, *middleware.args, **middleware.kwargs).arguments


def _closed(given: Given) -> Iterator[str]:
    """Yield what of a request or a response is kept out."""
    allowed = {str(name).lower() for name in given.get("allow_headers", ())}
    if "*" not in allowed and not allowed >= set(REQUEST_HEADERS):
        yield "CORSMiddleware: allow_headers keeps session headers out, add get_all_cors_headers()"
    if not {"*", "POST"} & set(given.get("allow_methods", ())):
        yield "CORSMiddleware: allow_methods keeps POST out, by which sessions are refreshed and ended"
    if not given.get("allow_credentials"):
        yield "CORSMiddleware: without allow_credentials=True browsers send no session cookies from other origins"
    exposed = {str(name).lower() for name in given.get("expose_headers", ())}
    if exposed and not exposed >= set(RESPONSE_HEADERS):
        yield f"CORSMiddleware: expose_headers replaces those of sessions, add {', '.join(RESPONSE_HEADERS)}"


def _closed_to_proofs(given: Given) -> Iterator[str]:
    """Yield what of a DPoP proof, or of the response to one, is kept out."""
    if not {"*", PROOF_HEADER} & {str(name).lower() for name in given.get("allow_headers", ())}:
        yield "CORSMiddleware: allow_headers keeps DPoP out, add get_all_cors_headers()"
    exposed = {str(name).lower() for name in given.get("expose_headers", ())}
    if exposed and not exposed >= {name.lower() for name in PROOF_RESPONSE_HEADERS}:
        yield f"CORSMiddleware: expose_headers replaces those of DPoP, add {', '.join(PROOF_RESPONSE_HEADERS)}"


def _origins(given: Given, website: str | None) -> Iterator[str]:
    """Yield which origins are kept out. *website* is the configured one, `None` if it is the API's own."""
    for text in given.get("allow_origins", ()):
        origin = Origin.parse(str(text))
        if origin is not None and str(origin) != text:
            yield f"CORSMiddleware: allow_origins has {text!r}, which no browser sends, write {str(origin)!r}"
        elif origin is None and "://" not in text and text not in {"*", "null"}:
            yield f"CORSMiddleware: allow_origins has {text!r}, which is no origin, write it with its scheme"
    if website is not None and not _lets_in(given, website):
        yield f"CORSMiddleware: it keeps out {website}, which is website_domain, add it to allow_origins"


def _open(given: Given, hosts: Sequence[str]) -> Iterator[str]:
    """Yield which origins are let in that are not of *hosts*."""
    if "*" in given.get("allow_origins", ()):
        yield "CORSMiddleware: allow_origins=['*'] opens sessions to every site, name the origins of yours"
    if "null" in given.get("allow_origins", ()):
        yield "CORSMiddleware: allow_origins has 'null', which pages of every site can send, take it out"
    strangers = () if given.get("allow_origin_regex") is None else _strangers(hosts)
    stranger = next((each for each in strangers if _matches(given, each)), None)
    if stranger is not None:
        yield f"CORSMiddleware: allow_origin_regex lets in {stranger} too, which anybody may own: escape dots, and name your hosts"


def _strangers(hosts: Sequence[str]) -> Iterator[str]:
    """Yield origins that a careless expression for *hosts* matches, though anybody may own them."""
    # Such as `https://example.com.stranger.example` if the end is open, `https://strangerexample.com` if the beginning is, and
    # `https://apixexample.com` if a dot is not escaped.
    for scheme in ("https", "http"):
        yield f"{scheme}://{_STRANGER}"
        for host in hosts:
            yield f"{scheme}://{host}.{_STRANGER}"
            own = registrable_domain(host)
            if own is not None:
                yield f"{scheme}://stranger{own}"
                if own != host:
                    yield f"{scheme}://{host.removesuffix(f'.{own}')}x{own}"


def _matches(given: Given, origin: str) -> bool:
    expression = given.get("allow_origin_regex")
    return expression is not None and re.fullmatch(expression, origin) is not None


def _lets_in(given: Given, origin: str) -> bool:
    return bool({"*", origin} & set(given.get("allow_origins", ()))) or _matches(given, origin)
