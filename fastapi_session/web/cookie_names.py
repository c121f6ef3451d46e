"""The names of cookies: in this package those of the protocol, on the wire with the prefix of the deployment.

| a cookie came | counts |
|---|---|
| under its present name | always |
| under its name from before a change of prefix, and none under the present one | if this deployment may have written it |
| under any other name | never: it belongs to another application, and is not cleared |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi_session.config import SessionConfig
from fastapi_session.config.cookie_prefix import below_a_path

ACCESS_COOKIE = "sAccessToken"
REFRESH_COOKIE = "sRefreshToken"
DEVICE_COOKIE = "sDevice"
BINDING_COOKIE = "sBinding"
LEGACY_COOKIE = "sIdRefreshToken"
"""A cookie of an earlier protocol, which had no prefixes: a deployment with a prefix never wrote it."""


class CookieNames:
    """The names on the wire of one deployment's cookies, and those from before its prefix was changed."""

    def __init__(self, prefix: str = "", *, older_prefix: str | None = None) -> None:
        self.on_wire: Mapping[str, str] = _named(prefix)
        """The present name of each cookie."""
        before = {} if older_prefix is None else _named(older_prefix)
        self.older: Mapping[str, str] = {
            cookie: name for cookie, name in before.items() if name != self.on_wire[cookie]
        }
        """The older name of each cookie that has another one now."""
        prefixes = [prefix] if older_prefix is None else [prefix, older_prefix]
        self.device: Sequence[str] = [f"{each}{DEVICE_COOKIE}" for each in prefixes]
        """The names of the cookie of a device, the present one first. It is looked for at a sign-in alone."""
        self.binding: Sequence[str] = [f"{below_a_path(each)}{BINDING_COOKIE}" for each in prefixes]
        """The names of the credential of a bound session, the present one first."""
        legacy = () if prefix else (LEGACY_COOKIE,)
        self.wanted = frozenset({*self.on_wire.values(), *self.older.values(), *self.binding, *legacy})
        """All names that are looked for in a request."""

    @classmethod
    def of(cls, config: SessionConfig) -> CookieNames:
        """Return the names by *config*."""
        return cls(config.cookie_prefix, older_prefix=config.older_cookie_prefix)


def _named(prefix: str) -> dict[str, str]:
    return {ACCESS_COOKIE: prefix + ACCESS_COOKIE, REFRESH_COOKIE: below_a_path(prefix) + REFRESH_COOKIE}
