"""Claims as a client meets them: fetched at sign-in and when they are due, asked of every route, told on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse

from fastapi_session import (
    BooleanClaim,
    ClaimValidator,
    CreateSession,
    PayloadRule,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    Session,
    Sessions,
    UnauthorisedError,
    create_session,
    get_session_from_request,
    install,
    session_router,
    verify_session,
)
from fastapi_session.core import access_token
from fastapi_session.model import Json
from fastapi_session.testing import HandClock
from tests.engines import config
from tests.moments import HOUR, MINUTE
from tests.web.deployment import Deployment, Verified, deployed
from tests.web.wire import CLEARED, KEPT, UNAUTHORISED, Held, change
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, FRONT_TOKEN, SIGN_OUT_PATH

NOW = 2_000_000_000_000
METHODS = ["cookie", "header"]
CHANGED = {
    "cookie": {FRONT_TOKEN: "new", ACCESS_COOKIE: "new"},
    "header": {FRONT_TOKEN: "new", ACCESS_HEADER: "new"},
}
"""A new access token, and the refresh token as it was."""


class Users:
    """What the application knows of its users, and what it was asked."""

    def __init__(self) -> None:
        self.roles: list[str] | None = ["editor"]
        self.plan: str | None = "free"
        self.asked: list[tuple[str, str, Json]] = []

    async def fetch_roles(self, user_id: str, tenant_id: str, payload: Json) -> list[str] | None:
        self.asked.append((user_id, tenant_id, payload))
        return self.roles

    async def fetch_plan(self, user_id: str, tenant_id: str, payload: Json) -> str | None:
        self.asked.append((user_id, tenant_id, payload))
        return self.plan

    async def fetch_nothing(self, user_id: str, tenant_id: str, payload: Json) -> None:
        """Know no value."""


@pytest.fixture
def users() -> Users:
    return Users()


@pytest.fixture
def roles(users: Users) -> PrimitiveArrayClaim[str]:
    return PrimitiveArrayClaim("roles", users.fetch_roles, default_max_age=MINUTE)


@pytest.fixture
def plan(users: Users) -> PrimitiveClaim[str]:
    return PrimitiveClaim("plan", users.fetch_plan)


@pytest.fixture
def verified(users: Users) -> BooleanClaim:
    return BooleanClaim("verified", users.fetch_nothing)


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.post("/login")
    async def login(
        user_id: str, create: Annotated[CreateSession, Depends(create_session())], tenant_id: str = "public"
    ) -> dict[str, Any]:
        session = await create(user_id, tenant_id=tenant_id, access_token_payload={"theme": "dark"})
        return session.claims

    return app


class Served:
    """Serves the application with the claims, validators and engine given."""

    def __init__(self, app: FastAPI, clock: HandClock) -> None:
        self.app = app
        self.clock = clock
        self.engine: type[Sessions] = Sessions

    def sessions(self, **options: Any) -> Sessions:
        sessions = self.engine(config(), clock=self.clock, **options)
        install(self.app, sessions)
        self.app.include_router(session_router())
        return sessions


@pytest.fixture
def served(app: FastAPI, clock: HandClock) -> Served:
    return Served(app, clock)


@pytest.fixture
def deployment(
    served: Served, roles: PrimitiveArrayClaim[str], plan: PrimitiveClaim[str], verified: BooleanClaim
) -> Iterator[Deployment]:
    """An application that knows roles from the sign-in on, and the plan when it is asked for."""
    sessions = served.sessions(claims=[roles, verified])
    with deployed(served.app, sessions, served.clock) as deployment:
        yield deployment


def claims_in(token: str) -> Json:
    parsed = access_token.parse(token)
    assert parsed is not None
    return parsed.content.custom


def entry(value: object, *, after: timedelta = timedelta(0)) -> dict[str, Any]:
    return {"v": value, "t": NOW + after // timedelta(milliseconds=1)}


class TestFetching:
    """When the application is asked for a claim's value."""

    def test_at_sign_in(self, deployment: Deployment, users: Users) -> None:
        """Registered claims are in the first access token; one that has no value leaves nothing."""
        response = deployment.post("/login?user_id=ada&tenant_id=acme")

        assert {"theme": "dark", "roles": entry(["editor"])} == response.json()
        assert response.json() == claims_in(response.headers[ACCESS_HEADER])
        assert [("ada", "acme", {"theme": "dark"})] == users.asked

    @pytest.mark.parametrize("method", METHODS)
    def test_once_for_all_validators(
        self, method: str, app: FastAPI, deployment: Deployment, users: Users, plan: PrimitiveClaim[str]
    ) -> None:
        """A claim that is absent is fetched once for all validators of a request, kept, and in its token from then on."""
        asked = verify_session(plan.has_value("free"), plan.has_value("free", id="x"))

        @app.get("/free", dependencies=[Depends(asked), Depends(verify_session(plan.has_value("free", id="y")))])
        async def free(session: Verified) -> str | None:
            return session.get_claim_value(plan)

        held = deployment.login(method)
        users.asked.clear()
        response = deployment.get("/free", held.to_call())

        assert (200, "free", CHANGED[method]) == (response.status_code, response.json(), change(response))
        assert 1 == len(users.asked)
        (kept,) = deployment.ask(deployment.sessions.of_user, "ada")
        assert entry("free") == kept.access_token_payload["plan"]

        refreshed = deployment.refreshed(held)
        assert entry("free") == claims_in(refreshed.access)["plan"]
        assert KEPT == change(deployment.get("/free", refreshed.to_call()))
        assert 1 == len(users.asked)

    def test_when_it_is_too_old(
        self, app: FastAPI, deployment: Deployment, users: Users, roles: PrimitiveArrayClaim[str]
    ) -> None:
        """A value is believed up to its greatest age, then fetched again: a role that was taken away is gone."""

        @app.get("/edit", dependencies=[Depends(verify_session(roles.includes("editor")))])
        async def edit() -> None:
            """Be for editors."""

        held = deployment.login("header")
        users.roles = ["reader"]
        deployment.clock.advance(MINUTE)
        assert (200, 1) == (deployment.get("/edit", held.to_call()).status_code, len(users.asked))

        deployment.clock.advance(timedelta(milliseconds=1))
        response = deployment.get("/edit", held.to_call())
        reason = {"message": "wrong value", "expectedToInclude": "editor", "actualValue": ["reader"]}
        assert 403 == response.status_code
        assert [{"id": "roles", "reason": reason}] == response.json()["claimValidationErrors"]
        assert ["reader"] == claims_in(response.headers[ACCESS_HEADER])["roles"]["v"]

    def test_every_time(
        self,
        app: FastAPI,
        deployment: Deployment,
        users: Users,
        roles: PrimitiveArrayClaim[str],
        plan: PrimitiveClaim[str],
    ) -> None:
        """A greatest age of nothing has the value fetched at every request; what was fetched while others are, is young."""
        second, nothing = timedelta(seconds=1), timedelta(0)

        async def fetch_slowly(user_id: str, tenant_id: str, payload: Json) -> str | None:
            deployment.clock.advance(second)
            return await users.fetch_plan(user_id, tenant_id, payload)

        slow = replace(plan, fetch=fetch_slowly)
        asked: list[ClaimValidator] = [
            roles.includes("editor", max_age=nothing),
            slow.has_value("free", max_age=nothing),
        ]
        app.get("/now", dependencies=[Depends(verify_session(*asked))])(_nothing)
        held = deployment.login("header")
        users.asked.clear()

        for requests in (1, 2):
            deployment.clock.advance(second)
            assert 200 == deployment.get("/now", held.to_call()).status_code
            assert 2 * requests == len(users.asked)
        (found,) = deployment.ask(deployment.sessions.of_user, "ada")
        deployment.clock.advance(second)
        assert [] == deployment.ask(deployment.sessions.claim_failures, found.handle, asked)

    def test_when_it_stays_too_old(
        self, app: FastAPI, deployment: Deployment, users: Users, roles: PrimitiveArrayClaim[str]
    ) -> None:
        """A value that is too old, and that nobody knows any more, is no value."""

        @app.get("/edit", dependencies=[Depends(verify_session(roles.includes("editor")))])
        async def edit() -> None:
            """Be for editors."""

        held = deployment.login("header")
        users.roles = None
        deployment.clock.advance(2 * MINUTE)
        response = deployment.get("/edit", held.to_call())

        reason = {"message": "expired", "ageInSeconds": 120, "maxAgeInSeconds": 60}
        assert (403, KEPT) == (response.status_code, change(response))
        assert [{"id": "roles", "reason": reason}] == response.json()["claimValidationErrors"]


