"""The endpoints of administrators: who gets in, what is shown, what ends, and whom the audit names."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import RedirectResponse
from fastapi.testclient import TestClient
from httpx2 import Response

from fastapi_session import (
    Authentication,
    Circumstances,
    ConfigurationError,
    Fresh,
    NotGuest,
    NotImpersonated,
    Session,
    Sessions,
    admin_router,
    verify_session,
)
from fastapi_session.testing import HandClock
from tests.admin.administered import (
    ADMIN,
    ADMINS,
    IN_CLAIMS,
    IN_DATA,
    GenerousRoles,
    Roles,
    application,
    engine_of,
    kept_secrets,
    shown,
    with_guests,
)
from tests.engines import TroubledStore, config
from tests.web.deployment import Deployment, deployed
from tests.web.proving import Prover
from tests.web.wire import Held
from tests.wire import AUTH_MODE

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/26.0 Mobile/15E148 Safari/604.1"
UNKNOWN = "0" * 32
READS = [
    "/admin/sessions",
    "/admin/sessions?user_id=ada",
    "/admin/sessions?user_id=ada&all_tenants=true&data=true",
    f"/admin/sessions/{UNKNOWN}",
    "/admin/devices?user_id=ada",
    "/admin/keys",
    "/admin/events",
    "/admin/health",
]
CHANGES = [
    ("DELETE", f"/admin/sessions/{UNKNOWN}"),
    ("POST", "/admin/sessions/revoke-user?user_id=ada"),
    ("POST", "/admin/keys/rotate"),
    ("DELETE", "/admin/keys/none"),
]
EVERY = [*(("GET", path) for path in READS), *CHANGES]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine_of(clock)


@pytest.fixture
def deployment(sessions: Sessions, clock: HandClock) -> Iterator[Deployment]:
    app = application(sessions)
    app.include_router(admin_router(require=[ADMINS]))
    with deployed(app, sessions, clock) as deployment:
        yield deployment


def signed_in(
    deployment: Deployment, user: str = "ada", *, agent: str = FIREFOX, tenant: str = "public", method: str = "header"
) -> Held:
    headers = {AUTH_MODE: method, "user-agent": agent}
    return Held.of(deployment.post(f"/login?user_id={user}&tenant={tenant}", headers), method)


def admin(deployment: Deployment) -> Held:
    return signed_in(deployment, ADMIN)


def read(deployment: Deployment, held: Held, path: str) -> Any:
    response = deployment.get(path, held.to_call())
    assert 200 == response.status_code, response.text
    return response.json()


def do(deployment: Deployment, held: Held, method: str, path: str) -> Response:
    return deployment.request(method, path, held.to_call())


def handles(deployment: Deployment, user: str = "ada", tenant: str | None = None) -> list[str]:
    return [each.handle for each in deployment.ask(lambda: deployment.sessions.of_user(user, tenant_id=tenant))]


def ends(deployment: Deployment, user: str) -> list[dict[str, Any]]:
    """What the audit has of the ends of the sessions of *user*."""
    page = deployment.ask(lambda: deployment.sessions.events(user_id=user))
    return [event.details for event in page.events if event.name == "SessionRevoked"]


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_nobody_else_gets_in(deployment: Deployment, method: str, path: str) -> None:
    """Who is not signed in is refused by 401, who is no administrator by 403, at every endpoint, and nothing ends."""
    ada = signed_in(deployment)
    before = deployment.ask(deployment.sessions.administration.keys)
    assert 401 == deployment.request(method, path).status_code
    refused = do(deployment, ada, method, path)
    assert (403, ["roles"]) == (refused.status_code, [each["id"] for each in refused.json()["claimValidationErrors"]])
    assert 1 == len(handles(deployment))
    assert before == deployment.ask(deployment.sessions.administration.keys)


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_an_administrator_whose_session_has_ended(deployment: Deployment, method: str, path: str) -> None:
    """A session that another process ended a moment ago can do nothing, since the store is asked."""
    held = admin(deployment)
    deployment.ask(
        deployment.sessions.store.delete, handles(deployment, ADMIN)[0]
    )  # which this process does not hear of yet
    assert 401 == do(deployment, held, method, path).status_code


def test_another_decides(sessions: Sessions, clock: HandClock) -> None:
    """A dependency of the application's own decides who gets in, if it is named, and how others are refused."""

    async def only_ada(session: Annotated[Session, Depends(verify_session())]) -> None:
        if session.user_id != "ada":
            raise HTTPException(404)

    app = application(sessions)
    app.include_router(admin_router("/staff", require=[verify_session()], admitted_by=only_ada))
    with deployed(app, sessions, clock) as deployment:
        found = [do(deployment, signed_in(deployment, user), "GET", "/staff/keys") for user in ("ada", ADMIN)]
    assert [200, 404] == [each.status_code for each in found]


