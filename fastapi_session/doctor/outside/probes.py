"""A refresh of a session of the doctor's own, by each method and as large as tokens may be: what arrives of it.

| id | looks at | level |
|---|---|---|
| FS231 | a session of the store is refreshed there | error |
| FS236 | the longest tokens come through | warning |
| FS237 | an access token that came verifies by the keys that are published there | error |
| FS239 | a session can be begun in the store, and ended again | error |

What is looked at of headers, cookies, the address and the clock is in the modules named after them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_bytes
from urllib.parse import unquote

from fastapi_session import endpoint_paths
from fastapi_session.config import SessionConfig
from fastapi_session.core import access_token
from fastapi_session.core.foreign_keys import ForeignKeys
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.arrived_cookies import cookie_findings
from fastapi_session.doctor.outside.asking import Response, Unreached, in_a_line
from fastapi_session.doctor.outside.cleared import CACHED, LOST_ON_THE_WAY_BACK, cached
from fastapi_session.doctor.outside.connections import CLOCK_OFF, difference
from fastapi_session.doctor.outside.device_endpoints import binds
from fastapi_session.doctor.outside.own_session import OwnSessions, headers_to_refresh, own_sessions
from fastapi_session.doctor.outside.proving import ProvingKey
from fastapi_session.doctor.outside.reached import Reached
from fastapi_session.doctor.outside.recorded_address import MADE_UP, address_findings
from fastapi_session.doctor.outside.registration import registered
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import ConfigurationError, PayloadError, SessionError, StoreUnavailable
from fastapi_session.web.cookie_names import ACCESS_COOKIE, CookieNames
from fastapi_session.web.transport import (
    ACCESS_HEADER,
    ANTI_CSRF_HEADER,
    FRONT_TOKEN_HEADER,
    NONCE_HEADER,
    PROOF_HEADER,
    REFRESH_HEADER,
    Method,
)

NOT_REFRESHED = Check(
    "FS231",
    Level.ERROR,
    "a session of this store cannot be refreshed at this address",
    "name the application that is served there (--app), with the store and the secret that it has",
)
LONG_TOKENS_LOST = Check(
    "FS236",
    Level.WARNING,
    "a response with long tokens does not come through",
    "raise the buffer for the headers of a response to 16 kB, as by nginx's proxy_buffer_size 16k, or keep fewer claims in the access token",
)
NOT_VERIFIED = Check(
    "FS237",
    Level.ERROR,
    "access tokens do not verify by the keys that are published at this address",
    "serve the keys by the deployment that signs, and keep no old copy of them",
)
NO_SESSION = Check(
    "FS239",
    Level.ERROR,
    "the session of the probe could not be begun or ended",
    "look at the store; a session that is left ends after 5 minutes by itself",
)

CHECKS = (NOT_REFRESHED, LONG_TOKENS_LOST, NOT_VERIFIED, NO_SESSION)

_LARGE = {"doctor": "x" * 1_900}
"""Claims with which an access token is nearly as long as one may be."""


async def probe_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield what a session of the doctor's own shows, which begins and ends meanwhile. Raises `Unreached`."""
    if reached.known is None:
        yield NO_SESSION.found(
            f"nothing is known of what is at {reached.url}: name its application (--app), or set its variables"
        )
        return
    # A list, and no generator: what begins a session must end it, whoever stops listening.
    for finding in await _all(reached, reached.known):
        yield finding


async def _all(reached: Reached, config: SessionConfig) -> list[Finding]:
    """Return what is found by sessions in the store of *config*, or that there can be none. Raises `Unreached`."""
    found: list[Finding] = []
    try:
        async with own_sessions(config, clock=reached.clock) as sessions:
            prober = _Prober(reached, sessions)
            for method in reached.methods:
                found += await _look(prober, method)
            if NOT_REFRESHED not in [finding.check for finding in found]:
                found += await _look_at_long_tokens(prober)
    except (StoreUnavailable, SessionError, ConfigurationError) as error:
        found.append(NO_SESSION.found(in_a_line(error)))
    return found


@dataclass(frozen=True, slots=True)
class _Prober:
    """Who refreshes *sessions* of the deployment *reached*."""

    reached: Reached
    sessions: OwnSessions

    @property
    def config(self) -> SessionConfig:
        """The configuration of both."""
        return self.sessions.config

    def headers(self, issued: IssuedSession, method: Method, key: ProvingKey | None) -> dict[str, str]:
        """Return the headers of a refresh of *issued*, which is bound to *key* if one is given."""
        names, scheme = CookieNames.of(self.config), "DPoP" if key else "Bearer"
        # Of this machine no proxy tells an address, and servers that are asked directly trust it.
        told = {} if self.reached.url.is_loopback else {"x-forwarded-for": MADE_UP}
        return {**headers_to_refresh(issued, method, names=names, scheme=scheme), **told}

    async def refreshed(self, headers: Mapping[str, str], key: ProvingKey | None) -> Response:
        """Return what comes back to a refresh by *headers*, and a proof by *key*. Raises `Unreached`."""
        response = await self.reached.refresh({**headers, **self._proving(key, nonce=None)})
        if key and response.status != 200 and (nonce := response.value(NONCE_HEADER.lower())):
            response = await self.reached.refresh({**headers, **self._proving(key, nonce=nonce)})
        return response

    def key_for(self, method: Method) -> ProvingKey | None:
        """Return a key, if a session is to be bound to one whose tokens travel by *method*."""
        return ProvingKey() if method == "header" and self.config.dpop != "off" else None

    def _proving(self, key: ProvingKey | None, *, nonce: str | None) -> dict[str, str]:
        if key is None:
            return {}
        url, now = self.reached.at(endpoint_paths.REFRESH), self.reached.clock()
        return {PROOF_HEADER: key.dpop_proof(url, now=now, random=token_bytes, nonce=nonce)}


