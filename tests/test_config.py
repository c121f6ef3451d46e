"""What a deployment chooses: defaults that follow from each other, contradictions refused, the environment read."""

from __future__ import annotations

import copy
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from fastapi_session.config import SessionConfig
from fastapi_session.config.lifetimes import Lifetime, SessionKind
from fastapi_session.config.session_limit import SessionLimit
from fastapi_session.errors import ConfigurationError
from fastapi_session.sessions import Sessions
from tests.moments import HOUR, SECOND
from tests.wire import REFRESH_PATH

SECRET = "a-secret-of-more-than-thirty-two-bytes-01234"
OTHER_SECRET = "another-secret-of-more-than-thirty-two-bytes"

LOCAL = "http://localhost:8000"
API = "https://api.example.com"


PASSWORD = "canary-of-the-store"
DURATION = "give a timedelta, or as text a number of seconds or ISO 8601: 3600, PT1H"
SECRETS = "give text, or a list of such with the newest first; in the environment that list is JSON"


def config(**options: Any) -> SessionConfig:
    return SessionConfig(**{"secret": SECRET, **options})


@pytest.mark.parametrize(
    ("api_domain", "website_domain", "same_site", "secure", "anti_csrf"),
    [
        ("http://localhost:8000", None, "lax", False, "NONE"),
        ("http://localhost:8000", "http://localhost:3000", "lax", False, "NONE"),
        ("http://localhost:8000", "http://127.0.0.1:8000", "none", True, "VIA_CUSTOM_HEADER"),
        ("http://api.localhost:8000", "http://app.localhost:8000", "none", True, "VIA_CUSTOM_HEADER"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:3000", "lax", False, "NONE"),
        ("http://127.0.0.1:8000", "http://localhost:3000", "none", True, "VIA_CUSTOM_HEADER"),
        ("http://[::1]:8000", "http://localhost:3000", "none", True, "VIA_CUSTOM_HEADER"),
        ("http://localhost:8000", "https://localhost:3000", "none", True, "VIA_CUSTOM_HEADER"),
        ("http://localhost:8000", "https://example.com", "none", True, "VIA_CUSTOM_HEADER"),
        ("http://10.0.0.1", "http://10.0.0.1:3000", "lax", False, "NONE"),
        ("http://[::1]:8000", "http://[::1]:3000", "lax", False, "NONE"),
        ("https://localhost:8000", "http://localhost:3000", "none", True, "VIA_CUSTOM_HEADER"),
        ("https://api.example.com", None, "lax", True, "NONE"),
        ("HTTPS://API.Example.COM", "https://www.example.com", "lax", True, "NONE"),
        (" https://api.example.com\n", "https://example.com", "lax", True, "NONE"),
        ("https://api.example.com", "https://example.com:8443", "lax", True, "NONE"),
        ("https://api.example.com", "http://example.com", "none", True, "VIA_CUSTOM_HEADER"),
        ("https://api.example.com", "https://example.org", "none", True, "VIA_CUSTOM_HEADER"),
        ("https://api.shop.co.uk", "https://shop.co.uk", "lax", True, "NONE"),
        ("https://one.co.uk", "https://two.co.uk", "none", True, "VIA_CUSTOM_HEADER"),
        ("https://one.github.io", "https://two.github.io", "none", True, "VIA_CUSTOM_HEADER"),
        ("https://api.one.github.io", "https://one.github.io", "lax", True, "NONE"),
        ("http://api.example.com", "http://example.com", "lax", False, "NONE"),
    ],
)
def test_cookie_defaults_follow_from_the_origins(
    api_domain: str, website_domain: str | None, same_site: str, secure: bool, anti_csrf: str
) -> None:
    """SameSite follows from the two sites, Secure from the API's scheme, the anti-CSRF mode from SameSite."""
    origins = {"api_domain": api_domain} | ({"website_domain": website_domain} if website_domain else {})
    chosen = config(**origins)

    assert (same_site, secure, anti_csrf) == (chosen.cookie_same_site, chosen.cookie_secure, chosen.anti_csrf)


@pytest.mark.parametrize(
    ("options", "secure"),
    [
        ({"cookie_prefix": "shop-"}, False),
        ({"cookie_prefix": "__Secure-"}, True),
        ({"cookie_prefix": "__Host-shop-"}, True),
        ({"older_cookie_prefix": "__Host-"}, True),
        ({"api_domain": "http://127.0.0.1:8000", "cookie_prefix": "__Host-"}, True),
    ],
    ids=str,
)
def test_a_prefix_of_browsers_makes_local_cookies_secure(options: dict[str, Any], secure: bool) -> None:
    """On this machine cookies are Secure if browsers set or clear them only so."""
    assert secure == config(**options).cookie_secure


def test_what_is_given_is_not_derived() -> None:
    """A setting that is given stands, whatever would follow from the others."""
    chosen = config(
        api_domain=API,
        website_domain="https://example.com",
        cookie_same_site="strict",
        cookie_secure=False,
        anti_csrf="VIA_TOKEN",
    )

    assert ("strict", False, "VIA_TOKEN") == (chosen.cookie_same_site, chosen.cookie_secure, chosen.anti_csrf)


def test_nothing_need_be_given() -> None:
    """On localhost the configuration is complete without a word, and the durations are the documented ones."""
    chosen = SessionConfig()

    assert "http://localhost:8000/auth" == chosen.issuer
    assert REFRESH_PATH == chosen.refresh_path
    assert () == chosen.secrets
    assert (HOUR, 30 * SECOND, timedelta(days=100), None) == (
        chosen.access_token_validity,
        chosen.refresh_token_rotation_grace_period,
        chosen.idle_timeout,
        chosen.absolute_timeout,
    )


@pytest.mark.parametrize(
    ("api_domain", "base", "issuer"),
    [
        ("https://api.example.com/", "/auth", "https://api.example.com/auth"),
        ("HTTPS://API.example.com:443", "/auth", "https://api.example.com/auth"),
        ("https://api.example.com:8443", "", "https://api.example.com:8443"),
        ("http://localhost:80", "/v1/auth", "http://localhost/v1/auth"),
    ],
)
def test_the_issuer_is_one_text_for_one_origin(api_domain: str, base: str, issuer: str) -> None:
    """However the origin was written, tokens name one issuer."""
    assert issuer == config(api_domain=api_domain, api_base_path=base).issuer


def test_what_nobody_set_is_not_blamed() -> None:
    """The website is by default what the API is, and a wrong API alone is told."""
    with pytest.raises(ConfigurationError, match="api_domain: give an origin") as raised:
        config(api_domain="api.example.com")

    assert "website_domain" not in str(raised.value)


BELOW = "not below it"
SUFFIX = "public suffix"

CONTRADICTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("api_domain", {"api_domain": "api.example.com"}, "with its scheme"),
    ("api_domain", {"api_domain": "ftp://api.example.com"}, "with its scheme"),
    ("api_domain", {"api_domain": "https://api.example.com/path"}, "nothing after the host"),
    ("api_domain", {"api_domain": "https://user@example.com"}, "with its scheme"),
    ("api_domain", {"api_domain": "http\u017f://example.com"}, "with its scheme"),
    ("api_domain", {"api_domain": "http://localhost:65536"}, "with its scheme"),
    ("api_domain", {"api_domain": ""}, "with its scheme"),
    ("website_domain", {"website_domain": "https://example.com?"}, "with its scheme"),
    ("api_base_path", {"api_base_path": "auth"}, "as in /auth"),
    ("api_base_path", {"api_base_path": "/auth/"}, "without a slash at its end"),
    ("api_base_path", {"api_base_path": "/a;b"}, "plain path"),
    ("api_base_path", {"api_base_path": "/auth\n"}, "plain path"),
    ("api_base_path", {"api_base_path": "/" + "a" * 255}, "at most 255"),
    ("cookie_domain", {"api_domain": API, "cookie_domain": "example.org"}, BELOW),
    ("cookie_domain", {"api_domain": API, "cookie_domain": "ample.com"}, BELOW),
    ("cookie_domain", {"api_domain": API, "cookie_domain": "deep.api.example.com"}, BELOW),
    ("cookie_domain", {"api_domain": API, "cookie_domain": "com"}, SUFFIX),
    ("cookie_domain", {"api_domain": "https://a.github.io", "cookie_domain": ".github.io"}, SUFFIX),
    ("cookie_domain", {"api_domain": "https://a.co.uk", "cookie_domain": "co.uk"}, SUFFIX),
    ("cookie_domain", {"api_domain": "http://10.0.0.1", "cookie_domain": "0.0.1"}, BELOW),
    ("cookie_domain", {"api_domain": API, "cookie_domain": "example.com; Secure"}, "host name"),
    ("cookie_domain", {"api_domain": API, "cookie_domain": ""}, "host name"),
    ("cookie_domain", {"api_domain": API, "cookie_domain": "example.com\r\nset-cookie: a=b"}, "host name"),
    ("older_cookie_domain", {"older_cookie_domain": "example.com\n"}, "host name"),
    ("older_cookie_domain", {"api_domain": API, "older_cookie_domain": "example.org"}, BELOW),
    ("older_cookie_domain", {"api_domain": API, "older_cookie_domain": "deep.api.example.com"}, BELOW),
    ("older_cookie_domain", {"api_domain": API, "older_cookie_domain": "com"}, SUFFIX),
    ("older_cookie_domain", {"api_domain": "http://10.0.0.1", "older_cookie_domain": ".0.0.1"}, BELOW),
    ("older_cookie_domain", {"older_cookie_domain": ""}, "cookie_domain itself"),
    (
        "older_cookie_domain",
        {"api_domain": API, "cookie_domain": ".example.com", "older_cookie_domain": "Example.com"},
        "cookie_domain itself",
    ),
    ("cookie_same_site", {"cookie_same_site": "none", "api_domain": "http://example.com"}, "without Secure"),
    ("cookie_same_site", {"cookie_same_site": "none", "api_domain": API, "cookie_secure": False}, "without Secure"),
    ("cookie_same_site", {"cookie_same_site": "none", "cookie_secure": False}, "leave cookie_secure out"),
    *[
        ("cookie_same_site", {"api_domain": api, "website_domain": website}, "use one host name for page and API")
        for api, website in [
            ("http://10.0.0.1", "http://10.0.0.2"),
            ("http://10.0.0.1:8000", "http://localhost:3000"),
            ("http://example.com", "http://example.org"),
            ("http://[fd00::1]", "http://[fd00::2]"),
        ]
    ],
    ("cookie_secure", {"api_domain": "http://example.com", "cookie_secure": True}, "https origin"),
    ("cookie_secure", {"api_domain": "http://10.0.0.1", "cookie_secure": True}, "https origin"),
    ("cookie_prefix", {"cookie_prefix": "my shop"}, "letters, digits"),
    ("cookie_prefix", {"cookie_prefix": "shop="}, "letters, digits"),
    ("cookie_prefix", {"cookie_prefix": "shop\n"}, "letters, digits"),
    ("cookie_prefix", {"cookie_prefix": "ü"}, "letters, digits"),
    ("cookie_prefix", {"cookie_prefix": "x" * 33}, "at most 32"),
    ("cookie_prefix", {"api_domain": API, "cookie_prefix": "__host-"}, "write __Host-"),
    ("cookie_prefix", {"api_domain": API, "cookie_prefix": "__SECURE-shop-"}, "write __Secure-"),
    ("cookie_prefix", {"api_domain": API, "cookie_prefix": "__Http-"}, "give __Secure-"),
    ("cookie_prefix", {"api_domain": API, "cookie_prefix": "__Host-", "cookie_domain": "example.com"}, "with a Domain"),
    *[
        ("cookie_prefix", {"api_domain": "http://10.0.0.1", "cookie_prefix": prefix}, "https origin")
        for prefix in ("__Host-", "__Secure-shop-")
    ],
    ("cookie_prefix", {"cookie_prefix": "__Host-", "cookie_secure": False}, "leave cookie_secure out"),
    ("older_cookie_prefix", {"cookie_prefix": "shop-", "older_cookie_prefix": "my shop"}, "letters, digits"),
    ("older_cookie_prefix", {"cookie_prefix": "shop-", "older_cookie_prefix": "shop-"}, "leave it out"),
    ("older_cookie_prefix", {"older_cookie_prefix": ""}, "leave it out"),
    ("older_cookie_prefix", {"api_domain": "http://10.0.0.1", "older_cookie_prefix": "__Host-"}, "https origin"),
    ("cookie_partitioned", {"cookie_partitioned": True}, "leave it out"),
    ("cookie_partitioned", {"api_domain": API, "cookie_partitioned": True}, "pages of another site"),
    ("anti_csrf", {"website_domain": "http://127.0.0.1:8000", "anti_csrf": "NONE"}, "give VIA_CUSTOM_HEADER"),
    ("anti_csrf", {"api_domain": API, "cookie_same_site": "none", "anti_csrf": "NONE"}, "or VIA_TOKEN"),
    *[
        (
            "cookie_same_site",
            {
                "api_domain": API,
                "website_domain": other,
                "cookie_same_site": same_site,
                "token_transfer_method": "cookie",
            },
            f"no cookies from {other}",
        )
        for other in ("https://example.org", "http://example.com")
        for same_site in ("lax", "strict")
    ],
    ("device_binding", {"device_binding": "required"}, "https origin"),
    ("device_binding", {"api_domain": "http://10.0.0.1", "device_binding": "required"}, "https origin"),
    (
        "device_binding",
        {"api_domain": API, "device_binding": "required", "token_transfer_method": "header"},
        "bind cookies alone",
    ),
    (
        "device_binding",
        {"api_domain": API, "device_binding": "required", "cookie_same_site": "none", "cookie_partitioned": True},
        "partitioned",
    ),
    ("device_binding_grace", {"device_binding_grace": -SECOND}, "0 to 300"),
    ("device_binding_grace", {"device_binding_grace": 301 * SECOND}, "0 to 300"),
    ("device_binding_scope", {"device_binding_scope": "all"}, "device_binding is off"),
    (
        "device_binding_scope",
        {"api_domain": API, "device_binding": "optional", "device_binding_scope": "all", "anti_csrf": "VIA_TOKEN"},
        "VIA_TOKEN",
    ),
    ("dpop", {"dpop": "required", "token_transfer_method": "cookie"}, "tokens in headers"),
    ("access_token_validity", {"access_token_validity": timedelta(milliseconds=999)}, "at least one second"),
    ("access_token_validity", {"access_token_validity": -HOUR}, "at least one second"),
    ("idle_timeout", {"idle_timeout": HOUR + 30 * SECOND}, "longer than access_token_validity"),
    ("last_seen_resolution", {"last_seen_resolution": 59 * SECOND}, "at least 60 seconds"),
    ("last_seen_resolution", {"last_seen_resolution": timedelta.max}, "at least 60 seconds"),
    ("idle_by_activity", {"idle_by_activity": True}, "give last_seen_resolution"),
    (
        "last_seen_resolution",
        {"last_seen_resolution": 2 * HOUR, "idle_by_activity": True, "idle_timeout": 2 * HOUR + 60 * SECOND},
        "shorter than each idle_timeout",
    ),
    ("idle_timeout", {"idle_timeout": timedelta(days=3651)}, "ten years"),
    ("kinds.web.idle_timeout", {"kinds": {"web": SessionKind(idle_timeout=HOUR)}}, "longer than access_token_validity"),
    (
        "kinds.web.idle_timeout",
        {"kinds": {"web": SessionKind(access_token_validity=timedelta(days=100))}},
        "longer than access_token_validity",
    ),
    ("kinds.web.absolute_timeout", {"kinds": {"web": SessionKind(absolute_timeout=SECOND)}}, "longer than"),
    ("kinds.web.absolute_timeout", {"kinds": {"web": {"absolute_timeout": "P3651D"}}}, "ten years"),
    ("kinds.web.access_token_validity", {"kinds": {"web": {"access_token_validity": 0.5}}}, "at least one second"),
    ("kinds.web.idle_timeout", {"kinds": {"web": SessionKind(persistent=False)}}, "bring back the cookies"),
    ("kinds.web.idle_timeout", {"kinds": {"web": SessionKind(idle_timeout=timedelta.min)}}, "longer than"),
    ("idle_timeout", {"idle_timeout": timedelta.min}, "longer than access_token_validity"),
    ("refresh_token_rotation_grace_period", {"refresh_token_rotation_grace_period": timedelta.min}, "0 to 300"),
    ("kinds.Web", {"kinds": {"Web": SessionKind()}}, "name a kind with a-z"),
    (r"kinds.'a\nb'", {"kinds": {"a\nb": SessionKind()}}, "name a kind with a-z"),
    (r"kinds.'a\nb'.idle_timeout", {"kinds": {"a\nb": {"idle_timeout": "soon"}}}, "give a timedelta"),
    ("kinds.default", {"kinds": {"default": SessionKind()}}, "another name"),
    ("absolute_timeout", {"absolute_timeout": HOUR}, "longer than access_token_validity"),
    ("absolute_timeout", {"absolute_timeout": timedelta.max}, "ten years"),
    ("refresh_token_rotation_grace_period", {"refresh_token_rotation_grace_period": -SECOND}, "0 to 300"),
    ("refresh_token_rotation_grace_period", {"refresh_token_rotation_grace_period": 301 * SECOND}, "0 to 300"),
    (
        "access_token_dynamic_signing_key_update_interval",
        {"access_token_dynamic_signing_key_update_interval": HOUR - SECOND},
        "at least one hour",
    ),
    (
        "access_token_dynamic_signing_key_update_interval",
        {"access_token_dynamic_signing_key_update_interval": timedelta.max},
        "ten years",
    ),
    ("access_token_validity_jitter", {"access_token_validity_jitter": -0.01}, "0 to 0.25"),
    ("access_token_validity_jitter", {"access_token_validity_jitter": 0.26}, "0 to 0.25"),
    ("access_token_validity_jitter", {"access_token_validity_jitter": float("nan")}, "0 to 0.25"),
    ("login_url", {"login_url": "https://accounts.example.com/login"}, "give the path of the sign-in page"),
    ("login_url", {"login_url": "//login"}, "give the path of the sign-in page"),
    ("session_expired_status_code", {"session_expired_status_code": 200}, "400 to 499"),
    ("invalid_claim_status_code", {"invalid_claim_status_code": 500}, "400 to 499"),
    ("invalid_claim_status_code", {"invalid_claim_status_code": 401}, "must differ"),
    ("secret", {"api_domain": API, "secret": None}, "FASTAPI_SESSION_SECRET"),
    ("secret", {"api_domain": " HTTPS://api.example.com", "secret": None}, "FASTAPI_SESSION_SECRET"),
    ("secret", {"api_domain": API, "secret": ()}, "FASTAPI_SESSION_SECRET"),
    *[
        ("secret", {"secret": secret}, f"{length} bytes are too few, at least 32")
        for secret, length in (("short", 5), ("", 0), ("x" * 31, 31), ([SECRET, "short"], 5))
    ],
    *[
        ("secret", {"secret": secret}, "repeats a few characters")
        for secret in (
            "x" * 48,
            "0" * 31 + "1",
            "abcde" * 9,
            "changeme" * 5,
            "a quarter of a secret" * 2,
            [SECRET, "s" * 32],
        )
    ],
    *[
        ("secret", {"secret": secret}, "what the documentation prints")
        for secret in (
            "replace me by 48 random bytes from the command below",
            " at least 32 characters that nobody can guess\n",
            "make-one-as-the-page-on-signing-keys-says",
            "python -c 'import secrets; print(secrets.token_urlsafe(48))'",
        )
    ],
]