class TestSending:
    """The new access token goes out with the very response of the request that fetched, whatever that is."""

    @pytest.fixture
    def free(self, plan: PrimitiveClaim[str]) -> Any:
        return Depends(verify_session(plan.has_value("free")))

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("outcome", ["answer", "redirect", "refusal", "error", "invalid"])
    def test_with_any_response(
        self, outcome: str, method: str, app: FastAPI, deployment: Deployment, free: Any, plan: PrimitiveClaim[str]
    ) -> None:
        """With an answer, a redirect, a refusal, an error, and with a 403 of the claims themselves."""

        @app.get("/answer", dependencies=[free])
        async def answer() -> None:
            """Return nothing: the claim is what is looked at."""

        @app.get("/redirect", dependencies=[free])
        async def redirect() -> RedirectResponse:
            return RedirectResponse("/elsewhere")

        @app.get("/refusal", dependencies=[free])
        async def refusal() -> None:
            raise HTTPException(418)

        @app.get("/error", dependencies=[free])
        async def error() -> None:
            raise HTTPException(500)

        @app.get("/invalid", dependencies=[Depends(verify_session(plan.has_value("pro")))])
        async def invalid() -> None:
            """Be for nobody."""

        response = deployment.get(f"/{outcome}", deployment.login(method).to_call())

        statuses = {"answer": 200, "redirect": 307, "refusal": 418, "error": 500, "invalid": 403}
        assert (statuses[outcome], CHANGED[method]) == (response.status_code, change(response))

    def test_for_a_session_that_has_ended(self, app: FastAPI, deployment: Deployment, free: Any) -> None:
        """A session that was revoked meanwhile has nothing to fetch for: it is unauthorised, and its tokens are cleared."""

        @app.get("/answer", dependencies=[free])
        async def answer() -> None:
            """Return nothing: the claim is what is looked at."""

        held = deployment.login()
        deployment.ask(deployment.sessions.revoke_all, "ada")
        response = deployment.get("/answer", held.to_call())

        assert (401, UNAUTHORISED, CLEARED) == (response.status_code, response.json(), change(response))


