"""Logins of another system become sessions: which requests adopt one, by which method its tokens travel, and what the client loses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.testclient import WebSocketDenialResponse

from fastapi_session import (
    BooleanClaim,
    ConfigurationError,
    Fresh,
    MemoryStore,
    SessionAdopted,
    Sessions,
    StoreUnavailable,
    install,
)
from fastapi_session.model import Json, moment
from fastapi_session.moving import OldCookie
from fastapi_session.testing import HandClock
from tests.engines import NEW_SECRET, ORIGIN, SECRET, config, engine
from tests.milliseconds import DAY, HOUR
from tests.moments import DAY as ONE_DAY
from tests.moments import HOUR as ONE_HOUR
from tests.web.deployment import Deployment, application, deployed, echo
from tests.web.logins import OLD, Logins
from tests.web.wire import KEPT, NEW, TRY_REFRESH_TOKEN, UNAUTHORISED, Held, change, set_cookies
from tests.wire import AUTH_MODE, REFRESH_PATH, SIGN_OUT_PATH

ADA = {"cookie": "old=of-ada"}
BEARER = {"authorization": "Bearer of-ada"}
RID = {"rid": "anti-csrf"}
OLD_CLEARED = ("old", "; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Domain=example.com; SameSite=Lax")

Adopting = Callable[..., Deployment]


@pytest.fixture
def logins(clock: HandClock) -> Logins:
    return Logins(clock)


@pytest.fixture
def adopting(clock: HandClock, logins: Logins) -> Iterator[Adopting]:
    """Deploy the application of every endpoint, which adopts *logins*."""
    with ExitStack() as served:

        def serve(**options: Any) -> Deployment:
            sessions = engine(clock, **options)
            return served.enter_context(deployed(application(sessions, adopters=[logins]), sessions, clock))

        yield serve


def signed_in(deployment: Deployment, *headers: dict[str, str]) -> Held:
    return Held.of(deployment.get("/me", ADA, *headers), "cookie")


class TestWhich:
    """Which requests adopt a login."""

    def test_a_request_with_a_login(self, adopting: Adopting) -> None:
        """The route has its user, and the response has the tokens of a new session, and clears the cookie of before."""
        deployment = adopting()
        response = deployment.get("/me", ADA)
        [session] = deployment.ask(deployment.sessions.of_user, "ada")

        assert {"user_id": "ada"} == response.json()
        assert NEW["cookie"] == change(response)
        assert OLD_CLEARED in set_cookies(response)
        assert {"user_id": "ada"} == deployment.get("/me", Held.of(response, "cookie").to_call()).json()
        assert "ada" == session.user_id

    @pytest.mark.parametrize("brings", [{}, {"cookie": "old=of-nobody"}, {"cookie": "another=of-ada"}])
    def test_a_request_without(self, adopting: Adopting, brings: dict[str, str]) -> None:
        """Without a login a request is as it is without adopters, whether or not its route needs a session."""
        deployment = adopting()
        refusals = [deployment.get("/me", brings), deployment.post(REFRESH_PATH, brings)]

        assert [UNAUTHORISED, UNAUTHORISED] == [refusal.json() for refusal in refusals]
        assert [KEPT, KEPT] == [change(refusal) for refusal in refusals]
        assert {"user_id": None} == deployment.get("/optional", brings).json()

    def test_a_route_that_needs_no_session(self, adopting: Adopting) -> None:
        """It has the session of a login too."""
        response = adopting().get("/optional", ADA)

        assert {"user_id": "ada"} == response.json()
        assert NEW["cookie"] == change(response)

    def test_a_request_with_a_token_of_ours(self, adopting: Adopting, logins: Logins) -> None:
        """Beside a token of ours no adopter is asked, be the token good or over."""
        deployment = adopting()
        held = deployment.login(user_id="bob")
        beside = partial(replace_cookie, held)

        assert {"user_id": "bob"} == deployment.get("/me", beside(held.to_call())).json()
        assert 200 == deployment.post(REFRESH_PATH, beside(held.to_refresh())).status_code
        deployment.clock.advance(ONE_HOUR + ONE_HOUR)
        assert TRY_REFRESH_TOKEN == deployment.get("/me", beside(held.to_call())).json()
        assert 0 == logins.asked

    def test_a_refresh(self, adopting: Adopting) -> None:
        """A client that has no refresh token of ours refreshes by its login."""
        response = adopting().post(REFRESH_PATH, ADA)

        assert NEW["cookie"] == change(response)
        assert OLD_CLEARED in set_cookies(response)

    def test_a_refresh_by_a_bearer_token(self, adopting: Adopting, logins: Logins) -> None:
        """A bearer token that is no refresh token of ours may be a login; if it is none, the refresh is refused as ever."""
        logins.cookie = None
        deployment = adopting()
        refused = deployment.post(REFRESH_PATH, {"authorization": "Bearer of-nobody"})

        assert NEW["header"] == change(deployment.post(REFRESH_PATH, BEARER))
        assert 401 == refused.status_code
        assert {"user_id": "ada"} == deployment.get("/me", BEARER).json()

    def test_a_socket(self, adopting: Adopting) -> None:
        """A socket adopts nothing: the page that opens it does, by its requests."""
        deployment = adopting()
        deployment.app.websocket("/echo")(echo)
        with pytest.raises(WebSocketDenialResponse), deployment.client.websocket_connect("/echo", headers=ADA):
            pytest.fail("the socket was opened")

        assert [] == deployment.users()


def replace_cookie(held: Held, headers: dict[str, str]) -> dict[str, str]:
    return {"cookie": f"{headers['cookie']}; old=of-ada"}


@pytest.mark.parametrize(
    ("configured", "said", "came", "method"),
    [
        ("cookie", "header", "cookie", "cookie"),
        ("cookie", None, "header", "cookie"),
        ("header", "cookie", "header", "header"),
        ("header", None, "cookie", "header"),
        ("any", "cookie", "header", "cookie"),
        ("any", "header", "cookie", "header"),
        ("any", None, "cookie", "cookie"),
        ("any", None, "header", "header"),
    ],
)
def test_method(adopting: Adopting, logins: Logins, configured: str, said: str | None, came: str, method: str) -> None:
    """By which method the tokens travel: the table of `web.adopting`."""
    deployment = adopting(token_transfer_method=configured)
    logins.cookie = OLD if came == "cookie" else None
    headers = {} if said is None else {AUTH_MODE: said}

    assert NEW[method] == change(deployment.get("/me", ADA if came == "cookie" else BEARER, headers))


@pytest.mark.parametrize(
    ("came", "endpoint", "anti_csrf", "headers", "outcome"),
    [
        ("header", "POST /me", "VIA_CUSTOM_HEADER", {}, 200),
        ("header", "POST /me", "VIA_TOKEN", {}, 200),
        ("cookie", "GET /me", "VIA_CUSTOM_HEADER", {}, 200),
        ("cookie", "GET /me", "VIA_TOKEN", {}, 200),
        ("cookie", "POST /unguarded", "VIA_TOKEN", {}, 200),
        ("cookie", "POST /me", "NONE", {}, 200),
        ("cookie", f"POST {REFRESH_PATH}", "NONE", {}, 200),
        ("cookie", "POST /me", "VIA_CUSTOM_HEADER", RID, 200),
        ("cookie", f"POST {REFRESH_PATH}", "VIA_CUSTOM_HEADER", RID, 200),
        ("cookie", "POST /me", "VIA_CUSTOM_HEADER", {}, TRY_REFRESH_TOKEN),
        ("cookie", "GET /guarded", "VIA_CUSTOM_HEADER", {}, TRY_REFRESH_TOKEN),
        ("cookie", f"POST {REFRESH_PATH}", "VIA_CUSTOM_HEADER", {}, UNAUTHORISED),
        ("cookie", "POST /me", "VIA_TOKEN", RID, TRY_REFRESH_TOKEN),
        ("cookie", f"POST {REFRESH_PATH}", "VIA_TOKEN", {}, 200),
    ],
)
def test_forgery(
    adopting: Adopting,
    logins: Logins,
    came: str,
    endpoint: str,
    anti_csrf: str,
    headers: dict[str, str],
    outcome: object,
) -> None:
    """Whether a request has to prove that no other site forged it: the table of `web.adopting`. A refusal clears nothing."""
    deployment = adopting(anti_csrf=anti_csrf)
    logins.cookie = OLD if came == "cookie" else None
    http_method, _, path = endpoint.partition(" ")
    response = deployment.request(http_method, path, ADA if came == "cookie" else BEARER, headers)

    assert outcome == (200 if response.status_code == 200 else response.json())
    assert (NEW[came].keys() if outcome == 200 else set()) <= change(response).keys()
    assert (outcome == 200 and came == "cookie") == (OLD_CLEARED in set_cookies(response))
    if outcome != 200:
        assert [] == set_cookies(response)


class TestOneLoginIsOneSession:
    """However often a login comes, it is one session, and not for longer than that."""

    async def test_requests_at_once(self, clock: HandClock, logins: Logins) -> None:
        """Six first requests at once begin one session, whose tokens all of them have."""
        sessions = engine(clock)
        app = application(sessions, adopters=[logins])
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN, headers=ADA) as client:
            responses = await asyncio.gather(*(client.get("/me") for _ in range(6)))
        found = await sessions.of_user("ada")
        tokens = {Held.of(response, "cookie").refresh[:112] for response in responses}
        await sessions.close()

        assert [200] * 6 == [response.status_code for response in responses]
        assert 1 == len(found)
        assert 1 == len(tokens)

    def test_a_lost_response(self, adopting: Adopting, logins: Logins) -> None:
        """Until the first refresh the login brings the tokens of its session again, though the other system has forgotten it."""
        deployment = adopting()
        deployment.get("/me", ADA)
        logins.users.clear()
        deployment.clock.advance(ONE_DAY)
        held = signed_in(deployment)

        assert {"user_id": "ada"} == deployment.get("/me", held.to_call()).json()
        assert ["ada"] == deployment.users()

    def test_it_may_be_bound_once(self, adopting: Adopting) -> None:
        """Only the response in which the session begins offers to bind it: who brings the login again may have copied it."""
        deployment = adopting(api_domain="https://api.example.com", device_binding="optional")
        responses = [deployment.get("/me", ADA) for _ in range(2)]

        assert [NEW["cookie"]] * 2 == [change(response) for response in responses]
        assert [True, False] == ["secure-session-registration" in response.headers for response in responses]

    def test_a_login_whose_session_has_refreshed(self, adopting: Adopting) -> None:
        """It is refused and no alarm: a copy of an old cookie. Its session goes on."""
        deployment = adopting()
        held = deployment.refreshed(signed_in(deployment))
        refused = deployment.get("/me", ADA)

        assert UNAUTHORISED == refused.json()
        assert KEPT == change(refused)
        assert {"user_id": None} == deployment.get("/optional", ADA).json()
        assert {"user_id": "ada"} == deployment.get("/me", held.to_call()).json()

    @pytest.mark.parametrize("options", [{}, {"absolute_timeout": 2 * ONE_DAY}])
    def test_a_login_whose_session_has_ended(self, adopting: Adopting, options: dict[str, Any]) -> None:
        """It begins no other session: not after a sign-out, and not when all of the session is forgotten."""
        deployment = adopting(**options)
        held = signed_in(deployment)
        deployment.post(SIGN_OUT_PATH, held.to_call())
        refused = deployment.get("/me", ADA)
        deployment.clock.advance(3 * ONE_DAY)
        deployment.ask(deployment.sessions._parts.housekeeping._delete)

        assert UNAUTHORISED == refused.json()
        assert KEPT == change(refused)
        assert UNAUTHORISED == deployment.get("/me", ADA).json()
        assert [] == deployment.users()

    def test_another_secret(self, clock: HandClock, logins: Logins) -> None:
        """A new secret makes no second session of a login that waits, and brings back none that has ended."""
        store = MemoryStore(clock=clock)
        deployments = [
            partial(engine, clock, store=store, secret=SECRET),
            partial(engine, clock, store=store, secret=[NEW_SECRET, SECRET]),
        ]
        held: list[Held] = []
        found: list[str] = []
        for make in deployments:
            sessions = make()
            with deployed(application(sessions, adopters=[logins]), sessions, clock) as deployment:
                held.append(signed_in(deployment))
                found = deployment.users()
        with deployed(application(sessions := deployments[1](), adopters=[logins]), sessions, clock) as deployment:
            assert 200 == deployment.post(SIGN_OUT_PATH, held[1].to_call()).status_code
            refused = deployment.get("/me", ADA)

        assert ["ada"] == found
        assert held[0].refresh[:112] == held[1].refresh[:112]
        assert UNAUTHORISED == refused.json()

    def test_two_logins_of_a_user(self, adopting: Adopting, logins: Logins) -> None:
        """Two devices are two sessions."""
        logins.users["of-ada-too"] = "ada"
        deployment = adopting()
        deployment.get("/me", ADA)
        deployment.get("/me", {"cookie": "old=of-ada-too"})

        assert ["ada", "ada"] == deployment.users()


class TestHowLong:
    """Until when an adopted session lives."""

    def test_until_its_first_refresh(self, adopting: Adopting, logins: Logins) -> None:
        """It ends with the login; from the first refresh on it is as every other one."""
        logins.said = {"deadline": logins.clock() + 3 * HOUR}
        deployment = adopting()
        refreshed = deployment.refreshed(signed_in(deployment))
        deployment.clock.advance(ONE_DAY)

        assert 200 == deployment.refresh(refreshed).status_code

    def test_without_a_refresh(self, adopting: Adopting, logins: Logins) -> None:
        """A login that is over brings its session no more."""
        logins.said = {"deadline": logins.clock() + 3 * HOUR}
        deployment = adopting()
        held = signed_in(deployment)
        deployment.clock.advance(3 * ONE_HOUR)

        assert UNAUTHORISED == deployment.get("/me", ADA).json()
        assert UNAUTHORISED == deployment.refresh(held).json()

    def test_a_login_that_is_over(self, adopting: Adopting, logins: Logins) -> None:
        """A login whose deadline has passed is not adopted."""
        logins.said = {"deadline": logins.clock()}
        deployment = adopting()

        assert UNAUTHORISED == deployment.get("/me", ADA).json()

    def test_an_absolute_timeout(self, adopting: Adopting, logins: Logins) -> None:
        """It counts from when the user signed in there."""
        deployment = adopting(absolute_timeout=2 * ONE_DAY)
        logins.said = {"created_at": logins.clock() - DAY}
        deployment.get("/me", ADA)
        [session] = deployment.ask(deployment.sessions.of_user, "ada")
        logins.said = {"created_at": logins.clock() - 2 * DAY}

        assert moment(deployment.clock() + DAY) == session.expires_at
        assert UNAUTHORISED == deployment.get("/me", {"cookie": "old=of-bob"}).json()


class TestWhatGoesWrong:
    """A client keeps what it has if a login could not be asked for."""

    def test_the_other_system_is_down(self, adopting: Adopting, logins: Logins) -> None:
        """That is a 503, and nothing is written or cleared; once it is there again, the login is adopted."""
        deployment = adopting()
        logins.error = StoreUnavailable("the other database is down")
        refusals = [deployment.get("/me", ADA), deployment.post(REFRESH_PATH, ADA), deployment.get("/optional", ADA)]
        logins.error = None

        assert [503] * 3 == [refusal.status_code for refusal in refusals]
        assert [[]] * 3 == [set_cookies(refusal) for refusal in refusals]
        assert {"user_id": "ada"} == deployment.get("/me", ADA).json()

    def test_an_adopter_with_a_fault(self, adopting: Adopting, logins: Logins) -> None:
        """What else it raises is a 500, and no visitor: its user would find himself signed out, and nobody would know."""
        deployment = adopting()
        logins.error = LookupError("no such table")
        refusals = [deployment.get("/me", ADA), deployment.post(REFRESH_PATH, ADA), deployment.get("/optional", ADA)]

        assert [500] * 3 == [refusal.status_code for refusal in refusals]
        assert [[]] * 3 == [set_cookies(refusal) for refusal in refusals]

    def test_a_payload_that_does_not_fit(self, adopting: Adopting, logins: Logins) -> None:
        """It is a fault of the application, and no session begins."""
        logins.said = {"access_token_payload": {"much": "m" * 5_000}}
        deployment = adopting()
        response = deployment.get("/me", ADA)

        assert 500 == response.status_code
        assert [] == set_cookies(response)
        assert [] == deployment.users()


class TestRetiring:
    """An adopter may take a login away from the other system, once its session is kept here."""

    def test_a_login_that_is_retired(self, adopting: Adopting, logins: Logins) -> None:
        """It is taken away once, and a response that was lost is sent again all the same."""
        logins.said = {"retire": partial(logins.take_away, "of-ada")}
        deployment = adopting()
        deployment.get("/me", ADA)
        deployment.ask(deployment.sessions.of_user, "ada")

        assert ["of-ada"] == logins.retired
        assert {"user_id": "ada"} == deployment.get("/me", ADA).json()
        assert ["of-ada"] == logins.retired

    def test_a_login_that_cannot_be_retired(
        self, adopting: Adopting, logins: Logins, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The session is there all the same, and the log says what happened, with no key of the login."""
        logins.said = {"retire": partial(logins.take_away, "of-nobody")}
        deployment = adopting()
        held = signed_in(deployment)
        deployment.ask(deployment.sessions.of_user, "ada")

        assert {"user_id": "ada"} == deployment.get("/me", held.to_call()).json()
        assert ["could not be retired at legacy"] == [
            record.getMessage()[-30:] for record in caplog.records if record.levelname == "ERROR"
        ]
        assert "of-ada" not in caplog.text