@pytest.mark.parametrize(
    ("field", "options", "fix"),
    [pytest.param(*row, id=f"{number}-{row[0]}") for number, row in enumerate(CONTRADICTIONS)],
)
def test_contradictions_are_refused(field: str, options: dict[str, Any], fix: str) -> None:
    """A contradiction is refused at construction, by a message that names the field and the fix."""
    with pytest.raises(ConfigurationError, match=re.escape(fix)) as refused:
        config(**options)

    assert field in [line.partition(":")[0] for line in str(refused.value).splitlines()]


def test_all_contradictions_are_told_at_once() -> None:
    """Who made three mistakes learns of all three."""
    with pytest.raises(ConfigurationError) as refused:
        config(api_base_path="auth", idle_timeout=SECOND, session_expired_status_code=500)

    fields = [line.partition(":")[0] for line in str(refused.value).splitlines()]
    assert ["api_base_path", "idle_timeout", "session_expired_status_code"] == fields


@pytest.mark.parametrize(
    "options",
    [
        {"idle_timeout": HOUR + 31 * SECOND},
        {"access_token_validity": SECOND},
        {"absolute_timeout": HOUR + SECOND},
        {"refresh_token_rotation_grace_period": timedelta(0)},
        {"refresh_token_rotation_grace_period": 300 * SECOND},
        {"access_token_validity_jitter": 0},
        {"access_token_validity_jitter": 0.25},
        {"api_domain": API, "device_binding": "required", "dpop": "required"},
        {"api_domain": API, "device_binding": "optional", "device_binding_scope": "all"},
        {"api_domain": API, "device_binding": "required", "token_transfer_method": "cookie"},
        {"dpop": "required", "token_transfer_method": "header"},
        {"dpop": "optional", "token_transfer_method": "cookie"},
        {"device_binding_grace": timedelta(0)},
        {"device_binding_grace": 300 * SECOND},
        {"session_expired_status_code": 403, "invalid_claim_status_code": 401},
        {"api_base_path": ""},
        {"api_domain": API, "cookie_domain": "api.example.com"},
        {"api_domain": API, "cookie_domain": ".Example.com", "older_cookie_domain": ""},
        {"api_domain": API, "older_cookie_domain": "example.com"},
        {"api_domain": API, "cookie_domain": "example.com", "older_cookie_domain": ".api.example.com"},
        {"cookie_same_site": "none", "anti_csrf": "NONE", "token_transfer_method": "header"},
        {"website_domain": "https://example.org", "cookie_same_site": "lax", "token_transfer_method": "header"},
        {"secret": "3141592653589793238462643383279502884197"},
        {"secret": "00112233445566778899aabbccddeeff"},
        {"cookie_same_site": "none"},
        {"cookie_secure": True},
        {"api_domain": API, "website_domain": "https://example.org", "cookie_partitioned": True},
        {"cookie_prefix": "A.b_c-9", "api_domain": "http://10.0.0.1"},
        {"cookie_prefix": "x" * 32, "older_cookie_prefix": ""},
        {"api_domain": API, "cookie_prefix": "__Host-", "older_cookie_domain": "example.com"},
        {
            "api_domain": API,
            "cookie_prefix": "__Secure-",
            "cookie_domain": "example.com",
            "older_cookie_prefix": "__Host-",
        },
        {"api_domain": "http://10.0.0.1", "website_domain": "http://10.0.0.2", "token_transfer_method": "header"},
    ],
    ids=str,
)
def test_what_is_no_contradiction_is_accepted(options: dict[str, Any]) -> None:
    """The limits themselves are allowed, and so is what browsers make an exception for on localhost."""
    config(**options)


