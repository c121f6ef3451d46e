"""What a browser sends that binds a session to its key, and what it is told, on the wire; the names are typed by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from httpx2 import Response

from fastapi_session.audit import Audit
from fastapi_session.core import base64url, jws
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import Reading
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.core.binding import provers
from tests.core.binding.provers import PRIVATE, Private
from tests.web.deployment import Deployment
from tests.web.wire import Held, set_cookies
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE

OFFER = "secure-session-registration"
CHALLENGE = "secure-session-challenge"
PROOF = "secure-session-response"
IDENTIFIER = "sec-secure-session-id"
SKIPPED = "secure-session-skipped"
BINDING_COOKIE = "sBinding"
DEVICE_PATH = "/auth/session/device"
RENEWAL_PATH = "/auth/session/device/renewal"
DEVICE_REFRESH_PATH = "/auth/session/refresh/device"

HTTPS = "https://api.example.com"
BOUND: dict[str, Any] = {"api_domain": HTTPS, "device_binding": "optional"}
"""Options of an application that binds the sessions of browsers that can."""

OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


class DownStore(MemoryStore):
    """Fails at what device binding asks, while it is *down*."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.down = False

    async def get(self, session_id: str) -> Reading:
        self._ensure_up()
        return await super().get(session_id)

    async def bind(self, session_id: str, bound_key: str, *, audit: Audit | None = None) -> bool:
        self._ensure_up()
        return await super().bind(session_id, bound_key, audit=audit)

    async def once(self, digest: bytes, *, until: int) -> bool:
        self._ensure_up()
        return await super().once(digest, until=until)

    def _ensure_up(self) -> None:
        if self.down:
            raise StoreUnavailable("the store is down")


@dataclass(frozen=True)
class Browser:
    """A browser that has signed in: its tokens, the challenge that it was offered, its key, and what it was told when it bound that."""

    held: Held
    challenge: str = field(repr=False)
    private: Private = field(repr=False, default=PRIVATE["ES256"])
    algorithm: str = "ES256"
    identifier: str = ""
    next_challenge: str = field(default="", repr=False)
    credential: str = field(default="", repr=False)

    def proof(self, challenge: str | None = None, **said: Any) -> str:
        """A proof of its key with *challenge*, as it registers the key: with a `jwk`."""
        claims = {"jti": self.challenge if challenge is None else challenge, **said.pop("claims", {})}
        header = {"typ": "dbsc+jwt", "private": self.private, **said}
        return provers.proof(claims, self.algorithm, **header)

    def renewing(self, challenge: str | None = None, **said: Any) -> str:
        """A proof of its key as it renews: without a `jwk`."""
        return self.proof(self.next_challenge if challenge is None else challenge, **{"jwk": None, **said})

    def told(self, response: Response) -> Browser:
        """This browser after *response*."""
        next_challenge, identifier = challenged(response) or (self.next_challenge, self.identifier)
        credential = credential_in(response) or self.credential
        return replace(self, next_challenge=next_challenge, identifier=identifier, credential=credential)

    def to_refresh(self) -> dict[str, str]:
        """The headers of a refresh."""
        cookies = f"{ACCESS_COOKIE}={self.held.access}; {REFRESH_COOKIE}={self.held.refresh}"
        return {"cookie": f"{cookies}; {BINDING_COOKIE}={self.credential}" if self.credential else cookies}


def signed_in(deployment: Deployment, user_id: str = "ada", **options: Any) -> Browser:
    """A browser of *user_id* that was offered to bind its session."""
    response = deployment.post(f"/login?user_id={user_id}", {"st-auth-mode": "cookie"})
    challenge = offered(response)
    assert challenge is not None
    return Browser(Held.of(response, "cookie"), challenge, **options)


def bound(deployment: Deployment, user_id: str = "ada", **options: Any) -> Browser:
    """A browser of *user_id* that has bound its session."""
    browser = signed_in(deployment, user_id, **options)
    response = register(deployment, browser)
    assert 200 == response.status_code
    return browser.told(response)


def register(deployment: Deployment, browser: Browser, proof: str | None = None, **headers: str) -> Response:
    """The response to the registration of the key of *browser*."""
    sent = {PROOF: browser.proof() if proof is None else proof, **headers}
    return deployment.post(DEVICE_PATH, browser.held.to_call(), sent)


def renew(deployment: Deployment, browser: Browser, proof: str | None = "", **headers: str) -> Response:
    """The response to a renewal by *browser*, with its next proof; `None` is no proof."""
    sent = {IDENTIFIER: f'"{browser.identifier}"', "cookie": f"{ACCESS_COOKIE}={browser.held.access}", **headers}
    if proof is not None:
        sent[PROOF] = proof or browser.renewing()
    return deployment.post(RENEWAL_PATH, sent)


def twice(deployment: Deployment, path: str, header: str, **headers: str) -> Response:
    """The response to a request that has *header* in two lines."""
    lines = [*headers.items(), (header, headers[header])]
    return deployment.client.post(path, headers=lines)


def offered(response: Response) -> str | None:
    """The challenge with which a session may be bound, `None` if it was not offered."""
    found = re.fullmatch(
        r'\(ES256 RS256\);path="/auth/session/device";challenge="([A-Za-z0-9_-]+)"', response.headers.get(OFFER, "")
    )
    return None if found is None else found[1]


def challenged(response: Response) -> tuple[str, str] | None:
    """The challenge for the next proof, and the session identifier that it is for."""
    found = re.fullmatch(r'"([A-Za-z0-9_-]+)";id="([A-Za-z0-9_.-]+)"', response.headers.get(CHALLENGE, ""))
    return None if found is None else (found[1], found[2])


def credential_in(response: Response, name: str = BINDING_COOKIE) -> str:
    """What the response sets as the credential, "" for nothing."""
    return dict(set_cookies(response)).get(name, "").partition(";")[0]


def payload_of(proof: str) -> Any:
    return jws.read_segment(proof.split(".")[1])


def tampered(proof: str) -> str:
    """*proof* with another signature."""
    signed, _, signature = proof.rpartition(".")
    return f"{signed}.{base64url.encode(bytes(len(base64url.decode(signature) or b'')))}"
