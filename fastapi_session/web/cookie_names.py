"""What cookies are called: within, by the names of the protocol; on the wire, with the prefix of the deployment.

| came | counts |
|---|---|
| under the name of now | always |
| under the name from before a change of prefix, if none came under that of now | if this deployment may have written it |
| under any other name | never: it is of another application, which is none of ours to clear |
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi_session.config import SessionConfig
from fastapi_session.config.cookie_prefix import below_a_path

ACCESS_COOKIE = "sAccessToken"
REFRESH_COOKIE = "sRefreshToken"
LEGACY_COOKIE = "sIdRefreshToken"
"""A cookie of an earlier protocol, which knew no prefix: who has one never wrote it."""


class CookieNames:
    """The names on the wire of one deployment's cookies, and those from before its prefix was changed."""

    def __init__(self, prefix: str = "", *, older_prefix: str | None = None) -> None:
        self.on_wire: Mapping[str, str] = _named(prefix)
        """What each cookie is called on the wire."""
        before = {} if older_prefix is None else _named(older_prefix)
        self.older: Mapping[str, str] = {
            cookie: name for cookie, name in before.items() if name != self.on_wire[cookie]
        }
        """What each cookie was called before, if it has another name now."""
        legacy = () if prefix else (LEGACY_COOKIE,)
        self.wanted = frozenset({*self.on_wire.values(), *self.older.values(), *legacy})
        """All that is looked for in a request."""

    @classmethod
    def of(cls, config: SessionConfig) -> CookieNames:
        """Return the names that *config* says."""
        return cls(config.cookie_prefix, older_prefix=config.older_cookie_prefix)


def _named(prefix: str) -> dict[str, str]:
    return {ACCESS_COOKIE: prefix + ACCESS_COOKIE, REFRESH_COOKIE: below_a_path(prefix) + REFRESH_COOKIE}