@pytest.mark.parametrize(
    ("setting", "value", "fix"),
    [
        ("cookie_same_site", "sometimes", "give 'lax', 'strict' or 'none'"),
        ("device_binding", "always", "give 'off', 'optional' or 'required'"),
        ("device_binding_scope", "page", "give 'refresh' or 'all'"),
        ("dpop", True, "give 'off', 'optional' or 'required'"),
        ("anti_csrf", "via_token", "give 'NONE', 'VIA_CUSTOM_HEADER' or 'VIA_TOKEN'"),
        ("access_token_signing_algorithm", "HS256", "give 'ES256' or 'RS256'"),
        ("token_transfer_method", "body", "give 'cookie', 'header' or 'any', or input should be callable"),
        ("access_token_validity", "soon", DURATION),
        ("idle_timeout", None, DURATION),
        ("secret", 5, SECRETS),
        ("secret", [SECRET, 5], SECRETS),
        ("secret", f"[{SECRET}", SECRETS),
        ("audit", "everything", "give True, False or 'all'"),
        (
            "acr_order",
            "aal1",
            'give a list of levels with the lowest first, as ["aal1", "aal2"]; in the environment that list is JSON',
        ),
        (
            "client_address",
            "cf-connecting-ip",
            "give a function of the connection that returns the address of its client as text, or None",
        ),
        ("audit_retention", 90, "give one hour to ten years, as timedelta(days=90)"),
        ("cookie_secure", "perhaps", "input should be a valid boolean, unable to interpret input"),
        ("session_expired_status_code", "4o1", "input should be a valid integer, unable to parse string as an integer"),
    ],
)
def test_wrong_values_are_refused(setting: str, value: object, fix: str) -> None:
    """A value that its setting does not take is told once, with what it takes, and nothing that follows from it."""
    with pytest.raises(ConfigurationError) as refused:
        config(**{setting: value})

    assert f"{setting}: {fix}" == str(refused.value)
    assert refused.value.__context__ is None


