"""Whether the addresses of the API and of its pages can be those that browsers see.

| id | looks at | level |
|---|---|---|
| FS011 | whether `api_domain` was said, where anything else was said that a deployment needs | warning |
| FS012 | http, where the host is one of the public internet | error |
| FS013 | `cookie_same_site`, where the pages are of another site | warning |
| FS014 | two names of this machine, which are two sites | warning |
| FS015 | pages by https of an API by http | error |
| FS016 | whether `api_domain` was said, where nothing was: somebody tries it out | info |
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from fastapi_session.config import SessionConfig
from fastapi_session.config.settings import are_one_site
from fastapi_session.doctor.application.installed import Installed, embedded_store, is_local
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.origin import Origin, registrable_domain

ASSUMED = Check(
    "FS011",
    Level.WARNING,
    "api_domain is not set",
    "set api_domain to the origin that browsers see (FASTAPI_SESSION_API_DOMAIN)",
)
PLAIN = Check(
    "FS012",
    Level.ERROR,
    "api_domain is http, so whoever is on the way reads every token",
    "serve the API by https, and make api_domain the origin that browsers see",
)
OTHER_SITE = Check(
    "FS013",
    Level.WARNING,
    "browsers send no cookies from the pages of another site with this cookie_same_site",
    "leave cookie_same_site out, or give 'none'",
)
TWO_LOCAL_HOSTS = Check(
    "FS014",
    Level.WARNING,
    "two names of this machine are two sites, and browsers such as Chromium and Safari keep no cookies of another site",
    "use one host name for page and API, as in http://localhost:3000 and http://localhost:8000",
)
MIXED = Check(
    "FS015",
    Level.ERROR,
    "browsers let no page that came by https ask an API by http",
    "serve the API by https, and make api_domain the origin that browsers see",
)
TRIED_OUT = Check(
    "FS016",
    Level.INFO,
    "api_domain is not set, as is right on this machine alone",
    "before others use the application, set api_domain to the origin that browsers see (FASTAPI_SESSION_API_DOMAIN)",
)

CHECKS = (ASSUMED, PLAIN, OTHER_SITE, TWO_LOCAL_HOSTS, MIXED, TRIED_OUT)

_NOT_PUBLIC = ("local", "internal", "test", "lan", "home.arpa", "invalid", "localhost", "example")
"""Top-level domains of which nobody on the internet has a host (RFC 6761, RFC 6762, RFC 8375, and `.internal` of ICANN)."""


def address_findings(installed: Installed) -> Iterator[Finding]:
    """Yield what is wrong with the addresses of *installed*."""
    config = installed.config
    if "api_domain" not in config.model_fields_set:
        check = TRIED_OUT if _is_tried_out(config) else ASSUMED
        yield check.found(f"{config.api_domain} is assumed")
    api, website = Origin.parse(config.api_domain), Origin.parse(config.website_domain)
    if api is None or website is None:
        return
    if api.scheme == "http" and _is_public(api):
        yield PLAIN.found(str(api))
    elif api.scheme == "http" and website.scheme == "https" and not api.is_loopback:
        yield MIXED.found(f"website_domain is {website}, api_domain {api}")
    yield from _sites(config, api, website)


def _is_tried_out(config: SessionConfig) -> bool:
    """Say whether nothing in *config* is for more than this machine: no address, no secret, no server of a store."""
    return is_local(config) and not config.secrets and embedded_store(config) is not None


def _sites(config: SessionConfig, api: Origin, website: Origin) -> Iterator[Finding]:
    """Yield what keeps cookies away from the pages of *website*, if tokens may travel in cookies."""
    if config.token_transfer_method == "header":
        return
    if config.cookie_same_site != "none" and not are_one_site(config.api_domain, config.website_domain):
        yield OTHER_SITE.found(f"{config.cookie_same_site!r}, pages of {website}, and an API at {api}")
    if api.is_loopback and website.is_loopback and api.scheme == website.scheme and not api.same_site(website):
        yield TWO_LOCAL_HOSTS.found(f"{website} and {api}")


def _is_public(origin: Origin) -> bool:
    """Say whether the host of *origin* has a name or an address of the public internet."""
    if origin.is_address:
        return ipaddress.ip_address(origin.host.strip("[]")).is_global
    if origin.host.endswith(tuple(f".{each}" for each in _NOT_PUBLIC)):
        return False
    return registrable_domain(origin.host) is not None
