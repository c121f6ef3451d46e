"""What verifying costs over uvicorn: CPU time of the server a request, and requests a second.

    python -m benchmarks.served [rounds]

Each candidate is served by one worker in a process of its own, with uvloop and httptools if they are installed, as
`fastapi[standard]` brings them, and then with h11 in their place. The load comes from another process, over 16 connections
that are kept alive. Warm is a token that the server has verified before, cold one that it sees for the first time.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.applications import (
    application,
    bare,
    bearer_login,
    checked,
    claimed,
    cookie_login,
    in_folder,
    sessions_application,
    trivial,
    unread_login,
    verified,
)
from benchmarks.comparison import Candidate, compare
from benchmarks.measuring import run
from benchmarks.serving import folder

BARE = "bare FastAPI"
PARSERS = ("auto", "h11")


def candidates(path: Path) -> dict[str, Candidate]:
    """Return what is measured, by its name in the table."""
    make = partial(partial, sessions_application)
    return {
        BARE: Candidate(partial(application, bare)),
        "bare FastAPI, sent as long a header": Candidate(partial(application, bare, login=unread_login)),
        "trivial dependency": Candidate(partial(application, trivial)),
        "installed, no session asked": Candidate(make(bare, bearer_login)),
        "verify_session(), warm, header": Candidate(make(verified, bearer_login)),
        "verify_session(), warm, cookie": Candidate(make(verified, cookie_login)),
        "verify_session(), cold, header": Candidate(make(verified, bearer_login), cold=True),
        "with a claim validator, warm": Candidate(make(claimed, bearer_login)),
        "with database check, SQLite": Candidate(make(checked, bearer_login, in_folder(path))),
    }


async def main() -> None:
    """Compare by either parser."""
    for parser in PARSERS:
        with folder() as path:
            await compare(candidates(path), base=BARE, http=parser)


if __name__ == "__main__":
    run(main())