class TestAsking:
    """Which validators are asked: the global ones, those of the route, those in the place of the global ones."""

    @pytest.fixture
    def deployment(
        self, served: Served, plan: PrimitiveClaim[str], verified: BooleanClaim, app: FastAPI
    ) -> Iterator[Deployment]:
        """An application whose users have to be verified, which nobody is."""
        on_the_list = PayloadRule("on-the-list", lambda payload: payload.get("theme") == "light")

        def without_verified(validators: Sequence[ClaimValidator], session: Session[Any, Any]) -> list[ClaimValidator]:
            assert "ada" == session.user_id
            return [each for each in validators if each != verified.is_true()]

        @app.get("/home", dependencies=[Depends(verify_session())])
        async def home() -> None:
            """Be for the verified."""

        @app.get("/pro", dependencies=[Depends(verify_session(plan.has_value("pro"), on_the_list))])
        async def pro() -> None:
            """Be for the verified with a plan, on the list."""

        @app.get("/open", dependencies=[Depends(verify_session(override_global_claim_validators=without_verified))])
        async def open_() -> None:
            """Be for all."""

        changed = verify_session(plan.has_value("pro"), override_global_claim_validators=without_verified)

        @app.get("/changed", dependencies=[Depends(changed)])
        async def with_a_plan() -> None:
            """Be for all with a plan."""

        optional = verify_session(session_required=False)

        @app.get("/optional", dependencies=[Depends(optional)])
        async def welcome() -> None:
            """Be for the verified, and for strangers."""

        @app.post("/verify")
        async def verify(request: Request) -> None:
            session = await get_session_from_request(request, override_global_claim_validators=without_verified)
            assert session is not None
            await session.set_claim_value(verified, value=True)

        sessions = served.sessions(validators=[verified.is_true()])
        with deployed(app, sessions, served.clock) as deployment:
            yield deployment

    @pytest.mark.parametrize(
        ("path", "failed"),
        [
            ("/home", ["verified"]),
            ("/pro", ["verified", "plan", "on-the-list"]),
            ("/open", []),
            ("/changed", ["plan"]),
            ("/optional", ["verified"]),
        ],
    )
    def test_of_a_route(self, path: str, failed: list[str], deployment: Deployment) -> None:
        """The global validators and the route's own are asked, and every failure is told at once."""
        response = deployment.get(path, deployment.login("header").to_call())

        assert (403 if failed else 200) == response.status_code
        told = (response.json() or {}).get("claimValidationErrors", [])
        assert failed == [failure["id"] for failure in told]

    def test_the_wire(self, deployment: Deployment) -> None:
        """A client is told what was expected and what was found; a rule without a reason has none."""
        response = deployment.get("/pro", deployment.login("header").to_call())

        absent = {"message": "value does not exist", "expectedValue": True, "actualValue": None}
        wrong = {"message": "wrong value", "expectedValue": "pro", "actualValue": "free"}
        assert {
            "message": "invalid claim",
            "claimValidationErrors": [
                {"id": "verified", "reason": absent},
                {"id": "plan", "reason": wrong},
                {"id": "on-the-list"},
            ],
        } == response.json()

    def test_of_nobody(self, deployment: Deployment) -> None:
        """If no session is required, nothing is asked of a stranger."""
        assert 200 == deployment.get("/optional").status_code

    def test_signing_out(self, deployment: Deployment) -> None:
        """Whoever may do nothing else may still sign out."""
        held = deployment.login()
        response = deployment.post(SIGN_OUT_PATH, held.to_call())

        assert (200, {"status": "OK"}, CLEARED) == (response.status_code, response.json(), change(response))
        assert [] == deployment.users()

    def test_a_claim_that_comes_true(self, deployment: Deployment) -> None:
        """A claim that a route sets opens the others at once."""
        held = deployment.login("header")
        response = deployment.post("/verify", held.to_call())
        changed = Held("header", response.headers[ACCESS_HEADER], held.refresh)

        assert CHANGED["header"] == change(response)
        assert [403, 200] == [deployment.get("/home", each.to_call()).status_code for each in (held, changed)]


