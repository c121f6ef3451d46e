"""What browsers demand of a cookie by the beginning of its name (RFC 6265bis, section 4.1.3).

| `cookie_prefix` begins with | browsers keep the cookies only with | the refresh cookie, which has a path, begins with |
|---|---|---|
| `__Host-` | Secure, Path=/ and no Domain | `__Secure-` |
| `__Secure-` | Secure | the same |
| anything else | nothing more | the same |
"""

from __future__ import annotations

import re

HOST = "__Host-"
SECURE = "__Secure-"

_LONGEST = 32
"""Half of what `core.access_token_size.RESERVE` leaves free in the cookie of a large access token."""
_PREFIX = re.compile(rf"[A-Za-z0-9_.-]{{0,{_LONGEST}}}")


def is_host_only(prefix: str) -> bool:
    """Return whether no other host can set cookies whose names begin with *prefix*, if their path is /."""
    return prefix.startswith(HOST)


def is_secure_only(prefix: str) -> bool:
    """Return whether browsers keep only Secure cookies whose names begin with *prefix*."""
    return prefix.startswith((HOST, SECURE))


def below_a_path(prefix: str) -> str:
    """Return what takes the place of *prefix* in the name of a cookie that has a path."""
    return SECURE + prefix.removeprefix(HOST) if is_host_only(prefix) else prefix


def misspelling(prefix: str) -> str | None:
    """Return why *prefix* cannot begin the name of a cookie, and what to give instead; `None` if it can."""
    if not _PREFIX.fullmatch(prefix):
        return f"give letters, digits, '_', '-' and '.', at most {_LONGEST} of them"
    for reserved in (HOST, SECURE):
        if prefix.lower().startswith(reserved.lower()) and not prefix.startswith(reserved):
            return f"browsers take it for {reserved}, whatever its case; write {reserved}"
    if prefix.lower().startswith("__http-"):
        return f"few browsers know it; give {SECURE}, or {HOST}"
    return None


def refusal(prefix: str, *, has_domain: bool, is_secure: bool) -> str | None:
    """Return why browsers keep no cookies under *prefix* as they are sent, and what to give instead; `None` if they do."""
    if why := misspelling(prefix):
        return why
    if is_host_only(prefix) and has_domain:
        return f"browsers keep no {HOST} cookie with a Domain; give {SECURE}, or leave cookie_domain out"
    if is_secure_only(prefix) and not is_secure:
        return (
            f"browsers set and clear {HOST} and {SECURE} cookies only with Secure; leave cookie_secure out, "
            "and make api_domain the https origin they see"
        )
    return None