@pytest.mark.parametrize(("demands", "status"), [((), 200), ((NotGuest(),), 403)], ids=["any", "no guests"])
def test_guests(clock: HandClock, demands: tuple[NotGuest, ...], status: int) -> None:
    """A guest gets in where the claim says so of guests too, unless the guard wants none; and nowhere else."""
    sessions = Sessions(config(audit=True), clock=clock, claims=[GenerousRoles])
    for engine, expected in ((sessions, status), (engine_of(clock), 403)):
        app = with_guests(engine)
        claim = GenerousRoles if engine is sessions else Roles
        app.include_router(admin_router(require=[verify_session(claim.includes("admin"), *demands)]))
        with deployed(app, engine, clock) as deployment:
            guest = Held.of(deployment.post("/guest", {AUTH_MODE: "header"}), "header")
            found = {do(deployment, guest, method, path).status_code == 403 for method, path in EVERY}
            assert {expected == 403} == found


async def awaited(said: object) -> object:
    return said


SAID: dict[str, tuple[Callable[[], object], int]] = {
    "no": (lambda: False, 403),
    "none": (lambda: 0, 403),
    "nobody": (list, 403),
    "nothing": (lambda: None, 200),
    "yes": (lambda: True, 200),
    "the user": (lambda: {"id": "ada"}, 200),
    "an error": (lambda: HTTPException(404), 403),
    "a response": (lambda: RedirectResponse("/login"), 403),
    "no, once it is awaited": (lambda: awaited(False), 403),
    "yes, once it is awaited": (lambda: awaited(True), 200),
}
"""What a dependency returns that decides, and what becomes of the request."""


@pytest.mark.parametrize("way", ["plain", "async", "object", "generator"])
@pytest.mark.parametrize("said", SAID)
def test_another_is_asked(said: str, way: str, sessions: Sessions, clock: HandClock) -> None:
    """Whoever wrote a question, or returned what was to be raised, lets nobody in; one that raises for others returns nothing."""
    say, status = SAID[said]

    def plain() -> object:
        return say()

    async def is_staff() -> object:
        return say()

    class Staff:
        async def __call__(self) -> object:
            return say()

    async def generator() -> AsyncIterator[object]:
        yield say()

    ways: dict[str, Any] = {"plain": plain, "async": is_staff, "object": Staff(), "generator": generator}
    app = application(sessions)
    app.include_router(admin_router(require=[verify_session()], admitted_by=ways[way]))
    with deployed(app, sessions, clock) as deployment:
        assert status == do(deployment, signed_in(deployment, "ada"), "GET", "/admin/keys").status_code


def test_overrides_of_a_test(deployment: Deployment) -> None:
    """Who overrides the guard in a test is an administrator with any session, and with none nobody is."""
    deployment.app.dependency_overrides[ADMINS] = lambda: None
    assert 200 == do(deployment, signed_in(deployment, "ada"), "GET", "/admin/keys").status_code
    assert 401 == deployment.get("/admin/keys").status_code


def test_every_requirement_counts(sessions: Sessions, clock: HandClock) -> None:
    """Beside a role, whatever else is required has to be met too."""

    async def never() -> None:
        raise HTTPException(429)

    app = application(sessions)
    app.include_router(admin_router(require=[ADMINS, never]))
    with deployed(app, sessions, clock) as deployment:
        assert 429 == do(deployment, admin(deployment), "GET", "/admin/keys").status_code