def test_misspelt_names_are_refused() -> None:
    """All names that are no settings are told at once, each with the setting that it resembles, and no value is repeated."""
    with pytest.raises(ConfigurationError) as refused:
        config(idle_timout=PASSWORD, nothing_like_it=PASSWORD)

    assert (
        "idle_timout: there is no such setting; idle_timeout may be meant\nnothing_like_it: there is no such setting"
    ) == str(refused.value)


@pytest.mark.parametrize("options", [{"secret": 5}, {"secret": [SECRET, 5]}, {"secret": f"[{SECRET}"}], ids=str)
def test_an_error_never_repeats_the_secret(options: dict[str, Any]) -> None:
    """What is printed about a wrong value, or about the whole configuration, does not tell the secret."""
    with pytest.raises(ConfigurationError) as refused:
        SessionConfig(**options)

    assert SECRET not in str(refused.value)
    assert SECRET not in repr(config())


def test_the_configuration_is_frozen() -> None:
    """A configuration in use cannot be changed under the feet of those who use it."""
    with pytest.raises(ValidationError, match="frozen"):
        config().api_domain = API  # type: ignore[misc]


def test_the_kinds_are_frozen_too() -> None:
    """Neither through the configuration nor through the mapping that it was given can a kind be added or changed."""
    given = {"web": SessionKind.aal1()}
    chosen = config(kinds=given)
    given["bank"] = SessionKind.aal3()
    with pytest.raises(TypeError, match="does not support item assignment"):
        chosen.kinds["web"] = SessionKind()  # type: ignore[index]
    with pytest.raises(ValidationError, match="frozen"):
        chosen.kinds["web"].persistent = False  # type: ignore[misc]

    assert {"web": SessionKind.aal1()} == chosen.kinds


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kinds": {"web": SessionKind(limit=SessionLimit(1)), "bank": {"idle_timeout": 7200}}},
        {"secret": [SECRET, OTHER_SECRET], "acr_order": ["aal1", "aal2"], "session_limit": SessionLimit(lambda *_: 3)},
    ],
)
def test_equal_configurations_are_one_key(options: dict[str, Any]) -> None:
    """A configuration has a hash, whatever is set, and stays equal where it is copied or read from its own dump."""
    chosen = config(**options)
    others = [chosen.model_copy(), copy.deepcopy(chosen), SessionConfig(**chosen.model_dump())]

    assert {chosen} == {chosen, *others}


