"""Sessions that are bound to a key: who has not the key gets nothing, changes nothing and ends nothing, whatever he has copied."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, Literal

import pytest

from fastapi_session import (
    Authentication,
    Circumstances,
    ConfigurationError,
    DeviceMismatch,
    SessionCreated,
    SessionEvent,
    Sessions,
    TokenTheftDetected,
    TryRefreshTokenError,
    UnauthorisedError,
    UnprovenKeyError,
)
from fastapi_session.audit import Audit
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.binding.bound_keys import Possession, device_key, dpop_key
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import PayloadError, SessionError, TokenTheftError
from fastapi_session.model import Reading, Rotation, SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.conftest import Place
from tests.engines import engine, refresh_token_of, stem
from tests.moments import DAY, GRACE, HOUR, PAST_GRACE, SECOND

MINE = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
HIS = "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"
LAPTOP = Circumstances("192.0.2.1", "laptop")
PHONE = Circumstances("198.51.100.7", "phone")

Standard = Literal["dbsc", "dpop"]
STANDARDS: tuple[Standard, ...] = ("dbsc", "dpop")


@pytest.fixture
def place(any_place: Place) -> Place:
    """Every kind of store."""
    return any_place


async def begun(sessions: Sessions, standard: Standard, **options: Any) -> tuple[IssuedSession, Possession]:
    """Return a new session of "ada" that is bound by *standard*, and what proves it."""
    if standard == "dpop":
        key = dpop_key(MINE)
        return await sessions.create("ada", bound_key=key, circumstances=LAPTOP, **options), Possession(key)
    issued = await sessions.create("ada", circumstances=LAPTOP, **options)
    session_id, key = issued.access_token.session_id, device_key(MINE)
    assert await sessions.store.bind(session_id, key)
    return issued, Possession(key, session_id)


def without(possession: Possession) -> list[Possession | None]:
    """Return what somebody may prove who has not the key of *possession*."""
    other = "0" * 32
    return [
        None,
        Possession(device_key(HIS)),
        Possession(dpop_key(HIS)),
        Possession(device_key(HIS), possession.session_id or other),
        Possession(possession.bound_key, other),
        Possession(dpop_key(MINE) if possession.bound_key == device_key(MINE) else device_key(MINE)),
    ]


async def refusal(asked: Awaitable[object]) -> SessionError:
    with pytest.raises(SessionError) as refused:
        await asked
    return refused.value


async def kept(store: Store, issued: IssuedSession) -> SessionRecord:
    record = (await store.get(issued.access_token.session_id)).record
    assert record is not None
    return record


class Diary:
    """What a subscriber was told."""

    def __init__(self) -> None:
        self.events: list[SessionEvent] = []

    async def __call__(self, event: SessionEvent) -> None:
        self.events.append(event)


# Refreshing


@pytest.mark.parametrize("standard", STANDARDS)
async def test_only_with_the_key(standard: Standard, store: Store, clock: HandClock) -> None:
    """Without the key nothing is sent, written or cleared, whichever token comes and whatever else is proved; the owner goes on."""
    sessions = engine(clock, store=store)
    issued, possession = await begun(sessions, standard)
    for wait in (SECOND, PAST_GRACE, DAY):
        clock.advance(wait)
        before = await kept(store, issued)
        for proved in without(possession):
            error = await refusal(sessions.refresh(refresh_token_of(issued), possession=proved, circumstances=PHONE))
            assert (UnprovenKeyError, "KEY_NOT_PROVED", False) == (type(error), error.code, error.clears_tokens)
        assert before == await kept(store, issued)

        issued = await sessions.refresh(refresh_token_of(issued), possession=possession, circumstances=LAPTOP)


@pytest.mark.parametrize("standard", STANDARDS)
async def test_what_would_be_a_theft(standard: Standard, store: Store, clock: HandClock) -> None:
    """A token of long ago, which would end any other session as stolen, ends no bound one if it comes without the key."""
    sessions = engine(clock, store=store)
    first, possession = await begun(sessions, standard)
    issued = first
    for _ in range(3):
        clock.advance(PAST_GRACE)
        issued = await sessions.refresh(refresh_token_of(issued), possession=possession)
    error = await refusal(sessions.refresh(refresh_token_of(first)))
    clock.advance(PAST_GRACE)
    await sessions.refresh(refresh_token_of(issued), possession=possession)

    assert UnprovenKeyError is type(error)


async def test_a_session_that_is_bound_meanwhile(clock: HandClock) -> None:
    """Whoever proves the key of a session that is bound between two looks at it is served, as a copy from store to store may bind it."""

    class Binding(MemoryStore):
        async def get(self, session_id: str) -> Reading:
            reading = await super().get(session_id)
            await self.bind(session_id, dpop_key(MINE))
            return reading

    sessions = engine(clock, store=Binding(clock=clock))
    issued = await sessions.create("ada")
    clock.advance(PAST_GRACE)
    refreshed = await sessions.refresh(refresh_token_of(issued), possession=Possession(dpop_key(MINE)))

    assert stem(refresh_token_of(issued)) != stem(refresh_token_of(refreshed))


async def test_a_key_that_binds_nothing(store: Store, clock: HandClock) -> None:
    """A proof that comes with a session that is not bound counts for nothing: it is refreshed as ever, and stays unbound."""
    sessions = engine(clock, store=store)
    issued = await sessions.create("ada")
    for wait in (SECOND, PAST_GRACE, PAST_GRACE):
        clock.advance(wait)
        issued = await sessions.refresh(refresh_token_of(issued), possession=Possession(dpop_key(MINE)))

    assert (None, False) == ((await kept(store, issued)).bound_key, issued.access_token.is_bound)


async def test_a_lost_response(store: Store, clock: HandClock) -> None:
    """Who proves a DPoP key with an earlier token has lost a response, however late and used; with a credential of a browser it is a theft."""
    sessions = engine(clock, store=store)
    for standard in STANDARDS:
        first, possession = await begun(sessions, standard)
        clock.advance(PAST_GRACE)
        second = await sessions.refresh(refresh_token_of(first), possession=possession)
        await sessions.verify(second.tokens.access_token, possession=possession)  # it was used
        await sessions._parts.background.finish()
        clock.advance(GRACE)
        if standard == "dbsc":
            error = await refusal(sessions.refresh(refresh_token_of(first), possession=possession))
            assert TokenTheftError is type(error)
        else:
            again = await sessions.refresh(refresh_token_of(first), possession=possession)
            assert stem(refresh_token_of(second)) == stem(refresh_token_of(again))


class CountingStore(MemoryStore):
    """Notes what a refresh asks."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.asked: list[str] = []

    async def rotate(self, rotation: Rotation, *, audit: Audit | None = None) -> SessionRecord | None:
        self.asked.append("rotate")
        return await super().rotate(rotation, audit=audit)

    async def get(self, session_id: str) -> Reading:
        self.asked.append("get")
        return await super().get(session_id)


