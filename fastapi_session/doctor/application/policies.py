"""Choices that are safe by themselves, and of which an operator should know what follows.

| id | looks at | level |
|---|---|---|
| FS091 | sessions in memory, of an API by https that is not on this machine alone | warning |
| FS092 | sessions that live as long as they are used | info |
| FS093 | `lost_response_recovery`, where others alone may verify | info |
| FS094 | `revocation_feed_max_age` | info |
| FS095 | access tokens that live for more than a day | info |
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from fastapi_session.config import SessionConfig
from fastapi_session.doctor.application.installed import Installed, embedded_store
from fastapi_session.doctor.application.routes import Route, routes_of
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.origin import Origin
from fastapi_session.plain_text import lasting
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.web.dependencies import CreateSessionProvider
from fastapi_session.web.forward_auth.router import ForwardAuth
from fastapi_session.web.guard import Guard
from fastapi_session.web.router import SIGN_OUT_ENDPOINT
from fastapi_session.web.verifying import SessionProvider

IN_MEMORY = Check(
    "FS091",
    Level.WARNING,
    "sessions are kept in memory, so they end with the process, and no other process knows them",
    "give a store that stays, as in store='sqlite:///sessions.db' (FASTAPI_SESSION_STORE)",
)
ENDLESS = Check(
    "FS092",
    Level.INFO,
    "sessions live for as long as they are used, since there is no absolute_timeout",
    "give absolute_timeout=timedelta(days=30) if users have to sign in again after some time, as NIST SP 800-63B asks",
)
RECOVERED = Check(
    "FS093",
    Level.INFO,
    "no route here has verify_session(), so it may never be learnt that a token arrived, and with lost_response_recovery the one before stays good",
    "give lost_response_recovery=False if other services verify the access tokens",
)
NO_MAX_AGE = Check(
    "FS094",
    Level.INFO,
    "while the store is down, sessions that others have ended go on until their access tokens expire",
    "give revocation_feed_max_age=timedelta(seconds=30) if 503 is better then",
)
LONG_TOKENS = Check(
    "FS095",
    Level.INFO,
    "access tokens live for more than a day: so long is a copy good, and so long do services that know the keys alone accept an ended session",
    "give access_token_validity=timedelta(hours=1): clients refresh by themselves",
)

CHECKS = (IN_MEMORY, ENDLESS, RECOVERED, NO_MAX_AGE, LONG_TOKENS)

_LONG = timedelta(days=1)


def policy_findings(installed: Installed) -> Iterator[Finding]:
    """Yield what follows from the choices of *installed*."""
    config = installed.config
    if _serves_others(config) and isinstance(embedded_store(config), MemoryStore):
        yield IN_MEMORY.found(f"a MemoryStore, for {config.api_domain}")
    if config.absolute_timeout is None:
        yield ENDLESS.found(f"idle_timeout is {lasting(config.idle_timeout)}")
    if config.lost_response_recovery and _only_begins(installed):
        yield RECOVERED.found("lost_response_recovery is on")
    if config.revocation_feed_max_age is None:
        yield NO_MAX_AGE.found(f"access_token_validity is {lasting(config.access_token_validity)}")
    validities = [config.access_token_validity, *(kind.access_token_validity for kind in config.kinds.values())]
    if (longest := max(filter(None, validities))) > _LONG:
        yield LONG_TOKENS.found(f"access_token_validity is {lasting(longest)}")


def _serves_others(config: SessionConfig) -> bool:
    api = Origin.parse(config.api_domain)
    return api is not None and api.scheme == "https" and not api.is_loopback


def _only_begins(installed: Installed) -> bool:
    """Say whether sessions begin in *installed* and none is verified, but to sign out."""
    routes = () if installed.app is None else tuple(routes_of(installed.app))
    begins = any(route.has(CreateSessionProvider) for route in routes)
    return begins and not any(_verifies(route) for route in routes)


def _verifies(route: Route) -> bool:
    is_guarded = isinstance(route.application, Guard)
    is_asked_by_proxy = isinstance(route.endpoint, ForwardAuth)
    return is_guarded or is_asked_by_proxy or (route.endpoint is not SIGN_OUT_ENDPOINT and route.has(SessionProvider))
