"""One request's dealings with its session: what came in, what goes out.

There is one exchange for each request: all state of the request is here or in its `Session`. The middleware puts it into the
ASGI scope, where providers find it, and writes its outcome onto whatever response starts.

A request *begins* a session if it creates, refreshes or attaches one: from then on that is the session of the request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import ReferenceType, ref

from starlette.requests import HTTPConnection
from starlette.types import Message, Scope

from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import ConfigurationError, SessionError
from fastapi_session.handles import split_handle
from fastapi_session.moving.adopters.adopter import Adopter, OldCookie
from fastapi_session.sessions import Sessions
from fastapi_session.web import transport
from fastapi_session.web.cache_headers import for_one_user
from fastapi_session.web.client_addresses import ClientAddresses
from fastapi_session.web.error_statuses import status_of
from fastapi_session.web.observed import Observed, Observing
from fastapi_session.web.refusals import HANDLERS, NO_HANDLERS, become_http_exception
from fastapi_session.web.transport import METHODS, Credentials, Method, Outcome, RawHeaders, Transport

SCOPE_KEY = "fastapi_session.exchange"

UNSENT = (
    "the response started before the transaction of a new session had committed: its tokens were not sent. Commit before that: "
    'give a dependency that commits after its `yield` Depends(..., scope="function"), or commit in the route'
)
"""Logged then. FastAPI ends the dependencies of a request when the body is sent, except those with `scope="function"`."""

logger = logging.getLogger("fastapi_session")


@dataclass(slots=True)
class Begun:
    """The session *handle* that this request created, refreshed or attached: how its tokens travel, and the engine for its verbs.

    If it began in a transaction, *sessions* is the engine within that, until the transaction has ended.
    """

    handle: str
    method: Method
    sessions: Sessions
    is_undone: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """What the exchange had recorded before a session began in a transaction: what counts again if that is rolled back."""

    outcome: Outcome | None
    issued: IssuedSession | None
    begun: Begun | None


class Exchange:
    """What one request brought, and what its response will do to the client's tokens."""

    # No scope and no connection: the scope holds the exchange, so that would be a cycle, and all that a request leaves behind
    # would wait for the garbage collector.

    __slots__ = (
        "_counted",
        "_credentials",
        "_refused",
        "_waiting",
        "access_token",
        "addresses",
        "adopters",
        "begun",
        "guard",
        "handlers",
        "has_started",
        "held",
        "issued",
        "observed",
        "outcome",
        "proves",
        "request_headers",
        "sessions",
        "transport",
        "was_asked",
    )

    def __init__(
        self,
        sessions: Sessions,
        transport: Transport,
        addresses: ClientAddresses,
        *,
        observing: Observing | None = None,
        adopters: Sequence[Adopter] = (),
    ) -> None:
        self.sessions = sessions
        self.addresses = addresses
        self.adopters = adopters
        self.transport = transport
        self._credentials: Credentials | None = None
        self.access_token = ""  # the text of the one that counts: reporters of errors would send a variable
        self.outcome: Outcome | None = None
        self.proves = False  # the access token came by the scheme DPoP, so a proof has to be there
        self.was_asked = False  # the tokens of the request were read, so the response is for its user alone
        self.has_started = False  # the response; or the socket is open: no tokens can be sent any more
        self.issued: IssuedSession | None = None  # the tokens that were recorded last for its session
        # By telemetry, if that is on; asked here, since a function that says no would cost each request one call.
        self.observed: Observed | None = None
        # Takes a `Session`, a module above this one: whoever opens a socket with it, and telemetry.
        self.guard: Callable[[Any], None] | None = None
        if observing is not None and (observing.identifies or observing.counts.is_on):
            self.observed = observing.identifying() if observing.identifies else observing.counting
            self.guard = self.observed.guard
        self.begun: Begun | None = None  # the session that this request began
        self.request_headers: RawHeaders = ()
        self.handlers = NO_HANDLERS  # of the innermost application that asked for the session
        self.held: list[Message] | None = None  # a 500 that a mounted application may have made of an error of ours
        self._waiting: tuple[Waiting, ...] = ()
        self._refused: ReferenceType[SessionError] | None = None  # weakly: its traceback knows the scope
        self._counted: ReferenceType[SessionError] | None = None

    def aside(self) -> Exchange:
        """Return an exchange of the same request that has read nothing yet, and whose outcome nobody is sent."""
        other = Exchange(self.sessions, self.transport, self.addresses)
        other.guard, other.observed, other.has_started = self.guard, self.observed, self.has_started
        return other

    def credentials(self, connection: HTTPConnection) -> Credentials:
        """Return what the request of *connection* brought. It is read at the first call and cached for the request."""
        self.was_asked = True
        if self._credentials is None:
            scope = connection.scope
            self._credentials = transport.read(
                scope["headers"], names=self.transport.names, subprotocols=scope.get("subprotocols", ())
            )
            if older := self._credentials.older_cookies:
                self._credentials.count_older(older, is_own=self.sessions.may_have_written)
        return self._credentials

    def proofs(self, connection: HTTPConnection) -> Sequence[str]:
        """Return the DPoP proofs that the request of *connection* brought."""
        if self._credentials is None and connection.scope["type"] == "http":
            # Each request that is proved comes here, and to read all its credentials takes longer.
            return transport.read_proofs(connection.scope["headers"])
        return self.credentials(connection).proofs

    def count_only_if_committed(self, begun: Begun) -> None:
        """Let what is recorded from here on count only if the transaction commits in which *begun* was written. Returns at once."""
        waiting = Waiting(self.outcome, self.issued, self.begun)
        self._waiting += (waiting,)
        if self.outcome is not None:
            self.outcome = replace(self.outcome, tokens=dict(self.outcome.tokens))

        def settle(has_committed: bool) -> None:  # noqa: FBT001 - as stores call it
            begun.sessions, begun.is_undone = self.sessions, not has_committed
            if waiting not in self._waiting:
                return  # rolled back already, with an earlier session of this request
            place = self._waiting.index(waiting)
            later = self._waiting[place + 1 :] if has_committed else ()
            self._waiting = self._waiting[:place] + later
            if not has_committed:
                self.outcome, self.issued, self.begun = waiting.outcome, waiting.issued, waiting.begun

        begun.sessions.on_end(settle)

    def ensure_not_started(self) -> None:
        """Raise `ConfigurationError` if no response can carry tokens any more."""
        if self.has_started:
            raise ConfigurationError(
                "the response to this request has started (or its socket is open), so no tokens can be sent with it: begin "
                "and refresh sessions in a route, before it responds"
            )

    def begin(self, issued: IssuedSession, begun: Begun, *, device: str | None = None, is_offered: bool = True) -> None:
        """Record the tokens of *issued*, the session that *begun* is about: from here on it is the session of this request.

        *device* is what the cookie is to have by which the browser is known again at its next sign-in, `None` to send none.
        In cookies the browser *is_offered* to bind it to its key: never a session that it may have stolen, as at a refresh.
        """
        self.begun = begun
        self.record(issued, begun.method)
        if device is not None:
            self._recorded().device = device
        if is_offered and begun.method == "cookie":
            self._recorded().offer = begun.sessions.device_binding.offer(split_handle(begun.handle)[0])

    def record(self, issued: IssuedSession, method: Method) -> None:
        """Record the tokens of *issued*, to be sent with whatever response starts. What a request records last counts.

        Nothing is recorded for an earlier session once another one has begun in this request.
        """
        if self.begun is not None and self.begun.handle != issued.access_token.session_handle:
            return
        self.issued, tokens, recorded = issued, issued.tokens, self._recorded().tokens
        before = recorded.get(method)
        if before is not None and tokens.refresh_token is None:  # a session made and changed in one request
            tokens = replace(before, access_token=tokens.access_token, claims=tokens.claims)
        recorded[method] = tokens

    def clear(self, methods: Iterable[Method] = METHODS) -> None:
        """Clear the client's tokens of *methods*."""
        self.issued = self.begun = None
        if self.outcome is not None:
            self.outcome.offer = None
        for method in methods:
            self._recorded().tokens[method] = None

    @property
    def device_cookies(self) -> Sequence[str]:
        """The names under which the cookie of a device may come, the present one first."""
        return self.transport.names.device

    def sign_out(self) -> None:
        """Clear the client's tokens, and what it has of the systems whose logins are adopted: else the next request would sign it in again."""
        self.clear()
        self._recorded().signs_out = bool(self.adopters)

    def clear_old_cookies(self, cookies: Sequence[OldCookie]) -> None:
        """Clear *cookies*, of a system whose login became the session of this request."""
        self._recorded().old_cookies += tuple(cookies)

    def send_nonce(self, nonce: str | None) -> None:
        """Send *nonce* with the response, for the next DPoP proof of the client; nothing if there is none."""
        if nonce is not None:
            self._recorded().nonce = nonce

    def clear_legacy_cookie(self) -> None:
        """Clear the cookie of clients from before there were front tokens."""
        self._recorded().clears_legacy_cookie = True

    def clear_older_cookies(self, *names: str) -> None:
        """Clear the cookies *names* under the older domain."""
        self._recorded().older_cookies = names

    def refuse(self, error: SessionError) -> None:
        """Record what *error* does to the tokens, before it is raised, so that no handler can lose it.

        Its reason is logged once, and it becomes an `HTTPException` too, as `refusals` says.
        """
        if error.clears_tokens:
            self.clear()
        if self._refused is None or self._refused() is not error:
            self._refused = ref(error)
            # DEBUG and no more: strangers can cause it at will, and would fill the log.
            logger.debug(
                "refused, %s: %s (session %s)", error.message, error.reason or "-", error.handle or "not known"
            )
        status = status_of(type(error), self.sessions.config, self.request_headers)
        become_http_exception(error, status=status, handlers=self.handlers)

    def refuse_token(self, error: SessionError, method: Method | None) -> None:
        """Do as `refuse`, for an access token that came by *method*, or for none that came, and let telemetry know."""
        # Once: a provider that is called again, for the session of a login, is told by both calls.
        if self.observed is not None and (self._counted is None or self._counted() is not error):
            self._counted = ref(error)
            self.observed.refused(error, method)
        self.refuse(error)

    def write(self, message: Message, scope: Scope) -> Message:
        """Return *message*, the start of the response to the request of *scope*, with the outcome written onto it.

        Without an outcome the response to a request whose tokens were read still says that it is for one user.
        """
        outcome, headers = self._certain_outcome(), [*message.get("headers", ())]
        if outcome is not None:
            if outcome.signs_out:
                outcome.old_cookies += self._forgotten(HTTPConnection(scope))
            https = scope.get("scheme") in ("https", "wss")
            came_as_older = self._older_cookies(scope) if self.transport.names.older else ()
            written = self.transport.write(
                headers, outcome, now=self.sessions.now(), https=https, came_as_older=came_as_older
            )
            return {**message, "headers": written}
        if self.was_asked and message["type"] != "websocket.accept":  # no cache keeps an open socket
            return {**message, "headers": for_one_user(headers)}
        return message

    def _certain_outcome(self) -> Outcome | None:
        if not self._waiting:
            return self.outcome
        logger.error(UNSENT)
        return self._waiting[0].outcome

    def _forgotten(self, connection: HTTPConnection) -> tuple[OldCookie, ...]:
        """Take the logins of other systems out of what the application has, and return the cookies in which they came."""
        # Here, since the scope is at hand: `sign_out` has no connection, and an exchange that kept one would be a cycle.
        came = [presented for adopter in self.adopters if (presented := adopter.presented(connection)) is not None]
        for presented in came:
            if presented.forget is not None:
                presented.forget()
        return tuple(cookie for presented in came for cookie in presented.cookies)

    def _older_cookies(self, scope: Scope) -> Collection[str]:
        """Return the cookies of ours that came under the names from before a change of prefix."""
        return self.credentials(HTTPConnection(scope)).older_cookies or ()

    def _recorded(self) -> Outcome:
        if self.outcome is None:
            self.outcome = Outcome()
        return self.outcome


def exchange_of(connection: HTTPConnection) -> Exchange:
    """Return the exchange of *connection*. Raises `ConfigurationError` if it has not passed `install`, inwards."""
    scope = connection.scope
    exchange: Exchange | None = scope.get(SCOPE_KEY)
    if exchange is None:
        raise ConfigurationError(
            "no sessions here: call fastapi_session.install(app, SessionConfig()) on the application that serves this route, and "
            "add a middleware that asks for sessions before that: what is added later is outside of them"
        )
    exchange.request_headers = scope["headers"]
    exchange.handlers = scope[HANDLERS] if HANDLERS in scope else NO_HANDLERS  # noqa: SIM401  get() is a call more
    return exchange
