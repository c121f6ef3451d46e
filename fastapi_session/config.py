"""What a deployment chooses.

Every option has a safe default; `SessionConfig()` alone is complete for a first app on localhost. What is not given is
read from the environment: `FASTAPI_SESSION_API_DOMAIN`, `FASTAPI_SESSION_SECRET` and so on. Contradictions are refused at
construction with a `ConfigurationError` that names the field and the fix, all of them at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from fastapi_session.errors import ConfigurationError
from fastapi_session.origin import Origin, is_public_suffix

TokenTransferMethod = Literal["cookie", "header", "any"]
SameSite = Literal["lax", "strict", "none"]
AntiCsrf = Literal["NONE", "VIA_CUSTOM_HEADER", "VIA_TOKEN"]


def _plain_seconds(value: object) -> object:
    return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdecimal() else value


Duration = Annotated[timedelta, BeforeValidator(_plain_seconds)]
"""A `timedelta`; as text a number of seconds, or ISO 8601 (`PT1H`)."""


def _list_of_secrets(value: object) -> object:
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value


Secrets = Annotated[SecretStr | tuple[SecretStr, ...] | None, NoDecode, BeforeValidator(_list_of_secrets)]
"""One secret or several, newest first; as text one secret, whatever it looks like, or a JSON list."""

_LONGEST = timedelta(days=3650)
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_DOMAIN = re.compile(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def _is_https(origin: str) -> bool:
    parsed = Origin.parse(origin)
    return parsed is not None and parsed.scheme == "https"


def _default_same_site(data: dict[str, Any]) -> SameSite:
    api, website = Origin.parse(data.get("api_domain", "")), Origin.parse(data.get("website_domain", ""))
    return "lax" if api is None or website is None or api.same_site(website) else "none"


def _default_anti_csrf(data: dict[str, Any]) -> AntiCsrf:
    return "VIA_CUSTOM_HEADER" if data.get("cookie_same_site") == "none" else "NONE"


class SessionConfig(BaseSettings):
    """The configuration of sessions, frozen. Durations are `timedelta`; in the environment seconds or ISO 8601.

    Raises pydantic's `ValidationError` where a value has the wrong type, and `ConfigurationError` where values
    contradict one another or lie outside of their range.
    """

    model_config = SettingsConfigDict(
        env_prefix="FASTAPI_SESSION_",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )

    api_domain: str = "http://localhost:8000"
    """Origin under which browsers reach this API."""
    website_domain: str = Field(default_factory=lambda data: data.get("api_domain", ""))
    """Origin of the pages that call it. Default: the API's own."""
    api_base_path: str = "/auth"
    """Path, as the browser sees it, below which `session_router()` answers."""

    store: Any = "sqlite:///sessions.db"
    """Where sessions are kept: a URL (`sqlite:///file`, `postgresql+asyncpg://...`, `redis://...`, `memory:`) or a store object."""
    secret: Secrets = None
    """At least 32 random bytes, or several such, newest first. Default (SQLite, no https): a key file beside the database."""

    token_transfer_method: TokenTransferMethod | Callable[[Any, bool], TokenTransferMethod] = "any"
    """Where tokens travel, or a function of (connection, for_create) that says so."""
    cookie_domain: str | None = None
    """`Domain` of the cookies. Default: none, the API's host alone."""
    older_cookie_domain: str | None = None
    """What `cookie_domain` was before it was changed ("" where it was none), so that old cookies are cleared."""
    cookie_secure: bool = Field(default_factory=lambda data: _is_https(data.get("api_domain", "")))
    """`Secure` on the cookies. Default: where `api_domain` is https, and on every request that came by https."""
    cookie_same_site: SameSite = Field(default_factory=_default_same_site)
    """`SameSite` of the cookies. Default: none where API and website are different sites, else lax."""
    anti_csrf: AntiCsrf = Field(default_factory=_default_anti_csrf)
    """How a request in cookie mode proves that no other site forged it."""
    expose_access_token_to_frontend_in_cookie_based_auth: bool = False
    """Send the access token in a header as well, where scripts can read it."""

    session_expired_status_code: int = 401
    """Status of "unauthorised", "try refresh token" and "token theft detected"."""
    invalid_claim_status_code: int = 403
    """Status of "invalid claim"."""

    access_token_validity: Duration = timedelta(hours=1)
    """How long an access token is believed."""
    access_token_validity_jitter: float = 0.10
    """Up to which part each access token's life is shortened at random. It makes a patient thief betray himself."""
    idle_timeout: Duration = timedelta(days=100)
    """How long a session lives without a refresh."""
    absolute_timeout: Duration | None = None
    """How long a session lives at all. Default: as long as it is refreshed."""

    refresh_token_rotation_grace_period: Duration = timedelta(seconds=30)
    """How long after a rotation the token before is still answered (with the same successor). 0 is strict."""
    lost_response_recovery: bool = True
    """Answer the token before for as long as its successor has not been used.

    Switch it off where other services alone verify the access tokens: here nothing would tell that it was used."""
    recent_token_reuse_behaviour: Literal["TOKEN_THEFT", "UNAUTHORISED"] = "TOKEN_THEFT"
    """What a client is told whose token was rotated once since. The session is revoked either way."""

    revocation_feed_interval: Duration = timedelta(seconds=1)
    """How often each process reads what others revoked."""
    revocation_feed_max_age: Duration | None = None
    """Answer 503 to every session once the last reading is older. Default: go on with what is known while the store is down."""

    use_dynamic_access_token_signing_key: bool = True
    """Sign with rotating keys; otherwise with one that stays."""
    access_token_dynamic_signing_key_update_interval: Duration = timedelta(hours=168)
    """How long each rotating key signs."""
    access_token_signing_algorithm: Literal["ES256", "RS256"] = "ES256"
    """ES256 (P-256), or RS256 (RSA, 3072 bit) for verifiers that know nothing newer."""

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        problems = [*_origins(self), *_cookies(self), *_durations(self), *_feed(self), *_rest(self)]
        if problems:
            raise ConfigurationError("\n".join(problems))
        return self

    @property
    def issuer(self) -> str:
        """The `iss` of access tokens: the API's origin and base path."""
        return f"{Origin.parse(self.api_domain)}{self.api_base_path}"

    @property
    def refresh_path(self) -> str:
        """Path of the refresh endpoint, as the browser sees it."""
        return f"{self.api_base_path}/session/refresh"

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The configured secrets as bytes, newest first; empty where none is configured."""
        given = (self.secret,) if isinstance(self.secret, SecretStr) else self.secret or ()
        return tuple(secret.get_secret_value().encode() for secret in given)


def _origins(config: SessionConfig) -> Iterator[str]:
    for field in ("api_domain", "website_domain"):
        if Origin.parse(getattr(config, field)) is None:
            yield f"{field}: give an origin with its scheme and nothing after the host, as in https://api.example.com"
    if not _PATH.fullmatch(config.api_base_path):
        yield "api_base_path: give a plain path without a slash at its end, as in /auth"


def _cookies(config: SessionConfig) -> Iterator[str]:
    api, website = Origin.parse(config.api_domain), Origin.parse(config.website_domain)
    if api is None or website is None:
        return
    if config.cookie_domain is not None:
        yield from _cookie_domain(config.cookie_domain, api)
    if config.older_cookie_domain is not None and _bare(config.older_cookie_domain) == _bare(
        config.cookie_domain or ""
    ):
        yield "older_cookie_domain: it is cookie_domain itself; give the domain of before, or leave it out"
    if config.older_cookie_domain and not _DOMAIN.fullmatch(config.older_cookie_domain):
        yield "older_cookie_domain: give a host name, or '' where the older cookies had no Domain"
    if config.cookie_same_site == "none" and not config.cookie_secure and not (api.is_local and website.is_local):
        yield "cookie_same_site: browsers refuse SameSite=None without Secure; serve the API by https, or set cookie_secure"
    if config.cookie_secure and api.scheme == "http" and not api.is_local:
        yield "cookie_secure: browsers drop Secure cookies of an http origin; make api_domain the https origin they see"


def _bare(domain: str) -> str:
    """Answer *domain* as browsers compare it (RFC 6265bis, section 5.7): without a leading dot, in lower case."""
    return domain.removeprefix(".").lower()


def _cookie_domain(domain: str, api: Origin) -> Iterator[str]:
    bare = _bare(domain)
    if not _DOMAIN.fullmatch(domain):
        yield "cookie_domain: give a host name, as in example.com"
    elif api.host != bare and (api.is_address or not api.host.endswith(f".{bare}")):
        yield f"cookie_domain: browsers refuse it, as api_domain is not below it; give a domain that {api.host} ends in"
    elif api.host != bare and is_public_suffix(bare):
        yield "cookie_domain: browsers refuse cookies for a public suffix; give a domain of your own"


def _durations(config: SessionConfig) -> Iterator[str]:
    zero, second = timedelta(0), timedelta(seconds=1)
    if config.access_token_validity < second:
        yield "access_token_validity: give at least one second"
    if config.idle_timeout - config.refresh_token_rotation_grace_period <= config.access_token_validity:
        yield (
            "idle_timeout: it must be longer than access_token_validity and refresh_token_rotation_grace_period "
            "together, else no refresh keeps a session alive"
        )
    if config.absolute_timeout is not None and config.absolute_timeout <= config.access_token_validity:
        yield "absolute_timeout: it must be longer than access_token_validity, or None"
    for field in ("idle_timeout", "absolute_timeout", "access_token_dynamic_signing_key_update_interval"):
        if (getattr(config, field) or zero) > _LONGEST:
            yield f"{field}: give at most ten years"
    if not zero <= config.refresh_token_rotation_grace_period <= timedelta(seconds=300):
        yield "refresh_token_rotation_grace_period: give 0 to 300 seconds"
    if config.access_token_dynamic_signing_key_update_interval < timedelta(hours=1):
        yield "access_token_dynamic_signing_key_update_interval: give at least one hour"


def _feed(config: SessionConfig) -> Iterator[str]:
    interval, max_age = config.revocation_feed_interval, config.revocation_feed_max_age
    if not timedelta(milliseconds=100) <= interval <= timedelta(seconds=60):
        yield "revocation_feed_interval: give 0.1 to 60 seconds"
    if max_age is not None and max_age <= interval:
        yield "revocation_feed_max_age: it must be longer than revocation_feed_interval, or None"


def _rest(config: SessionConfig) -> Iterator[str]:
    if not 0 <= config.access_token_validity_jitter <= 0.25:
        yield "access_token_validity_jitter: give 0 to 0.25"
    for field in ("session_expired_status_code", "invalid_claim_status_code"):
        if not 400 <= getattr(config, field) <= 499:
            yield f"{field}: give a status from 400 to 499"
    if config.session_expired_status_code == config.invalid_claim_status_code:
        yield "invalid_claim_status_code: clients tell it from session_expired_status_code, so the two must differ"
    if not config.secrets and _is_https(config.api_domain):
        yield (
            "secret: an https api_domain needs one of your own (FASTAPI_SESSION_SECRET); "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
