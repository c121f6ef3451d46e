"""From which address a request came: what the server saw, or what the application reads from a header that it trusts.

No header is believed here. The one place that knows which proxies to trust is the ASGI server, as by uvicorn's
`--forwarded-allow-ips`: it puts the address of the client into the scope.

| the scope has | kept, by `ip_address_precision`: `full` | `network` | `none` |
|---|---|---|---|
| `192.0.2.77` | `192.0.2.77` | `192.0.2.0` | nothing |
| `2001:db8:1:2::3` | `2001:db8:1:2::3` | `2001:db8:1::` | nothing |
| `::ffff:192.0.2.77`, IPv4 in the words of IPv6 | `192.0.2.77` | `192.0.2.0` | nothing |
| `fe80::1%eth0`, with an interface of the server | `fe80::1` | `fe80::` | nothing |
| no client, as over a Unix socket | nothing | nothing | nothing |
| anything that is no address | nothing | nothing | nothing |
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.requests import HTTPConnection

from fastapi_session.config import SessionConfig
from fastapi_session.config.settings import IpAddressPrecision

LONGEST_ADDRESS = 64
"""Characters. An IPv6 address has 45, and 61 with its zone; what a proxy forwards as one may be anything."""

_HIDDEN: Mapping[int, int] = {4: 32 - 24, 6: 128 - 48}
"""By version of IP: how many bits of an address tell the machines of a network apart, or its parts."""

_UNTRUSTED_PROXY = (
    "X-Forwarded-For came from the private address %s, which is that of your proxy unless this application is called directly: "
    "have the server trust it, as by uvicorn's --forwarded-allow-ips, or all sessions have the proxy's address"
)

logger = logging.getLogger("fastapi_session")


class ClientAddresses:
    """Says from which address each request came, as *config* wants it kept. Warns once of a proxy that the server does not trust."""

    def __init__(self, config: SessionConfig) -> None:
        self._read = config.client_address
        self._precision = config.ip_address_precision
        self._watches = self._read is None and self._precision != "none"

    def of(self, connection: HTTPConnection) -> str | None:
        """Return the address from which *connection* came, as the table says."""
        client = connection.scope.get("client")
        seen = self._read(connection) if self._read is not None else client[0] if client else None
        if self._watches and "x-forwarded-for" in connection.headers:
            self._warn_of_proxy(seen, connection.headers["x-forwarded-for"])
        # A function of the application may return anything.
        return kept_address(seen, self._precision) if isinstance(seen, str) else None

    def _warn_of_proxy(self, seen: object, forwarded: str) -> None:
        address = address_in(seen)
        # A server that trusts its proxy takes the address from that header. Then it stands in it, be it private or not.
        if address is not None and not address.is_global and str(address) not in forwarded:
            self._watches = False
            logger.warning(_UNTRUSTED_PROXY, address)


@lru_cache(maxsize=1_024)
def kept_address(seen: str, precision: IpAddressPrecision) -> str | None:
    """Return what is kept of the address *seen*, as the table says."""
    address = None if precision == "none" else address_in(seen)
    if address is None or precision == "full":
        return None if address is None else str(address)
    hidden = _HIDDEN[address.version]
    return str(type(address)(int(address) >> hidden << hidden))


def address_in(seen: object) -> IPv4Address | IPv6Address | None:
    """Return the address that *seen* says, without the zone of an interface; `None` if it is none."""
    if not isinstance(seen, str) or len(seen) > LONGEST_ADDRESS:
        return None
    try:
        address = ip_address(seen.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
