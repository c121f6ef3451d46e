"""An application over HTTP for each row of the page, and how a row finds the function that proves it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from httpx2 import Response

from fastapi_session import (
    BooleanClaim,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    Session,
    SessionInformation,
    Sessions,
    create_new_session_in_request,
    install,
    session_router,
    verify_session,
)
from fastapi_session.model import Json
from fastapi_session.testing import HandClock
from tests.engines import config
from tests.wire import AUTH_MODE

NOW = 2_000_000_000
PAYLOAD, DATA = {"plan": "pro"}, {"theme": "dark"}
CALL = {AUTH_MODE: "cookie", "rid": "anti-csrf"}

Prove = Callable[..., Any]
PROOFS: dict[str, tuple[Prove, tuple[str, ...]]] = {}

Verified = Annotated[Session, Depends(verify_session())]


def row(old: str, *arguments: str) -> Callable[[Prove], Prove]:
    """Name the row, by the first call in it, that the function proves."""

    def register(prove: Prove) -> Prove:
        assert old not in PROOFS, old
        PROOFS[old] = prove, arguments
        return prove

    return register


async def fetch_role(user_id: str, tenant_id: str, payload: Json) -> str:
    return f"admin of {tenant_id}" if user_id == "ada" else "guest"


async def fetch_groups(user_id: str, tenant_id: str, payload: Json) -> list[str]:
    return ["staff", "editors"]


async def fetch_paying(user_id: str, tenant_id: str, payload: Json) -> bool:
    return True


Role = PrimitiveClaim("role", fetch_role)
Groups = PrimitiveArrayClaim("groups", fetch_groups)
Paying = BooleanClaim("paying", fetch_paying)


@dataclass
class Visit:
    """What a route holds while it proves a row."""

    request: Request
    session: Session
    sessions: Sessions

    @property
    def handle(self) -> str:
        return self.session.handle

    async def information(self) -> SessionInformation:
        information = await self.sessions.information(self.handle)
        assert information is not None
        return information

    async def payload(self) -> Json:
        return (await self.information()).access_token_payload


@dataclass
class Site:
    """An application over HTTP, and a client that keeps its cookies as a browser does."""

    app: FastAPI
    sessions: Sessions
    client: TestClient
    clock: HandClock

    def sign_in(self) -> Response:
        response = self.client.post("/login")
        assert 200 == response.status_code
        return response

    def me(self) -> int:
        return self.client.get("/me").status_code

    def visit(self, prove: Prove, *arguments: str) -> Response:
        """Sign in, and have *prove* called in a route."""

        async def route(request: Request, session: Verified) -> None:
            await prove(Visit(request, session, self.sessions), *arguments)

        self.app.post("/visit")(route)
        self.sign_in()
        response = self.client.post("/visit")
        assert 200 == response.status_code
        return response

    def ask(self, verb: Callable[[], Any]) -> Any:
        """What *verb* answers on the event loop of the application."""
        assert self.client.portal is not None
        return self.client.portal.call(verb)


@dataclass
class Serve:
    """Serves applications for as long as a test lasts."""

    stack: ExitStack
    clock: HandClock

    def __call__(
        self, *, engine: type[Sessions] = Sessions, prepare: Any = None, parts: Any = None, **options: Any
    ) -> Site:
        app = FastAPI()
        sessions = engine(config(**options), clock=self.clock, **(parts or {}))
        install(app, sessions)
        app.include_router(session_router(sessions.config.api_base_path))
        app.post("/login")(login)
        app.get("/me")(me)
        if prepare is not None:
            prepare(app)
        client = TestClient(app, base_url=sessions.config.api_domain, headers=CALL)
        return Site(app, sessions, self.stack.enter_context(client), self.clock)


async def login(request: Request) -> None:
    await create_new_session_in_request(request, "ada", access_token_payload=PAYLOAD, session_data=DATA)


async def me(session: Verified) -> str:
    return session.user_id


def cookies_of(response: Response) -> dict[str, str]:
    """The attributes of each cookie that *response* sets."""
    parted = [text.partition("=") for text in response.headers.get_list("set-cookie")]
    return {name: rest for name, _, rest in parted}


async def welcome() -> str:
    return "welcome"