class TestSigningOut:
    """A sign-out takes from the client what would sign it in again."""

    @pytest.mark.parametrize("stays", [False, True])
    def test_a_cookie_that_is_still_there(self, adopting: Adopting, logins: Logins, stays: bool) -> None:
        """A cookie that stays until then, or has come back, is cleared by the sign-out."""
        logins.cookie = replace(OLD, stays=stays)
        deployment = adopting()
        response = deployment.get("/me", ADA)
        held = Held.of(response, "cookie")
        signed_out = deployment.post(SIGN_OUT_PATH, replace_cookie(held, held.to_call()))

        assert stays != (OLD_CLEARED in set_cookies(response))
        assert OLD_CLEARED in set_cookies(signed_out)

    def test_a_client_without_one(self, adopting: Adopting) -> None:
        """Where nothing of the other system came, nothing of it is cleared."""
        deployment = adopting()
        signed_out = deployment.post(SIGN_OUT_PATH, deployment.login().to_call())

        assert "old" not in dict(set_cookies(signed_out))


def test_a_cookie_of_a_page_of_another_site(adopting: Adopting, logins: Logins) -> None:
    """A cookie is cleared with the attributes that it was set with: else a browser keeps it."""
    logins.cookie = OldCookie("old", path="/api", same_site="none", partitioned=True)
    cleared = dict(set_cookies(adopting().get("/me", ADA)))

    assert cleared["old"].endswith("HttpOnly; SameSite=None; Secure; Partitioned")
    assert "; Path=/api; " in cleared["old"]


