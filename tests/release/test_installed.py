"""The archives work where nothing else is installed: the wheel as README.md says, the source archive with extras."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.browser.waiting import until
from tests.pages import EXAMPLES, ROOT
from tests.recipes.serving import is_served
from tests.release.conftest import Archives, Install, Installed
from tests.release.setup import PROJECT
from tests.stores.redis_servers import free_port
from tests.wire import AUTH_MODE, REFRESH_PATH, SIGN_OUT_PATH

VERSION = PROJECT["project"]["version"]
WITHOUT_EXTRA = "fastapi-session needs typer, which comes with pip install 'fastapi-session-auth[cli]'\n"


@pytest.fixture(scope="module")
def plain(archives: Archives, install: Install) -> Installed:
    """What README.md says to install: the wheel, and a server."""
    return install(archives.wheel, beside=("uvicorn",))


@pytest.fixture(scope="module")
def with_extras(archives: Archives, install: Install) -> Installed:
    """The source archive, built while it is installed, with the command line and the tables of a database."""
    return install(archives.source, "cli", "sql", beside=("aiosqlite",))


@contextmanager
def served(installed: Installed, folder: Path) -> Iterator[str]:
    """Run README.md's `uvicorn main:app`, and yield its address."""
    port = free_port()
    command = [installed.program("uvicorn"), "main:app", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env={}, stdout=log, stderr=log)
    try:
        until(lambda: is_served(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "server.log").read_text("utf-8")
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait()


def test_the_application_of_the_readme(plain: Installed, tmp_path: Path) -> None:
    """It is served, signs its user in, knows, refreshes and signs out again; the script for pages is there too."""
    (tmp_path / "main.py").write_text(EXAMPLES["README.md"], "utf-8")
    with served(plain, tmp_path) as origin, httpx2.Client(base_url=origin, headers={AUTH_MODE: "cookie"}) as client:
        client.headers["rid"] = "anti-csrf"
        assert 401 == client.get("/me").status_code
        assert 200 == client.post("/login", json={"name": "ada", "password": "lovelace"}).status_code
        assert {"user_id": "ada"} == client.get("/me").json()
        assert 200 == client.post(REFRESH_PATH).status_code
        assert {"user_id": "ada"} == client.get("/me").json()
        assert 200 == client.get("/auth/client.js").status_code
        assert {"status": "OK"} == client.post(SIGN_OUT_PATH).json()
        assert 401 == client.get("/me").status_code


def test_what_is_imported_is_what_was_installed(plain: Installed) -> None:
    """The package is imported from the environment, without a warning, and brings none of the extras."""
    done = plain.python(
        "-W", "error", "-c", "import fastapi_session, sys; print(fastapi_session.__file__, *sys.modules)"
    )
    place, *modules = done.stdout.split()

    assert (0, "") == (done.returncode, done.stderr)
    assert plain.folder in Path(place).parents
    assert set() == {"sqlalchemy", "redis", "typer", "httpx", "jwt"} & {*modules}
    assert ROOT.as_posix() not in done.stdout


@pytest.mark.parametrize("program", ["fastapi-session", "python -m fastapi_session"])
def test_the_command_line_needs_its_extra(plain: Installed, program: str) -> None:
    """Without it, the program says in a line how it is installed."""
    done = called(plain, program, "--version")

    assert (1, "", WITHOUT_EXTRA) == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("program", ["fastapi-session", "python -m fastapi_session"])
def test_the_command_line(with_extras: Installed, program: str) -> None:
    """With it, the program runs under both names."""
    done = called(with_extras, program, "--version")

    assert (0, f"{VERSION}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_tables_are_made(with_extras: Installed, tmp_path: Path) -> None:
    """The migrations that came with the package make all tables, and find them up to date afterwards."""
    file = tmp_path / "sessions.db"
    migrate = ("-W", "error", "-m", "fastapi_session.stores.sql", "migrate", f"sqlite+aiosqlite:///{file}")
    first, again = (with_extras.python(*migrate) for _ in range(2))
    with closing(sqlite3.connect(file)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    assert (0, 0, "") == (first.returncode, again.returncode, first.stderr)
    assert {"fastapi_session", "fastapi_session_signing_key"} <= tables


def called(installed: Installed, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    name, *before = program.split()
    return subprocess.run(
        [installed.program(name), *before, *arguments],
        cwd=installed.folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
