"""Settings that do not go together, each with its field and its fix. They are refused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta

from fastapi_session.config import cookie_domain, cookie_prefix
from fastapi_session.config.environment import Stranger, slips, strangers
from fastapi_session.config.lifetimes import SessionKind, setting_of
from fastapi_session.config.settings import Settings, are_one_site, is_https
from fastapi_session.core.authentication import is_word
from fastapi_session.device import can_describe
from fastapi_session.local_address import is_local
from fastapi_session.model import DEFAULT_KIND
from fastapi_session.origin import Origin
from fastapi_session.secret_strength import MAKE_A_SECRET, MINIMUM_SECRET_BYTES, weakness

_LONGEST = timedelta(days=3650)
_SHORTEST_RESOLUTION = timedelta(seconds=60)
_LONGEST_GRACE = timedelta(seconds=300)
_LONGEST_PATH = 255
_KIND = re.compile(r"[a-z0-9_-]{1,32}")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_ONE_HOST = "use one host name for page and API"


def problems(config: Settings) -> Iterator[str]:
    """Return all that cannot be right."""
    # All of them, not the first: who fixes one should not meet the next at the next start.
    for kind in (
        _origins,
        _cookie_domains,
        _cookie_prefixes,
        _cookies,
        _bindings,
        _access_tokens,
        _durations,
        _sightings,
        _kinds,
        _limits,
        _feed,
        _audit,
        _statuses,
        _levels,
        _secrets,
        _misspelt,
    ):
        yield from kind(config)


def _origins(config: Settings) -> Iterator[str]:
    for field in ("api_domain", "website_domain"):
        # Of the fields that were set: website_domain is by default what api_domain is.
        if field in config.model_fields_set and Origin.parse(getattr(config, field)) is None:
            yield f"{field}: give an origin with its scheme and nothing after the host, as in https://api.example.com"
    # Plain, because browsers compare the path of a cookie as it is written, encoded characters included.
    if not _PATH.fullmatch(config.api_base_path):
        yield "api_base_path: give a plain path without a slash at its end, as in /auth"
    if config.login_url is not None and not is_local(config.login_url):
        yield "login_url: give the path of the sign-in page on this host, as browsers see it: /login"
    if len(config.api_base_path) > _LONGEST_PATH:
        yield f"api_base_path: give at most {_LONGEST_PATH} characters, as each access token repeats it"


def _cookie_domains(config: Settings) -> Iterator[str]:
    api, domain, older = Origin.parse(config.api_domain), config.cookie_domain, config.older_cookie_domain
    if api is None:
        return
    if domain is not None and (why := cookie_domain.refusal(domain, api)):
        yield f"cookie_domain: {why}"
    if older and (why := cookie_domain.refusal(older, api)):
        yield f"older_cookie_domain: {why}, or '' if the older cookies had no Domain"
    if older is not None and cookie_domain.bare(older) == cookie_domain.bare(domain or ""):
        yield "older_cookie_domain: it is cookie_domain itself; give the domain of before, or leave it out"


def _cookie_prefixes(config: Settings) -> Iterator[str]:
    prefix, older, is_secure = config.cookie_prefix, config.older_cookie_prefix, config.cookie_secure
    if why := cookie_prefix.refusal(prefix, has_domain=config.cookie_domain is not None, is_secure=is_secure):
        yield f"cookie_prefix: {why}"
    if older is not None and (why := cookie_prefix.refusal(older, has_domain=False, is_secure=is_secure)):
        yield f"older_cookie_prefix: {why}"
    if older == prefix:
        yield "older_cookie_prefix: it is cookie_prefix itself; give the prefix of before, or leave it out"


def _cookies(config: Settings) -> Iterator[str]:
    api, website = Origin.parse(config.api_domain), Origin.parse(config.website_domain)
    if api is None or website is None:
        return
    if config.cookie_same_site == "none" and not config.cookie_secure and config.token_transfer_method != "header":
        yield f"cookie_same_site: browsers refuse SameSite=None without Secure; {_way_to_secure(config)}"
    if config.cookie_secure and api.scheme == "http" and not api.is_loopback:
        yield "cookie_secure: browsers drop Secure cookies of an http origin; make api_domain the https origin they see"
    if config.cookie_partitioned and not (config.cookie_same_site == "none" and config.cookie_secure):
        yield "cookie_partitioned: it is for pages of another site, with cookie_same_site='none' and cookie_secure; leave it out"
    if config.cookie_same_site == "none" and config.anti_csrf == "NONE" and config.token_transfer_method != "header":
        yield "anti_csrf: with cookie_same_site='none' pages of every site send the cookies; give VIA_CUSTOM_HEADER or VIA_TOKEN"
    if config.token_transfer_method == "cookie" and (why := _cookies_stay_behind(config)):
        yield why


def _way_to_secure(config: Settings) -> str:
    if "cookie_secure" in config.model_fields_set:
        return "leave cookie_secure out, and serve the API by https"
    return f"serve the API by https, or {_ONE_HOST}"


def _cookies_stay_behind(config: Settings) -> str | None:
    """Return why the pages of the website have no cookies, if they have none."""
    if config.cookie_same_site == "none" or are_one_site(config.api_domain, config.website_domain):
        return None
    return (
        f"cookie_same_site: browsers send no cookies from {config.website_domain}, which is another site than api_domain; "
        "leave it out, or give 'none'"
    )


def _bindings(config: Settings) -> Iterator[str]:
    method, binding = config.token_transfer_method, config.device_binding
    if binding == "required" and not is_https(config.api_domain):
        yield "device_binding: browsers bind nothing by http; make api_domain the https origin they see, or give 'optional'"
    if binding == "required" and method == "header":
        yield "device_binding: browsers bind cookies alone, and token_transfer_method is 'header'; leave it out"
    if binding == "required" and config.cookie_partitioned:
        yield "device_binding: browsers bind no partitioned cookies; leave cookie_partitioned out, or give 'off'"
    if not timedelta(0) <= config.device_binding_grace <= _LONGEST_GRACE:
        yield "device_binding_grace: give 0 to 300 seconds, as no browser is asked to bind a session for longer"
    if config.device_binding_scope == "all" and binding == "off":
        yield "device_binding_scope: device_binding is off; give 'optional' or 'required' there, or leave this out"
    if config.device_binding_scope == "all" and config.anti_csrf == "VIA_TOKEN":
        yield "device_binding_scope: a browser that refreshes by itself cannot hand pages the token of VIA_TOKEN; give 'refresh' here"
    if config.dpop == "required" and method == "cookie":
        yield "dpop: it is for tokens in headers, and token_transfer_method is 'cookie'; leave it out"


def _access_tokens(config: Settings) -> Iterator[str]:
    if not 0 <= config.access_token_validity_jitter <= 0.25:
        yield "access_token_validity_jitter: give 0 to 0.25"


def _durations(config: Settings) -> Iterator[str]:
    for name, kind in config.configured_kinds.items():
        field = "" if name == DEFAULT_KIND else f"kinds.{name}."
        yield from (f"{field}{problem}" for problem in _deadlines(kind, config))
    if config.access_token_dynamic_signing_key_update_interval > _LONGEST:
        yield "access_token_dynamic_signing_key_update_interval: give at most ten years"
    if not timedelta(0) <= config.refresh_token_rotation_grace_period <= timedelta(seconds=300):
        yield "refresh_token_rotation_grace_period: give 0 to 300 seconds"
    if config.access_token_dynamic_signing_key_update_interval < timedelta(hours=1):
        yield "access_token_dynamic_signing_key_update_interval: give at least one hour"


def _deadlines(kind: SessionKind, config: Settings) -> Iterator[str]:
    """Return what is wrong with the deadlines of *kind*, which has those of *config* if it says nothing."""
    validity = config.access_token_validity if kind.access_token_validity is None else kind.access_token_validity
    idle = config.idle_timeout if kind.idle_timeout is None else kind.idle_timeout
    absolute = config.absolute_timeout if kind.absolute_timeout is None else kind.absolute_timeout
    if validity < timedelta(seconds=1):
        yield "access_token_validity: give at least one second"
    # A negative one first: the shortest timedelta of all has none below it.
    zero = timedelta(0)
    if idle <= zero or idle - max(config.refresh_token_rotation_grace_period, zero) <= validity:
        yield (
            "idle_timeout: it must be longer than access_token_validity and refresh_token_rotation_grace_period "
            "together, else no refresh keeps a session alive"
        )
    if absolute is not None and absolute <= validity:
        yield "absolute_timeout: it must be longer than access_token_validity, or None"
    for field, timeout in (("idle_timeout", idle), ("absolute_timeout", absolute)):
        if timeout is not None and timeout > _LONGEST:
            yield f"{field}: give at most ten years"


def _sightings(config: Settings) -> Iterator[str]:
    if config.devices == "guess" and not can_describe():
        yield "devices: a guess needs ua-parser, which comes with pip install 'fastapi-session-auth[devices]'"
    resolution = config.last_seen_resolution
    if resolution is None:
        if config.idle_by_activity:
            yield "idle_by_activity: activity is not noted; give last_seen_resolution, as in 300 seconds"
        return
    if not _SHORTEST_RESOLUTION <= resolution <= _LONGEST:
        yield "last_seen_resolution: give at least 60 seconds, or None"
    shortest = min(kind.idle_timeout or config.idle_timeout for kind in config.all_kinds.values())
    if config.idle_by_activity and resolution + _SHORTEST_RESOLUTION >= shortest:
        yield "last_seen_resolution: it must be shorter than each idle_timeout by more than a minute, which passes until it is written"


def _kinds(config: Settings) -> Iterator[str]:
    for name, kind in config.kinds.items():
        if not _KIND.fullmatch(name):
            yield f"{setting_of(name)}: name a kind with a-z, 0-9, '_' and '-', at most 32 of them"
        if name == DEFAULT_KIND:
            yield f"kinds.{name}: that is what the settings themselves say; give it another name"
        if not kind.persistent and kind.idle_timeout is None:
            yield (
                f"kinds.{name}.idle_timeout: give one, as browsers that open their last tabs again bring back the cookies of "
                "a kind that is not persistent"
            )


def _limits(config: Settings) -> Iterator[str]:
    # A store that is named by a URL keeps all sessions in one place.
    if isinstance(config.store, str) or getattr(config.store, "keeps_limits", False):
        return
    for field in config.limits:
        yield f"{field}: the store keeps no limit; give a RedisStore one of shards, any other store keeps_limits, or leave it out"


def _feed(config: Settings) -> Iterator[str]:
    interval, max_age = config.revocation_feed_interval, config.revocation_feed_max_age
    if not timedelta(milliseconds=100) <= interval <= timedelta(seconds=60):
        yield "revocation_feed_interval: give 0.1 to 60 seconds"
    if max_age is not None and max_age <= interval:
        yield "revocation_feed_max_age: it must be longer than revocation_feed_interval, or None"


def _audit(config: Settings) -> Iterator[str]:
    if not timedelta(hours=1) <= config.audit_retention <= _LONGEST:
        yield "audit_retention: give one hour to ten years, as timedelta(days=90)"


def _statuses(config: Settings) -> Iterator[str]:
    for field in ("session_expired_status_code", "invalid_claim_status_code"):
        if not 400 <= getattr(config, field) <= 499:
            yield f"{field}: give a status from 400 to 499"
    if config.session_expired_status_code == config.invalid_claim_status_code:
        yield "invalid_claim_status_code: clients tell it from session_expired_status_code, so the two must differ"


def _levels(config: Settings) -> Iterator[str]:
    order = config.acr_order
    if len(set(order)) != len(order) or not all(is_word(level) for level in order):
        yield "acr_order: give each level once, the lowest first, without spaces or quotes: aal1, aal2, aal3"


def _secrets(config: Settings) -> Iterator[str]:
    if not config.secrets and is_https(config.api_domain):
        yield f"secret: an https api_domain needs one of your own (FASTAPI_SESSION_SECRET){misread_secrets()}; {MAKE_A_SECRET}"
    for length in map(len, config.secrets):
        if length < MINIMUM_SECRET_BYTES:
            needed = f"at least {MINIMUM_SECRET_BYTES} random bytes are needed"
            yield f"secret: {length} bytes are too few, {needed}; {MAKE_A_SECRET}"
    for why in filter(None, map(weakness, config.secrets)):
        yield f"secret: {why}, so anybody can guess it; {MAKE_A_SECRET}"


def misread_secrets() -> str:
    """Return what a refusal says of variables that are that of the secret but for a slip in how they begin; their names alone."""
    prefix = str(Settings.model_config["env_prefix"])
    found = slips(os.environ, prefix=prefix, settings=Settings.model_fields)
    names = [each.name for each in found if each.meant == f"{prefix}secret".upper()]
    return f", which {' or '.join(names)} may be meant for" if names else ""


def _misspelt(config: Settings) -> Iterator[str]:
    """Return the variables that are settings but for their spelling, as an argument of such a name is refused."""
    for variable in _strangers(config):
        if variable.meant:
            yield f"{variable.name}: there is no such setting; {variable.meant} may be meant"


def _strangers(config: Settings) -> Iterator[Stranger]:
    return strangers(os.environ, prefix=config.model_config["env_prefix"], settings=type(config).model_fields)
