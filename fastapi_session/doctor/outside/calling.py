"""Asking a deployment over HTTP. Only here is httpx known: who asks imports this when it is needed.

It connects directly, whatever proxy the environment names for programs of this machine: it is the deployment's that count.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from fastapi_session.clock import Clock
from fastapi_session.doctor.outside.asking import USER_AGENT, Connection, Response, Unreached, in_a_line, without_query

PATIENCE = 10.0
"""Seconds that a response may take, all in all."""
LARGEST = 65_536
"""Bytes of a body that are read: many times as many as any of ours has."""
_TOO_MANY, _UNAVAILABLE, _ERRORS = 429, 503, 500


class HttpCaller:
    """Sends requests to a deployment, one after the other, by *http*; *clock* says when.

    What was *limited* is the first response of somebody in front who has had enough requests of one address, `None` if nobody had.
    """

    def __init__(self, http: httpx.AsyncClient, *, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._arrived: set[str] = set()
        self.limited: Response | None = None

    async def ask(self, method: str, url: str, headers: Mapping[str, str] = {}) -> Response:
        """Return what comes back. Raises `Unreached`."""
        asked, sent_at = f"{method} {without_query(url)}", self._clock()
        try:
            async with asyncio.timeout(PATIENCE), self._http.stream(method, url, headers=dict(headers)) as came:
                connection, body = _connection(came), await _beginning_of(came)
        except TimeoutError:
            raise Unreached(f"{asked}: no response in {PATIENCE:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Without its cause: frames of a client have what was sent in their variables.
            raise Unreached(f"{asked}: {type(error).__name__} {in_a_line(error)}".rstrip()) from None
        fields = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in came.headers.raw)
        response = Response(asked, came.status_code, fields, body, connection, sent_at, self._clock())
        self._note(response)
        return response

    def _note(self, response: Response) -> None:
        """Note whether *response* is that of a limit: 429, which no application of ours sends, or a 503 where it was none before."""
        is_refused = response.status == _UNAVAILABLE and response.json() is None and response.asked in self._arrived
        if response.status == _TOO_MANY or is_refused:
            self.limited = self.limited or response
        elif response.status < _ERRORS:
            self._arrived.add(response.asked)


@asynccontextmanager
async def calling(clock: Clock, *, transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[HttpCaller]:
    """Give a caller who goes by *clock*, by *transport* if the connections are another's."""
    headers = {"user-agent": USER_AGENT, "accept": "application/json"}
    nothing_kept = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    trusted: Callable[[], ssl.SSLContext] = ssl.create_default_context  # that of the system, or of SSL_CERT_FILE
    async with httpx.AsyncClient(
        transport=transport,
        verify=trusted(),
        headers=headers,
        cookies=nothing_kept,
        timeout=PATIENCE,
        trust_env=False,
    ) as http:
        yield HttpCaller(http, clock=clock)


async def _beginning_of(came: httpx.Response) -> bytes:
    """Return the body, or as much of it as is read."""
    body = b""
    async for part in came.aiter_bytes():
        body += part
        if len(body) > LARGEST:
            break
    return body[:LARGEST]


def _connection(came: httpx.Response) -> Connection:
    stream: Any = came.extensions.get("network_stream")
    try:
        tls = stream.get_extra_info("ssl_object")
        own, peer = (_host(stream.get_extra_info(name)) for name in ("client_addr", "server_addr"))
        said = None if tls is None else tls.getpeercert()
        begins, ends = (
            ssl.cert_time_to_seconds(said[name]) * 1000 if said else 0 for name in ("notBefore", "notAfter")
        )
    except (AttributeError, OSError, ValueError):  # a transport of another, or the server has closed it already
        return Connection()
    return Connection(own, peer, (begins, ends) if said else None)


def _host(address: object) -> str | None:
    return str(address[0]) if isinstance(address, tuple) and address else None
