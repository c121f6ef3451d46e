"""Serve the example app: `python -m example_app`, on http://localhost:8000 unless arguments say otherwise.

`--https` is for the scene of the theft lab in which the session is bound to a key of the browser, which needs https.
"""

from __future__ import annotations

import argparse
import socket
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn

from example_app.app import create_app, demo_config
from example_app.certificate import SOFTWARE_KEYS, Certificate, certificate_in


class Server(uvicorn.Server):
    """A server that says which page to open as soon as there is one, and *how*."""

    def __init__(self, config: uvicorn.Config, *, how: str) -> None:
        super().__init__(config)
        self._how = how

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so. If the port is taken, uvicorn says that and exits."""
        await super().startup(sockets)
        print(self._how, flush=True)


def main() -> None:
    """Read the arguments, and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m example_app", description="The example app of fastapi_session.")
    parser.add_argument("--host", default="localhost", help="the name or address to serve on (%(default)s)")
    parser.add_argument("--port", default=8000, type=int, help="the port to serve on (%(default)s)")
    parser.add_argument("--https", action="store_true", help="bind sessions to a key of the browser, which needs https")
    arguments = parser.parse_args()
    origin = f"{'https' if arguments.https else 'http'}://{arguments.host}:{arguments.port}"
    # A browser that still runs with its profile in there goes on writing.
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        serve(origin, arguments, certificate_in(Path(folder)) if arguments.https else None)


def serve(origin: str, arguments: argparse.Namespace, certificate: Certificate | None) -> None:
    """Serve until interrupted, with a *certificate* over https."""
    config = uvicorn.Config(
        create_app(demo_config(origin)),
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        ssl_certfile=certificate.certificate if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    how = f"Open {origin} and sign in as alice, password wonderland. Ctrl+C ends it."
    with suppress(KeyboardInterrupt):  # which uvicorn raises again when it has ended
        Server(config, how=f"{how}\n{browser_for(origin, certificate)}" if certificate else how).run()


def browser_for(origin: str, certificate: Certificate) -> str:
    """Say which browser trusts the *certificate*: none does by itself."""
    profile = certificate.key.with_name("profile")
    flags = f"--user-data-dir={profile} {certificate.trust} --enable-features=DeviceBoundSessions,{SOFTWARE_KEYS}"
    return f"A Chromium that binds sessions here, in a profile of its own:\n\n  chromium {flags} {origin}\n"


if __name__ == "__main__":
    main()
