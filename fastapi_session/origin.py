"""Origins (RFC 6454) and the sites they belong to (RFC 6265bis, section 5.2: scheme and registrable domain)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cache

from publicsuffixlist import PublicSuffixList

_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?/?", re.IGNORECASE | re.ASCII)

_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Origin:
    """A scheme, a host in lower case, and a port if it is not the scheme's own."""

    scheme: str
    host: str
    port: str

    @classmethod
    def parse(cls, text: str) -> Origin | None:
        """Return the origin that *text* names, or `None`: `https://api.example.com`, `http://localhost:8000`."""
        match = _ORIGIN.fullmatch(text.strip())
        if match is None:
            return None
        scheme, host, port = match[1].lower(), match[2].lower(), (match[3] or "")
        if port and not 0 < int(port[1:]) <= _LAST_PORT:
            return None
        return cls(scheme, host, "" if port == {"http": ":80", "https": ":443"}[scheme] else port)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Say whether the host is this machine for every browser (Secure Contexts, section 3.1): there http may set Secure cookies."""
        if self.is_address:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        return self.host == "localhost" or self.host.endswith(".localhost")

    @property
    def is_address(self) -> bool:
        """Say whether the host is an IP address, which has no parent domain."""
        return _is_address(self.host)

    def same_site(self, other: Origin) -> bool:
        """Say whether a browser sends SameSite=Lax cookies of this origin with requests made from *other*."""
        # The scheme counts: to browsers, a page that came by http is of another site than the same by https.
        if self.scheme != other.scheme:
            return False
        return self.host == other.host or _shares_registrable_domain(self.host, other.host)


def is_public_suffix(domain: str) -> bool:
    """Say whether *domain* is a registry's own name (`com`, `co.uk`), for which browsers refuse cookies."""
    return _public_suffixes().is_public(domain)


def registrable_domain(host: str) -> str | None:
    """Return the part of *host* that somebody registered, `None` if it has none: `example.com` of `www.example.com`."""
    has_none = "." not in host or _is_address(host)
    domain: str | None = None if has_none else _public_suffixes().privatesuffix(host)
    return domain


@cache
def _public_suffixes() -> PublicSuffixList:
    """Return the list of all registries' names."""
    # Cached, and not read at import: that takes a tenth of a second, and localhost never needs it.
    return PublicSuffixList()


def _shares_registrable_domain(host: str, other: str) -> bool:
    domain = registrable_domain(host)
    return domain is not None and domain == registrable_domain(other)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
