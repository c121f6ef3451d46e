"""base64url without padding (RFC 7515, section 2), in its one canonical form.

Common decoders skip junk characters and ignore trailing bits, so that many texts decode to the same bytes. Here one does.
"""

from __future__ import annotations

import base64
import binascii


def encode(data: bytes) -> str:
    """Answer *data* as base64url text without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes | None:
    """Answer the bytes of *text*, or `None` where it is not exactly what `encode` writes."""
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if encode(data) == text else None
