"""The tokens as Set-Cookie headers, with the names, paths and attributes that the configuration says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from fastapi_session.config import SessionConfig
from fastapi_session.core.binding.device_values import CREDENTIAL_LIVES
from fastapi_session.model import DEVICE_KEPT, Tokens
from fastapi_session.moving.adopters.adopter import OldCookie
from fastapi_session.web.cookie_names import ACCESS_COOKIE, BINDING_COOKIE, LEGACY_COOKIE, REFRESH_COOKIE, CookieNames
from fastapi_session.web.cookies import EPOCH, SET_COOKIE_HEADER, lasting_until, set_cookie

_ACCESS_COOKIE_LIFE = 365 * 24 * 3600 * 1000
"""Milliseconds. The cookie outlives its token: an expired one must still arrive to be refused with "try refresh token"."""

DEVICE_BOUND = "deviceBound"


class TokenCookies:
    """Writes the cookies of one deployment. What follows from the configuration alone is computed once.

    *https* says that the request came so: then the cookies are Secure, unless the configuration says otherwise.
    """

    def __init__(self, config: SessionConfig) -> None:
        self.names = CookieNames.of(config)
        """What the cookies are called on the wire."""
        below = config.refresh_path
        self._paths = {ACCESS_COOKIE: "/", REFRESH_COOKIE: below, BINDING_COOKIE: below, LEGACY_COOKIE: "/"}
        self._secure_by_scheme = not config.cookie_secure and "cookie_secure" not in config.model_fields_set
        self._binds = config.device_binding != "off"
        self._binding_life = CREDENTIAL_LIVES[config.device_binding_scope]
        self._access_life = self._binding_life if config.device_binding_scope == "all" else None
        self._has_older_domain = config.older_cookie_domain is not None
        self._attributes = cookie_attributes(config, config.cookie_domain)
        self._older_attributes = cookie_attributes(config, config.older_cookie_domain)

    def changed(
        self, tokens: Tokens | None, *, now: int, https: bool, came_as_older: Collection[str]
    ) -> Iterator[bytes]:
        """Yield the cookies of *tokens* at *now* (milliseconds), cleared ones for `None`.

        Each that *came_as_older* is cleared under its name from before a change of prefix.
        """
        attributes = self._attributes + self._secure(https)
        if tokens is None and self._binds:
            yield self._cleared(BINDING_COOKIE, self.names.binding[0], attributes)
        for cookie, value, expires in _written(tokens, now, guarded_life=self._access_life):
            path = self._paths[cookie]
            yield set_cookie(self.names.on_wire[cookie], value, path=path, expires=expires, attributes=attributes)
            if cookie in came_as_older:
                yield self._cleared(cookie, self.names.older[cookie], attributes)
                if self._has_older_domain:
                    yield from self.cleared_under_older_domain([cookie], https=https)

    def cleared_under_older_domain(self, cookies: Collection[str], *, https: bool) -> Iterator[bytes]:
        """Yield what clears *cookies* under the domain from before a change of `cookie_domain`, by the older name too."""
        for cookie in cookies:
            for name in filter(None, (self.names.on_wire[cookie], self.names.older.get(cookie))):
                yield self._cleared(cookie, name, self._older_attributes + self._secure(https))

    def device(self, value: str, *, now: int, https: bool) -> bytes:
        """Return the cookie that has *value*, by which the browser is known again until it has not signed in for long."""
        end, attributes = lasting_until(now + DEVICE_KEPT, now=now), self._attributes + self._secure(https)
        return set_cookie(self.names.device[0], value, path="/", expires=end, attributes=attributes)

    def binding(self, value: str, *, now: int, https: bool) -> bytes:
        """Return the credential of a session that is bound to a key of its browser."""
        name, attributes = self.name_and_attributes(BINDING_COOKIE, https=https)
        end = lasting_until(now + self._binding_life, now=now)
        return f"{name}={value}; {attributes}; Expires={end}".encode("latin-1")

    def name_and_attributes(self, cookie: str, *, https: bool) -> tuple[str, str]:
        """Return what *cookie*, the credential that a browser guards, is called, and all its attributes but the end."""
        name = self.names.binding[0] if cookie == BINDING_COOKIE else self.names.on_wire[cookie]
        return name, f"Path={self._paths[cookie]}; HttpOnly{self._attributes}{self._secure(https)}"

    def cleared_legacy(self, *, https: bool) -> bytes:
        """Return what clears the cookie of clients from before there were front tokens."""
        return self._cleared(LEGACY_COOKIE, LEGACY_COOKIE, self._attributes + self._secure(https))

    def _cleared(self, cookie: str, name: str, attributes: str) -> bytes:
        return set_cookie(name, "", path=self._paths[cookie], expires=EPOCH, attributes=attributes)

    def _secure(self, https: bool) -> str:  # noqa: FBT001 - it is what is asked
        return "; Secure" if https and self._secure_by_scheme else ""


def _written(tokens: Tokens | None, now: int, *, guarded_life: int | None) -> Iterator[tuple[str, str, str | None]]:
    """Yield the cookies that change with *tokens*, each with its value and its Expires, `None` if it ends with the browser.

    *guarded_life* (milliseconds) is how long a browser keeps an access token that it guards by its key, `None` if it guards none.
    """
    if tokens is None:
        yield ACCESS_COOKIE, "", EPOCH
        yield REFRESH_COOKIE, "", EPOCH
        return
    lasts = tokens.persistent
    if guarded_life is not None and tokens.claims.get(DEVICE_BOUND):
        # Whatever else is said: the browser renews it once it is gone, and an expired one would be of no use to it.
        guarded_until = min(now + guarded_life, tokens.access_token_expires_at)
        yield ACCESS_COOKIE, tokens.access_token, lasting_until(guarded_until, now=now)
    else:
        yield ACCESS_COOKIE, tokens.access_token, lasting_until(now + _ACCESS_COOKIE_LIFE, now=now) if lasts else None
    if tokens.refresh_token is not None:
        end = lasting_until(tokens.refresh_token_expires_at, now=now) if lasts else None
        yield REFRESH_COOKIE, tokens.refresh_token, end


def cleared_old_cookie(cookie: OldCookie, *, https: bool) -> bytes:
    """Return what clears *cookie*, which another system has set."""
    attributes = _attributes(
        cookie.domain, cookie.same_site, secure=https or cookie.same_site == "none", partitioned=cookie.partitioned
    )
    return set_cookie(cookie.name, "", path=cookie.path, expires=EPOCH, attributes=attributes)


_Place = tuple[str, str, str, bool]
"""Name, path, domain, and whether it is partitioned: cookies that differ in one of these are two to a browser."""


def without_old_cookies(
    headers: Iterable[tuple[bytes, bytes]], cookies: Collection[OldCookie]
) -> list[tuple[bytes, bytes]]:
    """Return *headers* without those that set one of *cookies*, which are to be cleared."""
    # A middleware of the other system may have set one anew. Browsers heed the order of the two; http.cookiejar clears first.
    if not cookies:
        return [*headers]
    cleared = {_place(cookie.name, cookie.path, cookie.domain, partitioned=cookie.partitioned) for cookie in cookies}
    return [(name, value) for name, value in headers if name.lower() != SET_COOKIE_HEADER or _set(value) not in cleared]


def _set(value: bytes) -> _Place:
    """Return the place of the cookie that *value*, of a Set-Cookie header, sets."""
    first, *attributes = (part.strip().partition("=") for part in value.decode("latin-1").split(";"))
    said = {name.lower(): text for name, _, text in attributes}
    return _place(first[0], said.get("path", ""), said.get("domain"), partitioned="partitioned" in said)


def _place(name: str, path: str, domain: str | None, *, partitioned: bool) -> _Place:
    return name, path, (domain or "").removeprefix(".").lower(), partitioned


def cookie_attributes(config: SessionConfig, domain: str | None) -> str:
    """Return the attributes that all cookies for *domain* have by *config*: not the path, nor the end."""
    return _attributes(
        domain, config.cookie_same_site, secure=config.cookie_secure, partitioned=config.cookie_partitioned
    )


def _attributes(domain: str | None, same_site: str, *, secure: bool, partitioned: bool) -> str:
    return "".join(
        [
            f"; Domain={domain}" if domain else "",
            f"; SameSite={same_site.capitalize()}",
            "; Secure" if secure else "",
            "; Partitioned" if partitioned else "",
        ]
    )
