"""Impersonation: a user acts as another one, within bounds, and comes back to his own session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from fastapi_session import (
    Actor,
    Authentication,
    Circumstances,
    ClaimFailure,
    ConfigurationError,
    Fresh,
    ImpersonationEnded,
    ImpersonationError,
    ImpersonationStarted,
    Lifetime,
    NotGuest,
    NotImpersonated,
    PayloadError,
    SessionError,
    SessionEvent,
    SessionKind,
    SessionRefreshed,
    SessionRevoked,
    Sessions,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.core import access_token
from fastapi_session.core.access_token import AccessToken
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.engines import config, engine, refresh_token_of
from tests.moments import HOUR, MINUTE, PAST_GRACE, SECOND

TICKET = "ticket 4711"
LAPTOP = Circumstances("192.0.2.1", "laptop")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock)


def handle(issued: IssuedSession) -> str:
    return issued.access_token.session_handle


async def staff(sessions: Sessions, **options: Any) -> IssuedSession:
    return await sessions.create(
        "staff",
        session_data={"device": "laptop"},
        access_token_payload={"role": "support"},
        circumstances=LAPTOP,
        **options,
    )


async def acting(sessions: Sessions, own: IssuedSession, **options: Any) -> IssuedSession:
    return await sessions.impersonate(own.access_token, "ada", **{"reason": TICKET, **options})


async def lives(sessions: Sessions, issued: IssuedSession) -> bool:
    return await sessions.information(handle(issued)) is not None


async def refused(asked: Awaitable[object]) -> SessionError:
    with pytest.raises(SessionError) as refusal:
        await asked
    return refusal.value


# While it lasts


async def test_acting_as_another_user(sessions: Sessions, clock: HandClock) -> None:
    """The session is the other user's, its token and what is known of it say who acts in it, and his own waits."""
    own = await staff(sessions)
    ada = await acting(sessions, own, access_token_payload={"plan": "pro"}, session_data={"device": "view"})
    actor, kept = Actor("staff", handle(own)), await sessions.information(handle(ada))
    assert kept is not None

    assert ("ada", actor, {"plan": "pro"}, False) == (
        ada.access_token.user_id,
        ada.access_token.actor,
        ada.access_token.custom,
        ada.tokens.persistent,
    )
    assert {"sub": "staff", "sessionHandle": handle(own)} == ada.tokens.claims["act"]
    assert ("impersonation", Actor("staff", handle(own), TICKET), {"device": "view"}, LAPTOP, False) == (
        kept.kind,
        kept.actor,
        kept.session_data,
        kept.last_seen,
        kept.remembered,
    )
    assert ada.access_token == await sessions.verify(ada.tokens.access_token, check_database=True)
    assert await lives(sessions, own)
    clock.advance(PAST_GRACE)
    again = await sessions.refresh(refresh_token_of(ada))
    assert (actor, "ada") == (again.access_token.actor, again.access_token.user_id)


@pytest.mark.parametrize(
    ("lifetime", "options", "of_actor", "expected"),
    [
        (30 * MINUTE, {}, Lifetime(), 30 * MINUTE),
        (5 * HOUR, {}, Lifetime(), HOUR),
        (HOUR, {}, Lifetime(absolute=10 * MINUTE), 10 * MINUTE),
        (HOUR, {"idle_timeout": 20 * MINUTE, "access_token_validity": MINUTE}, Lifetime(), 20 * MINUTE),
        (
            HOUR,
            {"kinds": {"impersonation": SessionKind(absolute_timeout=15 * MINUTE)}, "access_token_validity": MINUTE},
            Lifetime(),
            15 * MINUTE,
        ),
        (HOUR, {"kinds": {"impersonation": SessionKind(absolute_timeout=5 * HOUR)}}, Lifetime(), HOUR),
    ],
    ids=["as asked", "an hour at most", "the actor's deadline", "the actor's idle deadline", "its kind", "a long kind"],
)
async def test_its_deadline(
    lifetime: timedelta, options: dict[str, Any], of_actor: Lifetime, expected: timedelta, clock: HandClock
) -> None:
    """It lasts as long as asked, an hour at most, and never longer than the actor's own session; then nothing keeps it alive."""
    sessions = engine(clock, **options)
    ada = await acting(sessions, await staff(sessions, lifetime=of_actor), lifetime=lifetime)
    kept = await sessions.information(handle(ada))
    assert kept is not None
    assert expected == kept.expires_at - kept.created_at

    clock.advance(expected - SECOND)
    again = await sessions.refresh(refresh_token_of(ada))
    assert clock() + 1_000 == again.tokens.access_token_expires_at
    clock.advance(SECOND)
    assert isinstance(await refused(sessions.verify(again.tokens.access_token)), TryRefreshTokenError)
    refusal = await refused(sessions.refresh(refresh_token_of(again)))
    assert (UnauthorisedError, True) == (type(refusal), refusal.clears_tokens)


