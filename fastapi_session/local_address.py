r"""Addresses of this host that a browser may be sent to, whoever made them up: a path, with its query.

An address that leads elsewhere is an open redirect (CWE-601). Browsers read more as another host than RFC 3986 does: `//host`,
`/\host`, `/<tab>/host` (URL Standard, section 4.4), and proxies in front may decode or shorten a path before they pass it on.
So what is let through is a list of characters and one rule, and not what is left when the known tricks are taken out:

| an address | is let through if |
|---|---|
| its length | at most `LONGEST` characters |
| its characters | of RFC 3986, section 2, and no others: no control characters, no backslash, no space |
| its path | begins with one slash, also when its percent-encoding and its dot segments are taken away |
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote

LONGEST = 4_000
"""Characters. Encoded as a value in another address, it stays below the 8 kB that nginx reads as one line."""

CHARACTERS = "-._~:/?#[]@!$&'()*+,;=%"
"""What an address may have beside letters and digits."""

_ADDRESS = re.compile(rf"/[A-Za-z0-9{re.escape(CHARACTERS)}]*")
_SEVERAL_SLASHES = re.compile(r"[/\\][./\\]*[/\\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_LAYERS = 3
"""How often a path is decoded, at most: who encodes it more often than that has no good reason."""


def safe_next(address: str | None, default: str = "/", *, origins: Collection[str] = ()) -> str:
    """Return *address*, to which a browser is to go next, if it surely leads to a page of this host; otherwise *default*.

    For the `next` of a sign-in page: it comes from the browser, so anybody can have written it. It may lead to other hosts of
    yours too, whose *origins* you name: `origins=["https://reports.example.com"]`. *default* is yours and is not checked.
    """
    if address is None:
        return default
    own = next((origin for origin in origins if address.startswith(f"{origin}/")), "")
    return address if is_local(address.removeprefix(own)) else default


def is_local(address: str) -> bool:
    """Say whether every browser takes *address* for a path of the host that it is on."""
    if len(address) > LONGEST or not _ADDRESS.fullmatch(address):
        return False
    path = re.split("[?#]", address)[0]
    # Decoded again and again, since each proxy on the way may do so once.
    for _ in range(_MOST_LAYERS):
        if _SEVERAL_SLASHES.match(path) or _CONTROL.search(path):
            return False
        decoded = unquote(path)
        if decoded == path:
            return "\\" not in path
        path = decoded
    return False
