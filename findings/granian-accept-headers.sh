#!/usr/bin/env bash
# granian 2.8.9 (interface asgi) drops the headers of `websocket.accept`: a Set-Cookie that the application sends with the
# handshake never arrives. The port in scope["client"] is a str; the ASGI specification says int.
# uvicorn 0.54.0 does both as specified, with the same client.
# Seen: "granian: set-cookie None, client port str; uvicorn: set-cookie 'a=b', client port int". Exits non-zero if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check granian==2.8.9 uvicorn==0.54.0 websockets==17.4

cat >"$folder/application.py" <<'PY'
async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"set-cookie", b"a=b")]})
    await send({"type": "websocket.send", "text": type(scope["client"][1]).__name__})
    await receive()
PY

cat >"$folder/ask.py" <<'PY'
import socket, subprocess, sys, time
from websockets.sync.client import connect

COMMANDS = {
    "granian": ("granian", "--interface", "asgi", "application:app", "--port"),
    "uvicorn": ("uvicorn", "--lifespan", "off", "application:app", "--port"),
}


def said(command):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-m", *command, str(port)], stdout=sys.stderr) as server:
        try:
            for _ in range(600):
                try:
                    opened = connect(f"ws://127.0.0.1:{port}/", proxy=None)
                    break
                except OSError:
                    time.sleep(0.05)
            with opened:
                return f"set-cookie {opened.response.headers.get('set-cookie')!r}, client port {opened.recv()}"
        finally:
            server.terminate()


print("; ".join(f"{name}: {said(command)}" for name, command in COMMANDS.items()))
PY

expected="granian: set-cookie None, client port str; uvicorn: set-cookie 'a=b', client port int"
seen=$(cd "$folder" && python/bin/python ask.py 2>"$folder/log") || { cat "$folder/log" >&2; exit 1; }
echo "$seen"
[ "$seen" = "$expected" ]
