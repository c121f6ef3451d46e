"""What verifying costs in process: ASGI calls without a server, as CPU time.

    python -m benchmarks.in_process [rounds]

Warm is a token that this process has verified before, cold one that it sees for the first time. Raw verify is one ES256
signature over as many bytes as an access token has, verified by cryptography alone: in a loop, and as the only work of a
dependency. In a request it takes longer, since everything else drives its code and tables out of the processor's caches.
FastAPI parses the cookies of every request itself, so a cookie is compared with a bare request that has it too.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fastapi import Depends, FastAPI

from benchmarks.applications import (
    Answer,
    Role,
    application,
    bare,
    by_cookie,
    by_header,
    checked,
    claimed,
    engine,
    in_folder,
    trivial,
    verified,
)
from benchmarks.measuring import interleaved, print_costs, rounds
from fastapi_session import Sessions

CALLS = 400

BARE, RAW = "bare FastAPI", "dependency with a raw verify"
BARE_COOKIE = "bare FastAPI, sent the same cookie"
COOKIE = "verify_session(), warm, cookie"
COLD = "verify_session(), cold, header"

Scope = dict[str, Any]
Measure = Callable[[], Awaitable[float]]


def request(headers: Answer) -> Scope:
    """Return the ASGI scope of a GET."""
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
        "headers": [(b"host", b"localhost"), *((name.encode(), value.encode()) for name, value in headers.items())],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8000),
    }


async def receive() -> dict[str, Any]:
    """Receive an empty body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def call(app: FastAPI, scope: Scope) -> None:
    """Make one request. Raises RuntimeError if its status is not 200."""
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(dict(scope), receive, send)
    if statuses != [200]:
        raise RuntimeError(f"the statuses were {statuses}")


async def microseconds(app: FastAPI, scopes: list[Scope]) -> float:
    """Return how long a call takes on average, with one call for each of *scopes*."""
    began = time.process_time()
    for scope in scopes:
        await call(app, scope)
    return (time.process_time() - began) / len(scopes) * 1e6


def warm(app: FastAPI, headers: Answer) -> Measure:
    """Measure the same request again and again."""
    scopes = [request(headers)] * CALLS
    return lambda: microseconds(app, scopes)


def cold(app: FastAPI, sessions: Sessions, bring: Callable[[str], Answer]) -> Measure:
    """Measure requests whose tokens are new to the process."""

    async def measure() -> float:
        tokens = [(await sessions.create("alice")).tokens.access_token for _ in range(CALLS)]
        return await microseconds(app, [request(bring(token)) for token in tokens])

    return measure


def engine_alone(sessions: Sessions) -> Measure:
    """Measure how long a cold token takes without a request around it."""

    async def measure() -> float:
        tokens = [(await sessions.create("alice")).tokens.access_token for _ in range(CALLS)]
        began = time.process_time()
        for token in tokens:
            await sessions.verify(token)
        return (time.process_time() - began) / CALLS * 1e6

    return measure


class RawVerify:
    """Verifies one signature over *length* bytes by cryptography alone, as a dependency or in a loop."""

    def __init__(self, length: int) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        self._algorithm, self._message = ec.ECDSA(SHA256()), secrets.token_bytes(length)
        self._signature, self._public = private.sign(self._message, self._algorithm), private.public_key()

    async def __call__(self) -> None:
        """Verify it once."""
        self._public.verify(self._signature, self._message, self._algorithm)

    async def measure(self) -> float:
        """Return how long it takes without a request around it."""
        began = time.process_time()
        for _ in range(CALLS):
            await self()
        return (time.process_time() - began) / CALLS * 1e6


def raw_verifying(raw: RawVerify) -> FastAPI:
    """Return an application whose dependency is *raw*."""
    app = FastAPI()
    app.get("/", dependencies=[Depends(raw)])(bare)
    return app


async def candidates(memory: Sessions, sqlite: Sessions) -> dict[str, Measure]:
    """Return what is measured, by its name in the table."""
    token = (await memory.create("alice")).tokens.access_token
    kept = (await sqlite.create("alice")).tokens.access_token
    verifying = application(verified, sessions=memory)
    raw = RawVerify(len(token.rpartition(".")[0]))
    return {
        BARE: warm(application(bare), {}),
        BARE_COOKIE: warm(application(bare), by_cookie(token)),
        "trivial dependency": warm(application(trivial), {}),
        "installed, no session asked": warm(application(bare, sessions=memory), {}),
        "verify_session(), warm, header": warm(verifying, by_header(token)),
        COOKIE: warm(verifying, by_cookie(token)),
        COLD: cold(verifying, memory, by_header),
        "verify_session(), cold, cookie": cold(verifying, memory, by_cookie),
        "with a claim validator, warm": warm(application(claimed, sessions=memory), by_header(token)),
        "with database check, memory": warm(application(checked, sessions=memory), by_header(token)),
        "with database check, SQLite": warm(application(checked, sessions=sqlite), by_header(kept)),
        "Sessions.verify(), cold, no request": engine_alone(memory),
        "raw verify, no request": raw.measure,
        RAW: warm(raw_verifying(raw), {}),
    }


def print_beyond(figures: Mapping[str, Sequence[float]], name: str, other: str) -> None:
    """Print by how much *name* exceeds *other*."""
    beyond = [mine - others for mine, others in zip(figures[name], figures[other], strict=True)]
    print(f"{name}, beyond {other}: {median(beyond):.1f}")


async def main() -> None:
    """Measure every candidate, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        memory, sqlite = engine(claims=[Role]), engine(in_folder(Path(folder)), claims=[Role])
        figures = await interleaved(await candidates(memory, sqlite), rounds=rounds(30))
        await sqlite.close()
    print_costs("CPU microseconds a request, in process", figures, base=BARE)
    print_beyond(figures, COOKIE, BARE_COOKIE)
    print_beyond(figures, COLD, RAW)


if __name__ == "__main__":
    asyncio.run(main())
