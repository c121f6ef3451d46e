"""Cookies whose names have a prefix: whose they are, what a neighbour can do to them, and how a prefix is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from fastapi_session.web.cookies import EPOCH
from fastapi_session.web.transport import Credentials, Outcome, Transport, read
from tests.engines import engine
from tests.moments import HOUR, PAST_GRACE
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment, application
from tests.web.wire import Held, set_cookies
from tests.wire import ACCESS_COOKIE, AUTH_MODE, REFRESH_COOKIE, REFRESH_PATH, SIGN_OUT_PATH

HOST = "https://shop.example.com"
OTHER_SECRET = "the other application has a secret too"
NOBODY = "nobody"
NAMES = [
    ("", ACCESS_COOKIE, REFRESH_COOKIE),
    ("shop-", "shop-sAccessToken", "shop-sRefreshToken"),
    ("__Secure-", "__Secure-sAccessToken", "__Secure-sRefreshToken"),
    ("__Host-", "__Host-sAccessToken", "__Secure-sRefreshToken"),
    ("__Host-shop-", "__Host-shop-sAccessToken", "__Secure-shop-sRefreshToken"),
]
"""Prefix, and what the two cookies are called with it. A `__Host-` cookie has Path=/, and that of the refresh token has not."""


@dataclass
class Application:
    """One application as one browser sees it, which has cookies of others too."""

    client: TestClient
    clock: HandClock

    def call(self, method: str, path: str) -> Response:
        return self.client.request(method, path, headers={AUTH_MODE: "cookie", "rid": "session"})

    def sign_in(self, user_id: str = "ada") -> None:
        assert 200 == self.call("POST", f"/login?user_id={user_id}").status_code

    def sign_out(self) -> None:
        assert 200 == self.call("POST", SIGN_OUT_PATH).status_code

    def refresh(self) -> Response:
        """Refresh once the token may be rotated."""
        self.clock.advance(PAST_GRACE)
        return self.call("POST", REFRESH_PATH)

    @property
    def user(self) -> str:
        """Who is signed in, or the message of the refusal if the browser is told to refresh."""
        told: dict[str, str | None] = self.call("GET", "/optional").json()
        return told.get("message") or told["user_id"] or NOBODY

    @property
    def cookies(self) -> set[str]:
        """What cookies of this and other applications the browser has, with their domain if that is not a host."""
        return {
            cookie.name + (f" {cookie.domain}" if cookie.domain_specified else "") for cookie in self.client.cookies.jar
        }


Serve = Callable[..., Application]


@pytest.fixture
def serve(clock: HandClock) -> Iterator[Serve]:
    """Serve applications with the options given to one browser."""
    browser = CookieJar()
    with ExitStack() as served:

        def application_with(**options: Any) -> Application:
            given = {"api_domain": HOST, **options}
            client = TestClient(application(engine(clock, **given)), base_url=given["api_domain"], cookies=browser)
            return Application(served.enter_context(client), clock)

        yield application_with


# Names


@pytest.mark.parametrize(("prefix", "access", "refresh"), NAMES)
def test_names_on_the_wire(prefix: str, access: str, refresh: str, deploy: Deploy) -> None:
    """The cookies have the names that the prefix makes, when they are set, read and cleared."""
    at = deploy(api_domain=HOST, cookie_prefix=prefix)
    signed_in = at.post("/login?user_id=ada", {AUTH_MODE: "cookie"})
    held = dict(set_cookies(signed_in))
    access_cookie, refresh_cookie = (f"{name}={held[name].partition(';')[0]}" for name in (access, refresh))
    refreshed = at.post(REFRESH_PATH, {"cookie": f"{access_cookie}; {refresh_cookie}"})
    signed_out = at.post(SIGN_OUT_PATH, {"cookie": access_cookie})

    assert [[access, refresh]] * 3 == [
        [name for name, _ in set_cookies(each)] for each in (signed_in, refreshed, signed_out)
    ]
    assert {"Path=/", "Secure"} <= set(held[access].split("; "))
    assert {"Path=/auth/session/refresh", "Secure"} <= set(held[refresh].split("; "))


def test_other_names_are_none_of_ours() -> None:
    """Cookies without the prefix are not read, that of an earlier protocol among them, and what was read is not shown."""
    names = Transport(engine(HandClock(), api_domain=HOST, cookie_prefix="__Host-").config).names
    cookie = b"sAccessToken=a; __Host-sAccessToken=s3cret; __Host-sRefreshToken=b; __Secure-sRefreshToken=s3cret2; sIdRefreshToken=1"
    found = read([(b"cookie", cookie)], names=names)

    assert Credentials(access_cookies=("s3cret",), refresh_cookies=("s3cret2",)) == found
    assert "s3cret" not in repr(found)


# Neighbours


@pytest.mark.parametrize("prefix", ["shop-", "__Secure-shop-", "__Host-"])
def test_two_applications_of_one_host(prefix: str, serve: Serve) -> None:
    """Two applications of one host keep a session each, through refreshes and until each is left."""
    shop, forum = serve(cookie_prefix=prefix), serve(secret=OTHER_SECRET)
    shop.sign_in("ada")
    forum.sign_in("bob")

    assert ("ada", "bob") == (shop.user, forum.user)
    assert [200, 200] == [shop.refresh().status_code, forum.refresh().status_code]
    shop.sign_out()
    assert (NOBODY, "bob") == (shop.user, forum.user)
    assert {ACCESS_COOKIE, REFRESH_COOKIE} == forum.cookies


def test_two_applications_without_a_prefix(serve: Serve) -> None:
    """What the prefix is for: without it the second takes the cookies of the first."""
    shop, forum = serve(), serve(secret=OTHER_SECRET)
    shop.sign_in("ada")
    forum.sign_in("bob")

    assert ("try refresh token", "bob") == (shop.user, forum.user)


PRODUCTION = {"api_domain": "https://example.com", "cookie_domain": "example.com", "secret": OTHER_SECRET}
STAGING = {"api_domain": "https://staging.example.com"}


@pytest.mark.parametrize("older", [None, ""])
def test_staging_below_production(older: str | None, serve: Serve) -> None:
    """A deployment below the cookie_domain of another leaves its cookies alone, and is not disturbed by them."""
    production, staging = serve(**PRODUCTION), serve(**STAGING, cookie_prefix="staging-", older_cookie_prefix=older)
    production.sign_in("ada")
    assert NOBODY == staging.user
    assert 401 == staging.refresh().status_code
    staging.sign_in("bob")
    assert 200 == staging.refresh().status_code

    assert ("ada", "bob") == (production.user, staging.user)
    staging.sign_out()
    assert {"sAccessToken .example.com", "sRefreshToken .example.com"} == production.cookies
    assert 200 == production.refresh().status_code


# What a sibling host can plant


@dataclass(frozen=True)
class Planted:
    """What came to the refresh endpoint of the victim `ada`: her own tokens, and those of the attacker `mallory`."""

    access: str
    refresh: tuple[str, ...]


OWN = Planted("ada", ("ada",))
ATTACKS = {
    "nothing": OWN,
    "beside, before": Planted("ada", ("mallory", "ada")),
    "beside, after": Planted("ada", ("ada", "mallory")),
    "garbage beside": Planted("ada", ("ada", "garbage")),
    "instead": Planted("ada", ("mallory",)),
    "alone": Planted("", ("mallory",)),
}
GUARDED = {
    "nothing": "ada",
    "beside, before": "ada",
    "beside, after": "ada",
    "garbage beside": "ada",
    "instead": NOBODY,
    "alone": NOBODY,
}
"""Whose session a refresh continues, as a sibling host can plant no `__Host-` cookie."""
UNGUARDED = GUARDED | {
    "beside, before": "an error",
    "beside, after": "an error",
    "garbage beside": "an error",
    "instead": "mallory",
    "alone": "mallory",
}


@pytest.mark.parametrize(
    ("prefix", "older", "outcomes"),
    [
        ("__Host-", None, GUARDED),
        ("__Host-shop-", None, GUARDED),
        ("__Host-", "old-", GUARDED),
        ("", None, UNGUARDED),
        ("__Secure-", None, UNGUARDED),
    ],
)
def test_whose_session_a_refresh_continues(
    prefix: str, older: str | None, outcomes: dict[str, str], deploy: Deploy
) -> None:
    """With `__Host-` a planted refresh token neither takes the place of the visitor's own nor hinders it."""
    at = deploy(api_domain=HOST, cookie_prefix=prefix, older_cookie_prefix=older)

    assert outcomes == {attack: after_attack(at, prefix, planted) for attack, planted in ATTACKS.items()}
    assert [user for user in ("ada", "mallory") for _ in ATTACKS] == at.users("ada", "mallory")


