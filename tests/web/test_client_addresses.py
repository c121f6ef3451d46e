"""From which address a request came, behind proxies and without, and that nobody chooses his own."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from fastapi_session import SessionCreated, SessionEvent, SessionRefreshed, Sessions
from fastapi_session.testing import HandClock
from fastapi_session.web.client_addresses import ClientAddresses, kept_address
from tests.engines import config
from tests.web.deployment import application
from tests.web.wire import Held
from tests.wire import AUTH_MODE, REFRESH_PATH

ZONED = f"{'ffff:' * 6}255.255.255.255%{'z' * 15}"
"""The longest address: IPv6 that ends like IPv4, with the zone of an interface (RFC 4007; Linux names have 15 characters)."""

PROXY, SPOOFED = "10.0.0.1", "203.0.113.66"


@pytest.mark.parametrize(
    ("seen", "full", "network"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0"),
        ("2001:db8:1:2::3", "2001:db8:1:2::3", "2001:db8:1::"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1", "2001:db8::"),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0"),
        ("fe80::1%eth0", "fe80::1", "fe80::"),
        (ZONED, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff::"),
        *((garbage, None, None) for garbage in ("", "testclient", "unknown", "1.2.3", "192.0.2.1:80", "\x00192.0.2.1")),
        (f"fe80::1%{'z' * 60_000}", None, None),
    ],
)
def test_what_is_kept(seen: str, full: str | None, network: str | None) -> None:
    """An address is kept whole, by its network or not at all; what is none is never kept."""
    assert (full, network, None) == tuple(kept_address(seen, each) for each in ("full", "network", "none"))


@pytest.mark.parametrize("client", [("192.0.2.1", 5000), ["192.0.2.1", 5000]])
def test_the_scope(client: Any) -> None:
    """The address is that of the scope, as servers write it."""
    connection = HTTPConnection({"type": "http", "headers": [], "client": client})

    assert "192.0.2.1" == ClientAddresses(config()).of(connection)


@pytest.mark.parametrize("answer", [None, 3221225985, ["192.0.2.1"], b"192.0.2.1", IPv4Address("192.0.2.1")])
def test_a_function_that_returns_no_text(answer: Any) -> None:
    """What a function of the application returns is not kept if it is no text, and no request fails for it."""
    connection = HTTPConnection({"type": "http", "headers": [(b"x-forwarded-for", b"192.0.2.1")]})

    assert None is ClientAddresses(config(client_address=lambda _: answer)).of(connection)


class Diary:
    """What a subscriber heard."""

    def __init__(self) -> None:
        self.events: list[SessionEvent] = []

    async def __call__(self, event: SessionEvent) -> None:
        self.events.append(event)

    def addresses(self) -> list[str | None]:
        """From where the sessions began and were refreshed, as events tell it."""
        told = [event for event in self.events if isinstance(event, SessionCreated | SessionRefreshed)]
        return [event.circumstances.ip_address for event in told]


def signed_in(came_from: str, headers: dict[str, str], *, trusted: str = PROXY, **options: Any) -> list[str | None]:
    """The addresses that are kept and told of a sign-in and a refresh through uvicorn's own middleware for proxies."""
    diary = Diary()
    sessions = Sessions(config(**options), clock=HandClock(), subscribers=[diary])
    # Any: uvicorn types messages more narrowly than Starlette does.
    inner: Any = application(sessions)
    app: Any = ProxyHeadersMiddleware(inner, trusted_hosts=trusted)
    with TestClient(app, client=(came_from, 5000), headers={AUTH_MODE: "header", **headers}) as client:
        held = Held.of(client.post("/login?user_id=ada"), "header")
        client.post(REFRESH_PATH, headers=held.to_refresh())
        assert client.portal is not None
        [found] = client.portal.call(sessions.of_user, "ada")
        client.portal.call(sessions._parts.background.finish)
    return [found.first_seen.ip_address, found.last_seen.ip_address, *diary.addresses()]


@pytest.mark.parametrize(
    ("came_from", "forwarded", "kept"),
    [
        ("198.51.100.7", SPOOFED, "198.51.100.7"),
        (PROXY, "198.51.100.7", "198.51.100.7"),
        (PROXY, f"{SPOOFED}, 198.51.100.7", "198.51.100.7"),
        (PROXY, "unknown", None),
    ],
    ids=["no proxy", "a proxy", "a proxy, and a client that forwards for another", "a proxy that hides its clients"],
)
def test_a_forged_header_changes_nothing(came_from: str, forwarded: str, kept: str | None) -> None:
    """Behind a proxy that the server trusts the address is that which the proxy saw, whatever the client says of itself."""
    headers = {
        "x-forwarded-for": forwarded,
        "x-real-ip": SPOOFED,
        "cf-connecting-ip": SPOOFED,
        "forwarded": f"for={SPOOFED}",
    }

    assert [kept] * 4 == signed_in(came_from, headers)


@pytest.mark.parametrize(("precision", "kept"), [("full", "198.51.100.7"), ("network", "198.51.100.0"), ("none", None)])
def test_precision(precision: str, kept: str | None) -> None:
    """What is not to be kept is neither stored nor told by any event."""
    assert [kept] * 4 == signed_in("198.51.100.7", {}, ip_address_precision=precision)


def test_a_header_of_a_cdn() -> None:
    """An application that says from where the address is to be read has it from there, as it would from the server."""

    def client_address(connection: HTTPConnection) -> str | None:
        return connection.headers.get("cf-connecting-ip")

    options: dict[str, Any] = {"client_address": client_address, "ip_address_precision": "network"}

    assert ["203.0.113.0"] * 4 == signed_in(PROXY, {"cf-connecting-ip": SPOOFED}, **options)
    assert [None] * 4 == signed_in(PROXY, {"cf-connecting-ip": "<script>"}, **options)
    assert [None] * 4 == signed_in(PROXY, {}, **options)


@pytest.mark.parametrize(
    ("came_from", "trusted", "warned"),
    [(PROXY, "127.0.0.1", 1), ("100.64.0.1", "127.0.0.1", 1), (PROXY, PROXY, 0), ("8.8.8.8", PROXY, 0)],
    ids=["a proxy of which the server does not know", "the same, of a cloud", "one that it trusts", "a public address"],
)
def test_a_proxy_that_is_not_trusted(
    came_from: str, trusted: str, warned: int, caplog: pytest.LogCaptureFixture
) -> None:
    """If requests come from a private address and say for whom, the log says once what to do about it."""
    signed_in(came_from, {"x-forwarded-for": "10.9.9.9"}, trusted=trusted)

    assert [came_from] * warned == [
        str(record.args[0])
        for record in caplog.records
        if "X-Forwarded-For" in record.message and isinstance(record.args, tuple)
    ]


def test_no_warning_where_nothing_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """Who keeps no addresses need not care for proxies."""
    assert [None] * 4 == signed_in(
        PROXY, {"x-forwarded-for": SPOOFED}, trusted="127.0.0.1", ip_address_precision="none"
    )
    assert [] == [record for record in caplog.records if "X-Forwarded-For" in record.message]