def test_kinds_in_another_order_are_the_same() -> None:
    """As in any mapping."""
    kinds = {"web": SessionKind.aal1(), "bank": SessionKind.aal3()}

    assert 1 == len({config(kinds=kinds), config(kinds=dict(reversed(kinds.items())))})


def test_kinds_are_dumped_as_json() -> None:
    """With durations in ISO 8601, as the environment takes them."""
    dumped = json.loads(config(kinds={"bank": SessionKind.aal3()}).model_dump_json())

    assert ("PT15M", "PT12H") == (dumped["kinds"]["bank"]["idle_timeout"], dumped["kinds"]["bank"]["absolute_timeout"])
    assert {"bank": SessionKind.aal3()} == config(kinds=json.dumps(dumped["kinds"])).kinds


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("API_BASE_PATH", "/v1/auth", "api_base_path", "/v1/auth"),
        ("COOKIE_SAME_SITE", "strict", "cookie_same_site", "strict"),
        ("COOKIE_SECURE", "true", "cookie_secure", True),
        ("ACCESS_TOKEN_VALIDITY", "60", "access_token_validity", 60 * SECOND),
        ("ACCESS_TOKEN_VALIDITY", "1.5", "access_token_validity", 1.5 * SECOND),
        ("ACCESS_TOKEN_VALIDITY", "PT1H30M", "access_token_validity", 1.5 * HOUR),
        ("ABSOLUTE_TIMEOUT", "P7D", "absolute_timeout", timedelta(days=7)),
        ("ACCESS_TOKEN_VALIDITY_JITTER", "0.2", "access_token_validity_jitter", 0.2),
        ("SESSION_EXPIRED_STATUS_CODE", "440", "session_expired_status_code", 440),
        ("TOKEN_TRANSFER_METHOD", "header", "token_transfer_method", "header"),
        ("STORE", "memory:", "store", "memory:"),
        ("OLDER_COOKIE_DOMAIN", "localhost", "older_cookie_domain", "localhost"),
        ("COOKIE_PREFIX", "shop-", "cookie_prefix", "shop-"),
        ("DEVICE_BINDING_GRACE", "60", "device_binding_grace", 60 * SECOND),
        ("DPOP", "optional", "dpop", "optional"),
        ("DPOP_NONCES", "true", "dpop_nonces", True),
    ],
)
def test_the_environment_is_read(
    name: str, text: str, field: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every setting can be given in the environment, durations as seconds or ISO 8601."""
    monkeypatch.setenv(f"FASTAPI_SESSION_{name}", text)

    assert value == getattr(SessionConfig(), field)


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        (SECRET, [SECRET]),
        ("3141592653589793238462643383279502884197", ["3141592653589793238462643383279502884197"]),
        (f'{{"no": "list, {SECRET}"}}', [f'{{"no": "list, {SECRET}"}}']),
        (f'"{SECRET}"', [f'"{SECRET}"']),
        (f'["{OTHER_SECRET}", "{SECRET}"]', [OTHER_SECRET, SECRET]),
    ],
)
def test_a_secret_in_the_environment_is_taken_as_it_is(
    text: str, secrets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret of digits is text like any other; several are given as a JSON list, newest first."""
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", text)

    assert [secret.encode() for secret in secrets] == [*SessionConfig().secrets]


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program says stands, whatever the environment says."""
    monkeypatch.setenv("FASTAPI_SESSION_API_BASE_PATH", "/from-the-environment")

    assert "/auth" == config(api_base_path="/auth").api_base_path


def test_several_secrets_are_newest_first() -> None:
    """A list of secrets keeps its order."""
    assert (OTHER_SECRET.encode(), SECRET.encode()) == config(secret=[OTHER_SECRET, SECRET]).secrets


# What resembles a setting and is none


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("IDLE_TIMOUT", "IDLE_TIMEOUT"),
        ("SESSION_IDLE_TIMEOUT", "IDLE_TIMEOUT"),
        ("IDLE_TIMEOUT_SECONDS", "IDLE_TIMEOUT"),
        ("COOKIE_SAMESITE", "COOKIE_SAME_SITE"),
        ("SECRETS", "SECRET"),
        ("SECRET_FILE", "SECRET"),
        ("STORE_URL", "STORE"),
    ],
)
def test_a_misspelt_variable_is_refused(name: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that resembles a setting is refused beside whatever else is wrong, and its value is not repeated."""
    monkeypatch.setenv(f"FASTAPI_SESSION_{name}", PASSWORD)
    with pytest.raises(ConfigurationError) as refused:
        config(api_base_path="auth")

    _, told = str(refused.value).splitlines()
    assert f"FASTAPI_SESSION_{name}: there is no such setting; FASTAPI_SESSION_{meant} may be meant" == told


@pytest.mark.parametrize("options", [{"api_domain": "https://api.example.com"}, {"store": "redis://127.0.0.1:1/0"}])
def test_a_secret_under_a_name_with_a_slip(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a secret is missing, a variable that may have been meant for it is named, without its value."""
    monkeypatch.setenv("FASTAPI_SESION_SECRET", PASSWORD)
    monkeypatch.setenv("FASTAPI_SESION_STORE", PASSWORD)
    with pytest.raises(ConfigurationError) as refused:
        Sessions(SessionConfig(**options))

    said = "(FASTAPI_SESSION_SECRET), which FASTAPI_SESION_SECRET may be meant for; "
    assert said in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_the_variables_of_an_applications_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings of an application's own class, under its own prefix, are spelt by its own fields."""

    class Own(SessionConfig):
        model_config = SettingsConfigDict(env_prefix="SHOP_")
        currency: str = "EUR"

    class Bare(SessionConfig):
        model_config = SettingsConfigDict(env_prefix="")

    monkeypatch.setenv("SHOP_CURRENCY", "JPY")
    monkeypatch.setenv("FASTAPI_SESSION_IDLE_TIMOUT", "60")
    assert "JPY" == Own(secret=SECRET).currency
    Bare(secret=SECRET)
    monkeypatch.setenv("SHOP_CURENCY", "JPY")

    with pytest.raises(ConfigurationError, match="SHOP_CURENCY: there is no such setting; SHOP_CURRENCY may be meant"):
        Own(secret=SECRET)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, False),
        ({"device_binding": "optional", "dpop": "optional"}, False),
        ({"device_binding": "required"}, True),
        ({"device_binding": "required", "token_transfer_method": "cookie"}, True),
        ({"dpop": "required"}, False),
        ({"dpop": "required", "token_transfer_method": "header"}, True),
        ({"dpop": "required", "token_transfer_method": lambda *_: "header"}, False),
        ({"dpop": "required", "device_binding": "required"}, True),
    ],
)
def test_when_every_session_has_to_be_bound(options: dict[str, Any], expected: bool) -> None:
    """If a browser has to bind, since a thief could bring its cookies in headers; if DPoP is required, where there is nothing else."""
    assert expected == config(api_domain=API, **options).requires_binding


