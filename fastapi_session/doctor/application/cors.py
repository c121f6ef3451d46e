"""What the CORS middleware of an application has to let through, and what it must not.

| id | looks at | level |
|---|---|---|
| FS041 | whether there is one, if the pages are of another origin | warning |
| FS042, FS043, FS044, FS045 | `allow_headers`, `allow_methods`, `allow_credentials`, `expose_headers` | warning |
| FS046, FS047 | `allow_headers` and `expose_headers`, for DPoP | warning |
| FS048, FS049 | `allow_origins` that are of no browser, or no origins | warning |
| FS050 | whether the website is let in | warning |
| FS051, FS052, FS053 | whether anybody is: `*`, `null`, an expression | warning |
| FS054 | what stands around it | warning |

A subclass may have arguments of its own, and let in by itself what is not in them: it is looked at for FS051 to FS054 alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware

from fastapi_session.config import SessionConfig
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.origin import Origin, registrable_domain
from fastapi_session.web.transport import PROOF_HEADER, PROOF_RESPONSE_HEADERS, REQUEST_HEADERS, RESPONSE_HEADERS


def _warning(id_: str, says: str, fix: str) -> Check:
    return Check(id_, Level.WARNING, says, fix)


MISSING = _warning(
    "FS041",
    "pages of another origin cannot read the responses of the API",
    "add CORSMiddleware with allow_origins of them, allow_credentials=True and allow_headers=get_all_cors_headers()",
)
NO_HEADERS = _warning(
    "FS042",
    "allow_headers of CORSMiddleware keeps headers of sessions out",
    "add those of get_all_cors_headers() to allow_headers",
)
NO_POST = _warning(
    "FS043",
    "allow_methods of CORSMiddleware keeps POST out, by which sessions are refreshed and ended",
    "add POST to allow_methods",
)
NO_CREDENTIALS = _warning(
    "FS044",
    "browsers send no session cookies from other origins without allow_credentials of CORSMiddleware",
    "give allow_credentials=True",
)
NOT_EXPOSED = _warning(
    "FS045",
    "expose_headers of CORSMiddleware replaces those of sessions, so pages cannot read them",
    f"add {', '.join(RESPONSE_HEADERS)} to expose_headers",
)
NO_PROOFS = _warning(
    "FS046", "allow_headers of CORSMiddleware keeps DPoP out", "add those of get_all_cors_headers() to allow_headers"
)
PROOFS_NOT_EXPOSED = _warning(
    "FS047",
    "expose_headers of CORSMiddleware replaces those of DPoP, so pages cannot read them",
    f"add {', '.join(PROOF_RESPONSE_HEADERS)} to expose_headers",
)
NOT_AS_SENT = _warning(
    "FS048",
    "allow_origins of CORSMiddleware has an origin as no browser sends it",
    "write it as browsers send it: in small letters, without a path, and without the port that its scheme has anyway",
)
NO_ORIGIN = _warning(
    "FS049",
    "allow_origins of CORSMiddleware has what is no origin",
    "write it with its scheme, as in https://www.example.com",
)
KEPT_OUT = _warning("FS050", "CORSMiddleware keeps the pages of website_domain out", "add it to allow_origins")
EVERYBODY = _warning(
    "FS051",
    "allow_origins of CORSMiddleware opens sessions to the pages of every site",
    "name your own origins in allow_origins",
)
NULL = _warning(
    "FS052",
    "allow_origins of CORSMiddleware has 'null', which pages of every site can send",
    "take 'null' out of allow_origins",
)
STRANGERS = _warning(
    "FS053",
    "allow_origin_regex of CORSMiddleware lets in an origin that anybody may own",
    "escape its dots, and write out the names of your hosts",
)
AROUND = _warning(
    "FS054",
    "pages of other origins cannot read the responses of a middleware around CORSMiddleware",
    "call add_middleware for CORSMiddleware last, so that it is the outermost",
)

CHECKS = (
    MISSING,
    NO_HEADERS,
    NO_POST,
    NO_CREDENTIALS,
    NOT_EXPOSED,
    NO_PROOFS,
    PROOFS_NOT_EXPOSED,
    NOT_AS_SENT,
    NO_ORIGIN,
    KEPT_OUT,
    EVERYBODY,
    NULL,
    STRANGERS,
    AROUND,
)

_STRANGER = "stranger.example"
"""A host that nobody owns (RFC 2606)."""

_KNOWN = frozenset(signature(CORSMiddleware).parameters)


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of a CORSMiddleware *by_name*, and whether they *are_all* that decides."""

    by_name: Mapping[str, Any]
    are_all: bool

    def texts(self, name: str, *, default: Sequence[str] = ()) -> Sequence[str]:
        """Return the argument of that *name*, which should be a list of texts, and is one or `None` in some applications."""
        value = self.by_name.get(name, default)
        if isinstance(value, str):
            return (value,)
        return [str(each) for each in value or ()]

    def lowered(self, name: str) -> set[str]:
        """Return the names of headers in the argument of that *name*."""
        return {each.lower() for each in self.texts(name)}


