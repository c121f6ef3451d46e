"""The Cookie and Set-Cookie headers (RFC 6265bis), as strictly as sessions need them.

Frameworks keep the last of two cookies of one name and strip more than space and tab, by which a sibling domain can forge a
name. Here every value of a name is kept in order, and a name is what the browser sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from urllib.parse import quote, unquote

COOKIE_HEADER = b"cookie"
SET_COOKIE_HEADER = b"set-cookie"

MAX_COOKIES = 200
MAX_BYTES = 32 * 1024
"""Bounds of what is read. A jar past them has no session in it, and is no error."""

EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"
"""When a cookie that is being cleared expired."""


def read_cookies(headers: Iterable[bytes], names: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Answer, for each of *names* that came, its values in order. *headers* are the raw Cookie headers of a request.

    Empty values count as absent; values in double quotes are kept as they are, quotes included.
    """
    raw = b"; ".join(headers)
    pairs = raw.decode("latin-1").split(";") if len(raw) <= MAX_BYTES else []
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs if len(pairs) <= MAX_COOKIES else []:
        name, separator, value = pair.partition("=")
        name = name.strip(" \t")
        if name in names and separator and (text := value.strip(" \t")):
            found[name] = (*found.get(name, ()), unquote(text, encoding="latin-1") if "%" in text else text)
    return found


def set_cookie(name: str, value: str, *, path: str, expires: str, attributes: str) -> bytes:
    """Return the value of one Set-Cookie header. *attributes* are those that a deployment gives all of its cookies."""
    return f"{name}={quote(value, safe='')}; Path={path}; Expires={expires}; HttpOnly{attributes}".encode("latin-1")


def http_date(milliseconds: int) -> str:
    """Return the moment *milliseconds* since the epoch as HTTP writes it (RFC 9110, section 5.6.7)."""
    return formatdate(milliseconds / 1000, usegmt=True)


def lasting_until(end: int, *, now: int) -> str:
    """Return the end of a cookie in both ways, *end* and *now* being milliseconds since the epoch.

    Max-Age has precedence (RFC 6265bis, section 5.7), and keeps the cookie for a client whose clock is hours ahead.
    """
    return f"{http_date(end)}; Max-Age={max(end - now, 0) // 1000}"
