"""The list of a user's sessions over HTTP: what is shown of each, and that nobody sees or ends another's."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import BaseModel

from fastapi_session import (
    Actor,
    Circumstances,
    CreateSession,
    PayloadRule,
    PrimitiveArrayClaim,
    SessionEvent,
    SessionRevoked,
    Sessions,
    SqliteStore,
    UnauthorisedError,
    create_session,
    devices_router,
    install,
    session_router,
)
from fastapi_session.testing import HandClock
from fastapi_session.web.devices import LONGEST_LIST
from tests.engines import config, created, engine, refreshed
from tests.moments import PAST_GRACE
from tests.web.deployment import Deployment, deployed
from tests.web.wire import CLEARED, KEPT, Held, change
from tests.wire import AUTH_MODE

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/26.0 Mobile/15E148 Safari/604.1"
LONG = "\xfc\xff".encode() * 75
"""A user agent that is longer than what is kept, and no ASCII."""
LONG_AGENT: dict[str, Any] = {"user-agent": LONG}
LIST = "/auth/sessions"
NOT_FOUND = (404, {"message": "no such session"})
UNKNOWN = "0" * 32
METHODS = ["cookie", "header"]


def application(sessions: Sessions, **options: Any) -> FastAPI:
    """An application in which anybody signs in as whom he likes, with the endpoints of devices."""
    app = FastAPI()
    install(app, sessions)
    app.include_router(session_router())
    app.include_router(devices_router(**options))

    @app.post("/login")
    async def login(
        user_id: str, create: Annotated[CreateSession, Depends(create_session())], tenant: str = "public"
    ) -> None:
        secret = {"canary": "CANARY-IN-CLAIMS"}
        await create(user_id, tenant_id=tenant, access_token_payload=secret, session_data={"canary": "CANARY-IN-DATA"})

    return app


@pytest.fixture
def app(sessions: Sessions) -> FastAPI:
    return application(sessions)


def login(
    deployment: Deployment, method: str = "header", *, user: str = "ada", agent: str = FIREFOX, tenant: str = "public"
) -> Held:
    headers = {AUTH_MODE: method, "user-agent": agent}
    return Held.of(deployment.post(f"/login?user_id={user}&tenant={tenant}", headers), method)


def listed(deployment: Deployment, held: Held) -> list[dict[str, Any]]:
    """The sessions that *held* is shown."""
    found: list[dict[str, Any]] = deployment.get(LIST, held.to_call()).json()["sessions"]
    return found


def own_handle(deployment: Deployment, held: Held) -> str:
    """The handle of the session of *held*."""
    handle: str = listed(deployment, held)[0]["handle"]
    return handle


def named(deployment: Deployment, held: Held, handle: str, body: object) -> Response:
    """The answer to *held* naming the session *handle*."""
    headers = {**held.to_call(), "content-type": "application/json"}
    return deployment.client.patch(f"{LIST}/{handle}", headers=headers, content=json.dumps(body))


@pytest.mark.parametrize("method", METHODS)
def test_a_list(method: str, deployment: Deployment) -> None:
    """The session that asks comes first, then the newest seen; each with what its owner recognises it by."""
    mine = login(deployment, method)
    for agent in (SAFARI, "curl/8.5.0"):
        deployment.clock.advance(timedelta(minutes=1))
        login(deployment, agent=agent)
    answer = deployment.get(LIST, mine.to_call()).json()
    first = answer["sessions"][0]

    assert (3, [True, False, False]) == (answer["total"], [each["current"] for each in answer["sessions"]])
    assert ["Firefox on Linux", "an application", "Safari on iPhone"] == [
        each["device"]["text"] for each in answer["sessions"]
    ]
    assert {
        "current": True,
        "kind": "default",
        "label": None,
        "device": {"browser": "Firefox", "system": "Linux", "type": "desktop", "text": "Firefox on Linux"},
        "user_agent": FIREFOX,
        "ip_address": None,
        "created_at": "2033-05-18T03:33:20Z",
        "last_seen_at": "2033-05-18T03:33:20Z",
        "expires_at": "2033-08-26T03:33:20Z",
    } == {name: value for name, value in first.items() if name != "handle"}


def test_a_refresh_is_when_a_session_was_seen(deployment: Deployment) -> None:
    """Address, browser and moment are those of the last refresh; the sign-in is still known by its handle."""
    mine = login(deployment)
    mine = deployment.refreshed(mine, {"user-agent": SAFARI})
    [shown] = listed(deployment, mine)
    found = deployment.ask(deployment.sessions.information, shown["handle"])

    assert "Safari on iPhone" == shown["device"]["text"]
    assert shown["created_at"] < shown["last_seen_at"]
    assert (FIREFOX, SAFARI) == (found.first_seen.user_agent, found.last_seen.user_agent)


def test_a_list_has_no_secret(deployment: Deployment) -> None:
    """Neither claims nor data nor a part of a token is in a list, and its names are those of the page of the wire."""
    mine = login(deployment)
    refreshed = deployment.refreshed(mine, LONG_AGENT)
    text = deployment.get(LIST, refreshed.to_call()).text
    secrets = [part for held in (mine, refreshed) for token in (held.access, held.refresh) for part in token.split(".")]
    [record] = deployment.ask(deployment.sessions.store.sessions_of, "ada")
    hashes = [record.lineage.current.hex(), record.lineage.previous.hex()]

    assert "CANARY" not in text
    assert [] == [part for part in [*secrets, *hashes] if part in text]
    assert {
        *("handle", "current", "kind", "label", "device", "user_agent", "ip_address"),
        *("created_at", "last_seen_at", "expires_at"),
    } == set(json.loads(text)["sessions"][0])
    assert LONG.decode("latin-1")[:255] == json.loads(text)["sessions"][0]["user_agent"]


def test_who_acts_as_the_user_is_not_listed(deployment: Deployment) -> None:
    """A user sees his own sessions alone; who acts as him sees those, and his own one first."""
    mine, staff = login(deployment), login(deployment, user="staff")
    token = deployment.ask(deployment.sessions.verify, staff.access)

    async def act() -> str:
        return (await deployment.sessions.impersonate(token, "ada", reason="ticket 4711")).tokens.access_token

    acting = {"authorization": f"Bearer {deployment.ask(act)}"}
    shown, total = listed(deployment, mine), deployment.get(LIST, mine.to_call()).json()["total"]

    assert ([("default", True)], 1) == ([(each["kind"], each["current"]) for each in shown], total)
    assert [("impersonation", True), ("default", False)] == [
        (each["kind"], each["current"]) for each in deployment.get(LIST, acting).json()["sessions"]
    ]


def test_a_long_list_is_cut(deployment: Deployment) -> None:
    """No more than the hundred that were seen last are listed, the one that asks among them; the others end together."""
    mine = login(deployment)
    for _ in range(LONGEST_LIST + 2):
        deployment.clock.advance(timedelta(seconds=1))
        deployment.ask(deployment.sessions.create, "ada")
    answer = deployment.get(LIST, mine.to_call()).json()

    assert (LONGEST_LIST, LONGEST_LIST + 3) == (len(answer["sessions"]), answer["total"])
    assert answer["sessions"][0]["current"]
    assert {"revoked": LONGEST_LIST + 2} == deployment.post(f"{LIST}/revoke-others", mine.to_call()).json()


@pytest.mark.parametrize("method", METHODS)
def test_ending_one(method: str, deployment: Deployment) -> None:
    """Another session of the user's is ended, and no token of the one that asks changes."""
    mine, other = login(deployment, method), login(deployment, agent=SAFARI)
    answer = deployment.request("DELETE", f"{LIST}/{own_handle(deployment, other)}", mine.to_call())

    assert (204, b"", KEPT) == (answer.status_code, answer.content, change(answer))
    assert 401 == deployment.get(LIST, other.to_call()).status_code
    assert ["Firefox on Linux"] == [each["device"]["text"] for each in listed(deployment, mine)]


