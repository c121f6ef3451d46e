"""Rules: which requests may pass to a service behind a proxy, and what they need.

The first rule that may be about a request decides; if none may, nobody passes. Of a rule that names a host or methods it is not certain
whether it is about a request of which those are not known. Such a request does not pass by it, nor by any rule after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from fastapi_session.errors import ConfigurationError
from fastapi_session.web.forward_auth.original import Original
from fastapi_session.web.forward_auth.paths import is_below, read_path
from fastapi_session.web.verifying import SessionProvider

_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")
_METHOD = re.compile(r"[A-Z][A-Z-]{0,19}")


@dataclass(frozen=True, slots=True)
class Rule:
    """What requests to *path_prefix* and below need, behind a proxy that asks `forward_auth_router`.

    *requires* is what a route would depend on, as `verify_session()`, or `"nobody"` if nobody is to pass. The rule is about
    requests to *host*, by whatever name if none is given, by one of *methods*, by any if none is given. With *audience* the
    service is sent a JWT of its own, by which it need not trust the network; *audience* is what the service is called in it.

    Raises `ConfigurationError` for what no request can meet.
    """

    path_prefix: str
    requires: SessionProvider[Any, Any] | Literal["nobody"]
    host: str | None = None
    methods: Sequence[str] = ()
    audience: str | None = None

    def __post_init__(self) -> None:
        prefix: object = self.path_prefix
        requires: object = self.requires
        if not isinstance(prefix, str) or read_path(quote(prefix)) != prefix:
            raise ConfigurationError(
                f"Rule: give path_prefix as a plain path, decoded: '/reports', and not {self.path_prefix!r}"
            )
        if not isinstance(requires, SessionProvider) and requires != "nobody":
            raise ConfigurationError("Rule: give what it requires: Rule('/reports', verify_session()), or 'nobody'")
        if self.host is not None and not _HOST.fullmatch(self.host):
            raise ConfigurationError(f"Rule: give host in lower case and without a port, and not {self.host!r}")
        if isinstance(self.methods, str) or not all(_METHOD.fullmatch(each) for each in self.methods):
            raise ConfigurationError('Rule: give methods as a list of names in capitals: ["GET", "HEAD"]')
        if self.audience is not None and not self.audience:
            raise ConfigurationError("Rule: give audience as the address or the name of the service, or leave it out")

    def may_be_about(self, original: Original) -> bool:
        """Say whether this rule is about *original*, as far as that is known: a host or a method that is not known may be any."""
        return (
            original.path is not None
            and is_below(original.path, self.path_prefix)
            and (self.host is None or original.host in {None, self.host})
            and (not self.methods or original.method in {None, *self.methods})
        )

    def is_about(self, original: Original) -> bool:
        """Say whether it is certain that this rule, which may be, is about *original*."""
        return (self.host is None or original.host is not None) and (not self.methods or original.method is not None)


def first_about(rules: Sequence[Rule], original: Original) -> Rule | None:
    """Return the first of *rules* that is about *original*, `None` if none is, or if it is not certain which."""
    first = next((rule for rule in rules if rule.may_be_about(original)), None)
    return first if first is not None and first.is_about(original) else None
