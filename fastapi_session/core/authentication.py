"""How and when a user was authenticated: what an application says, and the claims that an access token then has.

| claim | value | from |
|---|---|---|
| `auth_time` | when the last of the factors was checked, in seconds | OpenID Connect Core, section 2 |
| `amr` | the names of the factors | RFC 8176 |
| `acr` | the assurance level, if one was given | OpenID Connect Core, section 2 |
| `auth_times` | when each factor was checked last, in seconds | our own |

A token has them only if the application said how its user was authenticated. Of the four only `auth_times` is always ours: where
it is, all four are. Without it, an application may have the other names in its own payload.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi_session.errors import PayloadError
from fastapi_session.model import Json

AUTH_TIMES = "auth_times"

CLAIMS = frozenset({"auth_time", "amr", "acr", AUTH_TIMES})
"""The claims that are ours in a token that has `auth_times`."""

MAX_FACTORS = 16
_WORD = re.compile(r"[!#-\[\]-~]{1,255}")
"""What stands in a list with spaces between, and in quotes: no space, quote or backslash (RFC 6749, appendix A.4)."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """How a user has just been authenticated, as checked by the application.

    *methods* are the factors: names of RFC 8176, as `("pwd", "otp")`, or one of them. *acr* is the assurance level that they
    reach, one of `SessionConfig.acr_order` or a name of your own. *at* is when, by default now: give it if somebody else has
    checked, as an identity provider that says `auth_time`.

    Raises `PayloadError` for an invalid name, and if *at* has no time zone.
    """

    methods: Sequence[str]
    acr: str | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        methods = (self.methods,) if isinstance(self.methods, str) else tuple(self.methods)
        object.__setattr__(self, "methods", methods)
        if not 0 < len(methods) <= MAX_FACTORS:
            raise PayloadError(f'authentication: give 1 to {MAX_FACTORS} methods, as in Authentication(("pwd", "otp"))')
        for name in (*methods, *(() if self.acr is None else (self.acr,))):
            ensure_word(name, "authentication")
        if self.at is not None and getattr(self.at, "tzinfo", None) is None:
            raise PayloadError("authentication: give at as a datetime with a time zone")

    def factors(self, now: int) -> Json:
        """Return when each factor was checked, in milliseconds: not later than *now*, whatever another clock says."""
        at = now if self.at is None else min(now, int(self.at.timestamp() * 1000))
        return dict.fromkeys(self.methods, max(at, 0))


@dataclass(frozen=True, slots=True)
class Authenticated:
    """What an access token tells: when each of the *factors* was checked last, in whole seconds, and the level *acr*."""

    factors: Mapping[str, int]
    acr: str | None = None

    @property
    def auth_time(self) -> int:
        """When the last of the factors was checked, in seconds since the epoch."""
        return max(self.factors.values())

    def claims(self) -> dict[str, Any]:
        """Return the claims of the table."""
        level = {} if self.acr is None else {"acr": self.acr}
        return {"auth_time": self.auth_time, "amr": [*self.factors], **level, AUTH_TIMES: dict(self.factors)}


def ensure_no_level(methods: Sequence[str], acr_order: Sequence[str]) -> None:
    """Raise `PayloadError` if one of *methods* is a level of *acr_order*, which no factor is called."""
    for name in methods:
        if name in acr_order:
            raise PayloadError(
                f'authentication: {name!r} is a level of acr_order, not a method: give it as acr="{name}"'
            )


def authenticated(factors: Mapping[str, int], acr: str | None) -> Authenticated | None:
    """Return what a token tells of the *factors* of a record (milliseconds), `None` if it has none."""
    # Rounded down: a demand may find a factor a second older than it is, and never younger.
    seconds = {name: at // 1000 for name, at in factors.items()}
    return Authenticated(seconds, acr) if seconds else None


def take_from(claims: dict[str, Any]) -> Authenticated | None:
    """Take the claims of the table out of *claims*, which have `auth_times`. `None` if they are not as we write them."""
    times, acr = claims.pop(AUTH_TIMES), claims.pop("acr", None)
    last, names = claims.pop("auth_time", None), claims.pop("amr", None)
    is_written_by_us = (
        isinstance(times, dict)
        and bool(times)
        and all(type(at) is int and at >= 0 for at in times.values())
        and (acr is None or type(acr) is str)
        and names == [*times]
        and last == max(times.values())
    )
    return Authenticated(times, acr) if is_written_by_us else None


def is_word(name: object) -> bool:
    """Say whether *name* can be the name of a factor or a level."""
    return isinstance(name, str) and _WORD.fullmatch(name) is not None


def ensure_word(name: object, what: str) -> None:
    """Raise `PayloadError` unless *name*, of *what*, can be the name of a factor or a level."""
    if not is_word(name):
        raise PayloadError(
            f"{what}: {name!r} is no name of a method or a level: 1 to 255 visible ASCII characters, no quotes, no backslash"
        )
