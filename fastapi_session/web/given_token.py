"""A session whose access token comes in a message of a socket, and not with the handshake.

Clients of GraphQL do so, in `connection_init`: in a browser they can set no header of a socket. The token counts as if it had come
as a bearer token: it needs no proof against forgery, since no other site has it, and `token_transfer_method` has to allow that.
"""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import HTTPConnection

from fastapi_session.errors import ConfigurationError
from fastapi_session.web.exchange import SCOPE_KEY, exchange_of
from fastapi_session.web.session import Session
from fastapi_session.web.session_types import Data, Payload
from fastapi_session.web.transport import AUTHORIZATION_HEADER
from fastapi_session.web.verifying import SessionProvider

_CREDENTIALS = {b"cookie", AUTHORIZATION_HEADER.encode()}


async def session_from_token(
    socket: HTTPConnection, token: object, session: SessionProvider[Payload, Data]
) -> Session[Payload, Data]:
    """Return the session of an access token that a client has sent on *socket*; the socket is closed when it ends.

    *token* may be anything, as a client may send anything. *session* is what a route would depend on, as `verify_session()`;
    a session is required in any case. The cookies and the token of the handshake do not count.

    Raises what `get_session_from_request` does. If the endpoint does not catch it, the socket is closed with the reason.
    `ConfigurationError` if *socket* is a request.
    """
    if socket.scope["type"] != "websocket":
        raise ConfigurationError(
            "session_from_token: give a WebSocket; a request brings its token in a header or a cookie"
        )
    connection = _bringing(socket, token)
    del token  # error reporters send the local variables of this frame
    found = await replace(session, session_required=True)(connection)
    assert found is not None
    return found


def _bringing(socket: HTTPConnection, token: object) -> HTTPConnection:
    """Return the connection of *socket*, as if *token* had come with its handshake as a bearer token, and nothing else."""
    scope = socket.scope
    exchange = exchange_of(socket).aside()  # that of the socket may know already what the handshake brought
    # What is no text, or beyond ASCII, is no token of ours either, and refused as such.
    text = token.encode("ascii", "replace") if isinstance(token, str) else b""
    kept = [(name, value) for name, value in scope["headers"] if name not in _CREDENTIALS]
    headers = [*kept, (AUTHORIZATION_HEADER.encode(), b"Bearer " + text)]
    return HTTPConnection({**scope, "headers": headers, "subprotocols": [], SCOPE_KEY: exchange})
