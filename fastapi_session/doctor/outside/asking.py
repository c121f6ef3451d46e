"""Asking a deployment over HTTP, and what came back. Only here is httpx known, and it is imported when it is needed.

| what came back | is |
|---|---|
| a response, also an error or a redirect | a `Response`: nothing is followed, no cookie is kept |
| no response in time, no connection, no trusted certificate, a broken response | `Unreached` |

It connects directly, whatever proxy the environment names for programs of this machine: it is the deployment's that count.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from fastapi_session.clock import Clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.origin import Origin

if TYPE_CHECKING:
    import httpx

PATIENCE = 10.0
"""Seconds that a response may take, all in all."""
LARGEST = 65_536
"""Bytes of a body that are read: many times as many as any of ours has."""
_LONGEST_TEXT = 120
"""Characters of what somebody else has written that are said."""

_TOKEN = re.compile(r"[\w.%+=~-]{60,}")
"""What may be a token: no word and no name of a host is so long."""

_REDIRECTS = range(300, 400)
_TOO_MANY, _UNAVAILABLE, _ERRORS = 429, 503, 500


class Unreached(Exception):
    """There was no response, for the reason that the text says."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Between which addresses a request went, and from when until when a *certificate* is valid (milliseconds); `None` if not known."""

    own: str | None = None
    peer: str | None = None
    certificate: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What came back to what was *asked*. It was sent and had come at moments of our own clock (milliseconds)."""

    asked: str
    status: int
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    connection: Connection
    sent_at: int
    came_at: int

    def values(self, name: str) -> list[str]:
        """Return the values of all headers *name*, which is in lower case."""
        return [value for each, value in self.fields if each == name]

    def value(self, name: str) -> str | None:
        """Return the value of the header *name*, the first if there are several, `None` if there is none."""
        return next(iter(self.values(name)), None)

    def listed(self, name: str) -> set[str]:
        """Return the members of the lists that the headers *name* are, in lower case."""
        return {part.strip().lower() for value in self.values(name) for part in value.split(",")} - {""}

    def json(self) -> Any:
        """Return the body as JSON, `None` if it is none or says it is something else."""
        if "json" not in (self.value("content-type") or ""):
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def member(self, name: str) -> Any:
        """Return a member of the JSON object in the body, `None` if it has none."""
        said = self.json()
        return said.get(name) if isinstance(said, Mapping) else None

    @property
    def is_redirect(self) -> bool:
        """Whether it sends the client to another place."""
        return self.status in _REDIRECTS and self.value("location") is not None

    def __str__(self) -> str:
        """Return what was asked, and what came in a few words: no token is among them."""
        if self.is_redirect:
            return f"{self.asked}: {self.status} to {without_query(self.value('location') or '')}"
        kind = (self.value("content-type") or "without a type").partition(";")[0]
        said = self.member("message")
        return f"{self.asked}: {self.status} {in_a_line(kind)}" + (f" {in_a_line(said)!r}" if said is not None else "")


class Caller:
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
        httpx = _httpx()
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
async def calling(*, clock: Clock, transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[Caller]:
    """Give a caller, by *transport* if the connections are another's. Raises `ConfigurationError` if httpx is not installed."""
    httpx = _httpx()
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
        yield Caller(http, clock=clock)


USER_AGENT = f"fastapi-session/{version('fastapi-session-auth')} (doctor)"
"""What the requests say of themselves, and the events of the sessions that are made."""


def in_a_line(said: object) -> str:
    """Return what somebody else has written, so that it fits into a line: short, printable, and with no token that came back in it."""
    text = _TOKEN.sub("...", " ".join(str(said).split()))
    printable = "".join(each if each.isprintable() else "?" for each in text)
    return printable if len(printable) <= _LONGEST_TEXT else f"{printable[:_LONGEST_TEXT]}..."


def without_query(url: str) -> str:
    """Return *url* without what may be a secret in it: its query, its fragment, and who signs in there."""
    address = url.partition("#")[0].partition("?")[0]
    scheme, separator, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    return in_a_line(f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}" if separator else address)


def place_of(location: str, *, seen_from: str) -> tuple[Origin | None, str]:
    """Return the origin and the path of the address that a redirect *seen_from* a URL leads to; no origin if it is none."""
    try:
        parts = urlsplit(urljoin(seen_from, location))
    except ValueError:
        return None, ""
    return Origin.parse(f"{parts.scheme}://{parts.netloc}"), parts.path


def _httpx() -> Any:
    """Return httpx. Raises `ConfigurationError` if it is not installed."""
    try:
        return import_module("httpx")
    except ImportError:
        raise ConfigurationError("--url: this takes httpx, pip install 'fastapi-session-auth[cli]'") from None


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
