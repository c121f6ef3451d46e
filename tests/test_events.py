"""Events: what happened to sessions, told to subscribers that can neither break nor slow what they observe."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from fastapi_session import (
    Actor,
    BooleanClaim,
    Circumstances,
    ClaimFailure,
    ClaimsRejected,
    CreateSession,
    DeviceBound,
    DeviceMismatch,
    MemoryStore,
    PayloadError,
    Session,
    SessionConfig,
    SessionCreated,
    SessionEvent,
    SessionRefreshed,
    SessionRevoked,
    Sessions,
    TokenTheftDetected,
    TokenTheftError,
    UnauthorisedError,
    create_session,
    install,
    session_router,
    verify_session,
)
from fastapi_session.events import Subscriber
from fastapi_session.model import Json
from fastapi_session.testing import HandClock
from tests.moments import HOUR
from tests.wire import ACCESS_HEADER, REFRESH_HEADER, REFRESH_PATH, SIGN_OUT_PATH

NOW = 2_000_000_000
LAPTOP = Circumstances("192.0.2.1", "laptop")
THIEF = Circumstances("198.51.100.7", "curl")
PHONE = Circumstances("192.0.2.2", "phone")

Begin = Callable[..., Sessions]


class Diary:
    """A subscriber that writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[SessionEvent] = []

    async def __call__(self, event: SessionEvent) -> None:
        self.events.append(event)


async def fetch_nothing(user_id: str, tenant_id: str, payload: Json) -> None:
    """Know no value."""


Paying = BooleanClaim("paying", fetch_nothing)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture(params=["memory", "sqlite"])
async def begin(
    request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Begin]:
    """Make an engine over each store, with the subscribers and options given."""
    monkeypatch.setattr("fastapi_session.engine.background.PATIENCE", 0.2)
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/sessions.db"}
    begun: list[Sessions] = []

    def begin(*subscribers: Subscriber, **options: Any) -> Sessions:
        config = SessionConfig(
            api_domain="http://testserver",
            store=urls[request.param],
            secret="of the deployment under test, 32 bytes",
            **options,
        )
        begun.append(Sessions(config, clock=clock, subscribers=subscribers))
        return begun[-1]

    yield begin
    for sessions in begun:
        await sessions.close()


async def told(sessions: Sessions, diary: Diary) -> Sequence[SessionEvent]:
    """What *diary* was told once all that runs in the background is done."""
    await sessions._parts.background.finish()
    return diary.events


def later(seconds: int) -> datetime:
    return datetime.fromtimestamp(NOW + seconds, UTC)


async def test_a_life(begin: Begin, clock: HandClock, diary: Diary) -> None:
    """A session's life is told in order: who began it, who refreshed it, and that it ended."""
    sessions = begin(diary)
    issued = await sessions.create("ada", tenant_id="acme", circumstances=LAPTOP)
    clock.advance(HOUR)
    await sessions.refresh(issued.tokens.refresh_token or "", circumstances=PHONE)
    await sessions.refresh(issued.tokens.refresh_token or "", circumstances=LAPTOP)
    handle = issued.access_token.session_handle
    await sessions.revoke(handle)

    events = await told(sessions, diary)
    whose: dict[str, Any] = {"handle": handle, "user_id": "ada", "tenant_id": "acme", "kind": "default", "event_id": ""}
    assert [
        SessionCreated(**whose, at=later(0), circumstances=LAPTOP),
        SessionRefreshed(**whose, at=later(3600), circumstances=PHONE, is_rotated=True),
        SessionRefreshed(**whose, at=later(3600), circumstances=LAPTOP, is_rotated=False),
        SessionRevoked(**whose, at=later(3600), reason="by_handle"),
    ] == [replace(event, event_id="") for event in events]
    assert 4 == len({event.event_id for event in events})
    assert {32} == {len(event.event_id) for event in events}


async def test_a_session_in_the_place_of_others(begin: Begin, diary: Diary) -> None:
    """Whoever signs in again is told of together with the sessions that ended for it."""
    sessions = begin(diary)
    first, second = [(await sessions.create("ada")).access_token.session_handle for _ in range(2)]
    await sessions.create("ada", replacing=[first, second, first])

    replaced = [event.replaced for event in await told(sessions, diary) if isinstance(event, SessionCreated)]
    assert [(), (), (first, second)] == replaced


