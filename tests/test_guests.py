"""Guests: sessions of visitors who have not signed in, and what a sign-in takes over of one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from fastapi_session import (
    ClaimFailure,
    ConfigurationError,
    Lifetime,
    NotGuest,
    NotImpersonated,
    PayloadError,
    SessionCreated,
    SessionEvent,
    SessionInformation,
    SessionKind,
    Sessions,
    SessionSupersededError,
    TryRefreshTokenError,
)
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.model import Json
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.engines import config, engine, refresh_token_of
from tests.moments import DAY, HOUR


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock)


def handle(issued: IssuedSession) -> str:
    return issued.access_token.session_handle


async def data_of(sessions: Sessions, issued: IssuedSession) -> Json:
    information = await sessions.information(handle(issued))
    assert information is not None
    return information.session_data


async def test_a_guest(sessions: Sessions) -> None:
    """A guest has a user id of his own, a session of a kind of its own, and a token that says what he is."""
    guest, other = await sessions.create_guest(session_data={"basket": ["tea"]}), await sessions.create_guest()
    claims = guest.tokens.claims
    information = await sessions.information(handle(guest))
    assert isinstance(information, SessionInformation)

    assert guest.access_token.user_id.startswith("guest_")
    assert guest.access_token.user_id != other.access_token.user_id
    assert (True, True) == (claims["is_anonymous"], guest.access_token.is_guest)
    assert ("guest", {"basket": ["tea"]}, {}) == (
        information.kind,
        information.session_data,
        information.access_token_payload,
    )
    assert (await sessions.refresh(refresh_token_of(guest))).access_token.is_guest
    assert not (await sessions.create("ada")).access_token.is_guest


@pytest.mark.parametrize(
    ("options", "idle"),
    [
        ({}, 30 * DAY),
        ({"idle_timeout": 7 * DAY}, 7 * DAY),
        ({"kinds": {"guest": SessionKind(idle_timeout=60 * DAY)}}, 60 * DAY),
        ({"access_token_validity": 40 * DAY}, 30 * DAY),
    ],
)
async def test_how_long_a_guest_stays(options: dict[str, Any], idle: timedelta, clock: HandClock) -> None:
    """Thirty days without a refresh, unless all sessions end earlier, or the deployment says otherwise of its guests."""
    sessions = engine(clock, **options)
    information = await sessions.information(handle(await sessions.create_guest()))
    assert information is not None

    assert idle == information.expires_at - information.created_at


def appended(guest: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {"basket": [*guest.get("basket", []), *new.get("basket", [])]}


@pytest.mark.parametrize(
    ("merge", "kept"),
    [
        ("keep", {"basket": ["tea"], "device": "new"}),
        ("drop", {"device": "new"}),
        (
            lambda guest, new: {"both": [guest, new]},
            {"both": [{"basket": ["tea"], "device": "old"}, {"device": "new"}]},
        ),
        (lambda guest, _new: guest.pop("device") and guest, {"basket": ["tea"]}),
    ],
    ids=["keep", "drop", "a function", "a function that changes its copy"],
)
async def test_what_a_sign_in_takes_over(merge: Any, kept: Json, sessions: Sessions) -> None:
    """The guest's session data are kept below those given, dropped, or what a function makes of copies of both."""
    guest = await sessions.create_guest(
        session_data={"basket": ["tea"], "device": "old"}, access_token_payload={"seen": 3}
    )
    ada = await sessions.create("ada", session_data={"device": "new"}, upgrading=handle(guest), merge=merge)

    assert kept == await data_of(sessions, ada)
    assert ("ada", {}, False) == (ada.access_token.user_id, ada.access_token.custom, ada.access_token.is_guest)
    assert [] == await sessions.of_user(guest.access_token.user_id)


@pytest.mark.parametrize(
    ("merge", "error"),
    [
        ("kept", ConfigurationError),
        (lambda _guest, _new: None, PayloadError),
        (lambda _guest, _new: {1: 2}, PayloadError),
    ],
    ids=["no merge", "nothing", "no JSON"],
)
async def test_what_cannot_be_merged(merge: Any, error: type[Exception], sessions: Sessions) -> None:
    """A merge that is none, or that makes no data, is refused, and the guest keeps what he has."""
    guest = await sessions.create_guest(session_data={"basket": ["tea"]})
    with pytest.raises(error):
        await sessions.create("ada", upgrading=handle(guest), merge=merge)

    assert {"basket": ["tea"]} == await data_of(sessions, guest)
    assert [] == await sessions.of_user("ada")