def after_attack(at: Deployment, prefix: str, planted: Planted) -> str:
    """Whose session goes on after a refresh that brings what was *planted*."""
    held = {user_id: login(at, prefix, user_id) for user_id in ("ada", "mallory")}
    access, refresh = next(names[1:] for names in NAMES if names[0] == prefix)
    cookies = [(access, held[planted.access].access)] if planted.access else []
    cookies += [(refresh, held[user_id].refresh if user_id in held else user_id) for user_id in planted.refresh]
    at.clock.advance(PAST_GRACE)
    response = at.post(REFRESH_PATH, {"cookie": "; ".join(f"{name}={value}" for name, value in cookies)})
    if response.status_code != 200:
        return {401: NOBODY, 500: "an error"}[response.status_code]
    issued = at.sessions.parse(held_of(response, prefix).access)
    assert issued is not None
    return issued.content.user_id


def test_a_planted_access_cookie_is_not_read(deploy: Deploy) -> None:
    """The names that a sibling host can plant are not those of a `__Host-` access cookie."""
    at = deploy(api_domain=HOST, cookie_prefix="__Host-")
    mallory = login(at, "__Host-", "mallory")
    planted = "; ".join(
        f"{name}={mallory.access}" for name in (ACCESS_COOKIE, "__Secure-sAccessToken", "__host-sAccessToken")
    )

    assert {"user_id": None} == at.get("/optional", {"cookie": planted}).json()