@pytest.mark.parametrize(
    ("bound", "proved", "options", "asked"),
    [
        (None, None, {}, ["rotate"]),
        (dpop_key(MINE), dpop_key(MINE), {}, ["rotate"]),
        (None, dpop_key(MINE), {}, ["rotate", "get", "rotate"]),
        (dpop_key(MINE), None, {}, ["rotate", "get"]),
        (dpop_key(MINE), dpop_key(MINE), {"dpop": "required", "token_transfer_method": "header"}, ["rotate"]),
        (dpop_key(MINE), None, {"dpop": "required", "token_transfer_method": "header"}, ["get"]),
        (None, None, {"dpop": "required", "token_transfer_method": "header"}, ["get"]),
    ],
)
async def test_what_a_refresh_costs(
    bound: str | None, proved: str | None, options: dict[str, Any], asked: list[str], clock: HandClock
) -> None:
    """The usual refresh is one question to the store, be the session bound or not."""
    store = CountingStore(clock)
    sessions = engine(clock, store=store, **options)
    issued = await sessions.create("ada", bound_key=bound)
    clock.advance(HOUR)
    store.asked.clear()
    possession = None if proved is None else Possession(proved)
    if asked[-1] == "rotate":
        await sessions.refresh(refresh_token_of(issued), possession=possession)
    else:
        await refusal(sessions.refresh(refresh_token_of(issued), possession=possession))

    assert asked == store.asked