@pytest.mark.parametrize("tenant", ["", "_public"])
@pytest.mark.parametrize("method", METHODS)
def test_ending_the_current_one_signs_out(method: str, tenant: str, deployment: Deployment) -> None:
    """The session that asks to end itself is signed out, as by the endpoint for that, also if it names the default tenant."""
    mine = login(deployment, method)
    answer = deployment.request("DELETE", f"{LIST}/{own_handle(deployment, mine)}{tenant}", mine.to_call())

    assert (204, CLEARED) == (answer.status_code, change(answer))
    assert [] == deployment.users()


def test_ending_the_others(deployment: Deployment) -> None:
    """All sessions of the user end but the one that asks; those of other users and of other tenants stay."""
    mine, other = login(deployment), login(deployment)
    bobs, tenants = login(deployment, user="bob"), login(deployment, tenant="t1")
    answer = deployment.post(f"{LIST}/revoke-others", mine.to_call())

    assert (200, {"revoked": 1}, KEPT) == (answer.status_code, answer.json(), change(answer))
    assert [200, 401, 200, 200] == [
        deployment.get(LIST, held.to_call()).status_code for held in (mine, other, bobs, tenants)
    ]


def test_the_events_say_who_did_it(clock: HandClock) -> None:
    """Each end tells its reason, who asked for it, in which session, and from where."""
    heard: list[SessionEvent] = []

    async def hear(event: SessionEvent) -> None:
        heard.append(event)

    sessions = Sessions(config(), clock=clock, subscribers=[hear])
    with deployed(application(sessions), sessions, clock, sessions.config.api_domain) as deployment:
        mine, one, _ = login(deployment), login(deployment), login(deployment)
        handles = [own_handle(deployment, held) for held in (mine, one)]
        deployment.request("DELETE", f"{LIST}/{handles[1]}", mine.to_call())
        deployment.post(f"{LIST}/revoke-others", mine.to_call())
        deployment.request("DELETE", f"{LIST}/{handles[0]}", mine.to_call())
        deployment.ask(sessions.of_user, "ada")
    ends = [event for event in heard if isinstance(event, SessionRevoked)]

    assert ["by_handle", "others", "signed_out"] == [event.reason for event in ends]
    assert [Actor("ada", handles[0])] * 3 == [event.by for event in ends]
    assert [Circumstances(None, "testclient")] * 3 == [event.circumstances for event in ends]


