"""A recipe's application on a real server, begun by the very command that stands on its page."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from tests.browser.waiting import PATIENCE, until
from tests.pages import EXAMPLES, ROOT, examples_of

PORT = "8000"
"""The port of every page."""


def free_port() -> int:
    """Return a port of this machine that nobody has just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def write_application(page: str, folder: Path) -> None:
    """Make of the Python of *page* the `main.py` in *folder* that its commands are about."""
    (folder / "main.py").write_text(EXAMPLES[page], "utf-8")


def commands_of(page: str) -> list[str]:
    """Return the commands of the page, a line each, in their order."""
    return [line for example in examples_of(page, "sh") for line in example.replace("\\\n", "").splitlines()]


@contextmanager
def serving(command: str, folder: Path, *, environment: Mapping[str, str] = {}) -> Iterator[int]:
    """Run *command* in *folder*, on a free port in the place of the page's. Yield that port once it is served."""
    port = free_port()
    program, *arguments = shlex.split(command.replace(PORT, str(port)))
    path = os.pathsep.join([str(folder), str(ROOT)])  # where `python -m` finds main.py, and this library
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", program, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: is_served(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "server.log").read_text("utf-8")
        yield port
    finally:
        process.terminate()
        process.wait()


def is_served(port: int) -> bool:
    """Say whether somebody accepts connections there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def caller(port: int) -> httpx2.Client:
    """A client of the server there, which keeps cookies and is as patient as `until`."""
    return httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE)
