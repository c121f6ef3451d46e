"""Which sessions are not bound to a key, or end, though it may not be meant.

| id | looks at | level |
|---|---|---|
| FS031 | `device_binding` by http | warning |
| FS032 | sessions that have to be bound, and whose clients cannot | warning |
| FS033 | `device_binding` with partitioned cookies | warning |
| FS034 | `dpop` where no token travels in a header | warning |
| FS035 | `dpop="required"` where tokens may travel in cookies, which it does not bind | info |
| FS036 | access tokens that outlive the cookie by which the browser guards them | info |
| FS037 | pages that may refresh, and whose refresh the browser does not hold until its key is proved | warning |
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from fastapi_session.config import SessionConfig
from fastapi_session.config.settings import is_https
from fastapi_session.core.binding.device_values import CREDENTIAL_LIVES
from fastapi_session.doctor.application.cors import cors_origins
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.origin import Origin
from fastapi_session.plain_text import lasting
from fastapi_session.web.device_session import refresh_initiators

BY_HTTP = Check(
    "FS031",
    Level.WARNING,
    "browsers bind nothing by http, so sessions stay unbound",
    "make api_domain the https origin that browsers see, or leave device_binding out",
)
ENDED = Check(
    "FS032",
    Level.WARNING,
    "sessions of clients that take tokens in headers end too, since each has to be bound",
    "give dpop='optional' or 'required', or token_transfer_method='cookie'",
)
PARTITIONED = Check(
    "FS033",
    Level.WARNING,
    "browsers bind no partitioned cookies, so sessions stay unbound",
    "leave cookie_partitioned out, or device_binding",
)
NO_HEADERS = Check(
    "FS034",
    Level.WARNING,
    "clients prove keys for tokens in headers, and none are sent there",
    "leave dpop out, or give token_transfer_method='any'",
)
UNBOUND_COOKIES = Check(
    "FS035",
    Level.INFO,
    "dpop='required' binds sessions in headers alone, and who asks for cookies has a session without a key",
    "give token_transfer_method='header', or device_binding='required' for browsers that can",
)
LONG_TOKENS = Check(
    "FS036",
    Level.INFO,
    "a copy of an access token is good for longer than the cookie that the browser guards",
    "give access_token_validity=timedelta(minutes=10)",
)
NOT_HELD = Check(
    "FS037",
    Level.WARNING,
    "browsers prove no key when a page of another site refreshes, so a session that is bound cannot go on there",
    "serve those pages from the site of the API, or as website_domain",
)

CHECKS = (BY_HTTP, ENDED, PARTITIONED, NO_HEADERS, UNBOUND_COOKIES, LONG_TOKENS, NOT_HELD)

_GUARDED = timedelta(milliseconds=CREDENTIAL_LIVES["all"])
"""How long the cookie lasts that the browser guards in place of the refresh."""


def binding_findings(installed: Installed) -> Iterator[Finding]:
    """Yield what is wrong with how sessions of *installed* are bound."""
    config = installed.config
    method = "a function" if callable(config.token_transfer_method) else repr(config.token_transfer_method)
    if config.device_binding == "optional" and not is_https(config.api_domain):
        yield BY_HTTP.found(f"device_binding is 'optional', and api_domain {config.api_domain}")
    if config.requires_binding and config.token_transfer_method != "cookie" and config.dpop == "off":
        yield ENDED.found(f"device_binding is 'required', and token_transfer_method {method}")
    if config.device_binding == "optional" and config.cookie_partitioned:
        yield PARTITIONED.found("device_binding is 'optional', and cookie_partitioned True")
    if config.dpop == "optional" and config.token_transfer_method == "cookie":
        yield NO_HEADERS.found("dpop is 'optional', and token_transfer_method 'cookie'")
    if config.dpop == "required" and not config.requires_binding:
        yield UNBOUND_COOKIES.found(f"token_transfer_method is {method}, and device_binding {config.device_binding!r}")
    yield from _guarded(config)
    yield from _not_held(installed)


def _guarded(config: SessionConfig) -> Iterator[Finding]:
    if config.device_binding_scope == "all" and config.access_token_validity > _GUARDED:
        yield LONG_TOKENS.found(
            f"device_binding_scope is 'all', and access_token_validity {lasting(config.access_token_validity)}"
        )


def _not_held(installed: Installed) -> Iterator[Finding]:
    config = installed.config
    # Other sites send cookies with SameSite=None alone.
    if config.device_binding == "off" or config.cookie_same_site != "none":
        return
    for origin in cors_origins(installed):
        if not _is_one_of(origin, refresh_initiators(config)):
            yield NOT_HELD.found(f"CORSMiddleware lets in {origin}")


def _is_one_of(origin: Origin, hosts: list[str]) -> bool:
    return any(origin.host == host or (host[0] == "*" and origin.host.endswith(host[1:])) for host in hosts)