async def _look(prober: _Prober, method: Method) -> list[Finding]:
    """Return what a refresh by *method* shows. Raises `Unreached`, `StoreUnavailable`."""
    key, reached = prober.key_for(method), prober.reached
    found: list[Finding] = []
    async with prober.sessions.begun(bound_key=None if key is None else key.bound_key) as issued:
        headers = prober.headers(issued, method, key)
        challenge = prober.sessions.offer(issued)
        if method == "cookie" and binds(reached) and challenge is not None:
            found, headers = await registered(reached, headers, challenge)
        response = await prober.refreshed(headers, key)
        if response.status != 200:
            return [*found, NOT_REFRESHED.found(str(response))]
        found += [*_of_headers(response, method, prober.config)]
        if method == "cookie":
            found += cookie_findings(response, url=reached.url, config=prober.config)
        found += await _of_address(prober, issued, response)
        return found + await _of_token(reached, response, method, CookieNames.of(prober.config))


def _of_headers(response: Response, method: Method, config: SessionConfig) -> Iterator[Finding]:
    """Yield what of the headers with tokens is lost."""
    by_token = method == "cookie" and config.anti_csrf == "VIA_TOKEN"
    wanted = [FRONT_TOKEN_HEADER, *([ACCESS_HEADER, REFRESH_HEADER] if method == "header" else [])]
    wanted += [ANTI_CSRF_HEADER] if by_token else []
    if lost := [name for name in wanted if not response.value(name)]:
        yield LOST_ON_THE_WAY_BACK.found(f"{', '.join(lost)} of {response}")
    for seen in cached(response):
        yield CACHED.found(seen)


async def _of_address(prober: _Prober, issued: IssuedSession, response: Response) -> list[Finding]:
    """Return what is wrong with the address that the store has of the session since. Raises `StoreUnavailable`."""
    recorded = await prober.sessions.recorded_address(issued)
    return [*address_findings(recorded, response.connection, precision=prober.config.ip_address_precision)]


async def _of_token(reached: Reached, response: Response, method: Method, names: CookieNames) -> list[Finding]:
    """Return what is wrong with the access token that came. Raises `Unreached`."""
    token = access_token.parse(_access_token(response, method, names))
    if token is None:  # what it came in is changed or lost, which has been found
        return []
    found = []
    off = difference(token.content.issued_at * 1000, sent_at=response.sent_at, came_at=response.came_at)
    if off is not None:
        found.append(CLOCK_OFF.found(f"by the access token that was issued it is {off}"))
    published = await reached.get(endpoint_paths.JWKS)
    try:
        key = ForeignKeys(published.json()).find(token.kid, token.algorithm)
    except ValueError:
        return found  # which has been found too
    if key is None or not key.has_signed(token.text.rpartition(".")[0].encode("ascii"), token.signature):
        found.append(NOT_VERIFIED.found(f"signed by the key {token.kid}, {published}"))
    return found


def _access_token(response: Response, method: Method, names: CookieNames) -> str:
    if method == "header":
        return response.value(ACCESS_HEADER) or ""
    pairs = (header.partition(";")[0].partition("=") for header in response.values("set-cookie"))
    return next((unquote(value) for name, _, value in pairs if name.strip() == names.on_wire[ACCESS_COOKIE]), "")


async def _look_at_long_tokens(prober: _Prober) -> list[Finding]:
    """Return it if the longest tokens do not come through. Raises `Unreached`, `StoreUnavailable`."""
    method = next(iter(prober.reached.methods), None)
    if method is None:
        return []
    key = prober.key_for(method)
    with suppress(PayloadError):  # the address is so long that the claims do not fit
        async with prober.sessions.begun(payload=_LARGE, bound_key=None if key is None else key.bound_key) as issued:
            try:
                response = await prober.refreshed(prober.headers(issued, method, key), key)
            except Unreached as error:
                return [LONG_TOKENS_LOST.found(str(error))]
            if response.status != 200:
                return [LONG_TOKENS_LOST.found(f"claims of {len(_LARGE['doctor'])} bytes, {response}")]
    return []
