#!/usr/bin/env bash
# daphne 4.2.3 sends the code of `websocket.close` without its reason, which ASGI 2.3 specifies. The client receives an empty
# reason, so it cannot tell two closes with the same code apart. daphne also drops the headers of `websocket.accept`.
# hypercorn 0.18.0 sends both to the same client.
# Seen: "daphne: set-cookie None, closed 3000 ''; hypercorn: set-cookie 'a=b', closed 3000 'unauthorised'".
# Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check daphne==4.2.3 hypercorn==0.18.0 websockets==17.4

cat >"$folder/application.py" <<'PY'
async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"set-cookie", b"a=b")]})
    await send({"type": "websocket.close", "code": 3000, "reason": "unauthorised"})
PY

cat >"$folder/ask.py" <<'PY'
import socket, subprocess, sys, time
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

COMMANDS = {
    "daphne": ("daphne", "--port", "{port}", "application:app"),
    "hypercorn": ("hypercorn", "--bind", "127.0.0.1:{port}", "application:app"),
}


def said(command):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [word.format(port=port) for word in command]
    with subprocess.Popen([sys.executable, "-m", *words], stdout=sys.stderr) as server:
        try:
            for _ in range(600):
                try:
                    opened = connect(f"ws://127.0.0.1:{port}/", proxy=None)
                    break
                except OSError:
                    time.sleep(0.05)
            try:
                opened.recv()
            except ConnectionClosed as closed:
                cookie = opened.response.headers.get("set-cookie")
                return f"set-cookie {cookie!r}, closed {closed.rcvd.code} {closed.rcvd.reason!r}"
        finally:
            server.terminate()


print("; ".join(f"{name}: {said(command)}" for name, command in COMMANDS.items()))
PY

expected="daphne: set-cookie None, closed 3000 ''; hypercorn: set-cookie 'a=b', closed 3000 'unauthorised'"
seen=$(cd "$folder" && python/bin/python ask.py 2>"$folder/log") || { cat "$folder/log" >&2; exit 1; }
echo "$seen"
[ "$seen" = "$expected" ]
