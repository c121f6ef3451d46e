"""Whether the question comes from a proxy of ours: whoever asks describes the request that it is about, and is believed.

| the question | is believed |
|---|---|
| comes from one of the trusted addresses | yes |
| has the secret that the proxy shares, once, in `X-Proxy-Secret` | yes |
| anything else | no, and one warning is logged |

The address is what the ASGI server says. A server that takes it from `X-Forwarded-For`, as uvicorn does for proxies that it trusts, has
that of the client there: then only the secret can tell.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from starlette.requests import HTTPConnection

from fastapi_session.errors import ConfigurationError
from fastapi_session.secret_strength import MAKE_A_SECRET, MINIMUM_SECRET_BYTES, weakness
from fastapi_session.web.client_addresses import address_in

SECRET_HEADER = "x-proxy-secret"

_STRANGER = (
    "forward authentication was asked by %s, which is not in trusted_proxies, without the secret of the proxy: let the proxy "
    "send it as X-Proxy-Secret"
)

logger = logging.getLogger("fastapi_session")


class Trust:
    """Says who is believed: *proxies*, addresses or networks, and whoever knows *secret*."""

    def __init__(self, proxies: Sequence[str], secret: str | None) -> None:
        if not proxies and secret is None:
            raise ConfigurationError(
                f"forward_auth_router: give proxy_secret, which the proxy sends, or trusted_proxies; {MAKE_A_SECRET}"
            )
        self._networks = _networks(proxies)
        self._secret = None if secret is None else _checked(secret)
        self._has_warned = False

    def __repr__(self) -> str:
        return f"Trust({[str(each) for each in self._networks]})"

    def believes(self, connection: HTTPConnection) -> bool:
        """Say whether the question of *connection* is believed, as the table says."""
        client = connection.scope.get("client")
        address = client[0] if client else None
        if self._knows(address) or self._is_told(connection):
            return True
        if not self._has_warned:
            self._has_warned = True
            logger.warning(_STRANGER, address or "somebody without an address")
        return False

    def _is_told(self, connection: HTTPConnection) -> bool:
        told = connection.headers.getlist(SECRET_HEADER)
        if self._secret is None or len(told) != 1:
            return False
        return hmac.compare_digest(told[0].encode("latin-1"), self._secret)

    def _knows(self, address: str | None) -> bool:
        parsed = address_in(address) if self._networks else None
        return parsed is not None and any(parsed in network for network in self._networks)


def _networks(proxies: Sequence[str]) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(each) for each in ([proxies] if isinstance(proxies, str) else proxies)]
    except ValueError as error:
        raise ConfigurationError(
            f"forward_auth_router: give trusted_proxies as addresses or networks, as in ['10.0.0.0/8']: {error}"
        ) from None


def _checked(secret: str) -> bytes:
    """Return *secret* as it comes in a header. Raises `ConfigurationError`, which does not show it, if it is easy to guess."""
    given: object = secret
    is_sent = isinstance(given, str) and secret.isascii() and secret.isprintable() and secret == secret.strip()
    encoded = secret.encode() if is_sent else b""
    if not is_sent or len(encoded) < MINIMUM_SECRET_BYTES or weakness(encoded):
        raise ConfigurationError(
            f"proxy_secret: give at least {MINIMUM_SECRET_BYTES} random characters of ASCII; {MAKE_A_SECRET}"
        )
    return encoded
