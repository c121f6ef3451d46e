"""A load generator that costs little: some connections that are kept alive, each with one request under way.

It runs in the process that measures, not in the one that serves. A request costs it a `send`, a `recv` and a glance at the
response: a fraction of what any application takes, so that the server is the bottleneck.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

from benchmarks.measuring import Pace
from benchmarks.serving import HOST, Served

CONNECTIONS = 16


def request(headers: Mapping[str, str]) -> bytes:
    """Return the bytes of a GET."""
    lines = [f"{name}: {value}\r\n" for name, value in {"host": "localhost", "accept": "*/*", **headers}.items()]
    return f"GET / HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


class Clients:
    """`CONNECTIONS` connections to *server*."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._sockets = [socket.create_connection((HOST, server.port)) for _ in range(CONNECTIONS)]
        for connection in self._sockets:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(connection, selectors.EVENT_READ, (connection, bytearray()))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        for connection in self._sockets:
            connection.close()
        self._selector.close()

    def pace(self, requests: Sequence[bytes]) -> Pace:
        """Send *requests*, and return how fast they were served and what each cost the server."""
        spent, began = self._server.cpu_seconds(), time.perf_counter()
        self.send_all(requests)
        taken, spent = time.perf_counter() - began, self._server.cpu_seconds() - spent
        return Pace(len(requests) / taken, spent / len(requests) * 1e6)

    def send_all(self, requests: Sequence[bytes]) -> None:
        """Send *requests*, each as soon as a connection is free, until each has a response with status 200."""
        waiting = iter(requests)
        answers = len(requests)
        for connection in self._sockets:
            send_next(connection, waiting)
        while answers:
            for key, _ in self._selector.select():
                connection, received = key.data
                received += connection.recv(65536)
                if is_complete(received):
                    received.clear()
                    answers -= 1
                    send_next(connection, waiting)


def send_next(connection: socket.socket, waiting: Iterator[bytes]) -> None:
    """Send the next request, if there is one."""
    following = next(waiting, None)
    if following is not None:
        connection.sendall(following)


def is_complete(received: bytearray) -> bool:
    """Say whether *received* is a whole response. Raises RuntimeError if its status is not 200."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return False
    if not received.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the response was {bytes(received)!r}")
    start = received.find(b"content-length: ") + len(b"content-length: ")
    return len(received) >= end + 4 + int(received[start : received.index(b"\r", start)])