def login(at: Deployment, prefix: str, user_id: str) -> Held:
    """The tokens of a new session of *user_id*."""
    return held_of(at.post(f"/login?user_id={user_id}", {AUTH_MODE: "cookie"}), prefix)


def held_of(response: Response, prefix: str) -> Held:
    access, refresh = next(names[1:] for names in NAMES if names[0] == prefix)
    values = {name: rest.partition(";")[0] for name, rest in set_cookies(response)}
    return Held("cookie", values[access], values[refresh])


# A change of prefix

CHANGES = [
    ("", "shop-"),
    ("", "__Host-"),
    ("__Secure-", "__Host-"),
    ("shop-", ""),
    ("shop-", "__Secure-shop-"),
    ("__Host-", "__Secure-"),
    ("__Host-", ""),
]


SOME_CHANGES = CHANGES[1:3]


def names_of(prefix: str) -> set[str]:
    known = {row[0]: {*row[1:]} for row in NAMES}
    return known.get(prefix, {f"{prefix}{ACCESS_COOKIE}", f"{prefix}{REFRESH_COOKIE}"})


@pytest.mark.parametrize(("older", "newer"), CHANGES)
def test_a_prefix_is_changed(older: str, newer: str, serve: Serve, clock: HandClock) -> None:
    """Nobody is signed out by a change of prefix, and the first refresh clears the cookies of before, once."""
    store = MemoryStore(clock=clock)
    before = serve(store=store, cookie_prefix=older)
    before.sign_in()
    after = serve(store=store, cookie_prefix=newer, older_cookie_prefix=older)

    assert "ada" == after.user
    assert 200 == after.refresh().status_code
    assert ("ada", names_of(newer)) == (after.user, after.cookies)
    assert 2 == len(set_cookies(after.refresh()))


@pytest.mark.parametrize(("older", "newer"), SOME_CHANGES)
def test_after_the_access_token_ended(older: str, newer: str, serve: Serve, clock: HandClock) -> None:
    """Who comes back long after the change is told to refresh, and goes on."""
    store = MemoryStore(clock=clock)
    serve(store=store, cookie_prefix=older).sign_in()
    after = serve(store=store, cookie_prefix=newer, older_cookie_prefix=older)
    clock.advance(HOUR)

    assert "try refresh token" == after.user
    assert 200 == after.refresh().status_code
    assert ("ada", names_of(newer)) == (after.user, after.cookies)