class TestVerbs:
    """What a route does with claims itself."""

    def test_values(
        self, app: FastAPI, deployment: Deployment, plan: PrimitiveClaim[str], roles: PrimitiveArrayClaim[str]
    ) -> None:
        """Claims are read, fetched, set and removed, and all of it leaves with the response."""

        @app.post("/answer")
        async def route(session: Verified) -> list[Any]:
            before = session.get_claim_value(plan)
            await session.fetch_and_set_claim(plan)
            fetched = session.get_claim_value(plan)
            await session.set_claim_value(plan, "pro")
            await session.remove_claim(roles)
            return [before, fetched, session.get_claim_value(plan), session.get_claim_value(roles)]

        response = deployment.post("/answer", deployment.login("header").to_call())

        assert [None, "free", "pro", None] == response.json()
        assert {"theme": "dark", "plan": entry("pro")} == claims_in(response.headers[ACCESS_HEADER])

    def test_what_has_no_value(self, app: FastAPI, deployment: Deployment, users: Users) -> None:
        """To fetch what nobody knows leaves the session as it is, and sends nothing."""
        unknown = PrimitiveClaim[str]("unknown", users.fetch_nothing)

        @app.post("/answer")
        async def route(session: Verified) -> None:
            await session.fetch_and_set_claim(unknown)

        response = deployment.post("/answer", deployment.login().to_call())

        assert (200, KEPT) == (response.status_code, change(response))

    @pytest.mark.parametrize(("wanted", "status"), [("free", 200), ("pro", 403)])
    def test_asserting(
        self, wanted: str, status: int, app: FastAPI, deployment: Deployment, plan: PrimitiveClaim[str]
    ) -> None:
        """A route may ask in its midst: what is due is fetched and sent, whether it will do or not."""

        @app.post("/answer")
        async def route(session: Verified) -> None:
            await session.assert_claims(plan.has_value(wanted))

        response = deployment.post("/answer", deployment.login().to_call())

        assert (status, CHANGED["cookie"]) == (response.status_code, change(response))

    def test_asserting_of_a_session_that_has_ended(
        self, app: FastAPI, deployment: Deployment, plan: PrimitiveClaim[str]
    ) -> None:
        """A session that was revoked meanwhile is unauthorised, and the client's tokens are cleared."""

        @app.post("/answer")
        async def route(session: Verified) -> None:
            await session.assert_claims(plan.has_value("free"))

        held = deployment.login()
        deployment.ask(deployment.sessions.revoke_all, "ada")
        response = deployment.post("/answer", held.to_call())

        assert (401, UNAUTHORISED, CLEARED) == (response.status_code, response.json(), change(response))


