"""What the flow needs of requests, responses and cookies: httpx and httpx2 have it alike, and neither has to be installed."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from http.cookiejar import CookieJar
from typing import Protocol, Self

from typing_extensions import TypeVar


class Request(Protocol):
    """A request that is to be sent."""

    @property
    def method(self) -> str:
        """The method, in capitals."""

    @property
    def url(self) -> object:
        """Where it goes; as text an absolute URL."""

    @property
    def headers(self) -> MutableMapping[str, str]:
        """Its headers, whose names have no case."""

    def read(self) -> object:
        """Read the body into memory, to be sent again."""

    async def aread(self) -> object:
        """Do as `read`, for a body that is read by `await`."""


class Response(Protocol):
    """What came back. *history* are the redirects that led to it, oldest first."""

    @property
    def request(self) -> Request:
        """The request that it responds to, which is another than the caller's after a redirect."""

    @property
    def headers(self) -> MutableMapping[str, str]:
        """Its headers, whose names have no case."""

    @property
    def history(self) -> Sequence[Self]:
        """The responses before it: to requests that were redirected, or that this flow has sent."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""

    @property
    def is_error(self) -> bool:
        """Whether the status is 4xx or 5xx."""

    @property
    def has_redirect_location(self) -> bool:
        """Whether it sends the client to another URL."""

    def read(self) -> object:
        """Read the body."""

    async def aread(self) -> object:
        """Read the body by `await`."""

    def json(self) -> object:
        """Return the body as JSON. Raises `ValueError` if it is none."""


RequestT = TypeVar("RequestT", bound=Request, default=Request)
ResponseT = TypeVar("ResponseT", bound=Response, default=Response)
_Sent = TypeVar("_Sent", bound=Request, contravariant=True)
_Came = TypeVar("_Came", bound=Response, contravariant=True)


class Cookies(Protocol[_Sent, _Came]):
    """Cookies that are kept between requests."""

    @property
    def jar(self) -> CookieJar:
        """The jar that they are in."""

    def set_cookie_header(self, request: _Sent) -> None:
        """Put those of its URL onto *request*."""

    def extract_cookies(self, response: _Came) -> None:
        """Keep those that *response* sets, and drop those that it clears."""