class TestWhatRoutesDemand:
    """A session that was adopted is as any other for what routes demand of it."""

    def test_claims(self, clock: HandClock, logins: Logins) -> None:
        """Claims are fetched into it, as into one that a sign-in begins."""

        async def admin(user_id: str, _tenant_id: str, _payload: Json) -> bool:
            return user_id == "ada"

        is_admin = BooleanClaim("admin", fetch=admin)
        sessions = Sessions(config(), claims=[is_admin], validators=[is_admin.is_true()], clock=clock)
        with deployed(application(sessions, adopters=[logins]), sessions, clock) as deployment:
            statuses = [deployment.get("/me", {"cookie": f"old={key}"}).status_code for key in ("of-ada", "of-bob")]

        assert [200, 403] == statuses

    def test_a_demand_on_the_sign_in(self, clock: HandClock, logins: Logins) -> None:
        """How the user signed in there is not known: a route that demands it asks, with the tokens sent. Each refusal is counted once."""
        sessions = Sessions(config(), validators=[Fresh(minutes=5)], clock=clock)
        with deployed(application(sessions, adopters=[logins]), sessions, clock) as deployment:
            sessions.telemetry_counts.is_on = True
            refused = deployment.get("/me", ADA)
            again = deployment.get("/me", Held.of(refused, "cookie").to_call())

        assert NEW["cookie"] == change(refused)
        assert [401, 401] == [refused.status_code, again.status_code]  # the challenge of a step-up
        assert {("step_up_required", "none"): 1, ("step_up_required", "cookie"): 1} == sessions.telemetry_counts.refused