@pytest.mark.parametrize("keep", [True, False])
async def test_all_of_a_user(keep: bool, begin: Begin, diary: Diary) -> None:
    """Each session that ends with all of its user's is told of, and no other."""
    sessions = begin(diary)
    handles = [(await sessions.create("ada")).access_token.session_handle for _ in range(3)]
    await sessions.create("grace")
    ended = handles[1:] if keep else handles
    await sessions.revoke_all("ada", keep=handles[0] if keep else None)

    revoked = [event.handle for event in await told(sessions, diary) if isinstance(event, SessionRevoked)]
    assert sorted(ended) == sorted(revoked)


ADMIN = Actor("grace", "e" * 32)


class TestReasons:
    """Every end says why, and who did it as far as that is known."""

    @pytest.mark.parametrize(
        ("end", "reason", "by"),
        [
            (lambda sessions, handle: sessions.revoke(handle), "by_handle", None),
            (
                lambda sessions, handle: sessions.revoke(handle, reason="stolen laptop", by=ADMIN),
                "stolen laptop",
                ADMIN,
            ),
            (lambda sessions, handle: sessions.revoke_several([handle], reason="limit", by=ADMIN), "limit", ADMIN),
            (lambda sessions, _: sessions.revoke_all("ada"), "all", None),
            (lambda sessions, _: sessions.revoke_all("ada", keep="f" * 32, by=ADMIN), "others", ADMIN),
            (lambda sessions, _: sessions.revoke_all("ada", reason="password_changed"), "password_changed", None),
        ],
    )
    async def test_of_a_verb(
        self,
        end: Callable[[Sessions, str], Awaitable[object]],
        reason: str,
        by: Actor | None,
        begin: Begin,
        diary: Diary,
    ) -> None:
        """A verb tells its own reason, or the one it was given, and by whom."""
        sessions = begin(diary)
        await end(sessions, (await sessions.create("ada")).access_token.session_handle)

        *_, last = await told(sessions, diary)
        assert isinstance(last, SessionRevoked)
        assert (reason, by) == (last.reason, last.by)

    @pytest.mark.parametrize("reason", ["", "a" * 65, "a\x00", "\ud800", 7])
    async def test_that_is_none(self, reason: Any, begin: Begin, diary: Diary) -> None:
        """What can be no reason is refused before anything is written."""
        sessions = begin(diary)
        handle = (await sessions.create("ada")).access_token.session_handle
        with pytest.raises(PayloadError, match=r"^reason: give a text"):
            await sessions.revoke(handle, reason=reason)
        with pytest.raises(PayloadError, match=r"^reason: give a text"):
            await sessions.revoke_all("ada", reason=reason)

        assert await sessions.information(handle) is not None

    async def test_a_lost_write(self, clock: HandClock, tmp_path: Path, diary: Diary) -> None:
        """A session that its store has lost track of says so, and with which request that came up."""
        store = MemoryStore(clock=clock)
        config = SessionConfig(
            api_domain="http://testserver", store=store, secret="of the deployment under test, 32 bytes"
        )
        sessions = Sessions(config, clock=clock, subscribers=[diary])
        issued = await sessions.create("ada")
        before = (await store.get(issued.access_token.session_id)).record
        assert before is not None
        for _ in range(3):
            clock.advance(HOUR)
            issued = await sessions.refresh(issued.tokens.refresh_token or "")
        await store.delete(before.session_id)
        await store.insert(before)
        with pytest.raises(UnauthorisedError):
            await sessions.refresh(issued.tokens.refresh_token or "", circumstances=PHONE)

        *_, last = await told(sessions, diary)
        assert isinstance(last, SessionRevoked)
        assert ("regressed", None, PHONE) == (last.reason, last.by, last.circumstances)


