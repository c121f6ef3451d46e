"""What a response does to the client's tokens, read from the wire as a client would read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.cookies import SimpleCookie

from httpx2 import Response

from tests.wire import (
    ACCESS_COOKIE,
    ACCESS_HEADER,
    ANTI_CSRF,
    FRONT_TOKEN,
    LEGACY_COOKIE,
    REFRESH_COOKIE,
    REFRESH_HEADER,
)

COOKIES = (ACCESS_COOKIE, REFRESH_COOKIE, LEGACY_COOKIE)
NAMED = (FRONT_TOKEN, ACCESS_HEADER, REFRESH_HEADER, ANTI_CSRF)
EXPOSED = "access-control-expose-headers"

KEPT: dict[str, str] = {}
CLEARED = {
    FRONT_TOKEN: "cleared",
    ACCESS_HEADER: "cleared",
    REFRESH_HEADER: "cleared",
    ACCESS_COOKIE: "cleared",
    REFRESH_COOKIE: "cleared",
}
NEW = {
    "cookie": {FRONT_TOKEN: "new", ACCESS_COOKIE: "new", REFRESH_COOKIE: "new"},
    "header": {FRONT_TOKEN: "new", ACCESS_HEADER: "new", REFRESH_HEADER: "new"},
}
"""The tokens of a session that was created or refreshed, by transfer method."""
OTHER_CLEARED = {
    "cookie": {ACCESS_HEADER: "cleared", REFRESH_HEADER: "cleared"},
    "header": {ACCESS_COOKIE: "cleared", REFRESH_COOKIE: "cleared"},
}
"""What is cleared beside new tokens of a method, if the other method's came too."""

UNAUTHORISED = {"message": "unauthorised"}
TRY_REFRESH_TOKEN = {"message": "try refresh token"}
THEFT = {"message": "token theft detected"}


def change(response: Response) -> dict[str, str]:
    """Say what becomes of each token: "new" or "cleared". What is not named stays as it is."""
    headers = {name: _of_header(response.headers[name]) for name in NAMED if name in response.headers}
    cookies = {name: text.partition(";")[0] for name, text in set_cookies(response) if name in COOKIES}
    return headers | {name: "new" if value else "cleared" for name, value in cookies.items()}


def _of_header(value: str) -> str:
    return "cleared" if value in {"", "remove"} else "new"


def set_cookies(response: Response) -> list[tuple[str, str]]:
    """The name and the rest of each Set-Cookie header, in order."""
    pairs = [text.partition("=") for text in response.headers.get_list("set-cookie")]
    return [(name, rest) for name, _, rest in pairs]


def exposed(response: Response) -> list[str]:
    """The headers that scripts of other origins may read."""
    return [name.strip() for name in response.headers.get(EXPOSED, "").split(",") if name.strip()]


@dataclass(frozen=True)
class Held:
    """The tokens that a client holds, by the way they travel."""

    method: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    anti_csrf: str | None = field(repr=False, default=None)

    @classmethod
    def of(cls, response: Response, method: str) -> Held:
        """Take the tokens that *response* brings by *method*."""
        anti_csrf = response.headers.get(ANTI_CSRF)
        if method == "header":
            names = (ACCESS_HEADER, REFRESH_HEADER)
            return cls(method, response.headers[names[0]], response.headers[names[1]], anti_csrf)
        jar = SimpleCookie()
        for text in response.headers.get_list("set-cookie"):
            jar.load(text.replace("; Partitioned", ""))  # which http.cookies knows since Python 3.14
        return cls(method, jar[ACCESS_COOKIE].value, jar[REFRESH_COOKIE].value, anti_csrf)

    def to_call(self) -> dict[str, str]:
        """The headers of an ordinary request."""
        if self.method == "header":
            return {"authorization": f"Bearer {self.access}"}
        return {"cookie": f"{ACCESS_COOKIE}={self.access}"}

    def to_refresh(self) -> dict[str, str]:
        """The headers of a refresh."""
        if self.method == "header":
            return {"authorization": f"Bearer {self.refresh}"}
        return {"cookie": f"{ACCESS_COOKIE}={self.access}; {REFRESH_COOKIE}={self.refresh}"}
