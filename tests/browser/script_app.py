"""An application that serves the client of its pages itself, and a page that is nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, RedirectResponse

from fastapi_session import (
    BooleanClaim,
    CreateSession,
    IssuedSession,
    Session,
    SessionConfig,
    SessionEvent,
    Sessions,
    StoreUnavailable,
    TryRefreshTokenError,
    create_session,
    get_all_cors_headers,
    get_sessions,
    install,
    session_router,
    verify_session,
)
from fastapi_session.testing import HandClock


async def never(_user_id: str, _tenant_id: str, _payload: object) -> bool:
    return False


SUDO = BooleanClaim("sudo", never)

SignedIn = Annotated[Session, Depends(verify_session())]
Creating = Annotated[CreateSession, Depends(create_session())]

PAGE = """<!doctype html><title>A page</title><script type="module">
  const names = Object.keys(globalThis).join(), own = globalThis.fetch;
  const { createSession } = await import("%s/auth/client.js");
  const options = Object.fromEntries(new URLSearchParams(location.search));
  const ends = [], asked = [];
  const session = createSession({
    ...options,
    onEnd: () => ends.push(1),
    onStepUp: async (errors) => (asked.push(errors), (await session.fetch("/sudo", { method: "POST" })).ok),
  });
  const untouched = globalThis.fetch === own && Object.keys(globalThis).join() === names;
  const call = async (method, path) => {
    const response = await session.fetch(new URL(path, "%s" || location.href), { method });
    return [response.status, await response.json()];
  };
  const many = (number, path) => Promise.all(Array.from({ length: number }, () => call("GET", path)));
  Object.assign(globalThis, { session, ends, asked, untouched, call, many });
</script>"""


class Outage(Sessions):
    """The engine, whose refreshes find the store down as often as *outages* says."""

    outages = 0

    async def refresh(self, token: str, **options: Any) -> IssuedSession:
        if self.outages:
            self.outages -= 1
            raise StoreUnavailable("down")
        return await super().refresh(token, **options)


@dataclass
class ScriptApp:
    """The application, and what a test does to it from outside."""

    config: SessionConfig
    clock: HandClock = field(default_factory=lambda: HandClock(time.time_ns() // 1_000_000))
    down: int = 0
    happened: list[str] = field(default_factory=list)
    app: FastAPI = field(init=False)
    sessions: Outage = field(init=False)

    def __post_init__(self) -> None:
        self.app = FastAPI(routes=routes.routes)  # which finds out once what they need
        self.sessions = Outage(self.config, claims=[SUDO], clock=self.clock, subscribers=[self.take_down])
        install(self.app, self.sessions)
        self.app.include_router(session_router(client=True))
        self.app.add_middleware(
            CORSMiddleware,
            allow_origins=[self.config.website_domain],
            allow_credentials=True,
            allow_methods=["*"],
            allow_headers=get_all_cors_headers(),
        )

        @self.app.api_route("/busy", methods=["GET", "POST"])
        async def busy() -> str:
            self.down -= 1
            if self.down >= 0:
                raise StoreUnavailable("down")
            return "done"

    async def take_down(self, event: SessionEvent) -> None:
        self.happened.append(type(event).__name__)


routes = APIRouter()


@routes.get("/", response_class=HTMLResponse)
async def page() -> str:
    return PAGE % ("", "")


@routes.post("/login")
async def login(create: Creating) -> str:
    await create("ada", access_token_payload={"plan": "größer"})
    return "ada"


@routes.get("/me")
async def me(session: SignedIn) -> str:
    return session.user_id


@routes.post("/end-all")
async def end_all(sessions: Annotated[Sessions, Depends(get_sessions())]) -> int:
    return len(await sessions.revoke_all("ada"))


@routes.get("/wrong")
async def wrong() -> None:
    raise HTTPException(401, "the application's own")


@routes.post("/login-and-go")
async def login_and_go(create: Creating) -> RedirectResponse:
    await create("ada")
    return RedirectResponse("/me", 303)


@routes.get("/led")
async def led(to: str) -> RedirectResponse:
    return RedirectResponse(to)


@routes.get("/eve")
async def eve(create: Creating) -> str:
    await create("eve")
    return "eve"


@routes.get("/stale")
async def stale() -> None:
    raise TryRefreshTokenError


@routes.get("/theme")
async def theme(session: SignedIn, theme: Annotated[str, Cookie()]) -> str:
    return f"{theme} {session.user_id}"


@routes.post("/size")
async def size(request: Request, _session: SignedIn) -> int:
    return len(await request.body())


@routes.post("/sudo")
async def sudo(session: SignedIn) -> bool:
    await session.set_claim_value(SUDO, True)
    return True


@routes.post("/elevate")
async def elevate(session: SignedIn) -> str:
    await session.elevate("otp")
    return session.user_id


@routes.get("/vault")
async def vault(session: Annotated[Session, Depends(verify_session(SUDO.is_true()))]) -> str:
    return session.user_id


@routes.get("/bound")
async def bound(session: Annotated[Session, Depends(verify_session(bound=True))]) -> bool:
    return session.bound


@routes.websocket("/socket")
async def socket(socket: WebSocket, session: SignedIn) -> None:
    await socket.accept()
    await socket.send_text(session.user_id)
    await socket.close()


def page_app(api: str) -> FastAPI:
    """A page of another origin than its API, and a route that looks like the API's refusal and is none."""
    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["*"])

    @app.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return PAGE % (api, api)

    @app.get("/refused")
    async def refused() -> None:
        raise HTTPException(401, "foreign", {"x-foreign": "1"})

    return app