class TestJson:
    """An event as JSON: a schema that other programs rely on."""

    AT = datetime(2033, 5, 18, 3, 33, 20, 5_000, UTC)
    WHOSE: Mapping[str, Any] = {
        "handle": "a" * 32,
        "user_id": "ada",
        "tenant_id": "public",
        "kind": "web",
        "event_id": "b" * 32,
        "actor": None,
    }
    IN_JSON: Mapping[str, Any] = {**WHOSE, "at": "2033-05-18T03:33:20.005Z"}
    NOBODY: Mapping[str, None] = {"ip_address": None, "user_agent": None}

    @pytest.mark.parametrize(
        ("event", "more"),
        [
            (SessionCreated, {"circumstances": (LAPTOP, {"ip_address": "192.0.2.1", "user_agent": "laptop"})}),
            (SessionCreated, {"circumstances": (Circumstances(), NOBODY), "replaced": (("c", "d"), ["c", "d"])}),
            (SessionCreated, {"circumstances": (Circumstances(), NOBODY), "is_new_device": (True, True)}),
            (SessionCreated, {"circumstances": (Circumstances(), NOBODY), "bound": (True, True)}),
            (DeviceBound, {"circumstances": (LAPTOP, {"ip_address": "192.0.2.1", "user_agent": "laptop"})}),
            (
                DeviceMismatch,
                {
                    "presented_by": (Circumstances(), NOBODY),
                    "last_seen": (LAPTOP, {"ip_address": "192.0.2.1", "user_agent": "laptop"}),
                },
            ),
            (SessionRefreshed, {"circumstances": (Circumstances(), NOBODY), "is_rotated": (True, True)}),
            (
                SessionRevoked,
                {"reason": ("all", "all"), "by": (ADMIN, {"user_id": "grace", "handle": "e" * 32, "reason": None})},
            ),
            (
                TokenTheftDetected,
                {
                    "reason": ("CROSSED", "CROSSED"),
                    "presented_by": (Circumstances(), NOBODY),
                    "last_seen": (Circumstances(), NOBODY),
                },
            ),
            (
                ClaimsRejected,
                {"failures": ((ClaimFailure("paying", {"a": [1]}),), [{"id": "paying", "reason": {"a": [1]}}])},
            ),
        ],
    )
    def test_of_each(self, event: type[SessionEvent], more: Mapping[str, tuple[Any, Any]]) -> None:
        """It is named after its class, and has the attributes of the event."""
        given = {name: value for name, (value, _) in more.items()}
        defaults: Mapping[type[SessionEvent], Mapping[str, Any]] = {
            SessionCreated: {"replaced": [], "upgraded_from": None, "is_new_device": None, "bound": False},
            SessionRevoked: {"by": None, "circumstances": self.NOBODY},
        }
        expected = {
            "event": event.__name__,
            **self.IN_JSON,
            **defaults.get(event, {}),
            **{name: value for name, (_, value) in more.items()},
        }
        made = event(**self.WHOSE, at=self.AT, **given).to_json()

        assert expected == made
        assert expected == json.loads(json.dumps(made))


