"""`device_binding_scope="all"`: a browser guards the access token itself, and its renewal is a refresh."""

from __future__ import annotations

import re
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any

import pytest
from httpx2 import Response

from fastapi_session import Lifetime, StoreUnavailable
from fastapi_session.testing import HandClock
from tests.moments import MINUTE, PAST_GRACE
from tests.web.binding.browsers import (
    BINDING_COOKIE,
    BOUND,
    DEVICE_PATH,
    DEVICE_REFRESH_PATH,
    IDENTIFIER,
    OTHER_KEY,
    PROOF,
    SKIPPED,
    Browser,
    DownStore,
    bound,
    challenged,
    offered,
    register,
    renew,
    signed_in,
)
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment
from tests.web.wire import CLEARED, KEPT, NEW, Held, change, set_cookies
from tests.wire import ACCESS_COOKIE, FRONT_TOKEN, REFRESH_COOKIE, REFRESH_PATH, SIGN_OUT_PATH

ALL = {**BOUND, "device_binding_scope": "all"}
GUARDED = 600


@pytest.fixture
def deployment(deploy: Deploy) -> Deployment:
    return deploy(**ALL)


def renew_all(deployment: Deployment, browser: Browser, proof: str | None = "", **headers: str) -> Response:
    """The response to a renewal, for which the browser sends its refresh cookie too."""
    sent = {IDENTIFIER: f'"{browser.identifier}"', **browser.to_refresh(), **headers}
    if proof is not None:
        sent[PROOF] = proof or browser.renewing()
    return deployment.post(DEVICE_REFRESH_PATH, sent)


def life(response: Response, cookie: str = ACCESS_COOKIE) -> int | None:
    """For how many seconds the browser keeps the cookie, `None` if the response sets none."""
    found = re.search(r"Max-Age=(\d+)", dict(set_cookies(response)).get(cookie, ""))
    return None if found is None else int(found[1])


def access_in(response: Response) -> str:
    jar = SimpleCookie()
    for text in response.headers.get_list("set-cookie"):
        jar.load(text)
    return jar[ACCESS_COOKIE].value


def is_over(response: Response, browser: Browser) -> bool:
    told = {"session_identifier": browser.identifier, "continue": False}
    return (200, told) == (response.status_code, response.json())


def test_a_browser_is_told_to_guard_all(deployment: Deployment) -> None:
    """All paths are guarded but those of files and the like, the credential is the access token, and the renewal gets the refresh cookie."""
    told = register(deployment, signed_in(deployment)).json()
    rules = told["scope"]["scope_specification"]

    assert {"type": "include", "domain": "*", "path": "/"} == rules[0]
    assert {"/static", "/docs", "/openapi.json", "/health"} <= {rule["path"] for rule in rules[1:]}
    assert {"exclude"} == {rule["type"] for rule in rules[1:]}
    assert DEVICE_REFRESH_PATH == told["refresh_url"]
    assert {
        ACCESS_COOKIE: "Path=/; HttpOnly; SameSite=Lax; Secure",
        BINDING_COOKIE: "Path=/auth/session/refresh; HttpOnly; SameSite=Lax; Secure",
    } == {each["name"]: each["attributes"] for each in told["credentials"]}


def test_the_access_token_is_sent_anew(deployment: Deployment) -> None:
    """With the registration the browser is given an access token that says so, to be renewed in ten minutes; the refresh token stays."""
    browser = signed_in(deployment)
    response = register(deployment, browser)
    parsed = deployment.sessions.parse(access_in(response))

    assert parsed is not None
    assert parsed.content.is_device_bound
    assert {FRONT_TOKEN: "new", ACCESS_COOKIE: "new"} == change(response)
    assert (GUARDED, GUARDED) == (life(response), life(response, BINDING_COOKIE))
    assert 200 == deployment.get("/me", {"cookie": f"{ACCESS_COOKIE}={access_in(response)}"}).status_code


def test_a_copied_registration_brings_no_token(deployment: Deployment) -> None:
    """Who sends the same proof again is told the rules, and is given neither an access token nor a credential."""
    browser = signed_in(deployment)
    responses = [register(deployment, browser) for _ in range(2)]

    assert [(200, 2), (200, 0)] == [(response.status_code, len(set_cookies(response))) for response in responses]


def test_it_is_never_kept_longer_than_it_is_good(deploy: Deploy) -> None:
    """A token that ends before the ten minutes is kept until then."""
    deployment = deploy(**ALL, access_token_validity=2 * MINUTE)

    assert 120 == life(register(deployment, signed_in(deployment)))


def test_a_session_that_is_not_bound_has_it_as_ever(deployment: Deployment) -> None:
    """A browser that binds nothing keeps its access token until it is refused, as without all this."""
    response = deployment.post("/login?user_id=ada", {"st-auth-mode": "cookie"})

    assert 365 * 24 * 3600 == life(response)