def test_nobody_touches_anothers(deployment: Deployment) -> None:
    """Another user's session, one of the same user id in another tenant, and none at all: the answer is the same 404."""
    mine = login(deployment)
    others = [login(deployment, user="bob"), login(deployment, tenant="t1")]
    handles = [own_handle(deployment, held) for held in others]
    own = own_handle(deployment, mine)
    for handle in (*handles, UNKNOWN, f"{own}_t1", handles[1].partition("_")[0], "x", "%00", "a" * 3000):
        ended = deployment.request("DELETE", f"{LIST}/{handle}", mine.to_call())
        called = named(deployment, mine, handle, {"label": "mine"})

        assert [NOT_FOUND] * 2 == [(each.status_code, each.json()) for each in (ended, called)]
    assert [None, None] == [listed(deployment, held)[0]["label"] for held in others]


@pytest.mark.parametrize(
    ("label", "kept"),
    [*((each, each) for each in ("Kitchen 📱", "x" * 64, "ü", None)), ("\ud800 half", "\ufffd half")],
    ids=ascii,
)
def test_a_label(label: str | None, kept: str | None, deployment: Deployment) -> None:
    """A session is called as its user likes, or nothing again, and keeps its label at each refresh.

    Half of a character is replaced, as browsers do when they encode text.
    """
    mine = login(deployment)
    handle = own_handle(deployment, mine)
    for each in ("before", label):
        answer = named(deployment, mine, handle, {"label": each})
        assert (204, b"", KEPT) == (answer.status_code, answer.content, change(answer))

    assert [kept] == [each["label"] for each in listed(deployment, deployment.refreshed(mine))]


@pytest.mark.parametrize(
    "body",
    [
        *(
            {"label": label}
            for label in (
                "",
                " ",
                "x" * 65,
                "a\nb",
                "a\x00",
                "\x7f",
                "a\u2028b",
                "\u202etca",
                "a\u2066",
                "\u200b \u2060",
                1,
                ["a"],
                ["\ud800"],
            )
        ),
        *({}, {"\ud800": "\ud800"}, ["\ud800"], None),
    ],
    ids=ascii,
)
def test_no_label(body: object, deployment: Deployment) -> None:
    """What no label can be is refused with 422, and the session keeps its own."""
    mine = login(deployment)
    handle = own_handle(deployment, mine)
    named(deployment, mine, handle, {"label": "before"})

    assert 422 == named(deployment, mine, handle, body).status_code
    assert ["before"] == [each["label"] for each in listed(deployment, mine)]


def test_anti_csrf(deploy: Any, clock: HandClock) -> None:
    """A request whose cookies another site can have sent ends nothing and names nothing."""
    sessions = engine(clock, anti_csrf="VIA_CUSTOM_HEADER")
    with deployed(application(sessions), sessions, clock, sessions.config.api_domain) as deployment:
        mine, other = login(deployment, "cookie"), login(deployment, "cookie")
        handle = own_handle(deployment, other)
        forged = [
            deployment.request("DELETE", f"{LIST}/{handle}", mine.to_call()),
            deployment.post(f"{LIST}/revoke-others", mine.to_call()),
            named(deployment, mine, handle, {"label": "x"}),
        ]
        assert [401] * 3 == [each.status_code for each in forged]
        assert 2 == len(listed(deployment, mine))
        proven = deployment.request("DELETE", f"{LIST}/{handle}", mine.to_call(), {"rid": "anti-csrf"})
        assert 204 == proven.status_code


def test_without_a_session(deployment: Deployment) -> None:
    """Who is not signed in is refused as by any other route."""
    answers = [
        deployment.get(LIST),
        deployment.post(f"{LIST}/revoke-others"),
        deployment.request("DELETE", f"{LIST}/{UNKNOWN}"),
        deployment.client.patch(f"{LIST}/{UNKNOWN}", json={"label": "x"}),
    ]
    assert [401] * 4 == [each.status_code for each in answers]


