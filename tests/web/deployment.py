"""An application with sessions and an endpoint of every kind, driven over HTTP while its clock is driven by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from httpx2 import Response

from fastapi_session import (
    ClaimFailure,
    CreateSession,
    InvalidClaimsError,
    Session,
    Sessions,
    create_session,
    install,
    session_router,
    verify_session,
)
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.moving import Adopter
from fastapi_session.testing import HandClock
from tests.engines import ORIGIN
from tests.moments import PAST_GRACE
from tests.web.wire import Held
from tests.wire import AUTH_MODE, REFRESH_PATH

Verified = Annotated[Session, Depends(verify_session())]

PAGE = "https://page.example"
CROSS_SITE: Mapping[str, Any] = {
    "api_domain": "https://api.example",
    "website_domain": PAGE,
    "access_token_validity_jitter": 0,
    "anti_csrf": "VIA_TOKEN",
}
"""Options of an API whose page is of another site."""


ENDPOINTS = APIRouter()
"""An endpoint of every kind, made once: what FastAPI finds out of each takes it longer than a request."""


@ENDPOINTS.post("/login")
async def _login(user_id: str, create: Annotated[CreateSession, Depends(create_session())]) -> dict[str, str]:
    session = await create(user_id, access_token_payload={"plan": "pro"}, session_data={"theme": "dark"})
    return {"user_id": session.user_id}


@ENDPOINTS.get("/me")
@ENDPOINTS.post("/me")
async def _me(session: Verified) -> dict[str, str]:
    return {"user_id": session.user_id}


@ENDPOINTS.get("/optional")
async def _optional(
    session: Annotated[Session | None, Depends(verify_session(session_required=False))],
) -> dict[str, str | None]:
    return {"user_id": session.user_id if session else None}


@ENDPOINTS.get("/checked")
async def _checked(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> dict[str, str]:
    return {"user_id": session.user_id}


@ENDPOINTS.get("/asked-twice", dependencies=[Depends(verify_session(anti_csrf_check=False))])
async def _asked_twice(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> dict[str, str]:
    return {"user_id": session.user_id}


@ENDPOINTS.get("/guarded")
async def _guarded(session: Annotated[Session, Depends(verify_session(anti_csrf_check=True))]) -> dict[str, str]:
    return {"user_id": session.user_id}


@ENDPOINTS.post("/unguarded")
async def _unguarded(session: Annotated[Session, Depends(verify_session(anti_csrf_check=False))]) -> dict[str, str]:
    return {"user_id": session.user_id}


@ENDPOINTS.post("/merge")
async def _merge(session: Verified) -> dict[str, Any]:
    await session.merge_into_access_token_payload({"plan": "max"})
    return dict(session.claims)


@ENDPOINTS.get("/admin")
async def _admin(session: Verified) -> None:
    raise InvalidClaimsError([ClaimFailure("st-role", {"expected": "admin"}), ClaimFailure("st-mfa")])


async def echo(websocket: WebSocket, session: Verified) -> None:
    """Say whose socket it is, and then what the client says."""
    await websocket.accept()
    await websocket.send_text(session.user_id)
    async for text in websocket.iter_text():
        await websocket.send_text(text)


@dataclass
class Deployment:
    """One application, its sessions, its clock, and a client that keeps no cookies of its own accord."""

    app: FastAPI
    sessions: Sessions
    clock: HandClock
    client: TestClient

    def get(self, path: str, *headers: Mapping[str, str]) -> Response:
        return self.request("GET", path, *headers)

    def post(self, path: str, *headers: Mapping[str, str]) -> Response:
        return self.request("POST", path, *headers)

    def request(self, method: str, path: str, *headers: Mapping[str, str]) -> Response:
        sent = {name: value for given in headers for name, value in given.items()}
        return self.client.request(method, path, headers=sent, follow_redirects=False)

    def login(self, method: str = "cookie", user_id: str = "ada") -> Held:
        return Held.of(self.post(f"/login?user_id={user_id}", {AUTH_MODE: method}), method)

    def refresh(self, held: Held, *headers: Mapping[str, str]) -> Response:
        return self.post(REFRESH_PATH, held.to_refresh(), *headers)

    def refreshed(self, held: Held, *headers: Mapping[str, str]) -> Held:
        """The tokens that come for *held* once it may be rotated."""
        self.clock.advance(PAST_GRACE)
        return Held.of(self.refresh(held, *headers), held.method)

    def users(self, *user_ids: str) -> list[str]:
        """Which of *user_ids* have a session, once for each."""
        return [found.user_id for user_id in user_ids or ["ada"] for found in self.ask(self.sessions.of_user, user_id)]

    def ask(self, verb: Any, *arguments: Any) -> Any:
        """What *verb* answers on the event loop of the application, after everything in the background is done."""
        assert self.client.portal is not None
        self.client.portal.call(finish_background, self.sessions)
        return self.client.portal.call(verb, *arguments)


async def finish_background(sessions: Sessions) -> None:
    """Wait for what *sessions* does when nobody waits."""
    await sessions._parts.background.finish()


async def signing_key(sessions: Sessions) -> SigningKey:
    """The key that *sessions* signs with now."""
    return await sessions._parts.keyring.signing_key()


def application(sessions: Sessions, *, adopters: Sequence[Adopter] = ()) -> FastAPI:
    """An application with an endpoint of every kind."""
    app = FastAPI(routes=ENDPOINTS.routes)
    install(app, sessions, adopters=adopters)
    app.include_router(session_router(sessions.config.api_base_path))
    return app


@contextmanager
def deployed(app: FastAPI, sessions: Sessions, clock: HandClock, base_url: str = ORIGIN) -> Iterator[Deployment]:
    """Serve *app* for as long as the context lasts."""
    no_jar = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    with TestClient(app, base_url=base_url, cookies=no_jar, raise_server_exceptions=False) as client:
        yield Deployment(app, sessions, clock, client)