async def test_nothing_of_a_signed_in_session_is_merged(sessions: Sessions) -> None:
    """A session that is no guest's ends as any other whose place is taken, and none of its data reach the next user."""
    eve = await sessions.create("eve", session_data={"secret": 1})
    ada = await sessions.create("ada", session_data={"device": "new"}, upgrading=handle(eve))

    assert {"device": "new"} == await data_of(sessions, ada)
    with pytest.raises(TryRefreshTokenError):
        await sessions.verify(eve.tokens.access_token)


@pytest.mark.parametrize("gone", ["revoked", "expired", "no handle"])
async def test_a_sign_in_goes_on_without_the_guest(gone: str, sessions: Sessions, clock: HandClock) -> None:
    """A guest whose session has ended loses his basket, and not his sign-in."""
    guest = await sessions.create_guest(session_data={"basket": ["tea"]})
    if gone == "revoked":
        await sessions.revoke(handle(guest))
    clock.advance(31 * DAY if gone == "expired" else timedelta(0))
    upgrading = "no handle" if gone == "no handle" else handle(guest)
    ada = await sessions.create("ada", session_data={"basket": ["milk"]}, upgrading=upgrading, merge=appended)

    assert {"basket": ["milk"]} == await data_of(sessions, ada)


async def test_the_tokens_of_a_guest_are_dead(sessions: Sessions, clock: HandClock) -> None:
    """Who planted a guest's tokens on somebody has nothing of the session that takes its place, here or in another process."""
    elsewhere = engine(clock, store=sessions.store)
    planted = await sessions.create_guest()
    await elsewhere.verify(planted.tokens.access_token)
    await sessions.create("ada", upgrading=handle(planted))
    clock.advance(2 * HOUR // 3600)  # two seconds: the feed has told

    for each in (sessions, elsewhere):
        with pytest.raises(TryRefreshTokenError):
            await each.verify(planted.tokens.access_token)
        with pytest.raises(SessionSupersededError):
            await each.refresh(refresh_token_of(planted))


async def test_the_event_of_a_sign_in_names_the_guest(clock: HandClock) -> None:
    """Subscribers hear whose data the session took over, and of a session that was no guest's that it was replaced."""
    events: list[SessionEvent] = []

    async def subscribe(event: SessionEvent) -> None:
        events.append(event)

    sessions = Sessions(config(), clock=clock, subscribers=[subscribe])
    guest, eve = await sessions.create_guest(), await sessions.create("eve")
    for earlier in (guest, eve):
        await sessions.create("ada", upgrading=handle(earlier))
    await sessions.close()

    created = [event for event in events if isinstance(event, SessionCreated) and event.user_id == "ada"]
    assert [(handle(guest), (handle(guest),)), (None, (handle(eve),))] == [
        (event.upgraded_from, event.replaced) for event in created
    ]


async def test_a_kind_of_guests_makes_guests(sessions: Sessions) -> None:
    """Whoever has a session of that kind is a guest, by whatever user id the application knows him."""
    guest = await sessions.create("visitor-7", lifetime=Lifetime("guest"), session_data={"basket": ["tea"]})
    ada = await sessions.create("ada", upgrading=handle(guest))

    assert {"basket": ["tea"]} == await data_of(sessions, ada)


WRITERS, CHANGES = 3, 4


async def test_no_change_that_was_written_is_lost(shared: Store) -> None:
    """While several processes change the basket, one signs in: what they were told is written is there, nothing else."""
    here, *others = [Sessions(config(store=shared)) for _ in range(WRITERS + 1)]
    guest = await here.create_guest(session_data={"basket": []})
    written: list[str] = []

    async def shop(sessions: Sessions, name: str) -> None:
        for n in range(CHANGES):
            item = f"{name}{n}"
            if await sessions.change_session_data(handle(guest), lambda data: {"basket": [*data["basket"], item]}):  # noqa: B023
                written.append(item)

    async def sign_in() -> IssuedSession:
        await asyncio.sleep(0.005)
        return await here.create("ada", upgrading=handle(guest), merge=appended)

    shopping = asyncio.gather(*(shop(each, f"{n}-") for n, each in enumerate(others)))
    ada, _ = await asyncio.gather(sign_in(), shopping)

    assert sorted(written) == sorted((await data_of(here, ada))["basket"])
    for each in others:
        assert not await each.change_session_data(handle(guest), lambda data: data)


async def test_not_for_guests(sessions: Sessions) -> None:
    """A demand that a guest fails, by token and by handle, and whoever has signed in meets."""
    guest, ada = await sessions.create_guest(), await sessions.create("ada")
    failure = ClaimFailure("st-guest", {"message": "not for guests"})

    for issued, expected in ((guest, [failure]), (ada, [])):
        checked = await sessions.check_claims(issued.access_token, [NotGuest(), NotImpersonated()])
        assert expected == list(checked.failures)
        assert expected == await sessions.claim_failures(handle(issued), [NotGuest(), NotImpersonated()])
