"""How many functions a request crosses. Times depend on the machine, these counts only on the versions installed.

    python -m benchmarks.calls

Warm is a token that this process has verified before, cold one that it sees for the first time. Creating and refreshing are
counted by themselves, without a request around them. *ours* are those Python functions that stand in this package; what runs
in the background is not counted.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import FrameType

from fastapi import FastAPI

import fastapi_session
from benchmarks.applications import Answer, application, bare, by_cookie, by_header, engine, trivial, verified
from benchmarks.in_process import call, request
from fastapi_session import Sessions

PACKAGE = fastapi_session.__path__[0]
TIMES = 4

Run = Callable[[], Awaitable[object]]


async def crossed(runs: Sequence[Run]) -> Counter[str]:
    """Return how many functions the last of *runs* enters; those before it warm up."""
    counts: Counter[str] = Counter()
    task = asyncio.current_task()

    def note(frame: FrameType, event: str, _of: object) -> None:
        if asyncio.current_task() is not task:
            return
        counts[event] += 1
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            counts["ours"] += 1

    *before, last = runs
    for run in before:
        await run()
    sys.setprofile(note)
    await last()
    sys.setprofile(None)
    return counts


def getting(app: FastAPI, headers: Sequence[Answer]) -> list[Run]:
    """Return a request to *app* with each of *headers*."""
    return [partial(call, app, request(each)) for each in headers]


async def candidates(sessions: Sessions) -> dict[str, list[Run]]:
    """Return what is counted, by its name in the table."""
    begun = [(await sessions.create("alice")).tokens for _ in range(3 * TIMES)]
    by_headers, by_cookies, refreshed = begun[:TIMES], begun[TIMES : 2 * TIMES], begun[2 * TIMES :]
    token = begun[0].access_token
    verifying = application(verified, sessions=sessions)
    return {
        "bare FastAPI": getting(application(bare), [{}] * TIMES),
        "trivial dependency": getting(application(trivial), [{}] * TIMES),
        "installed, no session asked": getting(application(bare, sessions=sessions), [{}] * TIMES),
        "verify_session(), cold, header": getting(verifying, [by_header(each.access_token) for each in by_headers]),
        "verify_session(), cold, cookie": getting(verifying, [by_cookie(each.access_token) for each in by_cookies]),
        "verify_session(), warm, header": getting(verifying, [by_header(token)] * TIMES),
        "verify_session(), warm, cookie": getting(verifying, [by_cookie(token)] * TIMES),
        "Sessions.create(), no request": [partial(sessions.create, "alice")] * TIMES,
        "Sessions.refresh(), no request": [partial(sessions.refresh, each.refresh_token or "") for each in refreshed],
    }


async def main() -> None:
    """Count, and print the table."""
    print(f"{'functions a request enters':<34}{'Python':>8}{'ours':>8}{'C':>8}")
    for name, runs in (await candidates(engine())).items():
        counts = await crossed(runs)
        print(f"{name:<34}{counts['call']:>8}{counts['ours']:>8}{counts['c_call']:>8}")


if __name__ == "__main__":
    asyncio.run(main())