# Copies


def test_a_changed_copy_is_checked() -> None:
    """A copy with other settings is refused as a new configuration would be, and derived as one."""
    first = config(api_domain=API, idle_timeout=timedelta(days=1))
    copy = first.model_copy(update={"website_domain": "https://example.org"})

    assert ("none", "VIA_CUSTOM_HEADER", timedelta(days=1)) == (
        copy.cookie_same_site,
        copy.anti_csrf,
        copy.idle_timeout,
    )
    assert first == first.model_copy()
    with pytest.raises(ConfigurationError, match="idle_timeout"):
        first.model_copy(update={"idle_timeout": SECOND})


# The password of a store


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        (f"postgresql+asyncpg://app:{PASSWORD}@db/app", "postgresql+asyncpg://app:***@db/app"),
        (f"redis://:{PASSWORD}@cache:6379/0", "redis://:***@cache:6379/0"),
        (f"redis://cache/0?db=1&password={PASSWORD}&ssl=1", "redis://cache/0?db=1&password=***&ssl=1"),
        (
            f"mysql+asyncmy://app:{PASSWORD}/@{PASSWORD}@db/app?ssl_key={PASSWORD}",
            "mysql+asyncmy://app:***@db/app?ssl_key=***",
        ),
        (f"postgresql+asyncpg://db/app?password=#{PASSWORD}", "postgresql+asyncpg://db/app?password=***"),
        (f"redis://team/app:{PASSWORD}@cache:6379/0", "redis://team/app:***@cache:6379/0"),
        ("sqlite:////var/lib/app/sessions.db", "sqlite:////var/lib/app/sessions.db"),
        ("memory:", "memory:"),
    ],
)
def test_a_printed_configuration_tells_no_password(url: str, printed: str) -> None:
    """However a configuration is printed or dumped, its store is named without the password, and used with it."""
    chosen = config(store=url)
    forms = [
        repr(chosen),
        str(chosen),
        f"{chosen}",
        repr(chosen.model_copy()),
        repr(chosen.model_dump()),
        chosen.model_dump_json(),
    ]

    assert [] == [form for form in forms if PASSWORD in form or printed not in form]
    assert url == chosen.store == SessionConfig(**chosen.model_dump()).store


