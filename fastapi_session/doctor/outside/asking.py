"""What comes back when a deployment is asked, and what may be said of it.

| what came back | is |
|---|---|
| a response, also an error or a redirect | a `Response`: nothing is followed, no cookie is kept |
| no response in time, no connection, no trusted certificate, a broken response | `Unreached` |

Who asks over HTTP is in `calling`, which needs httpx.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from fastapi_session.origin import Origin

_LONGEST_TEXT = 120
"""Characters of what somebody else has written that are said."""

_TOKEN = re.compile(r"[\w.%+=~-]{60,}")
"""What may be a token: no word and no name of a host is so long."""

_REDIRECTS = range(300, 400)


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


class Caller(Protocol):
    """Sends requests to a deployment, one after the other."""

    @property
    def limited(self) -> Response | None:
        """The first response of somebody in front who has had enough requests of one address, `None` if nobody had."""

    async def ask(self, method: str, url: str, headers: Mapping[str, str] = {}) -> Response:
        """Return what comes back. Raises `Unreached`."""


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
