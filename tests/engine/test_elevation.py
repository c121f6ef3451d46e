"""Elevating a session: its user was authenticated again, and another session takes its place. Nothing is lost, nobody alarmed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from fastapi_session import (
    Authentication,
    Fresh,
    ImpersonationError,
    IssuedSession,
    Lifetime,
    PayloadError,
    SessionElevated,
    SessionEvent,
    SessionKind,
    Sessions,
    SessionSupersededError,
    StoreUnavailable,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.model import Circumstances, Reading, SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.engines import config, engine, refresh_token_of
from tests.moments import DAY, HOUR, MINUTE, PAST_GRACE, SECOND

PASSWORD = Authentication(("pwd",), acr="aal1")
OTP = Authentication(("otp",), acr="aal2")
FIVE = Fresh(minutes=5)


class Heard(list[SessionEvent]):
    """The events of a deployment."""

    async def __call__(self, event: SessionEvent) -> None:
        self.append(event)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def sessions(store: Store, clock: HandClock, heard: Heard) -> AsyncIterator[Sessions]:
    kinds = {"bank": SessionKind(idle_timeout=4 * HOUR, absolute_timeout=DAY)}
    sessions = Sessions(config(store=store, kinds=kinds), clock=clock, subscribers=[heard])
    yield sessions
    await sessions.close()


async def record_of(sessions: Sessions, issued: IssuedSession) -> SessionRecord:
    record = (await sessions.store.get(issued.access_token.session_id)).record
    assert record is not None
    return record


async def is_fresh(sessions: Sessions, issued: IssuedSession) -> bool:
    content = await sessions.verify(issued.tokens.access_token)
    return not (await sessions.check_claims(content, [FIVE])).failures


async def test_fresh_to_the_second_and_never_by_a_refresh(sessions: Sessions, clock: HandClock) -> None:
    """A session is fresh for as long as is demanded and not a second longer, however often it is refreshed."""
    issued = await sessions.create("ada", authentication=PASSWORD)
    clock.advance(5 * MINUTE - SECOND)
    assert await is_fresh(sessions, issued)
    issued = await sessions.refresh(refresh_token_of(issued))
    clock.advance(SECOND)
    assert await is_fresh(sessions, issued)
    issued = await sessions.refresh(refresh_token_of(issued))
    clock.advance(SECOND)
    assert not await is_fresh(sessions, issued)
    issued = await sessions.refresh(refresh_token_of(issued))
    assert not await is_fresh(sessions, issued)

    elevated = await sessions.elevate(issued.access_token, PASSWORD)
    assert await is_fresh(sessions, elevated)
    assert [] == await sessions.claim_failures(elevated.access_token.session_handle, [FIVE])


async def test_a_session_that_began_without_facts_is_not_fresh(sessions: Sessions) -> None:
    """Whoever does not say how the user was authenticated pays no claim, and meets no demand."""
    issued = await sessions.create("ada", access_token_payload={"auth_time": 2**33, "acr": "aal3"})
    assert {"auth_time": 2**33, "acr": "aal3"} == issued.access_token.custom
    assert not await is_fresh(sessions, issued)


async def test_elevation_keeps_all_that_a_session_has(sessions: Sessions, clock: HandClock, heard: Heard) -> None:
    """Claims, data, kind and persistence go along, also what was changed since; the handle is another, and the deadlines begin anew."""
    by = Circumstances("192.0.2.1", "Firefox")
    before = await sessions.create(
        "ada",
        tenant_id="acme",
        recipe_user_id="ada@example.com",
        access_token_payload={"plan": "pro"},
        session_data={"basket": [1]},
        circumstances=by,
        lifetime=Lifetime("bank", remember=False),
        authentication=PASSWORD,
    )
    await sessions.update_session_data(before.access_token.session_handle, {"basket": [1, 2]})
    clock.advance(HOUR / 2)
    was = await record_of(sessions, before)
    after = await sessions.elevate(before.access_token, OTP)
    record = await record_of(sessions, after)

    differing = {name for name in SessionRecord.__slots__ if getattr(was, name) != getattr(record, name)}
    assert {"session_id", "version", "created_at", "lineage", "factors", "acr"} == differing
    assert ({"pwd": was.created_at, "otp": clock()}, "aal2") == (record.factors, record.acr)
    assert DAY == timedelta(milliseconds=(record.lineage.absolute_expires_at or 0) - clock())
    assert {"plan": "pro"} == after.access_token.custom
    assert not after.tokens.persistent

    await sessions.close()  # events are sent in the background
    [elevated] = [event for event in heard if isinstance(event, SessionElevated)]
    assert (
        SessionElevated(
            handle=record.handle,
            user_id="ada",
            tenant_id="acme",
            at=elevated.at,
            kind="bank",
            event_id=elevated.event_id,
            previous_handle=was.handle,
            methods=("otp",),
            acr="aal2",
        )
        == elevated
    )


async def test_claims_of_the_application_under_names_that_become_ours_are_dropped(sessions: Sessions) -> None:
    """They would contradict the facts, and a session whose record and token differ could never be verified again."""
    before = await sessions.create("ada", access_token_payload={"acr": "gold", "plan": "pro"})
    after = await sessions.elevate(before.access_token, PASSWORD)
    assert ({"plan": "pro"}, "aal1") == (after.access_token.custom, after.access_token.claims()["acr"])

    handle = after.access_token.session_handle
    assert await sessions.merge_into_access_token_payload(handle, {"acr": "gold", "amr": [], "seen": True})
    with pytest.raises(TryRefreshTokenError):
        await sessions.verify(after.tokens.access_token)
    refreshed = await sessions.refresh(refresh_token_of(after))
    content = await sessions.verify(refreshed.tokens.access_token)
    assert ({"plan": "pro", "seen": True}, "aal1") == (content.custom, content.claims()["acr"])


async def test_names_of_the_tokens_own_are_told_once(sessions: Sessions, caplog: pytest.LogCaptureFixture) -> None:
    """What an application gives under a name that is dropped is told by one warning, with the name and without the value."""
    given = {"sub": "secret-1", "act": "secret-2", "acr": "gold", "plan": "pro"}
    await sessions.create("ada", access_token_payload=given)
    issued = await sessions.create("ada", access_token_payload=given)
    told = [record.getMessage().partition(" is a name")[0] for record in caplog.records]
    assert ["access_token_payload: 'act'", "access_token_payload: 'sub'"] == told
    assert {"acr": "gold", "plan": "pro"} == issued.access_token.custom

    caplog.clear()
    for _ in range(2):
        handle = issued.access_token.session_handle
        assert await sessions.merge_into_access_token_payload(handle, {"exp": "secret-3", "seen": True})
    assert ["access_token_payload: 'exp'"] == [each.getMessage().partition(" is a name")[0] for each in caplog.records]
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("before", "given", "after"),
    [
        (None, "aal1", "aal1"),
        ("aal1", None, "aal1"),
        ("aal1", "aal2", "aal2"),
        ("aal2", "aal1", "aal2"),
        ("aal2", "phr", "phr"),
        (None, None, None),
    ],
)
async def test_a_level_is_never_lowered(
    sessions: Sessions, before: str | None, given: str | None, after: str | None
) -> None:
    """The password again, at level 1, does not take away what a key at level 2 has shown."""
    issued = await sessions.create("ada", authentication=Authentication("hwk", acr=before))
    elevated = await sessions.elevate(issued.access_token, Authentication("pwd", acr=given))
    assert after == (await record_of(sessions, elevated)).acr


async def test_whoever_holds_the_tokens_of_before_is_not_elevated(sessions: Sessions, clock: HandClock) -> None:
    """They are refused at once, kept for the client that has new ones by then, and never taken for theft."""
    before = await sessions.create("ada", authentication=PASSWORD)
    after = await sessions.elevate(before.access_token, OTP)
    with pytest.raises(TryRefreshTokenError):
        await sessions.verify(before.tokens.access_token)
    with pytest.raises(SessionSupersededError):
        await sessions.refresh(refresh_token_of(before))
    clock.advance(PAST_GRACE)
    for refused in (sessions.verify(before.tokens.access_token), sessions.refresh(refresh_token_of(before))):
        with pytest.raises(UnauthorisedError) as error:
            await refused
        assert not error.value.clears_tokens
    assert "ada" == (await sessions.verify(after.tokens.access_token)).user_id


async def test_other_processes_refuse_the_tokens_of_before_within_the_feed(store: Store, clock: HandClock) -> None:
    """Another process hears of it with the next reading of the feed."""
    here, there = engine(clock, store=store), engine(clock, store=store)
    before = await here.create("ada", authentication=PASSWORD)
    await there.verify(before.tokens.access_token)
    await here.elevate(before.access_token, OTP)
    clock.advance(2 * SECOND)
    with pytest.raises(TryRefreshTokenError):
        await there.verify(before.tokens.access_token)
    for each in (here, there):
        await each.close()


async def test_a_lost_response_leads_to_one_sign_in_and_no_alarm(
    sessions: Sessions, clock: HandClock, heard: Heard
) -> None:
    """The client never got the new tokens: it is signed out once the grace has passed, and nobody takes it for a thief."""
    before = await sessions.create("ada", authentication=PASSWORD)
    await sessions.elevate(before.access_token, OTP)
    clock.advance(PAST_GRACE)
    with pytest.raises(UnauthorisedError):
        await sessions.refresh(refresh_token_of(before))
    again = await sessions.create("ada", authentication=PASSWORD)
    assert "ada" == (await sessions.verify(again.tokens.access_token)).user_id
    await sessions.close()
    kinds = [type(event).__name__ for event in heard]
    assert ["SessionCreated", "SessionElevated", "SessionCreated"] == kinds


async def test_a_session_that_has_ended_is_not_elevated(sessions: Sessions) -> None:
    """Nothing brings it back."""
    issued = await sessions.create("ada", authentication=PASSWORD)
    await sessions.revoke(issued.access_token.session_handle)
    with pytest.raises(UnauthorisedError) as error:
        await sessions.elevate(issued.access_token, OTP)
    assert error.value.clears_tokens
    assert [] == list(await sessions.store.sessions_of("ada"))


async def test_an_impersonated_session_is_not_elevated(sessions: Sessions) -> None:
    """Who acts as a user cannot show that he is the user."""
    admin = await sessions.create("admin", authentication=PASSWORD)
    issued = await sessions.impersonate(admin.access_token, "ada", reason="ticket 4711")
    record = await record_of(sessions, issued)
    with pytest.raises(ImpersonationError):
        await sessions.elevate(issued.access_token, OTP)
    assert record.factors == (await record_of(sessions, issued)).factors


async def test_a_token_that_would_be_too_long_leaves_the_session_as_it_was(sessions: Sessions) -> None:
    """As at sign-in, nothing is written for a token that no browser would keep."""
    issued = await sessions.create("ada", access_token_payload={"a": "x" * 2_000})
    with pytest.raises(PayloadError):
        await sessions.elevate(issued.access_token, Authentication([f"{number}" * 250 for number in range(5)]))
    assert "ada" == (await sessions.verify(issued.tokens.access_token)).user_id


class Overtaken(MemoryStore):
    """A store in which another process changes the session data between each reading and writing, so often."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.overtakes = 0

    async def get(self, session_id: str) -> Reading:
        reading = await super().get(session_id)
        if self.overtakes and reading.record is not None:
            self.overtakes -= 1
            data = {"count": reading.record.session_data["count"] + 1}
            version = reading.record.version
            label = f"the {data['count']}."
            assert await self.update(
                session_id, version=version, access_token_payload={}, session_data=data, label=label
            )
        return reading