def test_a_session_that_ended_elsewhere_ends_no_other(clock: HandClock) -> None:
    """The store is asked: whom another process has signed out a moment ago ends and sees nothing any more."""
    sessions = engine(clock)
    with deployed(application(sessions), sessions, clock, sessions.config.api_domain) as deployment:
        login(deployment)
        thief = login(deployment)
        # As another process does it: this one has not heard of it yet.
        deployment.ask(sessions.store.delete, own_handle(deployment, thief))

        assert [401, 401] == [
            deployment.request(method, path, thief.to_call()).status_code
            for method, path in (("GET", LIST), ("POST", f"{LIST}/revoke-others"))
        ]
        assert ["ada"] == deployment.users()


def test_validators(clock: HandClock) -> None:
    """The router asks for what it was given, beside the global validators."""

    async def no_groups(*_: object) -> list[str]:
        return []

    claim = PrimitiveArrayClaim[str]("groups", no_groups)
    sessions = engine(clock)
    app = application(
        sessions, validators=[PayloadRule("canary", lambda payload: payload.get("canary") is None), claim.includes("x")]
    )
    with deployed(app, sessions, clock, sessions.config.api_domain) as deployment:
        answer = deployment.get(LIST, login(deployment).to_call())

    assert (403, ["canary", "groups"]) == (
        answer.status_code,
        [failure["id"] for failure in answer.json()["claimValidationErrors"]],
    )


class Claims(BaseModel):
    plan: str


def test_a_mounted_application_with_typed_sessions(clock: HandClock) -> None:
    """Behind a prefix, in a mounted application, with claims of a model: the endpoints are where the router was told."""
    sessions = engine(clock, api_base_path="/api/v1/auth")
    outer, inner = FastAPI(), FastAPI()
    install(outer, sessions)
    inner.include_router(session_router("/v1/auth"))
    inner.include_router(devices_router("/v1/auth"))
    outer.mount("/api", inner)

    @inner.post("/login")
    async def _login(create: Annotated[CreateSession[Claims, Any], Depends(create_session(payload=Claims))]) -> None:
        await create("ada", access_token_payload=Claims(plan="pro"), label="At home")

    with TestClient(outer, base_url="http://testserver") as client:
        client.post("/api/login", headers={AUTH_MODE: "cookie"})
        [shown] = client.get("/api/v1/auth/sessions").json()["sessions"]
        answer = client.delete(f"/api/v1/auth/sessions/{shown['handle']}")

        assert ("At home", True, 204) == (shown["label"], shown["current"], answer.status_code)
        assert 401 == client.get("/api/v1/auth/sessions").status_code


def test_the_document(app: FastAPI) -> None:
    """The OpenAPI document has each endpoint with its model, its refusals and the ways to bring a session."""
    paths = app.openapi()["paths"]
    operations = {
        (path, method): (sorted(operation["responses"]), operation["security"])
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path.startswith(LIST)
    }
    both: list[dict[str, list[str]]] = [{"SessionCookie": []}, {"SessionBearer": []}]

    assert {
        (LIST, "get"): (["200", "401", "403", "503"], both),
        (f"{LIST}/revoke-others", "post"): (["200", "401", "403", "503"], both),
        (f"{LIST}/{{handle}}", "delete"): (["204", "401", "403", "404", "422", "503"], both),
        (f"{LIST}/{{handle}}", "patch"): (["204", "401", "403", "404", "422", "503"], both),
    } == operations
    assert {"handle", "current", "label", "device"} <= set(
        app.openapi()["components"]["schemas"]["ListedSession"]["properties"]
    )


@pytest.mark.parametrize("kept_in", ["memory", "sqlite"])
async def test_ending_the_others_while_they_refresh(kept_in: str, clock: HandClock, tmp_path: Any) -> None:
    """Of sessions that are refreshed while all others are ended, none survives."""
    store = SqliteStore(tmp_path / "sessions.db", clock=clock) if kept_in == "sqlite" else "memory:"
    sessions = engine(clock, store=store)
    await sessions.open()
    mine, _ = await created(sessions)
    others = [await created(sessions) for _ in range(8)]
    clock.advance(PAST_GRACE)

    async def refresh(token: str) -> str | None:
        try:
            return await refreshed(sessions, token)
        except UnauthorisedError:
            return None

    *successors, _ = await asyncio.gather(
        *(refresh(token) for _, token in others[:4]),
        sessions.revoke_all("alice", tenant_id="public", keep=mine),
        *(refresh(token) for _, token in others[4:]),
    )
    assert [mine] == [each.handle for each in await sessions.of_user("alice")]
    for successor in filter(None, successors):
        if isinstance(successor, str):
            assert await refresh(successor) is None
    await sessions.close()
