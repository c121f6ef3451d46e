"""Adopting: a request that brings no token of ours may bring a login of another system, which becomes its session.

By which method the tokens travel:

| configured | the client says (`st-auth-mode`) | the login came | method |
|---|---|---|---|
| `cookie` or `header` | whatever it says | in whatever way | as configured |
| any | `cookie` or `header` | in whatever way | as it says |
| any | nothing | in a cookie | cookie |
| any | nothing | as a bearer token | header |

Whether the request proves that no other site forged it:

| the login came | the route asks for a proof | `anti_csrf` | the request | outcome |
|---|---|---|---|---|
| as a bearer token | whether or not | any | whatever it is | adopted |
| in a cookie | no: a GET, or as it says | any | whatever it is | adopted |
| in a cookie | yes, also to refresh | `NONE` | whatever it is | adopted |
| in a cookie | yes, also to refresh | `VIA_CUSTOM_HEADER` | has the header | adopted |
| in a cookie | yes, also to refresh | `VIA_CUSTOM_HEADER` | has none | "try refresh token"; of a refresh, "unauthorised" |
| in a cookie | yes | `VIA_TOKEN` | cannot have that token yet | "try refresh token" |
| in a cookie | to refresh | `VIA_TOKEN` | cannot have that token yet | adopted: that does no more than a GET |

A socket adopts nothing: browsers open it from a page, whose requests do. Neither does a request whose response has started, since no tokens
could be sent. No refusal clears what is not ours.
"""

from __future__ import annotations

from functools import partial

from starlette.requests import HTTPConnection

from fastapi_session.adoption import OldLogin
from fastapi_session.core.anti_csrf import AntiCsrfProof
from fastapi_session.engine.adopting import Brought
from fastapi_session.errors import ForgedRequestError
from fastapi_session.moving.adopters.adopter import Adopter, Presented
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.exchange import Begun, Exchange
from fastapi_session.web.token_choice import allowed_method, anti_csrf_mode
from fastapi_session.web.transport import Method


async def adopt_login(connection: HTTPConnection, exchange: Exchange, *, proof: AntiCsrfProof) -> bool:
    """Let a login that came be the session of this request, send its tokens with the response, and say whether there was one.

    *proof* is what the request offers against forgery if the login came in a cookie. Raises `ForgedRequestError`, `StoreUnavailable`, and
    what an adopter raises.
    """
    if connection.scope["type"] != "http" or exchange.has_started:
        return False
    for adopter in exchange.adopters:
        presented = adopter.presented(connection)
        if presented is not None and await _adopted(connection, exchange, adopter, presented=presented, proof=proof):
            return True
    return False


async def _adopted(
    connection: HTTPConnection, exchange: Exchange, adopter: Adopter, *, presented: Presented, proof: AntiCsrfProof
) -> bool:
    method = _method(connection, exchange, presented)
    brought = Brought(
        circumstances_of(connection),
        now=exchange.sessions.now(),
        anti_csrf=anti_csrf_mode(exchange, method) == "VIA_TOKEN",
    )
    login = OldLogin(adopter.name, presented.key, ask=partial(adopter.adopt, presented))
    issued = await exchange.sessions.adopt(login, brought)
    if issued is None:
        return False
    # Only now: what came need not be a login, and then the request is as any other without a token.
    if presented.method == "cookie" and not proof.holds(None):
        raise ForgedRequestError(
            "anti-CSRF: the request does not prove that no other site forged it",
            handle=issued.access_token.session_handle,
        )
    if presented.forget is None:
        exchange.clear_old_cookies([cookie for cookie in presented.cookies if not cookie.stays])
    else:
        presented.forget()
    begun = Begun(issued.access_token.session_handle, method, exchange.sessions)
    exchange.begin(issued, begun, is_offered=not issued.is_repeated)
    return True


def _method(connection: HTTPConnection, exchange: Exchange, presented: Presented) -> Method:
    """Return by which method the tokens travel, as the table says."""
    allowed = allowed_method(connection, exchange, for_create=True)
    if allowed != "any":
        return allowed
    said = exchange.credentials(connection).auth_mode
    if said is None:
        return presented.method
    return "cookie" if said == "cookie" else "header"
