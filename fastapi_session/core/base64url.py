"""base64url without padding (RFC 7515, section 2), in its one canonical form.

Common decoders skip junk characters and ignore trailing bits, so that many texts decode to the same bytes. Here one does:

| characters beyond a multiple of four | bytes that they add | last character |
|---|---|---|
| 0 | 0 | any |
| 1 | not possible | |
| 2 | 1 | its lowest four bits are zero |
| 3 | 2 | its lowest two bits are zero |
"""

from __future__ import annotations

import binascii

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_URL = bytes.maketrans(b"+/", b"-_")
# To NUL, which is of no alphabet: binascii would take `+`, `/` and `=`, which are not of this one.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
_PADDING = (b"", b"", b"==", b"=")
_LAST = (_ALPHABET, "", _ALPHABET[::16], _ALPHABET[::4])
"""Which characters can be the last, by how many there are beyond a multiple of four."""


def encode(data: bytes) -> str:
    """Return *data* as base64url text without padding."""
    # binascii, not base64: what that adds are two Python functions a call, and tokens are encoded all the time.
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes | None:
    """Return the bytes of *text*, or `None` if it is not exactly what `encode` writes."""
    beyond = len(text) % 4
    # Strict mode refuses junk and wrong padding, but not spare bits that are set.
    if text[-1:] not in _LAST[beyond]:
        return None
    try:
        return binascii.a2b_base64(text.encode("ascii").translate(_FROM_URL) + _PADDING[beyond], strict_mode=True)
    except ValueError:
        return None
