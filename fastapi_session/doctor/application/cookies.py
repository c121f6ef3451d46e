"""Whether cookies go where they are needed, and nowhere else.

| id | looks at | level |
|---|---|---|
| FS021 | `cookie_domain`, which gives the tokens to hosts beside that of the API | info |
| FS022 | cookies that go by http too, although the API is by https | warning |
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi_session.config import cookie_domain
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

CHECKS = (WIDE, NOT_SECURE)


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
