"""What is lost on the way: the application clears tokens that are none, so a refresh with such a one shows which headers pass.

| id | looks at | level |
|---|---|---|
| FS206 | no cache has, or may keep, a response that changes tokens | error |
| FS208 | the headers with tokens come back, and `Set-Cookie` | error |
| FS209 | `Authorization` arrives, and in cookie mode `Cookie` and `rid` | error |
| FS210 | a token as long as tokens may be arrives too | error |

By `anti_csrf="VIA_TOKEN"` no cookie without its session is cleared: then nothing is known of cookie mode without `--probe`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

from fastapi_session.config import SessionConfig
from fastapi_session.core.access_token_size import MAX_LENGTH
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.asking import Response, in_a_line
from fastapi_session.doctor.outside.reached import Reached
from fastapi_session.web.cookie_names import ACCESS_COOKIE, CookieNames
from fastapi_session.web.transport import (
    ACCESS_HEADER,
    AUTHORIZATION_HEADER,
    FRONT_TOKEN_HEADER,
    REFRESH_HEADER,
    Method,
)

CACHED = Check(
    "FS206",
    Level.ERROR,
    "a cache has, or may keep, responses that change the tokens of a client",
    "let the Cache-Control of the application pass, and keep the session endpoints out of every cache",
)
LOST_ON_THE_WAY_BACK = Check(
    "FS208",
    Level.ERROR,
    "headers that the application sends do not reach its clients",
    "let these headers pass: proxies that hide headers need a list of those that may",
)
LOST_ON_THE_WAY_THERE = Check(
    "FS209",
    Level.ERROR,
    "headers that a client sends do not reach the application",
    "let these headers pass, Authorization too: proxies that check it themselves often take it away",
)
TOO_LONG = Check(
    "FS210",
    Level.ERROR,
    "a request with a long token is refused before it reaches the application",
    "raise the limit for a header to 8 kB, as by nginx's large_client_header_buffers 4 8k",
)

CHECKS = (CACHED, LOST_ON_THE_WAY_BACK, LOST_ON_THE_WAY_THERE, TOO_LONG)

COOKIE_HEADER = "set-cookie"
_EMPTY = (ACCESS_HEADER, REFRESH_HEADER)
"""Headers that are empty in such a response. Some proxies leave out both for that, and clients do not miss them."""
_BACK: Mapping[Method, tuple[str, ...]] = {
    "header": (FRONT_TOKEN_HEADER,),
    "cookie": (FRONT_TOKEN_HEADER, COOKIE_HEADER),
}
"""What a response has that clears tokens, by the method by which they came."""
_THERE: Mapping[Method, str] = {"header": "Authorization", "cookie": "Cookie or rid"}
_SHORT, _LONG = "none", "n" * MAX_LENGTH

_HITS = ("x-cache", "x-cache-status", "cf-cache-status", "cache-status", "x-proxy-cache")
"""Headers by which caches say that a response is theirs."""


async def hit_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield it if a cache responds to a refresh in place of the application. Raises `Unreached`."""
    response = await reached.refresh()
    if by := _hits(response):
        yield CACHED.found(f"a cache had it already, by {by}, {response}")


async def header_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield what is lost on the way. Raises `Unreached`."""
    for method in _shown(reached):
        response = await reached.refresh(bringing(method, _SHORT, reached.known))
        came = {name for name in (FRONT_TOKEN_HEADER, COOKIE_HEADER, *_EMPTY) if response.values(name)}
        lost = [name for name in (*_BACK[method], *(_EMPTY if came & {*_EMPTY} else ())) if name not in came]
        if not came:
            yield LOST_ON_THE_WAY_THERE.found(f"{_THERE[method]} in {response}")
            continue
        if lost:
            yield LOST_ON_THE_WAY_BACK.found(f"{', '.join(lost)} of {response}")
        for seen in cached(response):
            yield CACHED.found(seen)
        long = await reached.refresh(bringing(method, _LONG, reached.known))
        if long.status != response.status:
            yield TOO_LONG.found(f"{MAX_LENGTH} characters in {_THERE[method].partition(' ')[0]}, {long}")


def bringing(method: Method, text: str, config: SessionConfig | None) -> dict[str, str]:
    """Return the headers of a refresh that brings *text*, which is no token, by *method*."""
    if method == "header":
        return {AUTHORIZATION_HEADER: f"Bearer {text}"}
    names = CookieNames() if config is None else CookieNames.of(config)
    return {"cookie": f"{names.on_wire[ACCESS_COOKIE]}={text}"}


def cached(response: Response) -> Iterator[str]:
    """Yield why a cache has *response*, which changes tokens, or may keep it."""
    if "no-store" not in response.listed("cache-control"):
        said = in_a_line(", ".join(response.values("cache-control")) or "nothing")
        yield f"Cache-Control has no no-store, but says {said}, {response}"
    if by := _hits(response):
        yield f"a cache had it already, by {by}, {response}"


def _hits(response: Response) -> str:
    """Return by which headers it shows that a cache had *response* already, empty if by none."""
    hits = [name for name in _HITS if any("hit" in value.lower() for value in response.values(name))]
    ages = [name for name in ("age",) if response.value(name) not in (None, "0")]
    return ", ".join([*hits, *ages])


def _shown(reached: Reached) -> tuple[Method, ...]:
    """Return the methods by which a token that is none is cleared."""
    by_token = reached.config is not None and reached.config.anti_csrf == "VIA_TOKEN"
    return tuple(method for method in reached.methods if not (by_token and method == "cookie"))
