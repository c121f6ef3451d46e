"""A site whose pages the server renders, and a browser without a window that goes there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from httpx2 import Response

from fastapi_session import CreateSession, Session, Sessions, create_session, install, session_router, verify_session
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import HOUR
from tests.wire import AUTH_MODE

PAGE = {"accept": "text/html,*/*;q=0.8", "sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin"}
PART = {"accept": "*/*", "hx-request": "true", "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin"}
REFRESH = "/auth/session/refresh/page"

Required = Annotated[Session, Depends(verify_session())]
Optional = Annotated[Session | None, Depends(verify_session(session_required=False))]


@dataclass
class Visitor:
    """A browser: it keeps cookies, follows redirects as the Fetch standard has it, and remembers where it was."""

    client: TestClient
    clock: HandClock
    sessions: Sessions
    seen: list[str] = field(default_factory=list)

    def go(self, path: str, method: str = "GET", **options: Any) -> Response:
        headers = {**PAGE, **options.pop("headers", {})}
        response = self.client.request(method, path, headers=headers, **options)
        self.seen = [f"{each.status_code} {each.url.raw_path.decode()}" for each in [*response.history, response]]
        return response

    def once(self, path: str, method: str = "GET", **options: Any) -> Response:
        """Go, and stop where a redirect leads on."""
        return self.go(path, method, follow_redirects=False, **options)

    def sign_in(self) -> None:
        assert 200 == self.client.post("/login", headers={AUTH_MODE: "cookie"}).status_code

    def wait(self, time: timedelta = HOUR) -> None:
        """Let the access token end. What was just remembered of a refresh is forgotten by then."""
        self.clock.advance(time)
        if "sRefreshed" in self.client.cookies:
            self.client.cookies.delete("sRefreshed")

    def ask(self, verb: Any, *arguments: Any) -> Any:
        assert self.client.portal is not None
        return self.client.portal.call(verb, *arguments)

    @property
    def is_signed_in(self) -> bool:
        return bool(self.ask(self.sessions.of_user, "ada"))

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.client.cookies.jar}


def site(sessions: Sessions, prefix: str = "/auth") -> FastAPI:
    """An application with a page for users, one for everybody, and a form."""
    app = FastAPI()
    install(app, sessions)
    app.include_router(session_router(prefix, pages=True))

    @app.post("/login")
    async def login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("ada")

    @app.get("/page")
    @app.head("/page")
    async def page(session: Required, q: str = "") -> str:
        return f"{session.user_id} {q}"

    @app.get("/optional")
    async def optional(session: Optional) -> str:
        return session.user_id if session else "nobody"

    @app.post("/save")
    @app.put("/save")
    async def save(session: Required, request: Request) -> str:
        return f"{session.user_id} saved {(await request.body()).decode()}"

    @app.get("/asked")
    async def asked(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> str:
        return session.user_id

    return app


@contextmanager
def visited(app: FastAPI, sessions: Sessions, clock: HandClock, **options: Any) -> Iterator[Visitor]:
    with TestClient(app, raise_server_exceptions=False, **options) as client:
        yield Visitor(client, clock, sessions)


def sessions_of(clock: HandClock, **options: Any) -> Sessions:
    return engine(clock, **{"access_token_validity_jitter": 0, "login_url": "/sign-in", **options})
