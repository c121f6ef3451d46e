"""The published documents: the keys by which services verify access tokens (RFC 7517), and the discovery document.

| id | looks at | level |
|---|---|---|
| FS202 | both are there, and JSON | error |
| FS203 | who issues the tokens, where the keys are, and the address that is asked, by the configuration | error |
| FS204 | for how long caches keep the keys | warning |
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

from fastapi_session import endpoint_paths
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.asking import Response, in_a_line
from fastapi_session.doctor.outside.reached import Reached
from fastapi_session.engine.from_config import PUBLISH_LEAD
from fastapi_session.origin import Origin

NOT_SERVED = Check(
    "FS202",
    Level.ERROR,
    "the keys of access tokens, or the document that leads to them, are not served",
    "have the proxy pass on api_base_path and all below it, as a browser sees it, to the router of session_router()",
)
OF_ANOTHER = Check(
    "FS203",
    Level.ERROR,
    "the deployment at this address is another than the configuration says",
    "set api_domain and api_base_path to what clients see, or ask at that address",
)
KEPT_TOO_LONG = Check(
    "FS204",
    Level.WARNING,
    "caches keep the keys of access tokens for longer than a new key is published before it signs",
    "let the Cache-Control of the application pass, which is public, max-age=60",
)

CHECKS = (NOT_SERVED, OF_ANOTHER, KEPT_TOO_LONG)

LEAD = PUBLISH_LEAD.total_seconds()
"""Seconds from when a key is published until it signs."""

_MAX_AGE = re.compile(r"(?:^|[,\s])(?:s-maxage|max-age)\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


async def document_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield what is wrong with the documents. Raises `Unreached`."""
    keys = await reached.get(endpoint_paths.JWKS)
    if keys.status != 200 or not isinstance(keys.member("keys"), list):
        yield NOT_SERVED.found(str(keys))
    elif (seconds := _kept(keys)) > LEAD:
        yield KEPT_TOO_LONG.found(f"{keys.asked}: {seconds} s")
    discovery = await reached.get(endpoint_paths.DISCOVERY)
    if discovery.status != 200 or not isinstance(discovery.member("issuer"), str):
        yield NOT_SERVED.found(str(discovery))
        return
    for difference in _differences(reached, discovery):
        yield OF_ANOTHER.found(difference)


def _kept(keys: Response) -> int:
    """Return for how many seconds a cache keeps the document, or has kept it already."""
    said = [int(seconds) for value in keys.values("cache-control") for seconds in _MAX_AGE.findall(value)]
    ages = [int(age) for age in keys.values("age") if age.isdecimal() and len(age) < 10]
    return max([0, *said, *ages])


def _differences(reached: Reached, discovery: Response) -> Iterator[str]:
    config = reached.known
    issuer, keys = (in_a_line(discovery.member(name)) for name in ("issuer", "jwks_uri"))
    if config is not None and Origin.parse(config.api_domain) != reached.url:
        yield f"it is asked at {reached.url}, and api_domain is {config.api_domain}"
    elif config is not None and issuer != config.issuer:
        yield f"its tokens are issued by {issuer}, and by the configuration it is {config.issuer}"
    elif not keys.startswith(f"{reached.url}/"):
        yield f"its keys are said to be at {keys}, and it is asked at {reached.url}"
