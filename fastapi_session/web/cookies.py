"""The Cookie and Set-Cookie headers (RFC 6265bis), read and written as strictly as sessions need it."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from urllib.parse import quote, unquote

COOKIE_HEADER = b"cookie"
SET_COOKIE_HEADER = b"set-cookie"

MAX_COOKIES = 200
MAX_BYTES = 32 * 1024
"""Bounds of what is parsed. Cookies beyond them count as absent, and are no error."""

EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"
"""The end of a cookie that is cleared."""


def read_cookies(headers: Iterable[bytes], names: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Return the values of each of *names* that came, in order. *headers* are the raw Cookie headers of a request.

    Empty values count as absent; values in double quotes are kept as they are, quotes included.
    """
    # Not the framework's parser: that keeps the last of two cookies of one name, and strips more than space and tab from a
    # name, so a sibling domain could make a name of its own look like ours.
    raw = b"; ".join(headers)
    pairs = raw.decode("latin-1").split(";") if len(raw) <= MAX_BYTES else []
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs if len(pairs) <= MAX_COOKIES else []:
        name, separator, value = pair.partition("=")
        name = name.strip(" \t")
        if name in names and separator and (text := value.strip(" \t")):
            found[name] = (*found.get(name, ()), unquote(text, encoding="latin-1") if "%" in text else text)
    return found


def set_cookie(name: str, value: str, *, path: str, expires: str | None, attributes: str) -> bytes:
    """Return the value of one Set-Cookie header. *attributes* are those that all cookies of a deployment have.

    If *expires* is `None`, the cookie ends with the browser.
    """
    end = "" if expires is None else f"; Expires={expires}"
    return f"{name}={quote(value, safe='')}; Path={path}{end}; HttpOnly{attributes}".encode("latin-1")


def http_date(milliseconds: int) -> str:
    """Return the moment *milliseconds* since the epoch as HTTP writes it (RFC 9110, section 5.6.7)."""
    return formatdate(milliseconds / 1000, usegmt=True)


def lasting_until(end: int, *, now: int) -> str:
    """Return the end of a cookie as Expires and as Max-Age; *end* and *now* are milliseconds since the epoch."""
    # Max-Age has precedence (RFC 6265bis, section 5.7), and keeps the cookie for a client whose clock is hours ahead.
    return f"{http_date(end)}; Max-Age={max(end - now, 0) // 1000}"