def cors_findings(installed: Installed) -> Iterator[Finding]:
    """Yield what keeps the pages of the website out of *installed*, or lets those of others in."""
    config, app = installed.config, installed.app
    if app is None:
        return
    places = _places(app.user_middleware)
    api, website = Origin.parse(config.api_domain), Origin.parse(config.website_domain)
    if not places and api != website:
        yield MISSING.found(f"pages of {website}, and an API at {api}")
    for place in places:
        given = _arguments(app.user_middleware[place])
        if given.are_all:
            yield from _closed(given, config)
            if config.dpop != "off":
                yield from _closed_to_proofs(given)
            yield from _origins(given, str(website) if api != website else None)
        yield from _open(given, [each.host for each in (api, website) if each is not None])
        yield from _around(app.user_middleware[:place])


def cors_origins(installed: Installed) -> Iterator[Origin]:
    """Yield which origins *installed* lets in by their names."""
    if installed.app is None:
        return
    for place in _places(installed.app.user_middleware):
        given = _arguments(installed.app.user_middleware[place])
        yield from filter(None, map(Origin.parse, given.texts("allow_origins")))


def _places(middlewares: Sequence[Middleware]) -> list[int]:
    """Return where in *middlewares*, the outermost first, a CORSMiddleware stands."""
    kinds: list[object] = [middleware.cls for middleware in middlewares]
    return [place for place, kind in enumerate(kinds) if isinstance(kind, type) and issubclass(kind, CORSMiddleware)]


def _around(middlewares: Sequence[Middleware]) -> Iterator[Finding]:
    """Yield the first of *middlewares* that may respond by itself."""
    for middleware in middlewares:
        kind: object = middleware.cls
        if isinstance(kind, type) and issubclass(kind, BaseHTTPMiddleware):
            yield AROUND.found(f"{kind.__name__} stands around it")
            return


def _arguments(middleware: Middleware) -> Given:
    """Return the arguments of a CORSMiddleware, however they were given, without those that a subclass of an application has."""
    kind: Any = middleware.cls
    accepts = signature(kind)
    named = {name: value for name, value in middleware.kwargs.items() if name in _KNOWN}
    positional = accepts.bind_partial(None, *middleware.args).arguments
    by_name = {name: value for name, value in positional.items() if name in _KNOWN}
    return Given(by_name | named, are_all=kind is CORSMiddleware)


def _closed(given: Given, config: SessionConfig) -> Iterator[Finding]:
    """Yield what of a request or a response is kept out."""
    allowed = given.lowered("allow_headers")
    if "*" not in allowed and (missing := {*REQUEST_HEADERS} - allowed):
        yield NO_HEADERS.found(f"without {', '.join(sorted(missing))}")
    methods = given.texts("allow_methods", default=("GET",))  # which is Starlette's default
    if not {"*", "POST"} & {*methods}:
        yield NO_POST.found(f"it has {', '.join(methods) or 'none'}")
    if not given.by_name.get("allow_credentials") and config.token_transfer_method != "header":
        yield NO_CREDENTIALS.found("it is off")
    exposed = given.lowered("expose_headers")
    if exposed and (hidden := {*RESPONSE_HEADERS} - exposed):
        yield NOT_EXPOSED.found(f"without {', '.join(sorted(hidden))}")


def _closed_to_proofs(given: Given) -> Iterator[Finding]:
    """Yield what of a DPoP proof, or of the response to one, is kept out."""
    allowed = given.lowered("allow_headers")
    if not {"*", PROOF_HEADER} & allowed:
        yield NO_PROOFS.found(f"without {PROOF_HEADER}")
    exposed = given.lowered("expose_headers")
    if exposed and (hidden := {name.lower() for name in PROOF_RESPONSE_HEADERS} - exposed):
        yield PROOFS_NOT_EXPOSED.found(f"without {', '.join(sorted(hidden))}")


def _origins(given: Given, website: str | None) -> Iterator[Finding]:
    """Yield which origins are kept out. *website* is the configured one, `None` if it is the API's own."""
    for text in given.texts("allow_origins"):
        origin = Origin.parse(text)
        if origin is not None and str(origin) != text:
            yield NOT_AS_SENT.found(f"{text!r}, which is {str(origin)!r}")
        elif origin is None and "://" not in text and text not in {"*", "null"}:
            yield NO_ORIGIN.found(repr(text))
    if website is not None and not _lets_in(given, website):
        yield KEPT_OUT.found(website)


def _open(given: Given, hosts: Sequence[str]) -> Iterator[Finding]:
    """Yield which origins are let in that are not of *hosts*."""
    if "*" in given.texts("allow_origins"):
        yield EVERYBODY.found("it has '*'")
    if "null" in given.texts("allow_origins"):
        yield NULL.found("pages in a sandbox, and files, have this origin")
    strangers = () if given.by_name.get("allow_origin_regex") is None else _strangers(hosts)
    stranger = next((each for each in strangers if _matches(given, each)), None)
    if stranger is not None:
        yield STRANGERS.found(f"{stranger} matches")


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
    expression = given.by_name.get("allow_origin_regex")
    return expression is not None and re.fullmatch(expression, origin) is not None


def _lets_in(given: Given, origin: str) -> bool:
    return bool({"*", origin} & {*given.texts("allow_origins")}) or _matches(given, origin)