def test_a_users_sessions(deployment: Deployment, clock: HandClock) -> None:
    """Those of one tenant, or of every one, are shown, those seen last first, as the command line asks for them."""
    grace = admin(deployment)
    signed_in(deployment)
    clock.advance(timedelta(seconds=1))
    signed_in(deployment, agent=SAFARI)
    signed_in(deployment, tenant="t1")
    found = read(deployment, grace, "/admin/sessions?user_id=ada")
    assert ([SAFARI, FIREFOX], 2, None) == (
        [each["user_agent"] for each in found["sessions"]],
        found["total"],
        found["after"],
    )
    assert ["t1"] == [
        each["tenant_id"] for each in read(deployment, grace, "/admin/sessions?user_id=ada&tenant_id=t1")["sessions"]
    ]
    assert 3 == read(deployment, grace, "/admin/sessions?user_id=ada&all_tenants=true")["total"]
    assert 1 == len(read(deployment, grace, "/admin/sessions?user_id=ada&limit=1")["sessions"])
    assert 0 == read(deployment, grace, "/admin/sessions?user_id=ada&tenant_id=")["total"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("user_id=ada&all_tenants=true&tenant_id=t1", "tenant_id: give this or all_tenants, not both"),
        ("user_id=ada&all_tenants=true&tenant_id=public", "tenant_id: give this or all_tenants, not both"),
        ("tenant_id=t1", "tenant_id: give user_id too; without a user the sessions of every tenant come"),
        ("tenant_id=public", "tenant_id: give user_id too; without a user the sessions of every tenant come"),
        ("user_id=ada&after=x", "after: the sessions of a user have no pages"),
    ],
)
def test_what_cannot_be_asked_together(deployment: Deployment, asked: str, says: str) -> None:
    """What would be left out of account is refused, or an administrator would take the sessions shown for others."""
    refused = do(deployment, admin(deployment), "GET", f"/admin/sessions?{asked}")
    assert (400, {"message": says}) == (refused.status_code, refused.json())


def test_all_sessions_page_by_page(deployment: Deployment, clock: HandClock) -> None:
    """Without a user all sessions come, page by page, and those that have expired do not."""
    for number in range(7):
        signed_in(deployment, f"user{number}")
    clock.advance(timedelta(days=200))
    grace = admin(deployment)
    for number in range(7, 12):
        signed_in(deployment, f"user{number}")
    seen: list[str] = []
    path = "/admin/sessions?limit=5"
    while True:
        page = read(deployment, grace, path)
        seen += [each["user_id"] for each in page["sessions"]]
        assert page["total"] is None
        if page["after"] is None:
            break
        path = f"/admin/sessions?limit=5&after={page['after']}"
    assert sorted([ADMIN, *(f"user{number}" for number in range(7, 12))]) == sorted(seen)


@pytest.mark.parametrize("place", ["x", "%00", "%ff", "1.x", "0" * 33])
def test_a_place_that_was_made_up(deployment: Deployment, place: str) -> None:
    """What is no place of a page is said to be none, of sessions as of events."""
    grace = admin(deployment)
    for path in ("/admin/sessions", "/admin/events"):
        refused = do(deployment, grace, "GET", f"{path}?after={place}")
        assert (400, "after: give what the page before said") == (refused.status_code, refused.json()["message"])


def test_one_session(deployment: Deployment) -> None:
    """A session is shown, with its claims and its data only if they are asked for; what is not there is a 404."""
    grace = admin(deployment)
    signed_in(deployment)
    [handle] = handles(deployment)
    found = read(deployment, grace, f"/admin/sessions/{handle}")
    assert ("ada", "Firefox on Linux", None, None) == (
        found["user_id"],
        found["device"]["text"],
        found["claims"],
        found["session_data"],
    )
    found = read(deployment, grace, f"/admin/sessions/{handle}?data=true")
    assert (IN_CLAIMS, {"canary": IN_DATA}) == (found["claims"]["canary"], found["session_data"])
    for unknown in (UNKNOWN, "x", "%00", f"{handle}_t1"):
        gone = do(deployment, grace, "GET", f"/admin/sessions/{unknown}")
        assert (404, {"message": "no such session"}) == (gone.status_code, gone.json())


