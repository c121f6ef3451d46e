#!/usr/bin/env bash
# supertokens-python 0.31.4 asks a SuperTokens core for version 5.4 of its interface (CDI), whatever newer ones the core offers.
# What core 12.1 brought with CDI 5.6 does not reach its sessions: its changelog names `refresh_token_rotation_grace_period`,
# `recent_token_reuse_behaviour`, and that the core itself revokes a session whose refresh token is reused.
# Valid input: a server on loopback that answers as a core does, and offers 5.4, 5.5 and 5.6 (as core 12.1.1), and the SDK
# looks a session up by its handle.
# Seen: "asked for /recipe/session with cdi-version 5.4". Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check supertokens-python==0.31.4

cat >"$folder/ask.py" <<'PY'
import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from supertokens_python import InputAppInfo, SupertokensConfig, init
from supertokens_python.recipe import session
from supertokens_python.recipe.session.asyncio import get_session_information

asked = []


class Core(BaseHTTPRequestHandler):
    def do_GET(self):
        path = urlsplit(self.path).path
        if path == "/apiversion":
            answer = {"versions": ["5.4", "5.5", "5.6"]}
        else:
            asked.append((path, self.headers["cdi-version"]))
            answer = {"status": "UNAUTHORISED", "message": "Session does not exist."}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


core = ThreadingHTTPServer(("127.0.0.1", 0), Core)
threading.Thread(target=core.serve_forever, daemon=True).start()
init(
    app_info=InputAppInfo(app_name="a", api_domain="http://localhost:8000", website_domain="http://localhost:8000"),
    supertokens_config=SupertokensConfig(connection_uri=f"http://127.0.0.1:{core.server_port}"),
    framework="fastapi",
    recipe_list=[session.init()],
    telemetry=False,
)
asyncio.run(get_session_information("a-handle"))
for path, version in asked:
    print(f"asked for {path} with cdi-version {version}")
sys.exit([version for _, version in asked] != ["5.4"])
PY
"$folder/python/bin/python" "$folder/ask.py"
