"""How large the headers of a response may be before a proxy refuses it.

With new tokens go both tokens and the front token, in which the claims stand a second time: it is the access token's whole
payload, as clients compare it with the token's own. So some 900 bytes of claims fill nginx's buffer for a response's headers,
4 KiB by default, and the client is answered 502.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

LIMIT = 4_096
"""Bytes of nginx's `proxy_buffer_size` by default. What does not fit is answered 502."""
SERVERS_OWN = 128
"""Bytes of the status line and of the headers that a server adds, as `Date` and `Server`."""

_LINE = len(": \r\n")

logger = logging.getLogger("fastapi_session")


def bytes_of(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return how many bytes *headers* take on the wire, with what a server adds to them."""
    return SERVERS_OWN + sum(len(name) + len(value) + _LINE for name, value in headers)


class SizeWatch:
    """Warns when the headers of a response with tokens first pass the limit, and not again."""

    def __init__(self) -> None:
        self._has_warned = False

    def heed(self, size: int) -> None:
        """Heed that a response has headers of *size* bytes."""
        if size > LIMIT and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "the headers of a response with tokens have %d bytes, and nginx answers 502 from %d on unless its "
                "proxy_buffer_size is raised: keep fewer claims in the access token, or raise it",
                size,
                LIMIT,
            )
