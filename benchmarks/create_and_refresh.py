"""What it costs to create and to refresh a session: CPU time of the whole process, threads included, with ES256.

    python -m benchmarks.create_and_refresh [rounds]

By the engine, without a request around it: record, store and both tokens, no claims. One task makes them one after the other; 32 tasks make
as many side by side, and SQLite then commits them in groups. Every refresh rotates. Beside it stands the one ES256
signature that each needs, made by cryptography alone.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.applications import engine, in_folder
from benchmarks.measuring import interleaved, print_costs, rounds
from fastapi_session import Sessions

OPERATIONS = 640
TOKEN_BYTES = 600
SIGNATURE = "one ES256 signature (cryptography)"

Measure = Callable[[], Awaitable[float]]


async def milliseconds(task: Callable[[int], Awaitable[None]], tasks: int) -> float:
    """Return what an operation takes when *tasks* of them share the work, each doing so many."""
    began = time.process_time()
    await asyncio.gather(*(task(OPERATIONS // tasks) for _ in range(tasks)))
    return (time.process_time() - began) / OPERATIONS * 1e3


async def sign() -> float:
    """Measure the signature alone."""
    key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(SHA256())
    message = secrets.token_bytes(TOKEN_BYTES)

    async def task(times: int) -> None:
        for _ in range(times):
            key.sign(message, algorithm)

    return await milliseconds(task, 1)


def creating(sessions: Sessions, tasks: int) -> Measure:
    """Measure how long it takes to create a session."""

    async def task(times: int) -> None:
        for _ in range(times):
            await sessions.create("alice")

    return lambda: milliseconds(task, tasks)


def refreshing(sessions: Sessions, tasks: int) -> Measure:
    """Measure how long a refresh takes, each task with a session of its own."""

    async def measure() -> float:
        tokens = [(await sessions.create("alice")).tokens.refresh_token for _ in range(tasks)]

        async def task(times: int) -> None:
            token = tokens.pop()
            for _ in range(times):
                assert token is not None
                token = (await sessions.refresh(token)).tokens.refresh_token

        return await milliseconds(task, tasks)

    return measure


async def main() -> None:
    """Measure every candidate, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        engines = {"memory": engine(), "SQLite": engine(in_folder(Path(folder)))}
        candidates: dict[str, Measure] = {SIGNATURE: sign}
        for store, sessions in engines.items():
            for tasks, called in ((1, "1 task"), (32, "32 tasks")):
                candidates[f"create, {store}, {called}"] = creating(sessions, tasks)
                candidates[f"refresh, {store}, {called}"] = refreshing(sessions, tasks)
        figures = await interleaved(candidates, rounds=rounds(15))
        await engines["SQLite"].close()
    print_costs("CPU milliseconds an operation", figures, base=SIGNATURE, digits=3)


if __name__ == "__main__":
    asyncio.run(main())
