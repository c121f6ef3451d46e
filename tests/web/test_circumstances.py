"""Who made a request: what the server saw of it, and nothing if it saw nothing."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from fastapi_session import Circumstances
from fastapi_session.testing import HandClock
from fastapi_session.web.circumstances import LONGEST_USER_AGENT, circumstances_of
from fastapi_session.web.client_addresses import ClientAddresses
from fastapi_session.web.exchange import SCOPE_KEY, Exchange
from fastapi_session.web.transport import Transport
from tests.engines import engine


def connection(**scope: Any) -> HTTPConnection:
    """A request of *scope* to an application with sessions."""
    sessions = engine(HandClock())
    addresses = ClientAddresses(sessions.config)
    exchange = Exchange(sessions, Transport(sessions.config), addresses)
    return HTTPConnection({"type": "http", "headers": [], SCOPE_KEY: exchange, **scope})


@pytest.mark.parametrize(
    ("sent", "agent"),
    [
        ([], None),
        ([b""], ""),
        ([b"a browser"], "a browser"),
        ([b"first", b"second"], "first"),
        ([b"\xff"], "\xff"),
        ([b"a\x00b"], "ab"),
        ([b"x" * 10_000], "x" * LONGEST_USER_AGENT),
    ],
)
def test_the_user_agent(sent: list[bytes], agent: str | None) -> None:
    """The user agent is the first that came, as long as a store keeps it."""
    came = connection(headers=[(b"user-agent", value) for value in sent])

    assert Circumstances(None, agent) == circumstances_of(came)


def test_the_address() -> None:
    """The address is that which the server saw."""
    assert Circumstances("192.0.2.1", None) == circumstances_of(connection(client=("192.0.2.1", 5000)))
