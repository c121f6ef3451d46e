"""Whether the address that the store has of a session is that of its client.

| id | looks at | level |
|---|---|---|
| FS234 | the address is not that of a proxy | warning |
| FS235 | the address is not what the client itself has written into `X-Forwarded-For` | warning |

Networks translate addresses, so it is only a proxy's for certain if

| the request went to | and the store has |
|---|---|
| this machine | another address than that from which it came |
| another machine | an address of its own loopback |
| an address of the whole internet | one of a private network, and not that from which the request came |
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from fastapi_session.config.settings import IpAddressPrecision
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.asking import Connection
from fastapi_session.web.client_addresses import kept_address

PROXYS = Check(
    "FS234",
    Level.WARNING,
    "the sessions have the address of a proxy in place of their client's",
    "have the proxy set X-Forwarded-For and the server trust it, as by uvicorn's --forwarded-allow-ips, or set client_address",
)
WRITTEN_BY_CLIENTS = Check(
    "FS235",
    Level.WARNING,
    "a client may write which address its session has",
    "have the outermost proxy overwrite X-Forwarded-For, as by proxy_set_header X-Forwarded-For $remote_addr",
)

CHECKS = (PROXYS, WRITTEN_BY_CLIENTS)

MADE_UP = "203.0.113.77"
"""An address that nobody has (RFC 5737)."""


def address_findings(
    recorded: str | None, connection: Connection, *, precision: IpAddressPrecision
) -> Iterator[Finding]:
    """Yield what is wrong with the address that the store has of a session whose request went over *connection*."""
    if recorded is None:
        return
    if recorded == kept_address(MADE_UP, precision):
        yield WRITTEN_BY_CLIENTS.found(f"X-Forwarded-For: {MADE_UP}, which is nobody's, was believed")
    elif is_a_proxys(recorded, connection, precision=precision):
        yield PROXYS.found(f"{recorded}, of a request from {connection.own} to {connection.peer}")


def is_a_proxys(recorded: str, connection: Connection, *, precision: IpAddressPrecision) -> bool:
    """Say whether *recorded* cannot be the address of the client, as the table says."""
    own, peer, kept = (_parsed(text) for text in (connection.own, connection.peer, recorded))
    if own is None or peer is None or kept is None or recorded == kept_address(str(own), precision):
        return False
    if peer.is_loopback:
        return True
    return kept.is_loopback or (peer.is_global and not kept.is_global)


def _parsed(text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        address = None if text is None else ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
