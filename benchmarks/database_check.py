"""What `check_database=True` costs over uvicorn on every store: CPU time of the server a request, and requests a second.

    python -m benchmarks.database_check [rounds]

Measured as by `benchmarks.served`, with its sixteen connections: the process asks its store about every request. The work of
the database's own server is not counted. Beside it stand a bare route, a dependency that does nothing, and a warm token without
the check.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from functools import partial

from benchmarks.applications import application, bare, bearer_login, checked, sessions_application, trivial, verified
from benchmarks.comparison import Candidate, compare
from benchmarks.databases import DATABASES, chosen, create_tables
from benchmarks.measuring import run

BARE = "bare FastAPI"


async def candidates(stack: ExitStack) -> dict[str, Candidate]:
    """Return what is measured, by its name in the table, on servers that run as long as *stack*."""
    measured = {
        BARE: Candidate(partial(application, bare)),
        "trivial dependency": Candidate(partial(application, trivial)),
        "verify_session(), warm, header": Candidate(partial(sessions_application, verified, bearer_login)),
    }
    for name in chosen([]):
        url = await stack.enter_context(DATABASES[name]())("checked")
        await create_tables(url)
        measured[f"with database check, {name}"] = Candidate(partial(sessions_application, checked, bearer_login, url))
    return measured


async def main() -> None:
    """Measure every store whose server is installed, and print the tables."""
    logging.disable()  # MariaDB remarks on every new table
    with ExitStack() as stack:
        await compare(await candidates(stack), base=BARE)


if __name__ == "__main__":
    run(main())
