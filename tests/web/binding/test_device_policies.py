"""Which sessions go on that no browser has bound, and which cookies a browser is told to guard."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request
from httpx2 import Response

from fastapi_session import (
    CreateSession,
    DeviceBound,
    SessionEvent,
    Sessions,
    attach_session_to_request,
    create_session,
    install,
    session_router,
)
from fastapi_session.core.anti_csrf import NOT_ASKED
from fastapi_session.testing import HandClock
from tests.engines import config
from tests.moments import HOUR, MILLISECOND, PAST_GRACE, SECOND
from tests.web.binding.browsers import (
    BINDING_COOKIE,
    BOUND,
    DEVICE_PATH,
    HTTPS,
    IDENTIFIER,
    OFFER,
    PROOF,
    RENEWAL_PATH,
    Browser,
    bound,
    offered,
    register,
    renew,
    signed_in,
)
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment, application, deployed
from tests.web.logins import Logins
from tests.web.wire import KEPT, UNAUTHORISED, Held, change, set_cookies
from tests.wire import AUTH_MODE, REFRESH_PATH, SIGN_OUT_PATH

REQUIRED = {**BOUND, "device_binding": "required"}


@pytest.mark.parametrize(("binding", "status"), [("optional", 200), ("required", 401)])
def test_a_browser_that_binds_nothing(binding: str, status: int, deploy: Deploy) -> None:
    """It goes on if binding is optional, and if it is required it has to sign in again; its tokens are kept."""
    deployment = deploy(**{**BOUND, "device_binding": binding})
    held = signed_in(deployment).held
    deployment.clock.advance(HOUR)
    response = deployment.refresh(held)

    assert status == response.status_code
    assert status == 200 or (UNAUTHORISED, KEPT) == (response.json(), change(response))


@pytest.mark.parametrize("grace", [SECOND, 30 * SECOND, 300 * SECOND])
def test_the_grace_of_a_session_that_has_to_be_bound(grace: timedelta, deploy: Deploy) -> None:
    """A page that refreshes at once is not refused while its browser is still about to bind the session."""
    deployment = deploy(**REQUIRED, device_binding_grace=grace)
    held = signed_in(deployment).held
    deployment.clock.advance(grace - MILLISECOND)
    in_time = deployment.refresh(held)
    deployment.clock.advance(MILLISECOND)

    assert [200, 401] == [in_time.status_code, deployment.refresh(held).status_code]


def test_a_bound_session_goes_on(deploy: Deploy) -> None:
    """Whatever is required, a session that is bound is refreshed with its credential."""
    deployment = deploy(**REQUIRED)
    browser = bound(deployment)
    for _ in range(3):
        deployment.clock.advance(HOUR)
        browser = browser.told(renew(deployment, browser))
        response = deployment.post(REFRESH_PATH, browser.to_refresh())
        assert 200 == response.status_code
        browser = replace(browser, held=Held.of(response, "cookie"))


def test_the_setting_is_changed(deploy: Deploy) -> None:
    """Whoever is bound goes on by the key alone, whatever is set later; who is not is kept out only while it is required."""
    deployment = deploy(**BOUND)
    browser, unbound = bound(deployment), signed_in(deployment, "grace").held
    for setting in ("optional", "required", "off", "required", "optional"):
        deployment = deploy(**{**BOUND, "device_binding": setting}, store=deployment.sessions.store)
        deployment.clock.advance(HOUR)
        stolen = deployment.refresh(browser.held)
        browser = browser.told(renew(deployment, browser))
        own = deployment.post(REFRESH_PATH, browser.to_refresh())
        other = deployment.refresh(unbound)

        assert (401, KEPT) == (stolen.status_code, change(stolen))
        assert 200 == own.status_code
        browser = replace(browser, held=Held.of(own, "cookie"))
        if setting == "required":
            assert (401, KEPT) == (other.status_code, change(other))
        else:
            assert 200 == other.status_code
            unbound = Held.of(other, "cookie")


def test_a_session_that_was_attached(clock: HandClock) -> None:
    """A session that the application creates itself and attaches to a request is offered to be bound too."""
    sessions = Sessions(config(**BOUND), clock=clock)
    app = application(sessions)

    @app.post("/attach")
    async def attach(request: Request) -> None:
        attach_session_to_request(request, await sessions.create("ada"), method="cookie")

    with deployed(app, sessions, clock, HTTPS) as deployment:
        assert offered(deployment.post("/attach")) is not None


def test_a_login_that_is_adopted(clock: HandClock) -> None:
    """A login of another system that becomes a session is offered to be bound: the session begins in that response."""
    sessions = Sessions(config(**BOUND), clock=clock)
    with deployed(application(sessions, adopters=[Logins(clock)]), sessions, clock, HTTPS) as deployment:
        response = deployment.get("/me", {"cookie": "old=of-ada"})
        browser = Browser(Held.of(response, "cookie"), offered(response) or "")

        assert 200 == register(deployment, browser).status_code


@pytest.mark.parametrize("said", ["refreshed", "changed"])
def test_a_session_that_goes_on_is_not_offered(said: str, clock: HandClock) -> None:
    """One that the application refreshed or changed itself may be stolen: who has it cannot bind it to a key of his own."""
    sessions = Sessions(config(**BOUND), clock=clock)
    app = application(sessions)

    @app.post("/attach")
    async def attach(request: Request) -> None:
        begun = await sessions.create("ada")
        clock.advance(PAST_GRACE)
        issued = await (
            sessions.refresh(begun.tokens.refresh_token or "", proof=NOT_ASKED)
            if said == "refreshed"
            else sessions.reissue(begun.access_token, {})
        )
        attach_session_to_request(request, issued, method="cookie")

    with deployed(app, sessions, clock, HTTPS) as deployment:
        response = deployment.post("/attach")

    assert (200, None) == (response.status_code, offered(response))


def test_the_last_session_of_a_request_is_offered(clock: HandClock) -> None:
    """If two begin in one request, the browser gets the tokens of the second, and may bind that."""
    sessions = Sessions(config(**BOUND), clock=clock)
    app = application(sessions)

    @app.post("/twice")
    async def twice(create: Annotated[CreateSession, Depends(create_session())], last: str) -> None:
        await create("ada", method="cookie")
        await create("bob", method="header" if last == "header" else "cookie")

    with deployed(app, sessions, clock, HTTPS) as deployment:
        in_cookies, in_headers = deployment.post("/twice?last=cookie"), deployment.post("/twice?last=header")
        browser = signed_in(deployment)
        browser = replace(browser, held=Held.of(in_cookies, "cookie"), challenge=offered(in_cookies) or "")

        assert 200 == register(deployment, browser).status_code
        assert OFFER not in in_headers.headers


class TestCookies:
    @pytest.mark.parametrize(
        ("options", "name", "attributes"),
        [
            ({}, "sBinding", "Path=/auth/session/refresh; HttpOnly; SameSite=Lax; Secure"),
            (
                {"cookie_prefix": "__Host-shop-", "api_base_path": "/api/v1"},
                "__Secure-shop-sBinding",
                "Path=/api/v1/session/refresh; HttpOnly; SameSite=Lax; Secure",
            ),
            (
                {"cookie_domain": "example.com", "cookie_same_site": "strict"},
                "sBinding",
                "Path=/auth/session/refresh; HttpOnly; Domain=example.com; SameSite=Strict; Secure",
            ),
            (
                {"website_domain": "https://page.example"},
                "sBinding",
                "Path=/auth/session/refresh; HttpOnly; SameSite=None; Secure",
            ),
        ],
        ids=["default", "prefix", "domain", "cross-site"],
    )
    def test_one_text_of_attributes(
        self, options: dict[str, Any], name: str, attributes: str, clock: HandClock
    ) -> None:
        """What the browser is told of its credential is, to the letter, how it is set: else it would renew before each request."""
        sessions = Sessions(config(**BOUND, **options), clock=clock)
        with deployed(application(sessions), sessions, clock, HTTPS) as deployment:
            login = deployment.post("/login?user_id=ada", {AUTH_MODE: "cookie"})
            cookies = "; ".join(f"{each}={rest.partition(';')[0]}" for each, rest in set_cookies(login))
            challenge = login.headers[OFFER].partition('challenge="')[2].rstrip('"')
            path = login.headers[OFFER].partition('path="')[2].partition('"')[0]
            browser = signed_in_with(challenge)
            response = deployment.post(path, {"cookie": cookies, PROOF: browser})
            [rest] = [rest for each, rest in set_cookies(response) if each == name]

        assert [{"type": "cookie", "name": name, "attributes": attributes}] == response.json()["credentials"]
        assert attributes == rest.partition("; ")[2].rpartition("; Expires=")[0]

    @pytest.mark.parametrize("binding", ["off", "optional"])
    def test_it_is_cleared_with_the_tokens(self, binding: str, deploy: Deploy) -> None:
        """Each response that clears the tokens of a browser clears the credential, if there may be one."""
        deployment = deploy(**{**BOUND, "device_binding": binding})
        response = deployment.post(SIGN_OUT_PATH, deployment.login().to_call())

        assert (binding != "off") == (BINDING_COOKIE in dict(set_cookies(response)))

    def test_it_is_not_cleared_by_a_refusal(self, deploy: Deploy) -> None:
        """A refresh that is refused for want of a proof leaves everything as it is."""
        deployment = deploy(**BOUND)
        thief = replace(bound(deployment), credential="")
        deployment.clock.advance(PAST_GRACE)

        assert [] == set_cookies(deployment.post(REFRESH_PATH, thief.to_refresh()))


class TestPlanted:
    """Another host of the site can plant cookies, but none whose name begins with `__Host-`."""

    def bound(self, deployment: Deployment, user_id: str) -> dict[str, str]:
        """The cookies of a browser that has bound its session."""
        login = deployment.post(f"/login?user_id={user_id}", {AUTH_MODE: "cookie"})
        cookies = given(login)
        proof = signed_in_with(offered(login) or "")
        return {**cookies, **given(deployment.post(DEVICE_PATH, {"cookie": as_header(cookies), PROOF: proof}))}

    def test_a_whole_session(self, deploy: Deploy) -> None:
        """With the refresh token and the credential of a session of his own he does not keep a browser from proving its key."""
        deployment = deploy(**BOUND, cookie_prefix="__Host-")
        own, planted = self.bound(deployment, "ada"), self.bound(deployment, "mallory")
        names = ("__Secure-sRefreshToken", "__Secure-sBinding")
        deployment.clock.advance(PAST_GRACE)
        cookies = "; ".join([*(f"{name}={planted[name]}" for name in names), as_header(own)])

        assert 200 == deployment.post(REFRESH_PATH, {"cookie": cookies}).status_code


def given(response: Response) -> dict[str, str]:
    """The cookies that the response sets, by name."""
    return {name: rest.partition(";")[0] for name, rest in set_cookies(response)}


def as_header(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def signed_in_with(challenge: str) -> str:
    """A proof with *challenge*."""
    return Browser(Held("cookie", "", ""), challenge).proof()


def test_it_is_announced_once(clock: HandClock) -> None:
    """Subscribers hear when a session is bound, by whom, and not again of a registration that is repeated."""
    told: list[SessionEvent] = []

    async def hear(event: SessionEvent) -> None:
        told.append(event)

    sessions = Sessions(config(**BOUND), clock=clock, subscribers=[hear])
    with deployed(application(sessions), sessions, clock, HTTPS) as deployment:
        browser = signed_in(deployment)
        for _ in range(2):
            register(deployment, browser, **{"user-agent": "Chromium 156"})
        deployment.ask(sessions.of_user, "ada")

    [event] = [each for each in told if isinstance(each, DeviceBound)]
    assert ("ada", "Chromium 156") == (event.user_id, event.circumstances.user_agent)


def test_it_is_audited(clock: HandClock) -> None:
    """The store keeps that a session was bound, in the transaction of that."""
    sessions = Sessions(config(**BOUND, audit=True), clock=clock)
    with deployed(application(sessions), sessions, clock, HTTPS) as deployment:
        bound(deployment)
        page = deployment.ask(sessions.events)

    assert ["SessionCreated", "DeviceBound"] == [event.name for event in page.events]


@pytest.mark.parametrize("serves", [True, False])
def test_the_endpoints_are_always_there(serves: bool, clock: HandClock) -> None:
    """They belong to every router of sessions, and are in no document: browsers alone call them."""
    sessions = Sessions(config(**BOUND), clock=clock)
    app = FastAPI()
    install(app, sessions)
    app.include_router(session_router(refresh=serves, sign_out=serves))
    with deployed(app, sessions, clock, HTTPS) as deployment:
        response = deployment.post(RENEWAL_PATH, {IDENTIFIER: '"x"'})

    assert 200 == response.status_code
    assert [] == [path for path in app.openapi()["paths"] if "/device" in path]
