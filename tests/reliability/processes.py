"""Further processes, which are there in no time: they are forked from one that has everything imported already."""

from __future__ import annotations

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "pytest",
        "asyncmy",
        "asyncpg",
        "fastapi_session.stores.redis",
        "fastapi_session.stores.sql",
        "sqlalchemy.dialects.mysql.asyncmy",
        "sqlalchemy.dialects.postgresql.asyncpg",
        "tests.reliability.server",
        "tests.reliability.worker",
    ]
)