def test_nothing_secret_is_shown(deployment: Deployment) -> None:
    """No response has a piece of a token, of a hash or of a private key; claims and data only those that were asked for."""
    grace, ada = admin(deployment), signed_in(deployment)
    ada = deployment.refreshed(ada)
    secrets = deployment.ask(kept_secrets, deployment.sessions)
    held = [ada.refresh, grace.refresh, ada.access.rpartition(".")[2], grace.access.rpartition(".")[2]]
    [handle] = handles(deployment)
    paths = [*READS, f"/admin/sessions/{handle}", f"/admin/sessions/{handle}?data=true"]
    grace = signed_in(deployment, ADMIN)
    pages = {path: deployment.get(path, grace.to_call()).text for path in paths}
    assert {} == {path: found for path, text in pages.items() if (found := shown(text, secrets=secrets, texts=held))}
    with_canary = {path for path, text in pages.items() if IN_CLAIMS in text or IN_DATA in text}
    assert {path for path in paths if "data=true" in path} == with_canary


def test_no_response_is_kept(deployment: Deployment) -> None:
    """No cache keeps a response, be it of what is there or of what is not."""
    grace = admin(deployment)
    answers = [do(deployment, grace, method, path) for method, path in EVERY]
    assert {"no-store"} == {each.headers["cache-control"] for each in answers}


def test_a_session_ends(deployment: Deployment) -> None:
    """The session ends at once, the audit says by whom and from where, and a second time there is none."""
    grace, ada = admin(deployment), signed_in(deployment)
    [handle], [own] = handles(deployment), handles(deployment, ADMIN)
    ended = deployment.request(
        "DELETE", f"/admin/sessions/{handle}?reason=lost_laptop", grace.to_call(), {"user-agent": SAFARI}
    )
    assert (204, b"") == (ended.status_code, ended.content)
    assert 401 == do(deployment, ada, "GET", "/admin/keys").status_code
    [end] = ends(deployment, "ada")
    assert ("lost_laptop", ADMIN, own, SAFARI) == (
        end["reason"],
        end["by"]["user_id"],
        end["by"]["handle"],
        end["circumstances"]["user_agent"],
    )
    assert 404 == do(deployment, grace, "DELETE", f"/admin/sessions/{handle}").status_code


def test_two_administrators_at_once(deployment: Deployment) -> None:
    """Of two who end the same session one has done so, whom the audit names, and the other is told that it is not there."""
    first, second = admin(deployment), admin(deployment)
    signed_in(deployment)
    [handle] = handles(deployment)
    with ThreadPoolExecutor(2) as threads:
        path = f"/admin/sessions/{handle}"
        ended = [*threads.map(lambda held: do(deployment, held, "DELETE", path).status_code, (first, second))]
    assert [204, 404] == sorted(ended)
    assert 1 == len(ends(deployment, "ada"))


def test_an_administrator_with_a_key(clock: HandClock) -> None:
    """The session of an administrator that is bound by DPoP is proved once a request, however many requirements there are."""
    sessions = engine_of(clock, dpop="optional")
    app = application(sessions)
    app.include_router(admin_router(require=[ADMINS, verify_session(NotImpersonated(), bound=True)]))
    with deployed(app, sessions, clock) as deployment:
        client = Prover(deployment)
        held = Held.of(client.request("POST", f"/login?user_id={ADMIN}", None, {AUTH_MODE: "header"}), "header")
        statuses = {client.request(method, path, held.access).status_code for method, path in [*EVERY, CHANGES[0]]}
        assert {200, 404} == statuses
        assert 401 == deployment.get("/admin/keys", held.to_call()).status_code
        assert 403 == do(deployment, admin(deployment), "GET", "/admin/keys").status_code