async def test_a_claim_of_the_target_is_fetched_and_kept(clock: HandClock) -> None:
    """What is changed while somebody acts is changed in the session in which he does, whose token goes on to say so."""
    sessions = engine(clock)
    ada = await acting(sessions, await staff(sessions))
    changed = await sessions.merge_and_reissue(ada.access_token, {"plan": "max", "act": {"sub": "eve"}})
    assert changed is not None

    assert (ada.access_token.actor, {"plan": "max"}) == (changed.access_token.actor, changed.access_token.custom)


# Who cannot


@pytest.mark.parametrize("reason", ["", "   ", "x" * 256, "\x00", 7])
async def test_a_reason_is_needed(reason: Any, sessions: Sessions) -> None:
    """It is a text that says something, of at most 255 characters; otherwise nothing begins."""
    own = await staff(sessions)
    with pytest.raises(PayloadError, match="reason"):
        await acting(sessions, own, reason=reason)

    assert [] == await sessions.of_user("ada")


@pytest.mark.parametrize("lifetime", [timedelta(0), -HOUR, 30, None])
async def test_a_lifetime_is_a_duration(lifetime: Any, sessions: Sessions) -> None:
    """What is no duration of a second or more is a mistake."""
    with pytest.raises(ConfigurationError, match="lifetime"):
        await acting(sessions, await staff(sessions), lifetime=lifetime)


async def test_who_cannot_act_as_another(sessions: Sessions) -> None:
    """Neither who acts already, nor a guest, nor anybody as himself; and nobody whose session has ended."""
    own, guest = await staff(sessions), await sessions.create_guest()
    ada = await acting(sessions, own)
    asked = [
        sessions.impersonate(ada.access_token, "bob", reason=TICKET),
        sessions.impersonate(guest.access_token, "ada", reason=TICKET),
        sessions.impersonate(own.access_token, "staff", reason=TICKET),
        sessions.stop_impersonating(own.access_token),
    ]
    assert [ImpersonationError] * 4 == [type(await refused(each)) for each in asked]
    await sessions.revoke(handle(own))
    assert isinstance(await refused(acting(sessions, own)), UnauthorisedError)
    assert [] == await sessions.of_user("bob")


@pytest.mark.parametrize(
    "act",
    [
        {},
        {"sub": "staff"},
        {"sub": "staff", "sessionHandle": None},
        {"sub": 7, "sessionHandle": "0" * 32},
        {"sub": "staff", "sessionHandle": "0" * 32, "act": {"sub": "eve"}},
        [{"sub": "staff", "sessionHandle": "0" * 32}],
        "staff",
        None,
    ],
    ids=str,
)
def test_the_claim_is_read_strictly(act: object) -> None:
    """A token whose `act` is not as we write it is none of ours: above all no chain of actors (RFC 8693, section 4.1)."""
    content = AccessToken(
        user_id="ada",
        recipe_user_id="ada",
        tenant_id="public",
        session_handle="0" * 32,
        refresh_token_hash="0" * 64,
        parent_refresh_token_hash=None,
        anti_csrf_token=None,
        issuer="",
        issued_at=0,
        expires_at=1,
        custom={},
    )
    said = {**content.claims(), "act": {"sub": "staff", "sessionHandle": "0" * 32}}

    assert access_token._content({**said}, None) is not None
    assert access_token._content({**said, "act": act}, None) is None


