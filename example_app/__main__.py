"""Serve the example app: `python -m example_app`, on http://localhost:8000 unless arguments say otherwise."""

from __future__ import annotations

import argparse
import socket
from contextlib import suppress

import uvicorn

from example_app.app import create_app, demo_config


class Server(uvicorn.Server):
    """A server that says which page to open as soon as there is one."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so. If the port is taken, uvicorn says that and exits."""
        await super().startup(sockets)
        origin = f"http://{self.config.host}:{self.config.port}"
        print(f"Open {origin} and sign in as alice, password wonderland. Ctrl+C ends it.", flush=True)


def main() -> None:
    """Read the arguments, and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m example_app", description="The example app of fastapi_session.")
    parser.add_argument("--host", default="localhost", help="the name or address to serve on (%(default)s)")
    parser.add_argument("--port", default=8000, type=int, help="the port to serve on (%(default)s)")
    arguments = parser.parse_args()
    origin = f"http://{arguments.host}:{arguments.port}"
    app = create_app(demo_config(origin))
    with suppress(KeyboardInterrupt):  # which uvicorn raises again when it has ended
        Server(uvicorn.Config(app, host=arguments.host, port=arguments.port, log_level="warning")).run()


if __name__ == "__main__":
    main()
