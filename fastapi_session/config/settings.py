"""The settings of a deployment: what each one is, what it is by default, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from fastapi_session import endpoint_paths
from fastapi_session.config.cookie_prefix import is_secure_only
from fastapi_session.config.lifetimes import Kinds, SessionKind
from fastapi_session.config.session_limit import LimitSetting, SessionLimit
from fastapi_session.config.values import Duration, SecretSetting, StepUpStatus, StoreSetting
from fastapi_session.core.anti_csrf import AntiCsrfMode
from fastapi_session.core.impersonation import LONGEST
from fastapi_session.core.signing_keys import Algorithm
from fastapi_session.model import DEFAULT_KIND, GUEST_KIND, IMPERSONATION_KIND
from fastapi_session.origin import Origin

TokenTransferMethod = Literal["cookie", "header", "any"]
AuditSetting = bool | Literal["all"]
DeviceTracking = Literal["off", "cookie", "guess"]
IpAddressPrecision = Literal["full", "network", "none"]
Binding = Literal["off", "optional", "required"]
DeviceBindingScope = Literal["refresh", "all"]
Telemetry = Literal["off", "metrics", "identity"]
SameSite = Literal["lax", "strict", "none"]

GUEST_IDLE_TIMEOUT = timedelta(days=30)
"""How long a guest's session lives without a refresh, unless all sessions live shorter."""


def is_https(origin: str) -> bool:
    """Say whether the text *origin* names an https origin."""
    parsed = Origin.parse(origin)
    return parsed is not None and parsed.scheme == "https"


def are_one_site(api_domain: str, website_domain: str) -> bool:
    """Say whether browsers send SameSite cookies from the pages of *website_domain* to *api_domain*, so far as both are origins."""
    api, website = Origin.parse(api_domain), Origin.parse(website_domain)
    return api is None or website is None or api.same_site(website)


def _default_same_site(data: dict[str, Any]) -> SameSite:
    return "lax" if are_one_site(data.get("api_domain", ""), data.get("website_domain", "")) else "none"


def _default_secure(data: dict[str, Any]) -> bool:
    """Say whether the cookies are Secure. By http browsers keep such cookies of this machine alone, and Safari not even those."""
    api = Origin.parse(data.get("api_domain", ""))
    if api is None:  # which is refused a moment later, with all that is wrong
        return False
    prefixes = data.get("cookie_prefix") or "", data.get("older_cookie_prefix") or ""
    is_needed = data.get("cookie_same_site") == "none" or any(map(is_secure_only, prefixes))
    return api.scheme == "https" or (api.is_loopback and is_needed)


def _default_anti_csrf(data: dict[str, Any]) -> AntiCsrfMode:
    return "VIA_CUSTOM_HEADER" if data.get("cookie_same_site") == "none" else "NONE"


