"""When an address is a proxy's for certain: the table of `recorded_address`."""

from __future__ import annotations

import pytest

from fastapi_session.config.settings import IpAddressPrecision
from fastapi_session.doctor.outside.asking import Connection
from fastapi_session.doctor.outside.recorded_address import MADE_UP, address_findings

LOOPBACK, PRIVATE, OTHER_PRIVATE, GLOBAL, OTHER_GLOBAL = "127.0.0.1", "10.0.0.5", "172.17.0.1", "8.8.4.4", "9.9.9.9"


@pytest.mark.parametrize(
    ("own", "peer", "recorded", "finds"),
    [
        # To this machine: it is the very address from which the request came.
        (LOOPBACK, LOOPBACK, LOOPBACK, []),
        ("127.0.0.2", LOOPBACK, LOOPBACK, ["FS234"]),
        (LOOPBACK, LOOPBACK, OTHER_PRIVATE, ["FS234"]),
        ("::1", "::1", "::1", []),
        # To a network of one's own: it may be translated.
        (PRIVATE, "10.0.0.9", PRIVATE, []),
        (PRIVATE, "10.0.0.9", OTHER_PRIVATE, []),
        (PRIVATE, "10.0.0.9", LOOPBACK, ["FS234"]),
        # To the whole internet: it is translated, to one that the internet knows.
        (PRIVATE, GLOBAL, OTHER_GLOBAL, []),
        (PRIVATE, GLOBAL, OTHER_PRIVATE, ["FS234"]),
        (PRIVATE, GLOBAL, LOOPBACK, ["FS234"]),
        (PRIVATE, GLOBAL, PRIVATE, []),  # a router that sends back what is for the network itself
        (OTHER_GLOBAL, GLOBAL, OTHER_GLOBAL, []),
        ("::ffff:10.0.0.5", GLOBAL, PRIVATE, []),
        # Nothing is known.
        (PRIVATE, GLOBAL, None, []),
        (None, None, LOOPBACK, []),
        ("unix:", "unix:", LOOPBACK, []),
        (PRIVATE, GLOBAL, "unix:", []),
        # What nobody has cannot be true.
        (PRIVATE, GLOBAL, MADE_UP, ["FS235"]),
    ],
)
def test_whose_address(own: str | None, peer: str | None, recorded: str | None, finds: list[str]) -> None:
    """An address is a proxy's, or made up, as far as that is certain."""
    found = address_findings(recorded, Connection(own, peer), precision="full")

    assert finds == [finding.check.id for finding in found]


@pytest.mark.parametrize(
    ("recorded", "finds"), [("203.0.113.0", ["FS235"]), ("127.0.0.0", []), ("10.0.0.0", ["FS234"])]
)
def test_networks(recorded: str, finds: list[str]) -> None:
    """Where networks are kept, networks are compared."""
    precision: IpAddressPrecision = "network"
    found = address_findings(recorded, Connection("127.0.0.2", LOOPBACK), precision=precision)

    assert finds == [finding.check.id for finding in found]