def test_changed_claims_come_as_guarded(deployment: Deployment) -> None:
    """Whatever sends a new access token of a bound session sends it so."""
    access = access_in(register(deployment, signed_in(deployment)))

    assert GUARDED == life(deployment.post("/merge", {"cookie": f"{ACCESS_COOKIE}={access}"}))


def test_a_renewal_is_a_refresh(deployment: Deployment) -> None:
    """With a proof and the refresh token the browser has new tokens, again and again, and no page has done anything."""
    browser = bound(deployment)
    for _ in range(3):
        deployment.clock.advance(10 * MINUTE)
        response = renew_all(deployment, browser)
        before, browser = browser, replace(browser.told(response), held=Held.of(response, "cookie"))

        assert (200, NEW["cookie"]) == (response.status_code, change(response))
        assert before.held.refresh != browser.held.refresh
        assert (GUARDED, GUARDED) == (life(response), life(response, BINDING_COOKIE))
        assert browser.identifier == response.json()["session_identifier"]
        assert 200 == deployment.get("/me", browser.held.to_call()).status_code


def test_beside_a_refresh_token_that_was_planted(deploy: Deploy) -> None:
    """One of another session, which another host of the site can plant, does not keep a browser from renewing its own."""
    deployment = deploy(**ALL, cookie_prefix="__Host-")
    logins = [deployment.post(f"/login?user_id={name}", {"st-auth-mode": "cookie"}) for name in ("mallory", "ada")]
    cookies = [[f"{name}={rest.partition(';')[0]}" for name, rest in set_cookies(login)] for login in logins]
    browser = Browser(Held("cookie", "", ""), offered(logins[1]) or "")
    browser = browser.told(deployment.post(DEVICE_PATH, {"cookie": "; ".join(cookies[1]), PROOF: browser.proof()}))
    deployment.clock.advance(10 * MINUTE)
    sent = [each for came in cookies for each in came if "sRefreshToken" in each]
    response = renew_all(deployment, browser, cookie="; ".join(sent))

    assert (200, browser.identifier) == (response.status_code, response.json()["session_identifier"])
    assert {"__Host-sAccessToken", "__Secure-sRefreshToken"} < dict(set_cookies(response)).keys()


def test_the_ordinary_refresh(deployment: Deployment) -> None:
    """A page that refreshes by itself can, for as long as the access token of its browser lasts and a little longer."""
    browser = bound(deployment)
    deployment.clock.advance(10 * MINUTE)

    assert 200 == deployment.post("/auth/session/refresh", browser.to_refresh()).status_code
    deployment.clock.advance(MINUTE)
    assert 401 == deployment.post("/auth/session/refresh", browser.to_refresh()).status_code


def test_no_refresh_without_a_proof(deployment: Deployment) -> None:
    """Neither cookies nor a copy of a proof are enough: a thief gets a challenge, and nothing has changed."""
    browser = bound(deployment)
    deployment.clock.advance(2 * MINUTE)
    copied = browser.renewing()
    first = renew_all(deployment, browser, copied)
    asked = [renew_all(deployment, browser, proof) for proof in (None, copied, browser.renewing(private=OTHER_KEY))]

    assert [(403, KEPT)] * 3 == [(response.status_code, change(response)) for response in asked]
    assert 3 == len({challenged(response) for response in asked})
    assert 200 == renew_all(deployment, browser.told(first)).status_code


@pytest.mark.parametrize("prefix", ["", "__Host-", "__Secure-shop-"])
def test_once_the_access_token_is_gone(prefix: str, deploy: Deploy) -> None:
    """The browser renews when it has dropped the access token, so its refresh token comes alone, whatever the names of cookies are."""
    deployment = deploy(**ALL, cookie_prefix=prefix)
    response = deployment.post("/login?user_id=ada", {"st-auth-mode": "cookie"})
    cookies = {name: rest.partition(";")[0] for name, rest in set_cookies(response)}
    held = Held("cookie", cookies[f"{prefix}{ACCESS_COOKIE}"], "")
    refresh = f"{prefix.replace('__Host-', '__Secure-')}{REFRESH_COOKIE}"
    browser = Browser(held, offered(response) or "")
    browser = browser.told(register(deployment, browser, cookie=f"{prefix}{ACCESS_COOKIE}={held.access}"))
    deployment.clock.advance(10 * MINUTE)
    renewed = renew_all(deployment, browser, cookie=f"{refresh}={cookies[refresh]}")

    assert (200, True) == (renewed.status_code, f"{prefix}{ACCESS_COOKIE}" in dict(set_cookies(renewed)))


@pytest.mark.parametrize("prefix", ["", "__Host-"])
def test_the_browser_could_not_renew(prefix: str, deploy: Deploy) -> None:
    """It says so at the refresh of a page, to which it has no access token any more: the page comes again, and is not signed out."""
    deployment = deploy(**ALL, cookie_prefix=prefix)
    login = deployment.post("/login?user_id=ada", {"st-auth-mode": "cookie"})
    cookies = [f"{name}={rest.partition(';')[0]}" for name, rest in set_cookies(login)]
    proof = Browser(Held("cookie", "", ""), offered(login) or "").proof()
    deployment.post(DEVICE_PATH, {"cookie": "; ".join(cookies), PROOF: proof})
    deployment.clock.advance(10 * MINUTE)
    [refresh] = [each for each in cookies if REFRESH_COOKIE in each]
    responses = [deployment.post(REFRESH_PATH, {"cookie": refresh}, said) for said in ({SKIPPED: "unreachable"}, {})]

    assert [(503, []), (401, [])] == [(response.status_code, set_cookies(response)) for response in responses]