class Settings(BaseSettings):
    """The settings, each right by itself. Whether they go together is checked by `SessionConfig`."""

    model_config = SettingsConfigDict(
        env_prefix="FASTAPI_SESSION_",
        frozen=True,  # every request and every worker's engine reads it
        extra="forbid",
        hide_input_in_errors=True,  # it may be the secret
        arbitrary_types_allowed=True,  # a store
    )

    # In this order: pydantic hands to a default_factory only the settings that are written before its own.
    api_domain: str = "http://localhost:8000"
    """Origin under which browsers reach this API."""
    website_domain: str = Field(default_factory=lambda data: data.get("api_domain", ""))
    """Origin of the pages that call it. Default: the API's own."""
    api_base_path: str = "/auth"
    """Path, as the browser sees it, below which the endpoints of `session_router()` are."""
    login_url: str | None = None
    """Path of the sign-in page, as the browser sees it, to which `session_router(pages=True)` sends who is signed out."""

    store: StoreSetting = "sqlite:///sessions.db"
    """Where sessions are kept: a URL (`sqlite:///file`, `postgresql+asyncpg://...`, `redis://...`, `memory:`) or a store object."""
    secret: SecretSetting = None
    """At least 32 random bytes, or several such, newest first. Default (SQLite, no https): a key file beside the database."""

    token_transfer_method: TokenTransferMethod | Callable[[Any, bool], TokenTransferMethod] = "any"
    """Where tokens travel, or a function of (connection, for_create) that says so."""
    cookie_domain: str | None = None
    """`Domain` of the cookies. Default: none, the API's host alone."""
    older_cookie_domain: str | None = None
    """What `cookie_domain` was before it was changed ("" if it was none), so that old cookies are cleared."""
    cookie_prefix: str = ""
    """What the names of the cookies begin with, so that other applications of this host and above it have cookies of their own.
    `__Host-` and `__Secure-` are such that browsers guard them."""
    older_cookie_prefix: str | None = None
    """What `cookie_prefix` was before it was changed ("" if there was none), so that nobody is signed out."""
    cookie_same_site: SameSite = Field(default_factory=_default_same_site)
    """`SameSite` of the cookies. Default: none if API and website are different sites, else lax."""
    cookie_secure: bool = Field(default_factory=_default_secure)
    """`Secure` on the cookies. Default: if `api_domain` is https, or is this machine and SameSite or a prefix needs it; and
    on every request that came by https."""
    cookie_partitioned: bool = False
    """`Partitioned` on the cookies (CHIPS): for pages of another site, a session for each of the sites they are embedded in."""
    anti_csrf: AntiCsrfMode = Field(default_factory=_default_anti_csrf)
    """How a request in cookie mode proves that no other site forged it."""
    expose_access_token_to_frontend_in_cookie_based_auth: bool = False
    """Send the access token in a header as well, where scripts can read it."""

    client_address: Callable[[Any], str | None] | None = None
    """A function of the connection that returns the client's address, from a header that only your CDN can set. Default: what the
    server says, which knows which proxies to trust."""
    ip_address_precision: IpAddressPrecision = "full"
    """How much of an address is kept and is in events: all, its network (/24, for IPv6 /48), or nothing."""

    devices: DeviceTracking = "off"
    """How a new device is detected at a sign-in: by a cookie, by a guess from the user agent, or not at all."""
    last_seen_resolution: Duration | None = None
    """How exactly the store knows when a session was last used, at least a minute. Default: when it was refreshed."""
    idle_by_activity: bool = False
    """Whether such a use moves the idle deadline too, as a refresh does."""

    device_binding: Binding = "off"
    """Whether a new session in cookie mode is bound to a key of its browser (DBSC): never, if the browser can, or else it ends."""
    device_binding_grace: Duration = timedelta(seconds=30)
    """How long a session that has to be bound by its browser is refreshed while it is not yet."""
    device_binding_scope: DeviceBindingScope = "refresh"
    """What the browser guards by its key: the refresh, or for pages without any script the access token of all requests."""
    dpop: Binding = "off"
    """Whether a new session in header mode is bound to a key of its client (DPoP): never, if the client proves one, or always."""
    dpop_nonces: bool = False
    """Whether a DPoP proof needs a nonce of this server."""

    session_expired_status_code: int = 401
    """Status of "unauthorised", "try refresh token" and "token theft detected"."""
    invalid_claim_status_code: int = 403
    """Status of "invalid claim"."""
    step_up_status: StepUpStatus = "auto"
    """Status if the user has to be authenticated again. Auto: 401, as RFC 9470 says, but `invalid_claim_status_code` for clients
    that take a 401 for an access token that has expired."""
    acr_order: tuple[str, ...] = ("aal1", "aal2", "aal3")
    """The assurance levels of this deployment, the lowest first: a higher level meets a demand of a lower one."""

    access_token_validity: Duration = timedelta(hours=1)
    """How long an access token is accepted."""
    access_token_validity_jitter: float = 0.10
    """Up to which part each access token's life is shortened at random. It makes a patient thief betray himself."""
    idle_timeout: Duration = timedelta(days=100)
    """How long a session lives without a refresh."""
    absolute_timeout: Duration | None = None
    """How long a session lives at all. Default: as long as it is refreshed."""
    kinds: Kinds = Field(default_factory=dict)
    """Kinds of sessions that live otherwise, by name; in the environment as JSON. A sign-in chooses one by its `lifetime`."""
    session_limit: LimitSetting = None
    """How many sessions a user may have at once; in the environment a number, or JSON. Default: as many as there may be."""

    refresh_token_rotation_grace_period: Duration = timedelta(seconds=30)
    """How long after a rotation the token before is still exchanged (for the same successor). 0 is strict."""
    lost_response_recovery: bool = True
    """Return the token before for as long as its successor has not been used.

    Switch it off if other services alone verify the access tokens: then this one never learns that it was used."""
    recent_token_reuse_behaviour: Literal["TOKEN_THEFT", "UNAUTHORISED"] = "TOKEN_THEFT"
    """The error for a client whose token was rotated once since. The session is revoked either way."""

    revocation_feed_interval: Duration = timedelta(seconds=1)
    """How often each process reads what others revoked. It counts everywhere within this and one second more."""
    revocation_feed_max_age: Duration | None = None
    """Return 503 to every session once the last reading is older. Default: go on with what is known while the store is down."""

    audit: AuditSetting = False
    """Keep events in the store, each in the transaction of its change: all but refreshes, or with "all" refreshes too."""
    audit_retention: Duration = timedelta(days=90)
    """How long events are kept."""

    use_dynamic_access_token_signing_key: bool = True
    """Sign with rotating keys; otherwise with one that stays."""
    access_token_dynamic_signing_key_update_interval: Duration = timedelta(hours=168)
    """How long each rotating key signs."""
    access_token_signing_algorithm: Algorithm = "ES256"
    """ES256 (P-256), or RS256 (RSA, 3072 bit) for verifiers that know nothing newer."""

    telemetry: Telemetry = "metrics"
    """What OpenTelemetry is told, if the application has set it up: metrics, those and whose session a request has, or nothing."""

    @property
    def issuer(self) -> str:
        """The `iss` of access tokens: the API's origin and base path."""
        return f"{Origin.parse(self.api_domain)}{self.api_base_path}"

    @property
    def refresh_path(self) -> str:
        """Path of the refresh endpoint, as the browser sees it."""
        return f"{self.api_base_path}{endpoint_paths.REFRESH}"

    @property
    def requires_binding(self) -> bool:
        """Whether every session has to be bound to a key, however its tokens travel."""
        # In headers too, if a browser has to bind: else a thief would bring there what he copied from cookies.
        return self.device_binding == "required" or (self.dpop == "required" and self.token_transfer_method == "header")

    @property
    def all_kinds(self) -> dict[str, SessionKind]:
        """The kinds of sessions by name: those configured, the one that is as the settings themselves say, and those built in.

        A kind that is built in is as configured, if one of its name is.
        """
        guest = SessionKind(idle_timeout=min(GUEST_IDLE_TIMEOUT, self.idle_timeout))
        impersonation = SessionKind(absolute_timeout=LONGEST, persistent=False)
        return {GUEST_KIND: guest, IMPERSONATION_KIND: impersonation, **self.configured_kinds}

    @property
    def configured_kinds(self) -> dict[str, SessionKind]:
        """The kinds of sessions by name that are as the settings say."""
        return {DEFAULT_KIND: SessionKind(), **self.kinds}

    @property
    def limits(self) -> dict[str, SessionLimit]:
        """The limits of sessions that are configured, by their fields."""
        of_kinds = {f"kinds.{name}.limit": kind.limit for name, kind in self.kinds.items()}
        return {field: limit for field, limit in {"session_limit": self.session_limit, **of_kinds}.items() if limit}

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The configured secrets as bytes, newest first; empty if none is configured."""
        given = (self.secret,) if isinstance(self.secret, SecretStr) else self.secret or ()
        return tuple(secret.get_secret_value().encode() for secret in given)
