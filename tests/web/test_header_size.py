"""How large the headers of a response may grow: what nginx takes by default, and what is said before it is too much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from fastapi_session import CreateSession, create_session
from fastapi_session.doctor.outside.own_session import TENANT
from fastapi_session.testing import HandClock
from fastapi_session.web.header_size import LIMIT, SERVERS_OWN, SizeWatch, bytes_of
from tests.browser.server import serve
from tests.engines import engine
from tests.web.deployment import application
from tests.web.nginx import behind_nginx
from tests.wire import AUTH_MODE

BUFFERS = ("proxy_buffer_size 16k;", "proxy_buffers 8 16k;", "proxy_busy_buffers_size 32k;")
"""What docs/deployment.md advises."""


def claiming(_origin: str) -> FastAPI:
    """An application that gives sessions as many bytes of claims as are asked for."""
    app = application(engine(HandClock()))

    @app.post("/claiming/{size}")
    async def login(size: int, create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("ada", access_token_payload={"c": "x" * size})

    return app


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_it_is_said_before_nginx_refuses(method: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With its defaults nginx responds with 502 to tokens with many claims, and never before the warning."""
    with serve(claiming) as server, behind_nginx(server.origin, folder=tmp_path) as client:
        told = []
        for size in range(0, 2_000, 50):
            status = client.post(f"/claiming/{size}", headers={AUTH_MODE: method}).status_code
            told.append((status, any("proxy_buffer_size" in said for said in caplog.messages)))

    assert (200, False) == told[0]
    assert (502, True) == told[-1]
    assert (502, False) not in told
    assert 1 == len([said for said in caplog.messages if "proxy_buffer_size" in said])


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_with_the_buffers_of_the_documentation(method: str, tmp_path: Path) -> None:
    """With the buffers that are advised, the largest token that there is passes."""
    page = Path("docs/deployment.md").read_text("utf-8")
    assert [] == [each for each in BUFFERS if each not in page]

    with serve(claiming) as server, behind_nginx(server.origin, *BUFFERS, folder=tmp_path) as client:
        response = client.post("/claiming/2000", headers={AUTH_MODE: method})

    assert 200 == response.status_code
    assert 4_096 < bytes_of((name, value) for name, value in response.headers.raw)


@pytest.mark.parametrize(("sizes", "expected"), [([LIMIT], 0), ([LIMIT + 1], 1), ([LIMIT + 1, 9_999, 0, 9_999], 1)])
def test_it_is_said_once(sizes: list[int], expected: int, caplog: pytest.LogCaptureFixture) -> None:
    """The first response past the limit is told, and none after it."""
    watch = SizeWatch()
    for size in sizes:
        watch.note(size)

    assert expected == len(caplog.messages)


def test_bytes_of() -> None:
    """A header takes its name, its value and four bytes more."""
    assert SERVERS_OWN + len(b"a: bc\r\n") + len(b"d: \r\n") == bytes_of([(b"a", b"bc"), (b"d", b"")])


def test_the_tokens_of_the_doctor(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """Of the doctor's own tokens, which are long on purpose, nothing is said: no claim of the application is the cause."""

    def probing(tenant: str) -> int:
        app = application(engine(clock))

        @app.post("/probing")
        async def probe(create: Annotated[CreateSession, Depends(create_session())]) -> None:
            await create("ada", tenant_id=tenant, access_token_payload={"c": "x" * 2_000})

        caplog.clear()
        assert 200 == TestClient(app).post("/probing").status_code
        return len([said for said in caplog.messages if "proxy_buffer_size" in said])

    assert (1, 0) == (probing("acme"), probing(TENANT))
