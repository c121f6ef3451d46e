#!/usr/bin/env bash
# supertokens-python 0.31.4 over FastAPI encodes a cookie twice, and the second time not always: it percent-encodes the value but
# for slashes, and Starlette puts what has a slash into double quotes, which are part of the value (RFC 6265, section 5.2) and
# come back from browsers. About 99 of 100 refresh tokens of a core have a slash in their base64: whoever reads `sRefreshToken`
# beside the SDK (a proxy, another backend, a successor) has to take off quotes, if there are any, and then percent signs.
# Valid input: a server on loopback that answers as a core does, with two refresh tokens, one with a slash and one without.
# Seen: `with a slash: "a/b%2Bc%3D.nonce.V2"` and `without: ab%2Bc%3D.nonce.V2`. Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check supertokens-python==0.31.4 fastapi==0.165.0

cat >"$folder/ask.py" <<'PY'
import asyncio
import base64
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from fastapi import FastAPI, Request
from supertokens_python import InputAppInfo, SupertokensConfig, init
from supertokens_python.framework.fastapi import get_middleware
from supertokens_python.recipe import session
from supertokens_python.recipe.session.asyncio import create_new_session
from supertokens_python.types import RecipeUserId

TOKENS = {"with a slash": "a/b+c=.nonce.V2", "without": "ab+c=.nonce.V2"}


def part(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


ACCESS_TOKEN = ".".join(
    [part({"alg": "RS256", "typ": "JWT", "kid": "d-1", "version": "5"})]
    + [part({"sub": "ada", "exp": 4102444800, "iat": 1, "sessionHandle": "h", "refreshTokenHash1": "0", "tId": "public", "rsub": "ada"})]
    + ["c2ln"]
)


class Core(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"versions": ["5.4"], "status": "UNKNOWN_USER_ID_ERROR"})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        about = {"handle": "h", "userId": "ada", "recipeUserId": "ada", "tenantId": "public", "userDataInJWT": {}}
        times = {"expiry": 4102444800000, "createdTime": 1}
        self.answer({
            "status": "OK",
            "session": about,
            "accessToken": {"token": ACCESS_TOKEN, **times},
            "refreshToken": {"token": TOKENS[asked["userDataInDatabase"]["which"]], **times},
        })

    def answer(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *ignored):
        pass


core = ThreadingHTTPServer(("127.0.0.1", 0), Core)
threading.Thread(target=core.serve_forever, daemon=True).start()
init(
    app_info=InputAppInfo(app_name="a", api_domain="http://localhost:8000", website_domain="http://localhost:8000"),
    supertokens_config=SupertokensConfig(connection_uri=f"http://127.0.0.1:{core.server_port}"),
    framework="fastapi",
    mode="asgi",
    recipe_list=[session.init(get_token_transfer_method=lambda *_: "cookie")],
    telemetry=False,
)
app = FastAPI()
app.add_middleware(get_middleware())


@app.post("/login")
async def login(request: Request, which: str) -> str:
    await create_new_session(request, "public", RecipeUserId("ada"), {}, {"which": which})
    return "ada"


async def seen():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        for which in TOKENS:
            answer = await client.post("/login", params={"which": which})
            cookies = [line for line in answer.headers.get_list("set-cookie") if line.startswith("sRefreshToken=")]
            yield f"{which}: {cookies[0].partition('=')[2].partition(';')[0]}"


async def main():
    lines = [line async for line in seen()]
    print("\n".join(lines))
    sys.exit(lines != ['with a slash: "a/b%2Bc%3D.nonce.V2"', "without: ab%2Bc%3D.nonce.V2"])


asyncio.run(main())
PY

"$folder/python/bin/python" "$folder/ask.py"