def test_what_is_told(clock: HandClock, logins: Logins) -> None:
    """The event names the system in which the session began, to subscribers and in the audit. It is told once."""
    told: list[SessionAdopted] = []

    async def listen(event: Any) -> None:
        told.append(event)

    sessions = Sessions(config(audit=True), subscribers=[listen], clock=clock)
    with deployed(application(sessions, adopters=[logins]), sessions, clock) as deployment:
        deployment.get("/me", ADA, {"user-agent": "Firefox"})
        deployment.get("/me", ADA)
        kept = deployment.ask(sessions.events).events

    assert [("SessionAdopted", "ada", "legacy", "Firefox")] == [
        (type(event).__name__, event.user_id, event.source, event.circumstances.user_agent) for event in told
    ]
    assert [("SessionAdopted", "legacy", told[0].event_id)] == [
        (event.name, event.details["source"], event.event_id) for event in kept
    ]


class TestInstalling:
    """What cannot adopt is found out when the application starts."""

    @pytest.mark.parametrize("names", [["legacy", "legacy"], [""], ["n" * 65]])
    def test_names(self, clock: HandClock, names: list[str]) -> None:
        """Each adopter has a name of its own, by which its sessions are told from those of others."""
        with pytest.raises(ConfigurationError, match="a name of its own"):
            install(FastAPI(), engine(clock), adopters=[Logins(clock, name=name) for name in names])

    @pytest.mark.parametrize("given", [[None], "legacy"])
    def test_what_is_no_list_of_adopters(self, clock: HandClock, given: Any) -> None:
        """Anything else is refused."""
        with pytest.raises(ConfigurationError, match="give a list of adopters"):
            install(FastAPI(), engine(clock), adopters=given)

    def test_a_store_that_takes_in_nothing(self, clock: HandClock, logins: Logins) -> None:
        """A store of one's own needs the methods for it; without adopters it does not."""
        sessions = engine(clock, store=OldStore(clock=clock))

        with pytest.raises(ConfigurationError, match="MovableStore"):
            install(FastAPI(), sessions, adopters=[logins])
        assert sessions is install(FastAPI(), sessions)


class OldStore(MemoryStore):
    """A store from before sessions could move in."""

    take_in: Any = None
