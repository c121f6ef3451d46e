"""Whatever is at the address: a finding is said of it in a line, and nothing else happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fastapi_session.doctor.finding import Examination, Finding
from fastapi_session.doctor.outside import calling, documents, findings
from fastapi_session.doctor.outside.findings import look_from_outside
from fastapi_session.doctor.outside.reached import Reached, reaching
from fastapi_session.origin import Origin
from tests.doctor.outside.deployments import config, seen_from_outside
from tests.recipes.serving import free_port

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@asynccontextmanager
async def saying(said: bytes, *, endless: bytes = b"", ends: bool = True, drips: bool = False) -> AsyncIterator[Origin]:
    """Whoever asks is told *said*, whatever was asked, and then *endless* for as long as the connection lasts; a blank now and then."""

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            while endless:
                writer.write(endless)
                await writer.drain()
            while drips:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
            if not ends:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(tell, "127.0.0.1", 0)
    async with server:
        yield Origin("http", "127.0.0.1", f":{server.sockets[0].getsockname()[1]}")


async def findings_at(url: Origin, folder: Path) -> list[Finding]:
    async with reaching(
        url, config(folder, api_domain=str(url), website_domain=str(url), device_binding="off"), probe=False
    ) as reached:
        return await seen_from_outside(reached)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{",
        HEAD + b"content-length: 2\r\ncontent-encoding: gzip\r\n\r\n{}",
        HEAD + b"content-length: 1\r\n\r\n[",
        HEAD + b"content-length: 4\r\n\r\nnull",
        HEAD + b"content-length: 5\r\n\r\n\xff\xfe\x00{}",
        HEAD + b"content-length: 100000\r\n\r\n" + b"[" * 100_000,
        HEAD + b'content-length: 27\r\n\r\n{"keys": 1, "issuer": [{}]}',
        HEAD + b'content-length: 31\r\n\r\n{"keys": [], "issuer": "\\u001b["}',
        b"HTTP/1.1 302 Found\r\nlocation: http://[::1\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: \xff\x9b2J?token=secret\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\ndate: Fri, 99 Foo 99999\r\nage: \xb2\r\nset-cookie: \r\ncontent-length: 0\r\n\r\n",
        b'HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n{"message": "\\u001b[2Jxxx"}',
    ],
)
async def test_what_is_no_deployment(said: bytes, tmp_path: Path) -> None:
    """Anything that is said in place of a response, or in one, is a finding of a line that can be printed."""
    async with saying(said) as url:
        found = await findings_at(url, tmp_path)

    assert found
    assert [] == [str(each) for each in found if not str(each).isprintable() or "secret" in each.seen]


async def test_a_body_without_an_end(tmp_path: Path) -> None:
    """Of a body that never ends no more is read than any of ours has."""
    async with saying(HEAD + b"\r\n", endless=b"[" * 65_536) as url:
        found = await findings_at(url, tmp_path)

    assert "FS202" in [each.check.id for each in found]


async def test_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who accepts connections and says nothing, or says it byte by byte, is asked twice, and told once, FS201."""
    monkeypatch.setattr(calling, "PATIENCE", 0.2)
    async with saying(b"", ends=False) as url:
        found = await findings_at(url, tmp_path)

    assert ["FS201"] == [each.check.id for each in found]
    assert found[0].seen.endswith("/auth/session/refresh: no response in 0 s")


async def test_nobody(tmp_path: Path) -> None:
    """If there is nobody, that is found once, FS201, and nothing else counts as looked for."""
    url = Origin("http", "127.0.0.1", f":{free_port()}")

    found = Examination()
    async with reaching(url, None, probe=False) as reached:
        await look_from_outside(reached, found)

    assert ["FS201"] == [each.check.id for each in found.findings]
    assert ["FS201", "FS225", "FS227"] == [each.id for each in found.checked]


async def test_no_such_host(tmp_path: Path) -> None:
    """A name that nobody has is found so too."""
    found = await findings_at(Origin("http", "no.such.host.invalid", ""), tmp_path)

    assert ["FS201"] == [each.check.id for each in found]


async def test_a_front_that_is_slow_without_an_end() -> None:
    """Who draws out what is said is left after some time, FS225, which says for what it was not looked."""
    found = Examination()
    async with saying(HEAD + b"\r\n{", drips=True) as url, reaching(url, None, probe=False) as reached:
        await look_from_outside(reached, found, limit=timedelta(seconds=0.5))

    assert ["FS225"] == [each.check.id for each in found.findings]
    assert found.findings[0].seen.startswith("0.5 seconds were over, so it was not looked for FS202, FS203, ")
    assert ["FS201", "FS225", "FS227"] == [each.id for each in found.checked]


async def test_a_look_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that fails in a way that nobody has foreseen is found, FS005, counts for nothing, and the others are made."""

    async def failing(_: Reached) -> AsyncIterator[Finding]:
        yield dict[str, Finding]()["x"]

    monkeypatch.setattr(findings, "_LOOKS", (replace(findings._LOOKS[1], look=failing), *findings._LOOKS[2:]))
    found = Examination()
    async with (
        saying(HEAD + b"content-length: 2\r\n\r\n{}") as url,
        reaching(url, config(tmp_path, api_domain=str(url), website_domain=str(url)), probe=False) as reached,
    ):
        await look_from_outside(reached, found)

    assert "FS005" == found.findings[0].check.id
    assert "FS215" in {check.id for check in found.checked}
    assert documents.CHECKS[0] not in found.checked
