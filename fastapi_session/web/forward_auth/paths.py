r"""Paths that a rule can be about: those that no two servers read differently.

A proxy asks about the path that it was sent, and the service reads it once more, in its own way. If the two differ, a path passes by
the rule of one place and is served from another. So a path is decoded once, and refused if anything is left to be read:

| in the path | read as, by some | refused |
|---|---|---|
| a segment `.` or `..`, also encoded | the folder above | yes |
| `%2f`, `%5c`, `\\` | a slash | yes |
| `//` | one slash | yes |
| `#` | the beginning of a fragment, which is cut off; a request has none (RFC 9112, section 3.2) | yes |
| `;` | the beginning of a parameter, which is cut off | yes |
| `%` after decoding, as of `%252e` | something encoded | yes |
| control characters, `%00` | the end | yes |
| what is no UTF-8 | anything | yes |
| anything else, decoded once | the same | no |
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_SENT = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,=:@/%]*")
"""A path as it may be sent (RFC 3986, section 3.3), but for the semicolon."""
_HIDDEN = re.compile(r"%2f|%5c|%(?![0-9a-f]{2})", re.IGNORECASE)
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\\%;\ufffd]|//")


def read_path(target: str) -> str | None:
    """Return the path of *target*, a path with or without a query, decoded; `None` if it is refused, as the table says."""
    sent = target.partition("?")[0]
    if not _SENT.fullmatch(sent) or _HIDDEN.search(sent):
        return None
    path = unquote(sent)
    if _UNREADABLE.search(path) or not {".", ".."}.isdisjoint(path.split("/")):
        return None
    return path


def is_below(path: str, prefix: str) -> bool:
    """Say whether *path* is *prefix* or below it: `/app/x` is below `/app`, `/apple` is not."""
    below = prefix.rstrip("/")
    return path in {prefix, below} or path.startswith(f"{below}/")