async def test_what_is_not_for_who_acts(sessions: Sessions) -> None:
    """A demand that who acts fails, by token and by handle; and nothing shows that he is the other user, so no step-up."""
    own = await staff(sessions, authentication=Authentication("pwd"))
    ada = await acting(sessions, own)
    failure = ClaimFailure("st-actor", {"message": "not while impersonating"})

    for issued, expected in ((ada, [failure]), (own, [])):
        checked = await sessions.check_claims(issued.access_token, [NotImpersonated(), NotGuest()])
        assert expected == list(checked.failures)
        assert expected == await sessions.claim_failures(handle(issued), [NotImpersonated(), NotGuest()])
    assert ["st-fresh"] == [
        each.id for each in (await sessions.check_claims(ada.access_token, [Fresh(minutes=5)])).failures
    ]
    assert isinstance(await refused(sessions.elevate(ada.access_token, Authentication("otp"))), ImpersonationError)
    back = await sessions.stop_impersonating(ada.access_token)
    assert () == (await sessions.check_claims(back.access_token, [Fresh(minutes=5)])).failures


# How it ends


async def test_coming_back(sessions: Sessions, clock: HandClock) -> None:
    """The actor has a new session with all that his own had, deadlines included; what is late of either keeps his tokens."""
    own = await staff(sessions, lifetime=Lifetime(remember=False))
    before = await sessions.information(handle(own))
    clock.advance(10 * MINUTE)
    ada = await acting(sessions, own)
    clock.advance(10 * MINUTE)
    back = await sessions.stop_impersonating(ada.access_token)
    after = await sessions.information(handle(back))
    assert before is not None
    assert after is not None

    assert ("staff", {"role": "support"}, None) == (
        back.access_token.user_id,
        back.access_token.custom,
        back.access_token.actor,
    )
    for name in ("session_data", "created_at", "expires_at", "kind", "remembered", "last_seen"):
        assert getattr(before, name) == getattr(after, name)
    for late in (own, ada):
        assert not await lives(sessions, late)
        for refusal in (
            await refused(sessions.verify(late.tokens.access_token)),
            await refused(sessions.refresh(refresh_token_of(late))),
        ):
            assert (False, True) == (refusal.clears_tokens, refusal.message != "unauthorised")


async def test_one_of_several_stops(shared: Store) -> None:
    """Of requests that stop it at once, in processes of their own, one brings the actor back; the others keep his tokens."""
    here, there = Sessions(config(store=shared)), Sessions(config(store=shared))
    ada = await acting(here, await staff(here))
    outcomes = await asyncio.gather(
        *(each.stop_impersonating(ada.access_token) for each in (here, there, here, there)), return_exceptions=True
    )

    assert 1 == len([each for each in outcomes if isinstance(each, IssuedSession)])
    refusals = [each for each in outcomes if isinstance(each, SessionError)]
    assert [(TryRefreshTokenError, False)] * 3 == [(type(each), each.clears_tokens) for each in refusals]
    assert 1 == len(await here.of_user("staff"))
    assert [] == await here.of_user("ada")


async def test_the_actor_was_revoked(shared: Store) -> None:
    """If his own session ends, here or elsewhere, so does the impersonation: in each process, by whatever it comes."""
    here, there = Sessions(config(store=shared)), Sessions(config(store=shared))
    own = await staff(here)
    ada = await acting(here, own)
    assert ada.access_token == await here.verify(ada.tokens.access_token)
    await there.open()
    await there.revoke_all("staff")

    # Where it was revoked, at once; in the other process as soon as the feed tells.
    assert isinstance(await refused(there.verify(ada.tokens.access_token)), UnauthorisedError)
    with here.ending(handle(own)) as ended:
        await asyncio.wait_for(ended, 30)
    requests: list[Callable[[Sessions], Awaitable[object]]] = [
        lambda sessions: sessions.verify(ada.tokens.access_token),
        lambda sessions: sessions.verify(ada.tokens.access_token, check_database=True),
        lambda sessions: sessions.stop_impersonating(ada.access_token),
        lambda sessions: sessions.refresh(refresh_token_of(ada)),
    ]
    for sessions in (here, there):
        assert not await lives(sessions, ada)
        assert [] == await sessions.of_user("ada")
        for request in requests:
            refusal = await refused(request(sessions))
            assert ("unauthorised", True) == (refusal.message, refusal.clears_tokens)
    await there.close()


