"""Which `Domain` a host may give its cookies (RFC 6265bis, section 5.7)."""

from __future__ import annotations

import re

from fastapi_session.origin import Origin, is_public_suffix

_DOMAIN = re.compile(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def bare(domain: str) -> str:
    """Return *domain* as browsers compare it: without a leading dot, in lower case."""
    return domain.removeprefix(".").lower()


def refusal(domain: str, origin: Origin) -> str | None:
    """Return why browsers take no cookie for *domain* from *origin*, and what to give instead; `None` if they do."""
    if not _DOMAIN.fullmatch(domain):
        return "give a host name, as in example.com"
    if origin.host == bare(domain):
        return None
    # With the dot: evil-example.com ends in example.com as well.
    if origin.is_address or not origin.host.endswith(f".{bare(domain)}"):
        return f"browsers refuse it, as api_domain is not below it; give a domain that {origin.host} ends in"
    if is_public_suffix(bare(domain)):
        return "browsers refuse cookies for a public suffix; give a domain of your own"
    return None
