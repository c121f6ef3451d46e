"""A test's client that binds its sessions to a key, as browsers do that can (Device Bound Session Credentials).

| a request or a response | the client |
|---|---|
| a response offers to bind a session | registers its key at once |
| a request is guarded, and the credential has ended by the clock of the sessions | renews it first, and once more if it is challenged |
| the renewal fails since the store is down | sends the request as it is, and says so in `Secure-Session-Skipped` |
| the server ends the session, or refuses the renewal | forgets it |

It has a key of its own in software, and knows nothing of the quotas of real browsers.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from fastapi_session.client.flow import SessionFlow
from fastapi_session.core import base64url, jws
from fastapi_session.core.signatures import sign
from fastapi_session.engine.binding.device_binding import PROOF_TYPE
from fastapi_session.sessions import Sessions
from fastapi_session.testing.client import Client, ensure_keeps_cookies
from fastapi_session.web.device_session import (
    CHALLENGE_HEADER,
    IDENTIFIER_HEADER,
    OFFER_HEADER,
    PROOF_HEADER,
    SKIPPED_HEADER,
)

MOST_CHALLENGES = 3
"""How many challenges of one renewal are answered."""

_OFFER = re.compile(r'\([A-Za-z0-9 ]+\);path="([^"]+)";challenge="([^"]+)"')
_CHALLENGE = re.compile(r'"([^"]+)";id="([^"]+)"')
_COOKIE = re.compile(r"([^=;]+)=([^;]*);.*?(?:Max-Age=(\d+)|$)", re.DOTALL)


class HookedClient(Client, Protocol):
    """A client that calls hooks. Those of httpx and httpx2, sync and async, and Starlette's TestClient have it."""

    event_hooks: Any
    """What is called with each request and each response."""

    def request(self, method: str, url: str, *, headers: Any, auth: Any) -> Any:
        """Send a request."""


AnyClient = TypeVar("AnyClient", bound=HookedClient)
Steps = Generator[tuple[str, dict[str, str]], Any, None]
"""Posts to send, each as a path and headers, to the responses that come back."""


def bind_device(client: AnyClient, sessions: Sessions) -> AnyClient:
    """Let *client* bind its sessions to a key of its own, and prove that before it refreshes; return the client.

    It does so for each session that begins in cookies from here on by a route of the application, as `device_binding` says; those
    of `sign_in` are begun by no response, so they stay unbound. `auto_refresh` may come before or after.

    Raises `ConfigurationError` if the client does not send the cookies back.
    """
    ensure_keeps_cookies(client, sessions.config)
    browser = DeviceBrowser(client, sessions)
    for name, steps in (("request", browser.before), ("response", browser.after)):
        hook = _awaiting(client, steps) if hasattr(client, "aclose") else _calling(client, steps)
        client.event_hooks = {**client.event_hooks, name: [*client.event_hooks[name], hook]}
    return client


def _calling(client: HookedClient, steps: Callable[[Any], Steps]) -> Callable[[Any], None]:
    def hook(message: Any) -> None:
        todo = steps(message)
        try:
            path, headers = next(todo)
            while True:
                path, headers = todo.send(client.request("POST", path, headers=headers, auth=None))
        except StopIteration:
            return

    return hook


def _awaiting(client: HookedClient, steps: Callable[[Any], Steps]) -> Callable[[Any], Awaitable[None]]:
    async def hook(message: Any) -> None:
        todo = steps(message)
        try:
            path, headers = next(todo)
            while True:
                path, headers = todo.send(await client.request("POST", path, headers=headers, auth=None))
        except StopIteration:
            return

    return hook


@dataclass(frozen=True)
class _Guarded:
    """A session that is bound: where it is renewed, what it guards, and until when (milliseconds) its credential lasts."""

    identifier: str
    renewal: str
    scope: tuple[tuple[str, str], ...]
    challenge: str = field(repr=False, default="")
    until: int = 0

    def guards(self, path: str) -> bool:
        """Say whether requests to *path* are held until the credential is there."""
        matching = [kind for kind, start in self.scope if path == start or path.startswith(f"{start.rstrip('/')}/")]
        return bool(matching) and matching[-1] == "include" and path != self.renewal


