"""How many functions a request crosses. Times depend on the machine, these counts only on the versions installed.

    python -m benchmarks.calls

Warm is a token that this process has verified before. *ours* are those Python functions that stand in this package.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from types import FrameType

from fastapi import FastAPI

import fastapi_session
from benchmarks.applications import Answer, application, bare, by_cookie, by_header, engine, trivial, verified
from benchmarks.in_process import call, request
from fastapi_session import Sessions

PACKAGE = fastapi_session.__path__[0]
WARM_UP = 3


async def crossed(app: FastAPI, headers: Answer) -> Counter[str]:
    """Return how many functions the last of a few equal requests enters."""
    counts: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _of: object) -> None:
        counts[event] += 1
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            counts["ours"] += 1

    for _ in range(WARM_UP):
        await call(app, request(headers))
    sys.setprofile(note)
    await call(app, request(headers))
    sys.setprofile(None)
    return counts


async def requests(sessions: Sessions) -> dict[str, tuple[FastAPI, Answer]]:
    """Return the requests to count, by their name in the table."""
    token = (await sessions.create("alice")).tokens.access_token
    verifying = application(verified, sessions=sessions)
    return {
        "bare FastAPI": (application(bare), {}),
        "trivial dependency": (application(trivial), {}),
        "installed, no session asked": (application(bare, sessions=sessions), {}),
        "verify_session(), warm, header": (verifying, by_header(token)),
        "verify_session(), warm, cookie": (verifying, by_cookie(token)),
    }


async def main() -> None:
    """Count, and print the table."""
    print(f"{'functions a request enters':<34}{'Python':>8}{'ours':>8}{'C':>8}")
    for name, (app, headers) in (await requests(engine(None))).items():
        counts = await crossed(app, headers)
        print(f"{name:<34}{counts['call']:>8}{counts['ours']:>8}{counts['c_call']:>8}")


if __name__ == "__main__":
    asyncio.run(main())