async def test_a_key_that_nobody_could_prove(store: Store, clock: HandClock) -> None:
    """A session is bound to no text that is none of a key, and nothing is written."""
    sessions = engine(clock, store=store)
    with pytest.raises(ConfigurationError, match="bound_key"):
        await sessions.create("ada", bound_key=MINE)

    assert [] == await sessions.of_user("ada")


# Where every session has to be bound


REQUIRED: dict[str, Any] = {"api_domain": "https://api.example.com", "device_binding": "required", "dpop": "optional"}


async def test_the_grace_of_a_binding(store: Store, clock: HandClock) -> None:
    """A session that is not bound in time is refused, nothing is written or cleared, and once it is bound it goes on."""
    sessions = engine(clock, store=store, **REQUIRED, refresh_token_rotation_grace_period=SECOND)
    issued = await sessions.create("ada")
    clock.advance(29 * SECOND)
    issued = await sessions.refresh(refresh_token_of(issued))
    clock.advance(SECOND)
    before = await kept(store, issued)
    for possession in (None, Possession(dpop_key(MINE)), Possession(device_key(MINE), issued.access_token.session_id)):
        error = await refusal(sessions.refresh(refresh_token_of(issued), possession=possession))
        assert (UnauthorisedError, "refresh token: UNBOUND", False) == (type(error), error.reason, error.clears_tokens)
    assert before == await kept(store, issued)

    session_id = issued.access_token.session_id
    await sessions.store.bind(session_id, device_key(MINE))
    await sessions.refresh(refresh_token_of(issued), possession=Possession(device_key(MINE), session_id))


@pytest.mark.parametrize("standard", STANDARDS)
async def test_a_bound_session_is_never_overdue(standard: Standard, store: Store, clock: HandClock) -> None:
    """Bound by either standard, it goes on for as long as it is refreshed."""
    sessions = engine(clock, store=store, **REQUIRED)
    issued, possession = await begun(sessions, standard)
    for _ in range(3):
        clock.advance(DAY)
        issued = await sessions.refresh(refresh_token_of(issued), possession=possession)


async def test_switched_off(store: Store, clock: HandClock) -> None:
    """What is bound stays bound where nothing is bound any more."""
    issued, possession = await begun(engine(clock, store=store), "dbsc")
    clock.advance(HOUR)
    sessions = engine(clock, store=store, device_binding="off", dpop="off")

    assert UnprovenKeyError is type(await refusal(sessions.refresh(refresh_token_of(issued))))
    assert (await sessions.refresh(refresh_token_of(issued), possession=possession)).access_token.is_bound


# Access tokens


async def test_what_access_tokens_say(store: Store, clock: HandClock) -> None:
    """That of a DPoP session says the thumbprint from the first on (RFC 9449, 6.1), that of a browser's once it was refreshed."""
    sessions = engine(clock, store=store)
    dpop, _ = await begun(sessions, "dpop")
    first, possession = await begun(sessions, "dbsc")
    clock.advance(PAST_GRACE)
    second = await sessions.refresh(refresh_token_of(first), possession=possession)

    assert ({"jkt": MINE}, False) == (dpop.tokens.claims["cnf"], "deviceBound" in dpop.tokens.claims)
    assert ("cnf" in first.tokens.claims, "deviceBound" in first.tokens.claims) == (False, False)
    assert ("cnf" in second.tokens.claims, second.tokens.claims["deviceBound"]) == (False, True)


