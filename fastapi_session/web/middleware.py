"""Pure ASGI: an Exchange into each request, its outcome onto each response.

The one owner of what goes out. Cookies set on FastAPI's injected Response are lost when a route returns its own Response,
redirects or raises; here they are written onto whatever response starts.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_session.sessions import Sessions
from fastapi_session.web.exchange import SCOPE_KEY, Exchange
from fastapi_session.web.recognised import Recognised
from fastapi_session.web.sockets import GuardedSocket
from fastapi_session.web.transport import Transport


class ExchangeMiddleware:
    """Wraps an application, as `install` has Starlette do it."""

    def __init__(self, app: ASGIApp, sessions: Sessions, transport: Transport) -> None:
        self.app = app
        self.sessions = sessions
        self._transport = transport
        self._recognised = Recognised()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            return self.app(scope, receive, send)
        exchange = scope[SCOPE_KEY] = Exchange(self.sessions, self._transport, self._recognised)
        if kind == "websocket":
            return self._serve_socket(exchange, scope, receive, send)

        def send_with_tokens(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                exchange.has_answered = True
                if exchange.outcome is not None:
                    message = exchange.write(message, scope)
            return send(message)

        return self.app(scope, receive, send_with_tokens)

    async def _serve_socket(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        guarded = GuardedSocket(exchange, scope, receive, send)
        exchange.guard = guarded.add
        try:
            await self.app(scope, guarded.receive, guarded.send)
        except Exception as error:
            if not guarded.explains(error):  # an endpoint need not catch what was done to it here
                raise
        finally:
            guarded.stop()
            exchange.guard = None  # which would be a cycle
