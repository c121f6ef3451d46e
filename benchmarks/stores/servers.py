"""The servers of one run, each in a folder of its own. PostgreSQL flushes every commit to disk, as it does by default."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stores.sql import servers
from tests.stores.sql.servers import Server


@contextmanager
def started(make: Callable[[Path], Server]) -> Iterator[Server]:
    """Have a server in a folder whose name is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="fs-"))
    try:
        server = make(folder)
        server.start()
        yield server
        server.kill()
    finally:
        shutil.rmtree(folder)


def durable_postgres(folder: Path) -> Server:
    """Answer a new PostgreSQL with the settings that it comes with, not started yet."""
    programs = servers.postgres_programs(servers.own_folder(folder))
    data, pid_file = folder / "data", folder / "data" / "postmaster.pid"
    servers.run(programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=utf8", "--no-sync")
    return servers.Server(
        folder,
        [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="],
        url=f"postgresql+asyncpg://postgres@/postgres?host={folder}",
        ready=lambda: pid_file.exists() and "ready" in pid_file.read_text("utf-8"),
        crash=signal.SIGQUIT,
    )
