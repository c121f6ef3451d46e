"""As much of HTTP/1.1 as clients under load need, so that the load is the server's and not theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.wire import ACCESS_HEADER, ANTI_CSRF, FRONT_TOKEN, REFRESH_HEADER

TOKEN_HEADERS = {"set-cookie", FRONT_TOKEN, ACCESS_HEADER, REFRESH_HEADER, ANTI_CSRF}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered; the names of *headers* are in lower case."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Every value of the header *name*."""
        return [value for each, value in self.headers if each == name]

    @property
    def leaves_tokens(self) -> bool:
        """Whether it says nothing about the client's tokens."""
        return not TOKEN_HEADERS & {name for name, _ in self.headers}


class Wire:
    """One connection to a server, opened anew where it has been closed. Not for two requests at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        """Return what the server answers. Raises `OSError` and `EOFError` where the connection breaks."""
        if self._ends is None:
            self._ends = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._ends
        lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", "content-length: 0"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
            return await _read_reply(reader)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        if self._ends is not None:
            self._ends[1].close()
            self._ends = None


async def _read_reply(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in head[1:] if line)]
    length = next(int(value) for name, value in headers if name == "content-length")
    return Reply(int(head[0].split(" ")[1]), headers, await reader.readexactly(length))
