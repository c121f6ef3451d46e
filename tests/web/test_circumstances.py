"""Who made a request: what the server saw of it, and nothing if it saw nothing."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from fastapi_session import Circumstances
from fastapi_session.web.circumstances import LONGEST_ADDRESS, LONGEST_USER_AGENT, circumstances_of

ZONED = f"{'ffff:' * 6}255.255.255.255%{'z' * 15}"
"""The longest address: IPv6 that ends like IPv4, with the zone of an interface (RFC 4007; Linux names have 15 characters)."""


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.1", 5000), "192.0.2.1"),
        (["2001:db8::1", 5000], "2001:db8::1"),
        ((ZONED, 5000), ZONED),
        (("x" * 60_000, 0), "x" * LONGEST_ADDRESS),
        (("\x00192.0.2.1", 0), "192.0.2.1"),
        (None, None),
    ],
)
def test_the_address(client: Any, address: str | None) -> None:
    """The address is that which the server saw, as long as an address can be; over a Unix socket there is none."""
    connection = HTTPConnection({"type": "http", "headers": [], "client": client})

    assert Circumstances(address, None) == circumstances_of(connection)


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
    connection = HTTPConnection({"type": "http", "headers": [(b"user-agent", value) for value in sent]})

    assert Circumstances(None, agent) == circumstances_of(connection)