def test_an_administrator_who_signed_in_long_ago(sessions: Sessions, clock: HandClock) -> None:
    """With a step-up in the guard, an administrator is asked for it, and nothing has happened."""
    app = application(sessions)
    app.include_router(admin_router(require=[verify_session(*ADMINS.validators, Fresh(minutes=5))]))
    with deployed(app, sessions, clock) as deployment:
        ada = deployment.ask(lambda: sessions.create("ada"))
        grace = deployment.ask(lambda: sessions.create(ADMIN, authentication=Authentication(("pwd",))))
        bearer = {"authorization": f"Bearer {grace.tokens.access_token}"}
        clock.advance(timedelta(minutes=6))
        refused = deployment.request("DELETE", f"/admin/sessions/{ada.access_token.session_handle}", bearer)
        assert 401 == refused.status_code
        assert 'error="insufficient_user_authentication"' in refused.headers["www-authenticate"]
        assert 1 == len(handles(deployment))


@pytest.mark.parametrize("root", ["", "/api"])
def test_where_it_is_mounted(sessions: Sessions, clock: HandClock, root: str) -> None:
    """In an application that is mounted, behind a prefix too, the same holds, and pages of allowed origins alone read it."""
    inner, outer = application(sessions), FastAPI()
    inner.include_router(admin_router(require=[ADMINS]))
    inner.add_middleware(CORSMiddleware, allow_origins=["https://page.example"], allow_credentials=True)
    outer.mount("/v1", inner)
    with TestClient(outer, root_path=root) as client:
        path = f"{root}/v1/admin/sessions"
        assert 401 == client.get(path).status_code
        client.post(f"{root}/v1/login?user_id={ADMIN}", headers={AUTH_MODE: "cookie"})
        found = [
            client.get(path, headers={"origin": each}) for each in ("https://page.example", "https://other.example")
        ]
    assert [200, 200] == [each.status_code for each in found]
    assert ["https://page.example", None] == [each.headers.get("access-control-allow-origin") for each in found]
    assert {"no-store"} == {each.headers["cache-control"] for each in found}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "TRACE"])
def test_other_methods(deployment: Deployment, method: str) -> None:
    """A method that an endpoint does not have does nothing, for an administrator either."""
    grace = admin(deployment)
    signed_in(deployment)
    refused = [do(deployment, grace, method, path) for _, path in EVERY]
    assert {405} == {each.status_code for each in refused}
    assert 1 == len(handles(deployment))


def test_all_sessions_of_a_user_end(deployment: Deployment) -> None:
    """All of one tenant end, but the one that is to be kept; of every tenant only if that is asked for."""
    grace = admin(deployment)
    for tenant in ("public", "public", "t1"):
        signed_in(deployment, tenant=tenant)
    first, second = handles(deployment, tenant="public")
    path = f"/admin/sessions/revoke-user?user_id=ada&keep={first}"
    assert {"ended": [second], "kept": first} == do(deployment, grace, "POST", path).json()
    assert {first, *handles(deployment, tenant="t1")} == {*handles(deployment)}
    assert ("others", ADMIN) == (ends(deployment, "ada")[0]["reason"], ends(deployment, "ada")[0]["by"]["user_id"])
    every = do(deployment, grace, "POST", "/admin/sessions/revoke-user?user_id=ada&all_tenants=true").json()
    assert 2 == len(every["ended"])
    assert [] == handles(deployment)


def test_a_slip_in_what_is_to_be_kept(deployment: Deployment) -> None:
    """If the user has no such session as is to be kept, nothing ends."""
    grace = admin(deployment)
    signed_in(deployment)
    for unknown in (UNKNOWN, handles(deployment, ADMIN)[0], "x"):
        refused = do(deployment, grace, "POST", f"/admin/sessions/revoke-user?user_id=ada&keep={unknown}")
        assert (400, "keep: the user has no such session") == (refused.status_code, refused.json()["message"])
    assert 1 == len(handles(deployment))