class TestSubclass:
    """A subclass of `Sessions` changes a verb wherever it is used."""

    @pytest.fixture
    def deployment(self, served: Served) -> Iterator[Deployment]:
        """Sessions of which the application has its own opinion."""

        class OwnSessions(Sessions):
            kept: str | None = None

            async def create(self, user_id: str, **options: Any) -> Any:
                options["access_token_payload"] = {**(options["access_token_payload"] or {}), "own": True}
                return await super().create(user_id.lower(), **options)

            async def verify(self, *args: Any, **options: Any) -> Any:
                content = await super().verify(*args, **options)
                if content.user_id == "mallory":
                    raise UnauthorisedError("not welcome", clears_tokens=True)
                return content

            async def refresh(self, *args: Any, **options: Any) -> Any:
                issued = await super().refresh(*args, **options)
                await self.merge_into_access_token_payload(issued.access_token.session_handle, {"refreshed": True})
                return issued

            async def revoke(self, handle: str, **options: Any) -> bool:
                return handle != self.kept and await super().revoke(handle, **options)

        served.engine = OwnSessions
        sessions = served.sessions()
        served.app.get("/me")(_me)

        with deployed(served.app, sessions, served.clock) as deployment:
            yield deployment

    def test_create(self, deployment: Deployment) -> None:
        """Sessions are begun as the subclass says."""
        assert {"theme": "dark", "own": True} == claims_in(deployment.login("header", "ADA").access)

    def test_verify(self, deployment: Deployment) -> None:
        """Sessions are recognised as the subclass says, and what it raises clears the tokens."""
        assert 200 == deployment.get("/me", deployment.login().to_call()).status_code
        response = deployment.get("/me", deployment.login(user_id="mallory").to_call())

        assert (401, CLEARED) == (response.status_code, change(response))

    def test_refresh(self, deployment: Deployment) -> None:
        """Sessions are refreshed as the subclass says."""
        held = deployment.refreshed(deployment.login("header"))
        deployment.clock.advance(HOUR)

        assert claims_in(deployment.refreshed(held).access)["refreshed"] is True

    def test_revoke(self, deployment: Deployment) -> None:
        """Signing out, and ending several or all but one, ask the subclass for each."""
        first, second = deployment.login(), deployment.login()
        kept, other = [found.handle for found in deployment.ask(deployment.sessions.of_user, "ada")]
        vars(deployment.sessions)["kept"] = kept

        assert 200 == deployment.post(SIGN_OUT_PATH, first.to_call()).status_code
        assert [] == deployment.ask(deployment.sessions.revoke_several, [kept])
        assert 200 == deployment.post(SIGN_OUT_PATH, second.to_call()).status_code
        assert [kept] == [found.handle for found in deployment.ask(deployment.sessions.of_user, "ada")]
        assert other != kept


async def _nothing() -> None:
    """Do nothing."""


async def _me(session: Verified) -> str:
    return session.user_id