class DeviceBrowser:
    """What a browser has of sessions that it binds: its key, and the rules of each."""

    def __init__(self, client: HookedClient, sessions: Sessions) -> None:
        self._client = client
        self._sessions = sessions
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._guarded: dict[str, _Guarded] = {}
        self._paths: set[str] = set()

    def before(self, request: Any) -> Steps:
        """Renew what *request* needs, and put it there."""
        path = urlsplit(str(request.url)).path
        if path in self._paths:
            return
        for guarded in [*self._guarded.values()]:
            if guarded.guards(path) and guarded.until <= self._sessions.now():
                yield from self._renew(guarded, request)

    def after(self, response: Any) -> Steps:
        """Register the key, if *response* offers to bind a session."""
        offer = _OFFER.fullmatch(response.headers.get(OFFER_HEADER, ""))
        if offer is None:
            return
        path, challenge = offer.groups()
        self._paths.add(path)
        registered = yield path, {PROOF_HEADER: self._proof(challenge, jwk=self._public_jwk())}
        if registered.status_code == 200:
            self._take(registered)

    def _renew(self, guarded: _Guarded, request: Any) -> Steps:
        response = yield guarded.renewal, self._renewing(guarded)
        for _ in range(MOST_CHALLENGES):
            challenge = _CHALLENGE.fullmatch(response.headers.get(CHALLENGE_HEADER, ""))
            if response.status_code != 403 or challenge is None:
                break
            response = yield guarded.renewal, self._renewing(replace(guarded, challenge=challenge[1]))
        if response.status_code >= 500:
            request.headers[SKIPPED_HEADER] = f'server_error;session_identifier="{guarded.identifier}"'
        elif response.status_code == 200 and response.json().get("continue", True):
            self._take(response)
            _put_cookies(request, response)
        else:
            del self._guarded[guarded.identifier]

    def _renewing(self, guarded: _Guarded) -> dict[str, str]:
        self._paths.add(guarded.renewal)
        proof = {PROOF_HEADER: self._proof(guarded.challenge)} if guarded.challenge else {}
        return {IDENTIFIER_HEADER: f'"{guarded.identifier}"', **proof}

    def _take(self, response: Any) -> None:
        """Take the rules and the challenge that *response* brings, and when the credential ends."""
        rules, challenge = response.json(), _CHALLENGE.fullmatch(response.headers.get(CHALLENGE_HEADER, ""))
        name, lives = rules["credentials"][0]["name"], {name: life for name, _, life in _cookies(response)}
        self._guarded[rules["session_identifier"]] = _Guarded(
            rules["session_identifier"],
            rules["refresh_url"],
            tuple((rule["type"], rule["path"]) for rule in rules["scope"]["scope_specification"]),
            challenge=challenge[1] if challenge else "",
            until=self._sessions.now() + lives.get(name, 0) * 1000,
        )
        if isinstance(self._client.auth, SessionFlow):
            self._client.auth.take(response)

    def _proof(self, challenge: str, **header: Any) -> str:
        said = {"typ": PROOF_TYPE, "alg": "ES256", **header}
        signing_input = f"{jws.segment(said)}.{jws.segment({'jti': challenge})}"
        return f"{signing_input}.{base64url.encode(sign(signing_input.encode(), self._key))}"

    def _public_jwk(self) -> dict[str, Any]:
        point = self._key.public_key().public_numbers()
        x, y = (base64url.encode(number.to_bytes(32)) for number in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def _cookies(response: Any) -> list[tuple[str, str, int]]:
    """Return the cookies that *response* sets, each with its value and for how many seconds."""
    read = [_COOKIE.match(text) for text in response.headers.get_list("set-cookie")]
    return [(each[1], each[2], int(each[3] or 0)) for each in read if each is not None]


def _put_cookies(request: Any, response: Any) -> None:
    """Put the cookies that *response* sets onto *request*, in the place of those of the same names."""
    new = {name: value for name, value, _ in _cookies(response)}
    kept = [each for each in request.headers.get("cookie", "").split("; ") if each.partition("=")[0] not in new]
    request.headers["cookie"] = "; ".join([*filter(None, kept), *(f"{name}={value}" for name, value in new.items())])
