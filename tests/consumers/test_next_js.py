"""Pages that Next.js renders on its server, by supertokens-auth-react as it was published."""

from __future__ import annotations

import json
from typing import Annotated, Any

import httpx2
from fastapi import Depends, FastAPI

from fastapi_session import CreateSession, MemoryStore, SessionConfig, create_session, install, session_router
from tests.browser.server import serve
from tests.browser.setup import NEXT
from tests.consumers.packages import node
from tests.wire import ACCESS_COOKIE, AUTH_MODE, FRONT_TOKEN, REFRESH_PATH

PAYLOAD = {"role": {"z": 1, "a": [{"y": 2, "b": "ü"}]}, "b": 1.5, "a": None, "10": 0}
"""Keys in no order, at any depth."""


def application(origin: str) -> FastAPI:
    app = FastAPI()
    config = SessionConfig(store=MemoryStore(), api_domain=origin, access_token_signing_algorithm="RS256")
    install(app, config)
    app.include_router(session_router())

    @app.post("/login")
    async def login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("ada", access_token_payload=PAYLOAD)

    return app


def rendered(origin: str, *, refreshes: int) -> Any:
    """What the helpers return for a client that has just signed in, and refreshed so often."""
    with httpx2.Client(base_url=origin, headers={AUTH_MODE: "cookie"}) as client:
        response = client.post("/login")
        for _ in range(refreshes):
            response = client.post(REFRESH_PATH, headers={"rid": "anti-csrf"})
        # The npm client keeps the front token as a cookie of the page.
        cookies = {ACCESS_COOKIE: client.cookies[ACCESS_COOKIE], "sFrontToken": response.headers[FRONT_TOKEN]}
    return node("next_js.cjs", origin, json.dumps(cookies), package=NEXT)


def test_rendering_with_a_session() -> None:
    """With RS256, server components, server actions and getServerSideProps know the session, also once it was refreshed."""
    with serve(application) as server:
        told = [rendered(server.origin, refreshes=refreshes) for refreshes in (0, 1)]

    for each in told:
        session = each["component"]
        assert {"status": "valid", "session": session} == each["action"]
        assert {"props": {"session": session}} == each["props"]
        assert ("ada", True) == (session["userId"], session["doesSessionExist"])
        assert PAYLOAD == {name: session["accessTokenPayload"][name] for name in PAYLOAD}