@pytest.mark.parametrize("reason", ["", "%00", "x" * 65])
def test_a_reason_that_is_none(deployment: Deployment, reason: str) -> None:
    """A reason that no event can say is refused, and nothing ends."""
    grace = admin(deployment)
    signed_in(deployment)
    [handle] = handles(deployment)
    for method, path in (
        ("DELETE", f"/admin/sessions/{handle}?"),
        ("POST", "/admin/sessions/revoke-user?user_id=ada&"),
    ):
        assert do(deployment, grace, method, f"{path}reason={reason}").status_code in {400, 422}
    assert [handle] == handles(deployment)


def test_a_forged_request(clock: HandClock) -> None:
    """A change whose token came in a cookie needs the proof that any other does."""
    sessions = engine_of(clock, anti_csrf="VIA_CUSTOM_HEADER")
    app = application(sessions)
    app.include_router(admin_router(require=[verify_session(*ADMINS.validators, anti_csrf_check=False)]))
    with deployed(app, sessions, clock) as deployment:
        grace = signed_in(deployment, ADMIN, method="cookie")
        signed_in(deployment)
        for method, path in CHANGES:
            assert 401 == do(deployment, grace, method, path).status_code
        assert 1 == len(handles(deployment))
        assert 200 == deployment.post(CHANGES[1][1], grace.to_call(), {"rid": "1"}).status_code


def test_who_acts_as_an_administrator(deployment: Deployment) -> None:
    """Whoever acts as an administrator is named as themselves."""

    async def act() -> str:
        actor = (await deployment.sessions.create("eve")).access_token
        issued = await deployment.sessions.impersonate(actor, ADMIN, reason="ticket 7")
        return issued.tokens.access_token

    token = deployment.ask(act)
    signed_in(deployment)
    deployment.post("/admin/sessions/revoke-user?user_id=ada", {"authorization": f"Bearer {token}"})
    assert ["eve"] == [each["by"]["user_id"] for each in ends(deployment, "ada")]


def test_devices(deployment: Deployment, clock: HandClock) -> None:
    """Sessions of one device are one, that of the newest session first."""
    grace = admin(deployment)
    signed_in(deployment)
    clock.advance(timedelta(seconds=1))
    signed_in(deployment, agent=SAFARI)
    clock.advance(timedelta(seconds=1))
    signed_in(deployment)
    first, phone, last = handles(deployment)
    found = read(deployment, grace, "/admin/devices?user_id=ada")["devices"]
    assert [("Firefox on Linux", [last, first]), ("Safari on iPhone", [phone])] == [
        (each["device"]["text"], each["sessions"]) for each in found
    ]
    assert 422 == do(deployment, grace, "GET", "/admin/devices").status_code


def test_keys(deployment: Deployment) -> None:
    """The keys are listed; one is made before its time, once; one that leaked is deleted, and what it signed is refused."""
    grace = admin(deployment)
    [signing] = [
        key for key in read(deployment, grace, "/admin/keys")["keys"] if key["signs"] and key["family"] == "rotating"
    ]
    assert ("active", "newest") == (signing["state"], signing["secret"])
    made = do(deployment, grace, "POST", "/admin/keys/rotate").json()
    assert (True, False) == (made["made"], do(deployment, grace, "POST", "/admin/keys/rotate").json()["made"])
    pending = [key["kid"] for key in read(deployment, grace, "/admin/keys")["keys"] if key["state"] == "pending"]
    assert [made["kid"]] == pending
    assert 404 == do(deployment, grace, "DELETE", "/admin/keys/none").status_code
    assert 204 == do(deployment, grace, "DELETE", f"/admin/keys/{signing['kid']}").status_code
    refused = do(deployment, grace, "GET", "/admin/keys")
    assert (401, {"message": "try refresh token"}) == (refused.status_code, refused.json())


def test_keys_that_do_not_rotate(clock: HandClock) -> None:
    """Where one key signs for ever, it is said that none can be made before its time."""
    sessions = engine_of(clock, use_dynamic_access_token_signing_key=False)
    app = application(sessions)
    app.include_router(admin_router(require=[ADMINS]))
    with deployed(app, sessions, clock) as deployment:
        assert 409 == do(deployment, admin(deployment), "POST", "/admin/keys/rotate").status_code


