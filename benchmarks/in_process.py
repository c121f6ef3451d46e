"""What verifying costs in process: ASGI calls without a server, each variant in turn, medians and ratios of one run.

python benchmarks/in_process.py [rounds]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI

from fastapi_session import (
    PrimitiveArrayClaim,
    Session,
    SessionConfig,
    Sessions,
    install,
    verify_session,
)

CALLS = 200
BARE = "bare FastAPI"
Scope = dict[str, Any]


async def nothing() -> None:
    """Depend on nothing."""


async def roles(_user_id: str, _tenant_id: str, _payload: object) -> list[str]:
    """Know one role."""
    return ["admin"]


Role = PrimitiveArrayClaim[str]("roles", roles)


def application(endpoint: Callable[..., Any], sessions: Sessions | None = None) -> FastAPI:
    """Build an application with one route, so that all pay the same for finding it."""
    app = FastAPI()
    if sessions is not None:
        install(app, sessions)
    app.get("/")(endpoint)
    return app


async def bare() -> dict[str, str]:
    """Know no session."""
    return {"user_id": "alice"}


async def trivial(_: Annotated[None, Depends(nothing)]) -> dict[str, str]:
    """Depend on next to nothing."""
    return {"user_id": "alice"}


async def verify(session: Annotated[Session, Depends(verify_session())]) -> dict[str, str]:
    """Verify the access token."""
    return {"user_id": session.user_id}


async def claim(session: Annotated[Session, Depends(verify_session(Role.includes("admin")))]) -> dict[str, str]:
    """Verify the access token and a claim in it."""
    return {"user_id": session.user_id}


async def database(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> dict[str, str]:
    """Verify the access token and ask the store."""
    return {"user_id": session.user_id}


def request(headers: list[tuple[bytes, bytes]]) -> Scope:
    """Answer the ASGI scope of a GET."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8000),
    }


async def receive() -> dict[str, Any]:
    """Receive an empty body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def call(app: FastAPI, scope: Scope) -> None:
    """Make one request, and see that it is answered with 200."""
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(dict(scope), receive, send)
    if statuses != [200]:
        raise RuntimeError(f"answered with {statuses}")


async def microseconds(app: FastAPI, scopes: list[Scope]) -> float:
    """Answer what a call takes on average, over one for each of *scopes*."""
    began = time.perf_counter()
    for scope in scopes:
        await call(app, scope)
    return (time.perf_counter() - began) / len(scopes) * 1e6


def by_header(token: str) -> list[tuple[bytes, bytes]]:
    """Bring *token* as a bearer token."""
    return [(b"authorization", f"Bearer {token}".encode())]


def by_cookie(token: str) -> list[tuple[bytes, bytes]]:
    """Bring *token* as a cookie."""
    return [(b"cookie", f"sAccessToken={token}".encode())]


async def main(rounds: int) -> None:
    """Run every variant in turn, *rounds* times, and print the table."""
    sessions = Sessions(SessionConfig(api_domain="http://localhost:8000", store="memory:"), claims=[Role])
    token = (await sessions.create("alice")).tokens.access_token
    verifying = application(verify, sessions)
    warm: dict[str, tuple[FastAPI, Scope]] = {
        BARE: (application(bare), request([])),
        "trivial dependency": (application(trivial), request([])),
        "installed, no session asked": (application(bare, sessions), request([])),
        "verify_session(), header": (verifying, request(by_header(token))),
        "verify_session(), cookie": (verifying, request(by_cookie(token))),
        "with a claim validator": (application(claim, sessions), request(by_header(token))),
        "with database check, memory": (application(database, sessions), request(by_header(token))),
    }
    figures = defaultdict[str, list[float]](list)
    for _ in range(rounds):
        for name, (app, scope) in warm.items():
            figures[name].append(await microseconds(app, [scope] * CALLS))
        unseen = [(await sessions.create("alice")).tokens.access_token for _ in range(CALLS)]
        cold = [request(by_header(text)) for text in unseen]
        figures["verify_session(), cold"].append(await microseconds(verifying, cold))
    report(figures)


def report(figures: Mapping[str, list[float]]) -> None:
    """Print medians, what they cost over the first, and their spread."""
    base = statistics.median(figures[BARE])
    print(f"{'variant':32} {'median us':>10} {'over bare':>10} {'spread':>8}")
    for name, values in figures.items():
        median = statistics.median(values)
        spread = (max(values) - min(values)) / median
        print(f"{name:32} {median:10.1f} {median - base:10.1f} {spread:8.0%}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
