"""What verifying costs beside other libraries, over uvicorn: CPU time a request, and requests a second.

    python -m benchmarks.peers [rounds]

As in `benchmarks.served`: one worker each, all served at once and loaded in turn. Each returns the same JSON from one route
that needs the user. The server that supertokens-python asks is a stand-in, which is asked for its key once; the time of the
stand-in and of Valkey is not counted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.applications import (
    application,
    bare,
    bearer_login,
    checked,
    cookie_login,
    in_folder,
    sessions_application,
    trivial,
    verified,
)
from benchmarks.comparison import Candidate, compare
from benchmarks.measuring import ratios, run
from benchmarks.peers.cookies import starlette, starsessions
from benchmarks.peers.supertokens import supertokens
from benchmarks.peers.supertokens_core import supertokens_core
from benchmarks.peers.tokens import authx, pyjwt
from benchmarks.peers.users import fastapi_users, fastapi_users_in_memory
from benchmarks.serving import HOST, folder, served
from tests.stores.redis_servers import running

BARE, OURS = "bare FastAPI", "fastapi_session, header"
SIGNED = "signature and expiry"
KEPT = "that the store knows it"


def ours(path: Path) -> dict[str, Candidate]:
    """Return the candidates of this package."""
    make = partial(partial, sessions_application)
    asked = f"{SIGNED}, key still valid"
    return {
        OURS: Candidate(make(verified, bearer_login), verifies=asked),
        "fastapi_session, cookie": Candidate(make(verified, cookie_login), verifies=asked),
        "fastapi_session, cold": Candidate(make(verified, bearer_login), cold=True, verifies=asked),
        "fastapi_session, check_database, SQLite": Candidate(
            make(checked, bearer_login, in_folder(path)), verifies=f"{asked}, {KEPT}"
        ),
    }


def peers(path: Path, *, core: str, valkey: str) -> dict[str, Candidate]:
    """Return the others."""
    user = "that the user is there"
    return {
        "supertokens-python": Candidate(partial(supertokens, core, middleware=True), verifies=f"{SIGNED} (RS256)"),
        "supertokens-python, no middleware": Candidate(
            partial(supertokens, core, middleware=False), verifies=f"{SIGNED} (RS256)"
        ),
        "fastapi-users, JWT, users in memory": Candidate(fastapi_users_in_memory, verifies=f"{SIGNED} (HS256)"),
        "fastapi-users, JWT, aiosqlite": Candidate(
            partial(fastapi_users, path / "jwt", in_database=False), verifies=f"{SIGNED} (HS256), {user}"
        ),
        "fastapi-users, database, aiosqlite": Candidate(
            partial(fastapi_users, path / "database", in_database=True), verifies=f"{KEPT}, {user}"
        ),
        "authx": Candidate(authx, verifies=f"{SIGNED} (HS256)"),
        "PyJWT by hand, HS256": Candidate(partial(pyjwt, "HS256"), verifies=SIGNED),
        "PyJWT by hand, ES256": Candidate(partial(pyjwt, "ES256"), verifies=SIGNED),
        "Starlette SessionMiddleware": Candidate(starlette, verifies="HMAC-SHA1 and age of the cookie"),
        "starsessions, memory": Candidate(partial(starsessions, None), verifies=KEPT),
        "starsessions, Valkey": Candidate(partial(starsessions, valkey), verifies=KEPT),
    }


async def main() -> None:
    """Compare, and print what each verifies of a request."""
    with folder() as path, served(supertokens_core) as core:
        for each in ("valkey", "jwt", "database"):
            (path / each).mkdir()
        with running(path / "valkey") as valkey:
            candidates = {
                BARE: Candidate(partial(application, bare), verifies="nothing"),
                "trivial dependency": Candidate(partial(application, trivial), verifies="nothing"),
                **ours(path),
                **peers(path, core=f"http://{HOST}:{core.port}", valkey=valkey.url),
            }
            cpu = await compare(candidates, base=BARE)
    print(f"\n{f'CPU as a multiple of {OURS}':54} {'times':>7}  what is verified")
    for name, candidate in candidates.items():
        print(f"{name:54} {median(ratios(cpu, name, OURS)):7.2f}  {candidate.verifies}")


if __name__ == "__main__":
    run(main())