class TestTheEnd:
    def test_signed_out(self, deployment: Deployment) -> None:
        """A session that was signed out is over, and no cookie comes."""
        browser = bound(deployment)
        assert CLEARED == change(deployment.post(SIGN_OUT_PATH, browser.held.to_call()))
        response = renew_all(deployment, browser)

        assert (True, []) == (is_over(response, browser), set_cookies(response))

    @pytest.mark.parametrize("cookie", ["", "junk", "of another session"])
    def test_no_refresh_token_of_the_session(self, cookie: str, deployment: Deployment) -> None:
        """Without its refresh token a session cannot go on, and none of another session is exchanged."""
        browser, other = bound(deployment), deployment.login(user_id="bob")
        refresh = other.refresh if cookie == "of another session" else cookie
        response = renew_all(deployment, browser, cookie=f"{REFRESH_COOKIE}={refresh}")

        assert (True, []) == (is_over(response, browser), set_cookies(response))
        deployment.clock.advance(PAST_GRACE)
        assert 200 == deployment.refresh(other).status_code

    def test_a_stolen_token(self, deployment: Deployment) -> None:
        """A used refresh token is a theft here too, though the key was proved: the session ends, and the tokens are cleared."""
        browser, used = bound(deployment), []
        for _ in range(3):
            deployment.clock.advance(2 * MINUTE)
            response = renew_all(deployment, browser)
            used.append(browser.held)
            browser = replace(browser.told(response), held=Held.of(response, "cookie"))
            deployment.get("/me", browser.held.to_call())
        response = renew_all(deployment, replace(browser, held=used[0]))

        assert is_over(response, browser)
        assert [] == deployment.users("ada")
        assert "" == dict(set_cookies(response))[REFRESH_COOKIE].partition(";")[0]


def test_the_store_is_down(deploy: Deploy, clock: HandClock) -> None:
    """The browser keeps the session, and goes on once the store is back."""
    store = DownStore(clock)
    deployment = deploy(**ALL, store=store)
    browser = bound(deployment)
    store.down = True
    response = renew_all(deployment, browser)

    assert (503, "1", KEPT) == (response.status_code, response.headers["retry-after"], change(response))
    store.down = False
    assert 200 == renew_all(deployment, browser).status_code


def test_the_store_fails_once_the_session_is_bound(deployment: Deployment) -> None:
    """The browser is told the rules all the same, since it does not ask twice; the access token is sent at the next renewal."""
    browser = signed_in(deployment)

    async def reissue(*_: object) -> None:
        raise StoreUnavailable("the store is down")

    deployment.sessions.reissue = reissue  # type: ignore[method-assign,assignment]
    response = register(deployment, browser)
    browser = browser.told(response)

    assert (200, KEPT) == (response.status_code, change(response))
    assert (GUARDED, GUARDED) == (life(response, BINDING_COOKIE), life(renew_all(deployment, browser)))


@pytest.mark.parametrize("before", ["refresh", "all"])
def test_the_scope_is_changed(before: str, deploy: Deploy) -> None:
    """A browser that bound its session by the other scope renews as it was told then, and is told the new rules."""
    options: dict[str, dict[str, Any]] = {"refresh": BOUND, "all": ALL}
    earlier = deploy(**options[before])
    browser = bound(earlier)
    later = deploy(**options["all" if before == "refresh" else "refresh"], store=earlier.sessions.store)
    response = (renew if before == "refresh" else renew_all)(later, browser)
    name, url = response.json()["credentials"][0]["name"], response.json()["refresh_url"]

    if before == "refresh":
        assert (ACCESS_COOKIE, DEVICE_REFRESH_PATH, GUARDED) == (name, url, life(response))
    else:
        assert (BINDING_COOKIE, "/auth/session/device/renewal", 365 * 24 * 3600) == (name, url, life(response))


def test_a_session_that_ends_with_the_browser(deployment: Deployment) -> None:
    """Its access token has an end in the browser too: else the browser would never renew it."""
    issued = deployment.ask(_created_without_persistence, deployment.sessions)
    challenge = deployment.sessions.device_binding.offer(issued.access_token.session_id)
    held = Held("cookie", issued.tokens.access_token, issued.tokens.refresh_token or "")
    response = register(deployment, Browser(held, challenge or ""))

    assert (200, GUARDED) == (response.status_code, life(response))


async def _created_without_persistence(sessions: Any) -> Any:
    return await sessions.create("ada", lifetime=Lifetime(remember=False))