@pytest.mark.parametrize(("older", "newer"), SOME_CHANGES)
def test_a_changed_claim_between_two_names(older: str, newer: str, serve: Serve, clock: HandClock) -> None:
    """A new access token alone has the new name, beside a refresh token of the old one, which still refreshes it."""
    store = MemoryStore(clock=clock)
    serve(store=store, cookie_prefix=older).sign_in()
    after = serve(store=store, cookie_prefix=newer, older_cookie_prefix=older)
    assert 200 == after.call("POST", "/merge").status_code

    assert "ada" == after.user
    assert 200 == after.refresh().status_code
    assert ("ada", names_of(newer)) == (after.user, after.cookies)


@pytest.mark.parametrize(("older", "newer"), SOME_CHANGES)
def test_sign_out_after_a_change(older: str, newer: str, serve: Serve, clock: HandClock) -> None:
    """A sign-out under the old names leaves nobody signed in, also if the session is optional."""
    store = MemoryStore(clock=clock)
    serve(store=store, cookie_prefix=older).sign_in()
    after = serve(store=store, cookie_prefix=newer, older_cookie_prefix=older)
    assert ["ada", "ada"] == [after.user for _ in range(2)]  # so that the cookie is recognised by the next request
    after.sign_out()

    assert NOBODY == after.user
    assert 401 == after.refresh().status_code
    after.sign_in("bob")
    assert 200 == after.refresh().status_code
    assert ("bob", names_of(newer)) == (after.user, after.cookies)


def test_the_older_names_are_those_of_a_neighbour(serve: Serve) -> None:
    """If another application goes on under the older names, its cookies neither count here nor are cleared."""
    forum = serve(secret=OTHER_SECRET, api_domain="https://shop.example.com:8443")
    shop = serve(cookie_prefix="shop-", older_cookie_prefix="")
    forum.sign_in("bob")

    assert NOBODY == shop.user
    assert 401 == shop.refresh().status_code
    shop.sign_in("ada")
    assert 200 == shop.refresh().status_code
    shop.sign_out()
    assert (NOBODY, "bob") == (shop.user, forum.user)
    assert 200 == forum.refresh().status_code


def test_staging_gets_a_prefix(serve: Serve, clock: HandClock) -> None:
    """Whom the cookies of a deployment above kept from refreshing goes on under the new names, and those are left alone."""
    store = MemoryStore(clock=clock)
    production, before = serve(**PRODUCTION), serve(**STAGING, store=store)
    before.sign_in("bob")
    production.sign_in("ada")
    assert 500 == before.refresh().status_code
    after = serve(**STAGING, store=store, cookie_prefix="__Host-", older_cookie_prefix="")

    assert 200 == after.refresh().status_code
    assert ("ada", "bob") == (production.user, after.user)
    assert {
        "sAccessToken .example.com",
        "sRefreshToken .example.com",
        "__Host-sAccessToken",
        "__Secure-sRefreshToken",
    } == after.cookies


@pytest.mark.parametrize("older_domain", ["example.com", ""])
def test_prefix_and_domain_are_changed_at_once(older_domain: str, serve: Serve, clock: HandClock) -> None:
    """The cookies of before are cleared wherever they are."""
    store = MemoryStore(clock=clock)
    domain = None if older_domain else "example.com"
    serve(store=store, cookie_domain=older_domain or None).sign_in()
    after = serve(
        store=store,
        cookie_domain=domain,
        cookie_prefix="shop-",
        older_cookie_domain=older_domain,
        older_cookie_prefix="",
    )
    assert 200 == after.refresh().status_code

    where = "" if domain is None else " .example.com"
    assert {f"shop-{ACCESS_COOKIE}{where}", f"shop-{REFRESH_COOKIE}{where}"} == after.cookies


def test_duplicates_under_an_older_name_are_cleared() -> None:
    """Two cookies of the older name are cleared under the older domain by that name too, else the client would ask for ever."""
    config = engine(
        HandClock(),
        api_domain=HOST,
        cookie_prefix="shop-",
        older_cookie_prefix="",
        older_cookie_domain="example.com",
    ).config
    written = Transport(config).write([], Outcome(older_cookies=(ACCESS_COOKIE,)), now=0, https=True)

    assert [
        f"{name}=; Path=/; Expires={EPOCH}; HttpOnly; Domain=example.com; SameSite=Lax; Secure"
        for name in ("shop-sAccessToken", ACCESS_COOKIE)
    ] == [value.decode() for name, value in written if name == b"set-cookie"]
