"""Writes down what supertokens-python over FastAPI sends at a log-in, by running it against a core that answers with golden tokens.

Run it in an environment that has the package, once for each way against forgery:
`python -m tests.supertokens_core.record_sdk VIA_TOKEN > tests/supertokens_core/sdk_responses/VIA_TOKEN.json`, then `NONE`.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from supertokens_python import InputAppInfo, SupertokensConfig, init
from supertokens_python.framework.fastapi import get_middleware
from supertokens_python.recipe import session
from supertokens_python.recipe.session.asyncio import create_new_session
from supertokens_python.types import RecipeUserId

from tests.supertokens_core.golden import golden
from tests.supertokens_core.old_backend import AntiCsrf, claims_of, recorded_tokens, timeless

ORIGIN = "http://localhost:8000"


class Core(BaseHTTPRequestHandler):
    """Answers as a core does, to the requests that a log-in makes: who it is, of whom it knows nothing, and a session."""

    anti_csrf: AntiCsrf = "NONE"

    def do_GET(self) -> None:
        self.answer({"versions": ["5.4"], "status": "UNKNOWN_USER_ID_ERROR"})

    def do_POST(self) -> None:
        tokens = recorded_tokens(self.anti_csrf)
        claims = claims_of(tokens.access_token)
        about = {
            "handle": claims["sessionHandle"],
            "userId": claims["sub"],
            "recipeUserId": claims["rsub"],
            "tenantId": "public",
        }
        refresh = {
            "token": tokens.refresh_token,
            "expiry": golden().moment + 8_640_000_000,
            "createdTime": golden().moment,
        }
        access = {"token": tokens.access_token, "expiry": claims["exp"] * 1000, "createdTime": claims["iat"] * 1000}
        answer = {
            "status": "OK",
            "session": about | {"userDataInJWT": {}},
            "accessToken": access,
            "refreshToken": refresh,
        }
        self.answer(answer | ({} if tokens.anti_csrf_token is None else {"antiCsrfToken": tokens.anti_csrf_token}))

    def answer(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *ignored: Any) -> None:
        """Nothing is logged."""


def recorded(core: str, anti_csrf: AntiCsrf) -> dict[str, list[tuple[str, str]]]:
    """Return the headers of a log-in's response by how the tokens travel."""
    init(
        app_info=InputAppInfo(app_name="old", api_domain=ORIGIN, website_domain=ORIGIN),
        supertokens_config=SupertokensConfig(connection_uri=core),
        framework="fastapi",
        mode="asgi",
        recipe_list=[session.init(anti_csrf=anti_csrf)],
        telemetry=False,
    )
    app = FastAPI()
    app.add_middleware(get_middleware())

    @app.post("/login")
    async def login(request: Request) -> str:
        await create_new_session(request, "public", RecipeUserId("alice"))
        return "alice"

    Core.anti_csrf = anti_csrf
    client = TestClient(app, base_url=ORIGIN)
    answers = {each: client.post("/login", headers={"st-auth-mode": each}) for each in ("cookie", "header")}
    return {each: timeless(answer.headers.multi_items()) for each, answer in answers.items()}


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Core)
    Thread(target=server.serve_forever, daemon=True).start()
    chosen: Any = sys.argv[1]
    json.dump(recorded(f"http://127.0.0.1:{server.server_port}", chosen), sys.stdout, indent=1)
