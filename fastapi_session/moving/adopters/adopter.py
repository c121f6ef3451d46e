"""What an adopter is: it knows the logins of one other system, as requests bring them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from starlette.requests import HTTPConnection

from fastapi_session.adoption import Adoption
from fastapi_session.async_functions import ensure_async
from fastapi_session.model import Json

LONGEST_LOGIN = 400 * 24 * 60 * 60 * 1000
"""Milliseconds for which a login may be adopted that the other system never ends."""

LONGEST_NAME = 64
"""Characters of the name of another system."""

Check = Callable[[Adoption, Json], Awaitable[Adoption | None]]
"""An async function of the application: given an adoption, and what the other system keeps with the login, it returns the adoption to make.

That is the same, or one with a payload and data (`dataclasses.replace`), or `None` for a user who may not come in any more.
"""


def awaited(check: Check) -> Check:
    """Return *check*. Raises `ConfigurationError` if it is no async function of two arguments."""
    ensure_async(check, "check", takes=("adoption", "kept"))
    return check


@dataclass(frozen=True, slots=True)
class OldCookie:
    """A cookie as the other system sets it: browsers clear the one of the same *name*, *path* and *domain*.

    One that *stays* is cleared by a sign-out alone, so that the other system can take over again with nobody logged out.
    """

    name: str
    path: str = "/"
    domain: str | None = None
    stays: bool = False
    same_site: Literal["lax", "strict", "none"] = "lax"
    partitioned: bool = False


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request brings of the other system: perhaps a login, which is not known until `Adopter.adopt` has found it.

    *key* is one text for each login: two devices have two, and a device has the same one until it has moved. Nobody can make up or vary it.
    It came by *method*: in a cookie, or as a bearer token. *content* is for the adopter itself.
    *cookies* are cleared by the response that has the new tokens, and by a sign-out. If the application goes on with them, *forget* takes
    the login out of what it has, and only a sign-out clears them.
    """

    key: str = field(repr=False)
    method: Literal["cookie", "header"] = "cookie"
    content: Any = field(default=None, repr=False)
    cookies: tuple[OldCookie, ...] = ()
    forget: Callable[[], object] | None = field(default=None, repr=False)


@runtime_checkable
class Adopter(Protocol):
    """Finds logins of another system in requests that bring no token of ours.

    What an adopter raises is raised in the request: `StoreUnavailable` is a 503, and anything else a fault of the adopter, a 500. The client
    keeps what it has.
    """

    @property
    def name(self) -> str:
        """What the other system is called, 1 to 64 characters: the `source` of its sessions. It may never change."""

    def presented(self, connection: HTTPConnection) -> Presented | None:
        """Return what the request brings of the other system, `None` if that is nothing. No I/O: every visitor comes through here."""

    async def adopt(self, presented: Presented) -> Adoption | None:
        """Return what the other system says of the login, `None` if it knows no such login, or not any more."""