def test_the_audit(deployment: Deployment) -> None:
    """The newest event comes first; of a user, of a tenant, page by page."""
    grace = admin(deployment)
    signed_in(deployment)
    signed_in(deployment, tenant="t1")
    found = read(deployment, grace, "/admin/events")
    assert [("ada", "t1"), ("ada", "public"), (ADMIN, "public")] == [
        (each["user_id"], each["tenant_id"]) for each in found["events"]
    ]
    assert 1 == len(read(deployment, grace, "/admin/events?user_id=ada&tenant_id=t1")["events"])
    page = read(deployment, grace, "/admin/events?limit=2")
    rest = read(deployment, grace, f"/admin/events?limit=2&after={page['after']}")
    assert [ADMIN] == [each["user_id"] for each in rest["events"]]


def test_without_an_audit(clock: HandClock) -> None:
    """Where no events are kept, that is said."""
    sessions = engine_of(clock, audit=False)
    app = application(sessions)
    app.include_router(admin_router(require=[ADMINS]))
    with deployed(app, sessions, clock) as deployment:
        refused = do(deployment, admin(deployment), "GET", "/admin/events")
        assert (409, "audit: it is off, so no events are kept") == (refused.status_code, refused.json()["message"])


def test_health(deployment: Deployment) -> None:
    """How old the knowledge of revocations is, how far the clocks are apart, and which keys sign."""
    found = read(deployment, admin(deployment), "/admin/health")
    assert ("MemoryStore", 0.0, True, 2, 2, []) == (
        found["store"],
        found["clock_ahead"],
        found["audit"],
        found["keys"],
        len(found["signing"]),
        found["unreadable"],
    )
    assert found["feed_age"] >= 0


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_a_store_that_is_down(clock: HandClock, method: str, path: str) -> None:
    """While the store is down everything is a 503, and no token is cleared."""
    store = TroubledStore(clock)
    sessions = engine_of(clock, store=store)
    app = application(sessions)
    app.include_router(admin_router(require=[ADMINS]))
    with deployed(app, sessions, clock) as deployment:
        grace = admin(deployment)

        async def fails(*_: Any, **__: Any) -> Any:
            store.down = True
            await store._turn("any")

        for verb in ("get", "sessions_of", "session_page", "events", "delete", "delete_sessions_of"):
            setattr(store, verb, fails)
        failed = do(deployment, grace, method, path)
        assert (503, None) == (failed.status_code, failed.headers.get("set-cookie"))


def test_the_document(deployment: Deployment) -> None:
    """The OpenAPI document has a model for each response, and the parameters by name."""
    document = deployment.get("/openapi.json").json()
    own = {path: each for path, each in document["paths"].items() if path.startswith("/admin")}
    assert 9 == len(own)
    listed = own["/admin/sessions"]["get"]
    assert {"user_id", "tenant_id", "all_tenants", "after", "limit", "data"} == {
        each["name"] for each in listed["parameters"]
    }
    assert {"200", "400", "401", "403", "409"} <= {*listed["responses"]}
    assert json.dumps(listed["responses"]["200"]).endswith('AdminSessions"}}}}')
    assert listed["security"]


def test_hidden_from_the_document(sessions: Sessions, clock: HandClock) -> None:
    """An application may keep the endpoints out of its document."""
    app = application(sessions)
    app.include_router(admin_router(require=[ADMINS]), include_in_schema=False)
    assert "/admin" not in json.dumps(app.openapi())


def test_not_installed() -> None:
    """Without sessions in the application it is said so, as from any route."""
    app = FastAPI()
    app.include_router(admin_router(require=[ADMINS]))
    with pytest.raises(ConfigurationError, match="install"):
        TestClient(app).get("/admin/keys")


def test_what_a_client_wrote(deployment: Deployment) -> None:
    """What a client wrote comes back as JSON, whatever it is."""
    agent = "<script>\x1b[2J\u202e"

    async def create() -> None:
        await deployment.sessions.create("ada", circumstances=Circumstances(user_agent=agent))

    deployment.ask(create)
    [found] = read(deployment, admin(deployment), "/admin/sessions?user_id=ada")["sessions"]
    assert agent == found["user_agent"]
