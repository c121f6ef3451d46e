"""Whether cookies go where they are needed, and nowhere else.

| id | looks at | level |
|---|---|---|
| FS021 | `cookie_domain`, which gives the tokens to hosts beside that of the API | info |
| FS022 | cookies that go by http too, although the API is by https | warning |
| FS023 | cookies for pages of another site, which some browsers keep nowhere | warning |
| FS024 | the same, where tokens may travel in headers | info |

Of two names of this machine `addresses` tells. Partitioned cookies are kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi_session.config import SessionConfig, cookie_domain
from fastapi_session.config.settings import is_https
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.origin import Origin

WIDE = Check(
    "FS021",
    Level.INFO,
    "every host below cookie_domain is sent the tokens, and can set cookies in their place",
    "leave cookie_domain out, unless several of those hosts serve this API",
)
NOT_SECURE = Check(
    "FS022",
    Level.WARNING,
    "cookie_secure is off, so browsers send the tokens by http too, where whoever is on the way reads them",
    "leave cookie_secure out",
)
THIRD_PARTY = Check(
    "FS023",
    Level.WARNING,
    "browsers such as Safari keep no cookies of another site than the page's, so nobody stays signed in there",
    "serve the API from a host of the site of its pages, as api.example.com, or give token_transfer_method='any' and let pages use headers",
)
MAYBE_THIRD_PARTY = Check(
    "FS024",
    Level.INFO,
    "browsers such as Safari keep no cookies of another site than the page's, so pages in cookie mode sign nobody in there",
    "serve the API from a host of the site of its pages, as api.example.com, or let the pages use headers",
)

CHECKS = (WIDE, NOT_SECURE, THIRD_PARTY, MAYBE_THIRD_PARTY)


def cookie_findings(installed: Installed) -> Iterator[Finding]:
    """Yield what is wrong with the cookies of *installed*."""
    config = installed.config
    if config.token_transfer_method == "header":
        return
    domain, api = config.cookie_domain, Origin.parse(config.api_domain)
    if domain is not None and api is not None and cookie_domain.bare(domain) != api.host:
        yield WIDE.found(f"{domain}, for an API at {api.host}")
    if is_https(config.api_domain) and not config.cookie_secure:
        yield NOT_SECURE.found(f"cookie_secure is False, and api_domain {config.api_domain}")
    website = Origin.parse(config.website_domain)
    if api is not None and website is not None and _are_kept_nowhere(config, api, website):
        check = THIRD_PARTY if config.token_transfer_method == "cookie" else MAYBE_THIRD_PARTY
        yield check.found(f"pages of {website}, and an API at {api}")


def _are_kept_nowhere(config: SessionConfig, api: Origin, website: Origin) -> bool:
    is_sent = config.cookie_same_site == "none" and not config.cookie_partitioned
    return is_sent and not api.same_site(website) and not (api.is_loopback and website.is_loopback)
