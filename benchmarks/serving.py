"""Applications behind a real server: uvicorn with one worker, in a process of its own that reports how much CPU time it took."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvicorn

HOST = "127.0.0.1"
PATIENCE = 3600
"""Seconds that a connection may wait while others are measured."""

Make = Callable[[], Any]
"""Returns an ASGI application. It is called in the process that serves it, so it must be picklable."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs."""

    port: int
    questions: Connection

    def cpu_seconds(self) -> float:
        """Return how much CPU time the server's process has taken, with all its threads and the kernel's work for it."""
        self.questions.send(None)
        seconds: float = self.questions.recv()
        return seconds

    def login(self) -> dict[str, str]:
        """Sign in, and return the headers of this client's requests: those in the response's body, and the cookie that was set."""
        connection = http.client.HTTPConnection(HOST, self.port)
        connection.request("POST", "/login")
        response = connection.getresponse()
        headers: dict[str, str] = json.loads(response.read())
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"the login got {response.status}: {headers}")
        cookie = response.getheader("set-cookie")
        return headers if cookie is None else {**headers, "cookie": cookie.partition(";")[0]}


@contextmanager
def served(make: Make, *, http: str = "auto") -> Iterator[Served]:
    """Serve what *make* returns, by uvicorn's parser *http*, until the `with` ends."""
    here, there = multiprocessing.Pipe()
    # asyncio sends small packets at once only on a socket that was made as TCP.
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind((HOST, 0))
        listening.listen(1024)
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=serve, args=(make, listening, there, http))
        process.start()
        there.close()  # so that `recv` ends if the server cannot start
        try:
            here.recv()
            yield Served(listening.getsockname()[1], here)
        finally:
            process.terminate()
            process.join()


def serve(make: Make, listening: socket.socket, questions: Connection, http: Any) -> None:
    """Serve until terminated."""
    config = uvicorn.Config(make(), http=http, access_log=False, log_level="warning", timeout_keep_alive=PATIENCE)
    server = uvicorn.Server(config)
    threading.Thread(target=report, args=(server, questions), daemon=True).start()
    server.run(sockets=[listening])


def report(server: uvicorn.Server, questions: Connection) -> None:
    """Report that the server has started, and then, each time when asked, how much CPU time it has taken."""
    while not server.started:
        time.sleep(0.01)
    questions.send(None)
    with suppress(EOFError):
        while True:
            questions.recv()
            questions.send(time.process_time())


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a folder that is deleted when the `with` ends."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)
