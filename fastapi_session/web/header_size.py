"""A warning for responses whose headers are too large for a proxy.

A response with new tokens carries both tokens and the front token, which repeats the whole payload of the access token, as
clients compare the two. So some 900 bytes of claims fill nginx's buffer for response headers, 4 KiB by default, and nginx
responds with 502.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

LIMIT = 4_096
"""Bytes of nginx's `proxy_buffer_size` by default. For headers that do not fit it responds with 502."""
SERVERS_OWN = 128
"""Bytes of the status line and of the headers that a server adds, as `Date` and `Server`."""

PROBES_TENANT = "fastapi-session-doctor"
"""The tenant of the doctor's own sessions, whose tokens are as long as they may be: nobody's claims are the cause."""

_LINE = len(": \r\n")

logger = logging.getLogger("fastapi_session")


def bytes_of(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return how many bytes *headers* take on the wire, with what a server adds to them."""
    return SERVERS_OWN + sum(len(name) + len(value) + _LINE for name, value in headers)


class SizeWatch:
    """Warns once, when the headers of a response with tokens first exceed the limit."""

    def __init__(self) -> None:
        self._has_warned = False

    def note(self, size: int) -> None:
        """Note that a response has headers of *size* bytes."""
        if size > LIMIT and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "the headers of a response with tokens have %d bytes, and nginx responds with 502 from %d on unless its "
                "proxy_buffer_size is raised: keep fewer claims in the access token, or raise it",
                size,
                LIMIT,
            )
