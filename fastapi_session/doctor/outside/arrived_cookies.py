"""Cookies as they arrive: whether they are those that the application has set, and whether a browser keeps them.

| id | looks at | level |
|---|---|---|
| FS232 | Path, Domain, SameSite, Secure, HttpOnly, Partitioned and the end, by the configuration; each cookie once | error |
| FS233 | a browser at this host keeps them (RFC 6265bis, section 5.7) | error |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fastapi_session.config import SessionConfig
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.asking import Response, in_a_line
from fastapi_session.origin import Origin, is_public_suffix
from fastapi_session.web.cookie_names import ACCESS_COOKIE, REFRESH_COOKIE, CookieNames
from fastapi_session.web.token_cookies import cookie_attributes

CHANGED = Check(
    "FS232",
    Level.ERROR,
    "the session cookies arrive otherwise than the application sets them",
    "let Set-Cookie pass as it is, without proxy_cookie_path, proxy_cookie_domain, proxy_cookie_flags and their like",
)
NOT_KEPT = Check(
    "FS233",
    Level.ERROR,
    "browsers do not keep the session cookies at this address",
    "set api_domain, cookie_domain and cookie_same_site for the address that browsers see, and serve it by https",
)

CHECKS = (CHANGED, NOT_KEPT)

_COMPARED = ("path", "domain", "samesite", "secure", "httponly", "partitioned")


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie that a response sets. The *attributes* have names and values in lower case, but for the path; a flag has `""`."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, header: str) -> Cookie:
        """Return the cookie of a Set-Cookie header; its value is not kept."""
        pair, *attributes = (part.strip(" \t") for part in header.split(";"))
        read = {}
        for attribute in attributes:
            name, _, value = attribute.partition("=")
            read[name.strip().lower()] = value.strip() if name.strip().lower() == "path" else value.strip().lower()
        return cls(pair.partition("=")[0].strip(" \t"), read)

    def says(self, attribute: str) -> str:
        """Return what it says of an *attribute*, in words."""
        value = self.attributes.get(attribute)
        return f"no {attribute}" if value is None else in_a_line(f"{attribute}={value}" if value else attribute)


def cookie_findings(response: Response, *, url: Origin, config: SessionConfig) -> Iterator[Finding]:
    """Yield what is wrong with the cookies of *response*, which has new tokens in cookies."""
    names = CookieNames.of(config)
    arrived = [Cookie.read(header) for header in response.values("set-cookie")]
    for cookie, path in ((ACCESS_COOKIE, "/"), (REFRESH_COOKIE, config.refresh_path)):
        named = [each for each in arrived if each.name == names.on_wire[cookie]]
        if len(named) != 1:
            yield CHANGED.found(f"{names.on_wire[cookie]} came {len(named)} times")
            continue
        expected = _expected(named[0].name, path, config, https=url.scheme == "https")
        for difference in differences(named[0], expected):
            yield CHANGED.found(difference)
        for reason in _reasons_to_drop(named[0], url):
            yield NOT_KEPT.found(f"{named[0].name}: {reason}")


def differences(arrived: Cookie, expected: Cookie) -> Iterator[str]:
    """Yield how a cookie differs from the one that is *expected*."""
    for attribute in _COMPARED:
        if arrived.attributes.get(attribute) != expected.attributes.get(attribute):
            yield f"{arrived.name} has {arrived.says(attribute)}, and by the configuration {expected.says(attribute)}"
    if not {"max-age", "expires"} & {*arrived.attributes}:
        yield f"{arrived.name} has no end, so it ends with the browser"


def _expected(name: str, path: str, config: SessionConfig, *, https: bool) -> Cookie:
    by_scheme = https and not config.cookie_secure and "cookie_secure" not in config.model_fields_set
    common = cookie_attributes(config, config.cookie_domain) + ("; Secure" if by_scheme else "")
    return Cookie.read(f"{name}=; Path={path}; HttpOnly{common}")


def _reasons_to_drop(cookie: Cookie, url: Origin) -> Iterator[str]:
    """Yield why a browser drops *cookie* of a response from *url*."""
    said = cookie.attributes
    domain, is_secure = said.get("domain", "").removeprefix("."), "secure" in said
    if domain and domain != url.host and not url.host.endswith(f".{domain}"):
        yield f"domain={in_a_line(domain)} is none of {url.host}"
    elif domain and domain != url.host and is_public_suffix(domain):
        yield f"domain={in_a_line(domain)} is that of a registry"
    if is_secure and url.scheme != "https" and not url.is_loopback:
        yield "secure, by http"
    if said.get("samesite") == "none" and not is_secure:
        yield "samesite=none without secure"
    if cookie.name.startswith("__Secure-") and not is_secure:
        yield "its prefix needs secure"
    if cookie.name.startswith("__Host-") and not (is_secure and said.get("path") == "/" and "domain" not in said):
        yield "its prefix needs secure, path=/ and no domain"
