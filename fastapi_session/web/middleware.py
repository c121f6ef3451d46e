"""The ASGI middleware of sessions: it puts an `Exchange` into each request, and its outcome onto the response.

Nobody else writes tokens. Cookies set on the `Response` that FastAPI hands to a route are lost if the route returns a response
of its own, redirects or raises; here they are written onto whatever response starts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_session.moving.adopters.adopter import Adopter
from fastapi_session.sessions import Sessions
from fastapi_session.web.cache_headers import PERSONAL, SILENT
from fastapi_session.web.client_addresses import ClientAddresses
from fastapi_session.web.exchange import SCOPE_KEY, Exchange
from fastapi_session.web.observed import Observing
from fastapi_session.web.sockets import GuardedSocket
from fastapi_session.web.transport import Transport
from fastapi_session.web.uncaught_errors import SERVER_ERROR, keep, release, responder_to


class ExchangeMiddleware:
    """Wraps an application; `install` adds it, and Starlette makes it."""

    def __init__(
        self, app: ASGIApp, sessions: Sessions, transport: Transport, adopters: Sequence[Adopter] = ()
    ) -> None:
        self.app = app
        self.sessions = sessions
        self._adopters = adopters
        self._transport = transport
        self._addresses = ClientAddresses(sessions.config)
        self._observing = Observing(sessions.telemetry_counts, identifies=sessions.config.telemetry == "identity")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one socket or the lifespan."""
        if scope["type"] != "http":
            await self._serve_other(scope, receive, send)
            return
        app: Starlette = scope["app"]
        exchange = scope[SCOPE_KEY] = Exchange(
            self.sessions,
            self._transport,
            self._addresses,
            observing=self._observing,
            adopters=self._adopters,
        )

        # Not `async`, but returning what `send` returns: a coroutine around it would cost each message of a response one more.
        def send_with_tokens(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                exchange.has_started = True
                if exchange.outcome is not None or exchange.was_asked:
                    headers = [*message.get("headers", ())]
                    is_plain = exchange.outcome is None and SILENT.issuperset(dict(headers))
                    # The usual response, inlined: a function for it would cost each request one call more.
                    message = {**message, "headers": headers + PERSONAL if is_plain else headers}
                    message = message if is_plain else exchange.write(message, scope)
                if message["status"] >= SERVER_ERROR and scope["app"] is not app:
                    exchange.held = []
            return send(message) if exchange.held is None else keep(exchange.held, message)

        try:
            await self.app(scope, receive, send_with_tokens)
        except Exception as error:  # noqa: BLE001 - `responder_to` raises again what is not ours
            responder = responder_to(error, app, is_late=exchange.has_started and exchange.held is None)
            exchange.has_started, exchange.held = False, None
            scope.update({"app": app, SCOPE_KEY: exchange})  # a mounted application has put its own there
            await responder(scope, receive, send_with_tokens)
        finally:
            if exchange.held is not None:
                await release(exchange.held, send)

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        app: Starlette = scope["app"]
        exchange = scope[SCOPE_KEY] = Exchange(
            self.sessions, self._transport, self._addresses, observing=self._observing
        )
        guarded = GuardedSocket(exchange, scope, receive, send)
        exchange.guard = guarded.add if exchange.observed is None else exchange.observed.after(guarded.add)
        try:
            await self.app(scope, guarded.receive, guarded.send)
        except Exception as error:  # noqa: BLE001 - as above
            if guarded.explains(error):  # an endpoint need not catch the end of its session
                return
            responder = responder_to(error, app)
            scope.update({"app": app, SCOPE_KEY: exchange})
            await responder(scope, guarded.receive, guarded.send)
        finally:
            guarded.stop()
            exchange.guard = None  # it knows the socket, which knows the exchange: a cycle
