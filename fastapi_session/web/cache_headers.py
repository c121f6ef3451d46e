"""The cache headers of a response whose request had to do with a session: no shared cache gives one user's page to the next.

| the request | `Vary` | `Cache-Control` | headers that override `Cache-Control` |
|---|---|---|---|
| asked for no session | as the application set it | as the application set it | as the application set them |
| asked for a session, whether or not one came | and `Cookie, Authorization` | `private`, unless it has `no-store` | removed |
| has tokens sent or cleared | the same | `no-store`, whatever it was | removed |

Without these headers, a shared cache decides by heuristics of its own (RFC 9111, section 4.2.2).
"""

from __future__ import annotations

import re

Headers = list[tuple[bytes, bytes]]

_VARY = b"vary"
_CACHE_CONTROL = b"cache-control"

WHAT_COUNTS = (b"Cookie", b"Authorization")
"""The request headers that decide for whom a response is."""

PERSONAL: Headers = [(_VARY, b", ".join(WHAT_COUNTS)), (_CACHE_CONTROL, b"private")]
"""What is added to a response that has no header for caches."""

SILENT = frozenset(
    {b"content-length", b"content-type", b"content-encoding", b"location", b"etag", b"last-modified", b"set-cookie"}
)
"""Headers of most responses that say nothing to caches. A response with these alone takes the short way, in `middleware`."""

_ABOVE_CACHE_CONTROL = frozenset({b"surrogate-control", b"x-accel-expires"})
"""What Fastly and nginx follow in place of `Cache-Control`."""
_DIRECTIVE = re.compile(rb'(?:[^,"]|"[^"]*"?)+')
_OF_SHARED_CACHES = frozenset({b"public", b"private", b"s-maxage"})


def for_one_user(headers: Headers) -> Headers:
    """Return the response *headers* so that caches give the response to no other user."""
    said = [directive for directive in _directives(headers) if _name(directive) not in _OF_SHARED_CACHES]
    if b"no-store" not in map(_name, said):
        said.insert(0, b"private")
    return [*_without(headers), _vary(headers), (_CACHE_CONTROL, b", ".join(said))]


def for_nobody(headers: Headers) -> Headers:
    """Return the response *headers* so that no cache keeps the response."""
    return [*_without(headers), _vary(headers), (_CACHE_CONTROL, b"no-store")]


def _without(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if not _is_to_caches(name.lower())]


def _is_to_caches(name: bytes) -> bool:
    """Say whether a header is `Vary`, `Cache-Control` or one that overrides it."""
    # By its end, since a content delivery network follows a targeted header such as `CDN-Cache-Control` in place of
    # `Cache-Control` (RFC 9213, section 2.2), and each may have one of its own.
    return name == _VARY or name.endswith(_CACHE_CONTROL) or name in _ABOVE_CACHE_CONTROL


def _vary(headers: Headers) -> tuple[bytes, bytes]:
    named = [part.strip() for name, value in headers if name.lower() == _VARY for part in value.split(b",")]
    known = {each.lower() for each in named}
    added = [each for each in WHAT_COUNTS if each.lower() not in known]
    return _VARY, b", ".join([*filter(None, named), *added])


def _directives(headers: Headers) -> list[bytes]:
    """Return the directives of `Cache-Control` (RFC 9111, section 5.2), in order."""
    values = [value for name, value in headers if name.lower() == _CACHE_CONTROL]
    return [text for value in values for each in _DIRECTIVE.findall(value) if (text := each.strip())]


def _name(directive: bytes) -> bytes:
    return directive.partition(b"=")[0].strip().lower()