class TestLog:
    """The log of the audit: one record an event."""

    async def test_records(self, begin: Begin, clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
        """Each event is a record, without a subscriber too, and has the event's JSON as its attributes."""
        sessions = begin()
        with caplog.at_level(logging.INFO, "fastapi_session.audit"):
            issued = await sessions.create("ada", circumstances=LAPTOP)
            await sessions.revoke(issued.access_token.session_handle, by=ADMIN)

        handle = issued.access_token.session_handle
        records = [record for record in caplog.records if record.name == "fastapi_session.audit"]
        assert [
            ("INFO", f"SessionCreated: session {handle}"),
            ("INFO", f"SessionRevoked: session {handle}"),
        ] == [(record.levelname, record.getMessage()) for record in records]
        assert (
            "SessionRevoked",
            handle,
            "ada",
            "by_handle",
            {"user_id": "grace", "handle": "e" * 32, "reason": None},
        ) == (*(records[-1].__dict__[name] for name in ("event", "handle", "user_id", "reason", "by")),)

    async def test_a_theft(self, begin: Begin, clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
        """A theft is a warning, and no record has a token."""
        sessions, tokens = begin(), list[str]()
        with caplog.at_level(logging.INFO, "fastapi_session.audit"):
            issued = await sessions.create("ada")
            tokens += [issued.tokens.access_token, issued.tokens.refresh_token or ""]
            for _ in range(2):
                clock.advance(HOUR)
                newer = await sessions.refresh(tokens[-1])
                tokens += [newer.tokens.access_token, newer.tokens.refresh_token or ""]
            with pytest.raises(TokenTheftError):
                await sessions.refresh(tokens[1])

        records = [record for record in caplog.records if record.name == "fastapi_session.audit"]
        assert ["INFO", "INFO", "INFO", "WARNING"] == [record.levelname for record in records]
        said = "".join(str(record.__dict__) for record in records)
        assert [] == [token for token in tokens if token in said]

    async def test_off(self, begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
        """If nobody subscribes and nobody logs, no event is made: it would have drawn its id."""
        caplog.set_level(logging.CRITICAL, "fastapi_session.audit")  # whatever a page of the documentation has set
        drawn: list[int] = []

        def random(size: int) -> bytes:
            drawn.append(size)
            return token_bytes(size)

        sessions = begin()
        sessions._parts.announcements._random = random
        await sessions.create("ada")
        assert [] == drawn

        with caplog.at_level(logging.INFO, "fastapi_session.audit"):
            await sessions.create("ada")
        assert [16] == drawn


async def test_what_did_not_happen_is_not_told(begin: Begin, diary: Diary) -> None:
    """An unknown handle, a token that is none and a verified session are no events."""
    sessions = begin(diary)
    issued = await sessions.create("ada")
    await sessions.verify(issued.tokens.access_token, check_database=True)
    await sessions.revoke("0" * 32)
    with pytest.raises(UnauthorisedError):
        await sessions.refresh("no token")

    assert [SessionCreated] == [type(event) for event in await told(sessions, diary)]


async def test_theft(begin: Begin, clock: HandClock, diary: Diary) -> None:
    """Theft is told with both sides: who came with the used token, and who was given the newest one before."""
    sessions = begin(diary)
    stolen = await sessions.create("ada", circumstances=LAPTOP)
    second = stolen
    for _ in range(2):
        clock.advance(HOUR)
        second = await sessions.refresh(second.tokens.refresh_token or "", circumstances=PHONE)
    with pytest.raises(TokenTheftError):
        await sessions.refresh(stolen.tokens.refresh_token or "", circumstances=THIEF)

    *_, last = await told(sessions, diary)
    assert (
        TokenTheftDetected(
            handle=stolen.access_token.session_handle,
            user_id="ada",
            tenant_id="public",
            at=later(7200),
            kind="default",
            event_id=last.event_id,
            reason="STALE_LINEAGE",
            presented_by=THIEF,
            last_seen=PHONE,
        )
        == last
    )
    assert SessionRevoked not in {type(event) for event in diary.events}


async def test_rejected_claims(begin: Begin, diary: Diary) -> None:
    """A session that does not satisfy what is asked of it is told of, with every failure."""
    sessions = begin(diary)
    issued = await sessions.create("ada")
    checked = await sessions.check_claims(issued.access_token, [Paying.is_true(), Paying.is_false(id="not-paying")])
    await sessions.check_claims(issued.access_token, [])

    *_, last = await told(sessions, diary)
    assert ["paying", "not-paying"] == [failure.id for failure in checked.failures]
    assert isinstance(last, ClaimsRejected)
    assert (checked.failures, ClaimFailure) == (last.failures, type(last.failures[0]))


class TestTrouble:
    """Subscribers that fail, or do not come to an end."""

    async def test_failing(self, begin: Begin, diary: Diary, caplog: pytest.LogCaptureFixture) -> None:
        """One that fails is logged, and neither the session nor the other subscribers notice."""

        async def failing(event: SessionEvent) -> None:
            raise ZeroDivisionError

        forgetful: Any = lambda _event: None  # not async, as only the call shows  # noqa: E731
        sessions = begin(failing, forgetful, diary)
        with caplog.at_level(logging.ERROR, "fastapi_session"):
            issued = await sessions.create("ada")
            await told(sessions, diary)

        assert ["a subscriber failed at SessionCreated"] * 2 == [record.message for record in caplog.records]
        assert [SessionCreated] == [type(event) for event in diary.events]
        assert "ada" == (await sessions.verify(issued.tokens.access_token)).user_id

    async def test_hanging(self, begin: Begin, diary: Diary) -> None:
        """One that never ends makes nobody wait: no verb, no other subscriber."""

        async def hanging(event: SessionEvent) -> None:
            await asyncio.Event().wait()

        sessions = begin(hanging, diary)
        async with asyncio.timeout(2):
            issued = await sessions.create("ada")
            await sessions.revoke(issued.access_token.session_handle)
            await asyncio.sleep(0)

        assert [SessionCreated, SessionRevoked] == [type(event) for event in diary.events]

    async def test_closing(self, begin: Begin) -> None:
        """One that never ends is cancelled when the sessions are closed, after a while in which it could have ended."""
        ends: list[str] = []

        async def hanging(event: SessionEvent) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ends.append("cancelled")
                raise

        async def slow(event: SessionEvent) -> None:
            await asyncio.sleep(0.01)
            ends.append("done")

        sessions = begin(hanging, slow)
        await sessions.create("ada")
        async with asyncio.timeout(2):
            await sessions.close()

        assert ["done", "cancelled"] == ends


class TestOverHttp:
    """Events of requests."""

    @pytest.fixture
    def app(self, begin: Begin, diary: Diary) -> FastAPI:
        async def hanging(event: SessionEvent) -> None:
            await asyncio.sleep(0.2)
            raise ZeroDivisionError

        app = FastAPI()
        install(app, begin(hanging, diary))
        app.include_router(session_router())

        @app.post("/login")
        async def login(create: Annotated[CreateSession, Depends(create_session())]) -> str:
            return (await create("ada")).handle

        @app.get("/paid")
        async def paid(session: Annotated[Session, Depends(verify_session(Paying.is_true()))]) -> None:
            """Be for those who pay."""

        return app

    def test_theft(self, app: FastAPI, clock: HandClock, diary: Diary) -> None:
        """A theft is told with the addresses and user agents of both clients, and the refusal waits for no subscriber."""

        def refresh(client: TestClient, token: str, agent: str) -> Any:
            headers = {"Authorization": f"Bearer {token}", "User-Agent": agent}
            return client.post(REFRESH_PATH, headers=headers)

        with TestClient(app, client=("192.0.2.1", 50_000)) as client:
            stolen = client.post("/login", headers={"User-Agent": "laptop"}).headers[REFRESH_HEADER]
            newest = stolen
            for _ in range(2):
                clock.advance(HOUR)
                newest = refresh(client, newest, "laptop").headers[REFRESH_HEADER]
            answer = refresh(client, stolen, "curl")

            assert (401, {"message": "token theft detected"}) == (answer.status_code, answer.json())

        theft = diary.events[-1]
        assert isinstance(theft, TokenTheftDetected)
        assert (Circumstances("192.0.2.1", "curl"), Circumstances("192.0.2.1", "laptop")) == (
            theft.presented_by,
            theft.last_seen,
        )
        assert ["SessionCreated", "SessionRefreshed", "SessionRefreshed", "TokenTheftDetected"] == [
            type(event).__name__ for event in diary.events
        ]

    def test_a_visit(self, app: FastAPI, diary: Diary) -> None:
        """Signing in, being refused and signing out are told as what they are."""
        with TestClient(app) as client:
            client.headers["Authorization"] = f"Bearer {client.post('/login').headers[ACCESS_HEADER]}"
            assert 403 == client.get("/paid").status_code
            assert 200 == client.post(SIGN_OUT_PATH).status_code

        assert [SessionCreated, ClaimsRejected, SessionRevoked] == [type(event) for event in diary.events]
        created, _, signed_out = diary.events
        assert isinstance(signed_out, SessionRevoked)
        assert ("signed_out", Actor("ada", created.handle), Circumstances(None, "testclient")) == (
            signed_out.reason,
            signed_out.by,
            signed_out.circumstances,
        )
