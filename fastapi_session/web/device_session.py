"""What a browser is told of a session that it guards by its key (Device Bound Session Credentials): the offer, and the rules.

| `device_binding_scope` | the browser guards | the credential is | it is renewed by |
|---|---|---|---|
| `refresh` | the refresh and what is below it | the cookie `sBinding` | a proof alone |
| `all` | all but what is in `UNGUARDED` | the cookie of the access token, and `sBinding` | a proof and the refresh token: it is a refresh itself |

Browsers are particular, and say nothing if something is wrong:

- Of the rules the last one that matches a request wins.
- The attributes of the credential have to be those with which it is set: else the browser renews before every request.
- They have to have a `Path`, and neither `Max-Age` nor `Expires`: with one of those the browser binds nothing.
"""

from __future__ import annotations

from typing import Any

from fastapi_session import endpoint_paths
from fastapi_session.config import SessionConfig
from fastapi_session.origin import Origin, registrable_domain
from fastapi_session.web.cookie_names import ACCESS_COOKIE, BINDING_COOKIE
from fastapi_session.web.token_cookies import TokenCookies

OFFER_HEADER = "secure-session-registration"
CHALLENGE_HEADER = "secure-session-challenge"
PROOF_HEADER = "secure-session-response"
IDENTIFIER_HEADER = "sec-secure-session-id"
SKIPPED_HEADER = "secure-session-skipped"

UNGUARDED = ("/static", "/favicon.ico", "/docs", "/redoc", "/openapi.json", "/health", "/healthz")
"""Paths whose requests are not held for a renewal, whatever the scope."""


class DeviceSession:
    """What the browsers of one deployment are told. *https* says that a request came so."""

    def __init__(self, config: SessionConfig, cookies: TokenCookies) -> None:
        self._cookies = cookies
        self.guards_all = config.device_binding_scope == "all"
        self._path = f"{config.api_base_path}{endpoint_paths.DEVICE}"
        renewal = endpoint_paths.DEVICE_REFRESH if self.guards_all else endpoint_paths.DEVICE_RENEWAL
        self._renewal = f"{config.api_base_path}{renewal}"
        rules = _all_but(*UNGUARDED) if self.guards_all else _nothing_but(config.refresh_path)
        # Not for a deployment that binds nothing: the list of all registries' names takes a tenth of a second to read.
        self._initiators = [] if config.device_binding == "off" else refresh_initiators(config)
        self._scope = {"include_site": False, "scope_specification": rules}

    def offer(self, challenge: str) -> str:
        """Return the header by which a browser is asked to bind a session with *challenge*."""
        return f'(ES256 RS256);path="{self._path}";challenge="{challenge}"'

    def challenge(self, challenge: str, identifier: str) -> str:
        """Return the header by which a browser is given the next *challenge* of the session *identifier*."""
        return f'"{challenge}";id="{identifier}"'

    def rules(self, identifier: str, *, https: bool) -> dict[str, Any]:
        """Return the rules of the session *identifier*, as JSON."""
        guarded = (ACCESS_COOKIE, BINDING_COOKIE) if self.guards_all else (BINDING_COOKIE,)
        named = [self._cookies.name_and_attributes(cookie, https=https) for cookie in guarded]
        return {
            "session_identifier": identifier,
            "refresh_url": self._renewal,
            "scope": self._scope,
            "credentials": [{"type": "cookie", "name": name, "attributes": attributes} for name, attributes in named],
            "allowed_refresh_initiators": self._initiators,
        }


def ended(identifier: str) -> dict[str, Any]:
    """Return what ends the session *identifier* for its browser, as JSON."""
    return {"session_identifier": identifier, "continue": False}


def refresh_initiators(config: SessionConfig) -> list[str]:
    """Return of which hosts pages have their requests held: of the website, and of the site to which the API belongs."""
    # Those of the site may send its cookies. Of any other origin but its own the browser sends the request without them.
    api, website = Origin.parse(config.api_domain), Origin.parse(config.website_domain)
    hosts = [origin.host for origin in (website, api) if origin is not None]
    site = None if api is None else registrable_domain(api.host)
    return [*dict.fromkeys([*hosts, *([] if site is None else [site, f"*.{site}"])])]


def _nothing_but(path: str) -> list[dict[str, str]]:
    return [_rule("exclude", "/"), _rule("include", path)]


def _all_but(*paths: str) -> list[dict[str, str]]:
    return [_rule("include", "/"), *(_rule("exclude", path) for path in paths)]


def _rule(kind: str, path: str) -> dict[str, str]:
    return {"type": kind, "domain": "*", "path": path}