async def test_an_access_token_of_dpop_without_its_key(store: Store, clock: HandClock) -> None:
    """It is refused without the key, tokens kept, whoever asks; an expired one is to be refreshed first."""
    sessions = engine(clock, store=store)
    issued, possession = await begun(sessions, "dpop")
    for check_database in (False, True):
        for proved in without(possession):
            if proved is not None and proved.bound_key == possession.bound_key:
                continue  # of an access token, the session is in the token itself
            error = await refusal(
                sessions.verify(issued.tokens.access_token, possession=proved, check_database=check_database)
            )
            assert (UnprovenKeyError, False) == (type(error), error.clears_tokens)
            assert issued.access_token.session_handle == error.handle
        assert issued.access_token == await sessions.verify(
            issued.tokens.access_token, possession=possession, check_database=check_database
        )
    clock.advance(HOUR)

    assert TryRefreshTokenError is type(await refusal(sessions.verify(issued.tokens.access_token)))


async def test_the_names_are_ours(store: Store, clock: HandClock) -> None:
    """No payload of an application can say that a session is bound, nor to which key."""
    sessions = engine(clock, store=store)
    issued = await sessions.create(
        "ada", access_token_payload={"cnf": {"jkt": HIS}, "deviceBound": True, "plan": "pro"}
    )
    await sessions.merge_into_access_token_payload(issued.access_token.session_handle, {"cnf": {"jkt": HIS}})
    clock.advance(PAST_GRACE)
    again = await sessions.refresh(refresh_token_of(issued))

    assert [(False, {"plan": "pro"})] * 2 == [
        (each.access_token.is_bound, each.access_token.custom) for each in (issued, again)
    ]


async def test_claims_that_fit_until_a_browser_binds(store: Store, clock: HandClock) -> None:
    """Where browsers may bind sessions, room is left for what access tokens say of it then."""
    sessions = engine(clock, store=store, device_binding="optional", api_domain="https://api.example.com")
    plain = engine(clock, store=store, api_domain="https://api.example.com")
    largest = {False: 0, True: 0}
    for may_be_bound, each in ((False, plain), (True, sessions)):
        low, high = 0, 4_000
        while low < high:
            size = (low + high + 1) // 2
            try:
                await each.create("ada", access_token_payload={"x": "y" * size})
                low = size
            except PayloadError:
                high = size - 1
        largest[may_be_bound] = low

    assert len(',"deviceBound":true') == largest[False] - largest[True]


# Sessions that take the place of others


async def test_a_key_goes_along(store: Store, clock: HandClock) -> None:
    """A session that is elevated, in which somebody acts, or that goes on after that, is bound to the DPoP key of the one before."""
    sessions = engine(clock, store=store)
    issued, possession = await begun(sessions, "dpop")
    elevated = await sessions.elevate(issued.access_token, Authentication(("otp",)))
    acting = await sessions.impersonate(elevated.access_token, "grace", reason="ticket 7")
    resumed = await sessions.stop_impersonating(acting.access_token)
    for each in (elevated, acting, resumed):
        assert (MINE, dpop_key(MINE)) == (each.access_token.jkt, (await kept_or_gone(store, each, dpop_key(MINE))))
    clock.advance(PAST_GRACE)

    assert UnprovenKeyError is type(await refusal(sessions.refresh(refresh_token_of(resumed))))
    await sessions.refresh(refresh_token_of(resumed), possession=possession)


async def kept_or_gone(store: Store, issued: IssuedSession, expected: str | None) -> str | None:
    """Return the key of the session in *store*, or what is *expected* once another one has taken its place."""
    record = (await store.get(issued.access_token.session_id)).record
    return expected if record is None else record.bound_key