async def test_no_change_of_another_process_is_lost(clock: HandClock) -> None:
    """Whoever writes between reading and superseding is not overwritten: the record is read again, and copied with that."""
    store = Overtaken(clock)
    sessions = engine(clock, store=store)
    issued = await sessions.create("ada", session_data={"count": 0})
    store.overtakes = 3
    elevated = await sessions.elevate(issued.access_token, PASSWORD)
    record = await record_of(sessions, elevated)
    assert ({"count": 3}, "the 3.") == (record.session_data, record.label)

    store.overtakes = 10**9
    with pytest.raises(StoreUnavailable):
        await sessions.elevate(elevated.access_token, PASSWORD)
    store.overtakes = 0
    await sessions.close()


async def test_changes_in_flight_are_kept_or_refused(sessions: Sessions) -> None:
    """Of many changes around an elevation each is in the new session, or its caller was told that the session is gone."""
    issued = await sessions.create("ada", session_data={"count": 0}, authentication=PASSWORD)
    handle = issued.access_token.session_handle

    async def increment() -> bool:
        return await sessions.change_session_data(handle, lambda data: {"count": data["count"] + 1})

    async def elevate() -> IssuedSession:
        return await sessions.elevate(issued.access_token, OTP)

    changes = [increment() for _ in range(20)]
    outcomes = await asyncio.gather(*changes[:10], elevate(), *changes[10:])
    elevated = outcomes.pop(10)
    assert isinstance(elevated, IssuedSession)
    assert {"count": outcomes.count(True)} == (await record_of(sessions, elevated)).session_data
    assert 0 < outcomes.count(True)


async def test_two_elevations_at_once_leave_one_session(sessions: Sessions) -> None:
    """The second one finds the session superseded: its client has, or gets, the tokens of the first."""
    issued = await sessions.create("ada", authentication=PASSWORD)
    outcomes = await asyncio.gather(
        *(sessions.elevate(issued.access_token, OTP) for _ in range(2)), return_exceptions=True
    )
    assert ["IssuedSession", "TryRefreshTokenError"] == sorted(type(outcome).__name__ for outcome in outcomes)
    assert 1 == len(await sessions.store.sessions_of("ada"))


async def test_a_level_given_as_a_method_is_refused_with_the_fix(clock: HandClock) -> None:
    """`elevate("otp", "aal2")` would note a factor named "aal2" and raise no level: it says to write acr="aal2"."""
    sessions = engine(clock, acr_order=("aal1", "aal2"))
    issued = await sessions.create("user")
    with pytest.raises(PayloadError, match='acr="aal2"'):
        await sessions.elevate(issued.access_token, Authentication(("otp", "aal2")))
    with pytest.raises(PayloadError, match='acr="aal1"'):
        await sessions.create("user", authentication=Authentication("aal1"))
    assert [issued.access_token.session_handle] == [each.handle for each in await sessions.of_user("user")]