def test_a_password_of_the_environment_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it told where it comes from the environment."""
    monkeypatch.setenv("FASTAPI_SESSION_STORE", f"redis://:{PASSWORD}@cache")

    assert PASSWORD not in repr(SessionConfig())


def test_kinds_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds come as JSON, with durations as any other: seconds or ISO 8601."""
    given = '{"web": {"absolute_timeout": "P30D"}, "bank": {"idle_timeout": 900, "access_token_validity": "300", "persistent": false}}'
    monkeypatch.setenv("FASTAPI_SESSION_KINDS", given)

    assert {
        "web": SessionKind.aal1(),
        "bank": SessionKind(
            idle_timeout=timedelta(minutes=15), access_token_validity=timedelta(minutes=5), persistent=False
        ),
    } == config().kinds


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"idle_timout": HOUR}, ".idle_timout: there is no such setting"),
        ({"idle_timeout": "an hour"}, f".idle_timeout: {DURATION}"),
        ({"idle_timeout": True}, f".idle_timeout: {DURATION}"),
        (3, ": give a SessionKind"),
        (None, ": give a SessionKind"),
        (Lifetime(), ": give a SessionKind"),
    ],
)
def test_a_kind_that_cannot_be(given: Any, told: str) -> None:
    """A wrong value of a kind is told as one of a setting is: where the kind is made, and by its name in a configuration."""
    for make, named in (
        (lambda: SessionKind.model_validate(given), "SessionKind"),
        (lambda: config(kinds={"web": given}), "kinds.web"),
    ):
        with pytest.raises(ConfigurationError, match=f"^{re.escape(named + told)}"):
            make()


def test_kinds_that_cannot_be_are_told_at_once() -> None:
    """Each with its name, whatever is wrong with the others."""
    with pytest.raises(ConfigurationError) as refused:
        config(kinds={"web": {"idle_timout": HOUR}, "bank": {"idle_timeout": True}})

    assert ["kinds.web.idle_timout", "kinds.bank.idle_timeout"] == [
        line.partition(":")[0] for line in str(refused.value).splitlines()
    ]


@pytest.mark.parametrize("given", ["{web", "", "3", "[]"])
def test_kinds_that_are_no_json_object(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment has is told as any wrong setting is, and not by an error of another class."""
    monkeypatch.setenv("FASTAPI_SESSION_KINDS", given)
    with pytest.raises(ConfigurationError, match=r"^kinds: "):
        SessionConfig()
