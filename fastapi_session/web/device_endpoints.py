"""The endpoints by which a browser binds a session to its key, and renews what it guards by it (Device Bound Session Credentials).

`POST .../session/device`, with a proof in `Secure-Session-Response`:

| outcome of `engine.binding.device_binding` | response |
|---|---|
| bound | 200, the rules of `device_session` as JSON, the credential as a cookie and the challenge for the next proof |
| refused | 403, nothing changes |

`POST .../session/device/renewal` with the session identifier in `Sec-Secure-Session-Id`, and a proof or none:

| outcome | response |
|---|---|
| no session identifier came | 400 |
| renewed | 200, as above |
| challenged | 403 with a challenge, nothing changes: the browser comes again with a proof |
| ended, or the identifier is none of ours | 200, `{"session_identifier": ..., "continue": false}`, no cookie |

`POST .../session/refresh/device` is for `device_binding_scope="all"`: the same, and what is renewed is refreshed too:

| the refresh | response |
|---|---|
| succeeds | 200, the new tokens beside all that |
| brings no refresh token of the session, or is refused and has no session to go on with | 200, `"continue": false`, tokens cleared as the refusal says |
| is refused for the moment | 503 |

With that scope the other two send the access token anew if it came, to be kept as the browser guards it.

Each of them responds with 503 if the store is down. With anything else, a 429, a 408, any other 4xx or a redirect, a browser ends the
binding for good. There is no anti-CSRF check: the proof shows more than that, and older browsers send no `Origin` here.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from fastapi_session import endpoint_paths
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.anti_csrf import NOT_ASKED
from fastapi_session.core.binding.bound_keys import Possession
from fastapi_session.core.binding.device_values import read_session_identifier
from fastapi_session.engine.binding.device_binding import Bound, Challenged, Ended
from fastapi_session.errors import SessionError, StoreUnavailable, TokenTheftError, UnauthorisedError
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.cookies import SET_COOKIE_HEADER
from fastapi_session.web.device_session import CHALLENGE_HEADER, IDENTIFIER_HEADER, PROOF_HEADER, ended
from fastapi_session.web.exchange import exchange_of
from fastapi_session.web.refreshing import refresh_with_proof
from fastapi_session.web.session_types import SessionTypes
from fastapi_session.web.token_choice import presented_access_tokens
from fastapi_session.web.transport import RETRY_AFTER_HEADER

NOT_BOUND = "this key cannot be bound"
"""The message of the refusal of a registration."""
NOT_STORED = {"Cache-Control": "no-store"}

_ITEM = re.compile(r'[ \t]*(?:"([^"\\]*)"|([^"\\,; \t]+))[ \t]*(?:;.*)?')
"""A string as a header has it (RFC 9651, section 3.3.3), with parameters that nobody knows. Chromium sends a proof without the quotes."""

logger = logging.getLogger("fastapi_session")


def serve_device_binding(router: APIRouter) -> None:
    """Add all three to *router*."""
    add = router.add_api_route
    add(endpoint_paths.DEVICE, _register, methods=["POST"], include_in_schema=False)
    add(endpoint_paths.DEVICE_RENEWAL, _renew, methods=["POST"], include_in_schema=False)
    add(endpoint_paths.DEVICE_REFRESH, _refresh, methods=["POST"], include_in_schema=False)


async def _register(request: Request) -> Response:
    proof, binding = _item(request, PROOF_HEADER), exchange_of(request).sessions.device_binding
    try:
        came_with = set() if proof is None else {*await _contents(request)}
        bound = await binding.register(proof or "", came_with=came_with, by=circumstances_of(request))
        if bound is None:
            logger.debug("a browser asked in vain to bind a session to its key")
            return JSONResponse({"message": NOT_BOUND}, 403, NOT_STORED)
        if bound.credential is not None:
            await _guard_access_token(request, bound)
    except StoreUnavailable as error:
        return _come_again(error)
    return _responding(request, bound)


async def _renew(request: Request) -> Response:
    try:
        outcome = await _renewed(request)
        if isinstance(outcome, Response):
            return outcome
        await _guard_access_token(request, outcome)
    except StoreUnavailable as error:
        return _come_again(error)
    return _responding(request, outcome)


async def _refresh(request: Request) -> Response:
    try:
        outcome = await _renewed(request)
        if isinstance(outcome, Response):
            return outcome
        if not _brings_refresh_token(request, outcome.record.session_id):
            return JSONResponse(ended(outcome.identifier), headers=NOT_STORED)
        proved = Possession(outcome.bound_key, outcome.record.session_id)
        # No anti-CSRF proof: only the browser can have made the proof of the key.
        await refresh_with_proof(request, NOT_ASKED, types=SessionTypes(), possession=proved)
    except StoreUnavailable as error:
        return _come_again(error)
    except (UnauthorisedError, TokenTheftError):
        return JSONResponse(ended(_item(request, IDENTIFIER_HEADER) or ""), headers=NOT_STORED)
    except SessionError as error:
        return _come_again(error)
    return _responding(request, outcome)


async def _renewed(request: Request) -> Bound | Response:
    """Return what is renewed, or the response if nothing is. Raises `StoreUnavailable`."""
    text, exchange = _item(request, IDENTIFIER_HEADER), exchange_of(request)
    if text is None:
        return JSONResponse({"message": "no session identifier came"}, 400, NOT_STORED)
    identifier = read_session_identifier(text)
    outcome: Bound | Challenged | Ended = "ended"
    if identifier is not None:
        proof, came_with = _item(request, PROOF_HEADER), {*await _contents(request)}
        outcome = await exchange.sessions.device_binding.renew(identifier, proof, came_with=came_with)
    if isinstance(outcome, Bound):
        return outcome
    if outcome == "ended":
        return JSONResponse(ended(text), headers=NOT_STORED)
    challenge = exchange.transport.device_session.challenge(outcome.challenge, text)
    return JSONResponse({"message": "prove the key"}, 403, {**NOT_STORED, CHALLENGE_HEADER: challenge})


def _responding(request: Request, bound: Bound) -> Response:
    exchange, https = exchange_of(request), request.scope.get("scheme") == "https"
    told = exchange.transport.device_session
    headers = {**NOT_STORED, CHALLENGE_HEADER: told.challenge(bound.challenge, bound.identifier)}
    response = JSONResponse(told.rules(bound.identifier, https=https), headers=headers)
    if bound.credential is not None:
        cookie = exchange.transport.binding(bound.credential, now=exchange.sessions.now(), https=https)
        response.raw_headers.append((SET_COOKIE_HEADER, cookie))
    return response


async def _guard_access_token(request: Request, bound: Bound) -> None:
    """Send the access token of the *bound* session anew, if the browser is to guard it."""
    exchange = exchange_of(request)
    if not exchange.transport.device_session.guards_all:
        return
    # If the store fails just now: the session is bound, and a browser that is told of an error would not know it.
    with suppress(StoreUnavailable):
        content = (await _contents(request)).get(bound.record.session_id)
        if content is not None:
            content = replace(content, is_device_bound=True)
            exchange.record(await exchange.sessions.reissue(content, bound.record.access_token_payload), "cookie")


async def _contents(request: Request) -> dict[str, AccessToken]:
    """Return the genuine access tokens that came in cookies, expired or not, by their sessions. Raises `StoreUnavailable`."""
    exchange = exchange_of(request)
    presented = presented_access_tokens(exchange.credentials(request))
    in_cookies = [token for method, token in presented if method == "cookie"]
    genuine = [token.content for token in in_cookies if await exchange.sessions.verified_handle(token) is not None]
    return {content.session_id: content for content in genuine}


def _brings_refresh_token(request: Request, session_id: str) -> bool:
    exchange = exchange_of(request)
    credentials, sessions = exchange.credentials(request), exchange.sessions
    return credentials.bearer is None and any(
        sessions.is_refresh_token(text, session_id=session_id) for text in credentials.refresh_cookies
    )


def _item(request: Request, header: str) -> str | None:
    """Return the string that *header* has, quoted or bare; `None` if it is not there, there twice, or no string."""
    values = request.headers.getlist(header)
    read = _ITEM.fullmatch(values[0]) if len(values) == 1 else None
    return None if read is None else read[1] or read[2] or None


def _come_again(error: StoreUnavailable | SessionError) -> Response:
    # Not left to a handler, which may be the application's: a browser bears nothing but this.
    if isinstance(error, StoreUnavailable):
        logger.error("the session store is unavailable: %s", error)
    return JSONResponse({"message": "come again"}, 503, {**NOT_STORED, RETRY_AFTER_HEADER: "1"})