async def test_a_browser_binds_anew(store: Store, clock: HandClock) -> None:
    """A browser has a key for each session: one that takes the place of another is not bound, until the browser does it."""
    sessions = engine(clock, store=store)
    issued, _ = await begun(sessions, "dbsc")
    elevated = await sessions.elevate(issued.access_token, Authentication(("otp",)))
    await sessions.store.bind(elevated.access_token.session_id, device_key(MINE))
    acting = await sessions.impersonate(elevated.access_token, "grace", reason="ticket 7")
    resumed = await sessions.stop_impersonating(acting.access_token)

    assert [False] * 3 == [each.access_token.is_bound for each in (elevated, acting, resumed)]
    assert (await kept(store, resumed)).bound_key is None


# What is told


@pytest.mark.parametrize("standard", STANDARDS)
async def test_a_mismatch_is_told(standard: Standard, clock: HandClock) -> None:
    """Subscribers are told of a token that came without its key, with both sides, and of no theft; the store keeps nothing of it."""
    diary = Diary()
    sessions = Sessions(
        engine(clock, audit="all").config.model_copy(update={"store": MemoryStore(clock=clock)}),
        subscribers=[diary],
        clock=clock,
    )
    issued, _ = await begun(sessions, standard)
    clock.advance(HOUR)
    await refusal(sessions.refresh(refresh_token_of(issued), circumstances=PHONE))
    await sessions._parts.background.finish()

    created, mismatch = diary.events
    assert isinstance(created, SessionCreated)
    assert (standard == "dpop", LAPTOP) == (created.bound, created.circumstances)
    assert isinstance(mismatch, DeviceMismatch)
    assert (issued.access_token.session_handle, PHONE, LAPTOP) == (
        mismatch.handle,
        mismatch.presented_by,
        mismatch.last_seen,
    )
    assert not [event for event in diary.events if isinstance(event, TokenTheftDetected)]
    [audited] = (await sessions.events()).events
    assert ("SessionCreated", standard == "dpop") == (audited.name, audited.details["bound"])


async def test_a_binding_is_told(clock: HandClock) -> None:
    """A browser that binds its session is told of once, and the store keeps it under the same id, in the transaction of the binding."""
    diary = Diary()
    store = MemoryStore(clock=clock)
    sessions = Sessions(
        engine(clock, audit=True).config.model_copy(update={"store": store}), subscribers=[diary], clock=clock
    )
    issued = await sessions.create("ada")
    announcements = sessions._parts.announcements
    for _ in range(2):
        audit = announcements.audit_of_binding(by=LAPTOP)
        if await store.bind(issued.access_token.session_id, device_key(MINE), audit=audit):
            announcements.bound(await kept(store, issued), by=LAPTOP, audit=audit)
    await sessions._parts.background.finish()

    _, bound = diary.events
    _, audited = (await sessions.events()).events
    assert "DeviceBound" == audited.name
    assert bound.to_json() == audited.to_json()


@pytest.mark.parametrize("standard", STANDARDS)
async def test_what_is_known_of_it(standard: Standard, store: Store, clock: HandClock) -> None:
    """Whoever asks by its handle learns that it is bound, and not to which key."""
    sessions = engine(clock, store=store)
    issued, _ = await begun(sessions, standard)
    other = await sessions.create("ada")
    known = [await sessions.information(each.access_token.session_handle) for each in (issued, other)]

    assert [True, False] == [each is not None and each.bound for each in known]
    assert MINE not in repr(known)


def test_a_token_says_whether_it_is_bound() -> None:
    """By either standard."""
    content = AccessToken("ada", "ada", "public", "a" * 32, "0" * 64, None, None, "https://api.example.com", 0, 1, {})

    assert [False, True, True] == [
        each.is_bound for each in (content, replace(content, jkt=MINE), replace(content, is_device_bound=True))
    ]
