"""Serve the example app: `python -m example_app`, on http://localhost:8000 unless arguments say otherwise."""

from __future__ import annotations

import argparse

import uvicorn

from example_app.app import create_app, demo_config


def main() -> None:
    """Read the arguments, say which page to open, and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m example_app", description="The example app of fastapi_session.")
    parser.add_argument("--host", default="localhost", help="the name or address to serve on (%(default)s)")
    parser.add_argument("--port", default=8000, type=int, help="the port to serve on (%(default)s)")
    arguments = parser.parse_args()
    origin = f"http://{arguments.host}:{arguments.port}"
    print(f"Open {origin} and sign in as alice, password wonderland. Ctrl+C ends it.", flush=True)
    uvicorn.run(create_app(demo_config(origin)), host=arguments.host, port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