async def test_a_refresh_asks_for_the_actor(sessions: Sessions, clock: HandClock) -> None:
    """A refresh finds that the actor's session has ended before any feed tells it, and ends the impersonation."""
    elsewhere = engine(clock, store=sessions.store)
    own = await staff(sessions)
    ada = await acting(sessions, own)
    clock.advance(PAST_GRACE)
    await elsewhere.revoke(handle(own))

    assert (await refused(sessions.refresh(refresh_token_of(ada)))).clears_tokens
    assert (await sessions.store.get(ada.access_token.session_id)).record is None


async def test_ending_the_impersonation_alone(sessions: Sessions) -> None:
    """Revoked by its handle, as by the user who finds it in a list, it ends, and the actor's own session does not."""
    own = await staff(sessions)
    ada = await acting(sessions, own)
    assert [handle(ada)] == await sessions.revoke_all("ada")

    assert isinstance(await refused(sessions.verify(ada.tokens.access_token)), UnauthorisedError)
    assert await lives(sessions, own)


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_nobody_comes_back_from_one_that_has_ended(how: str, sessions: Sessions, clock: HandClock) -> None:
    """A token of it that is still believed brings no session of the actor's, as no refresh of it brings anything."""
    elsewhere = engine(clock, store=sessions.store)
    own = await staff(sessions)
    ada = await acting(sessions, own)
    if how == "revoked":
        await sessions.verify(ada.tokens.access_token)
        await elsewhere.revoke(handle(ada))
        assert ada.access_token == await sessions.verify(ada.tokens.access_token)  # the feed has not been read since
    else:
        clock.advance(HOUR)
    refusal = await refused(sessions.stop_impersonating(ada.access_token))

    assert ("unauthorised", True) == (refusal.message, refusal.clears_tokens)
    assert [handle(own)] == [each.handle for each in await sessions.of_user("staff")]


async def test_a_stolen_token_ends_both(sessions: Sessions, clock: HandClock) -> None:
    """A copied refresh token of the impersonation ends the actor's session too: by it, a thief could have gone back there."""
    own = await staff(sessions)
    ada = await acting(sessions, own)
    tokens = [refresh_token_of(ada)]
    for _ in range(2):
        clock.advance(PAST_GRACE)
        tokens.append(refresh_token_of(await sessions.refresh(tokens[-1])))
    with pytest.raises(TokenTheftError):
        await sessions.refresh(tokens[0])
    await sessions._parts.background.finish()

    assert not await lives(sessions, own)


# What is told


async def test_its_events(clock: HandClock) -> None:
    """That it began and ended is told with who acts, why, and where he goes on; each event of the session names him."""
    events: list[SessionEvent] = []

    async def subscribe(event: SessionEvent) -> None:
        events.append(event)

    sessions = Sessions(config(), clock=clock, subscribers=[subscribe])
    own = await staff(sessions)
    first = await acting(sessions, own)
    clock.advance(PAST_GRACE)
    await sessions.refresh(refresh_token_of(first))
    back = await sessions.stop_impersonating(first.access_token)
    second = await acting(sessions, back)
    await sessions.revoke(handle(second))
    await sessions.close()

    actors = (Actor("staff", handle(own), TICKET), Actor("staff", handle(back), TICKET))
    assert [
        (ImpersonationStarted, handle(first), actors[0], None),
        (SessionRefreshed, handle(first), actors[0], None),
        (ImpersonationEnded, handle(first), actors[0], handle(back)),
        (ImpersonationStarted, handle(second), actors[1], None),
        (SessionRevoked, handle(second), actors[1], None),
        (ImpersonationEnded, handle(second), actors[1], None),
    ] == [
        (type(event), event.handle, event.actor, getattr(event, "resumed", None))
        for event in events
        if event.user_id == "ada"
    ]
    assert {None} == {event.actor for event in events if event.user_id == "staff"}


async def test_who_goes_on_with_it_is_woken(sessions: Sessions) -> None:
    """A socket or a stream of the impersonation is woken when the actor's own session ends, and is told that it is over."""

    async def ask(_claims: object) -> None:
        raise AssertionError

    own = await staff(sessions)
    watched, woken = sessions.lasting((await acting(sessions, own)).access_token, ask), asyncio.Event()
    with watched.listening(woken.set):
        await watched.catch_up()
        await sessions.revoke(handle(own))
        await asyncio.wait_for(woken.wait(), 10)

    assert not watched.is_unchanged
    assert isinstance(await refused(watched.catch_up()), UnauthorisedError)
