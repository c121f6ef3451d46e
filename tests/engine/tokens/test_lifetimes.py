"""How long a session of each kind lives: its deadlines to the millisecond, what it keeps at each rotation, and its access tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fastapi_session import ConfigurationError, IssuedSession, Lifetime, SessionKind, Sessions, UnauthorisedError
from fastapi_session.model import Lineage, SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.testing import HandClock
from tests.conftest import SHARED, Place, empty_tables, place_of
from tests.engines import engine, refresh_token_of
from tests.moments import DAY, GRACE, HOUR, MILLISECOND, MINUTE, PAST_GRACE, SECOND

PRESETS = {
    name: getattr(SessionKind, name)() for name in ("aal1", "aal2", "aal3", "browser_session", "mobile", "machine")
}
KINDS = {**PRESETS, "short": SessionKind(idle_timeout=2 * HOUR)}
NIST: dict[str, tuple[timedelta, timedelta | None]] = {
    "aal1": (timedelta(days=30), None),
    "aal2": (timedelta(hours=24), timedelta(hours=1)),
    "aal3": (timedelta(hours=12), timedelta(minutes=15)),
}
"""NIST SP 800-63B-4, sections 2.1.3, 2.2.3 and 2.3.3: after how long at most a user signs in again, and how long one may be idle."""


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> AsyncIterator[Store]:
    """The stores that need no server."""
    store: Store = MemoryStore(clock=clock)
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "sessions.db", clock=clock)
    yield store
    await store.close()


@pytest.fixture
async def sessions(store: Store, clock: HandClock) -> AsyncIterator[Sessions]:
    sessions = engine(clock, store=store, kinds=KINDS)
    yield sessions
    await sessions.close()


@dataclass(frozen=True, slots=True)
class SqlOnSqlite:
    """SQLite by the store of SQL databases, which no URL names."""

    url: str

    def store(self, clock: HandClock) -> Store:
        return SqlStore(self.url, clock=clock)


@pytest.fixture
async def sql_on_sqlite(tmp_path: Path) -> SqlOnSqlite:
    place = SqlOnSqlite(f"sqlite+aiosqlite:///{tmp_path}/sessions.db")
    await empty_tables(place.url)
    return place


@pytest.fixture(params=["memory", *SHARED, "SQL on SQLite"])
def each_place(request: pytest.FixtureRequest) -> Place | SqlOnSqlite:
    if request.param == "SQL on SQLite":
        place: SqlOnSqlite = request.getfixturevalue("sql_on_sqlite")
        return place
    return place_of(request.param, request)


@pytest.fixture
async def everywhere(each_place: Place | SqlOnSqlite, clock: HandClock) -> AsyncIterator[Sessions]:
    """Sessions on a store of each kind."""
    sessions = engine(clock, store=each_place.store(clock), kinds=KINDS)
    yield sessions
    await sessions.close()


async def record_of(sessions: Sessions, issued: IssuedSession) -> SessionRecord:
    record = (await sessions.store.get(issued.access_token.session_id)).record
    assert record is not None
    return record


def deadlines(lineage: Lineage, clock: HandClock) -> tuple[timedelta, timedelta | None]:
    """Return in how long the idle and the absolute deadline of *lineage* are."""
    idle = timedelta(milliseconds=lineage.idle_expires_at - clock())
    absolute = lineage.absolute_expires_at
    return idle, None if absolute is None else timedelta(milliseconds=absolute - clock())


async def refused(sessions: Sessions, issued: IssuedSession) -> bool:
    try:
        await sessions.refresh(refresh_token_of(issued))
    except UnauthorisedError:
        return True
    return False


@pytest.mark.parametrize("name", NIST)
def test_presets_keep_to_nist(name: str) -> None:
    """What a preset for an assurance level allows is not more than the standard does."""
    kind, (overall, inactivity) = PRESETS[name], NIST[name]

    assert kind.absolute_timeout is not None
    assert kind.absolute_timeout <= overall
    assert inactivity is None or (kind.idle_timeout is not None and kind.idle_timeout <= inactivity)


@pytest.mark.parametrize(
    ("lifetime", "idle", "absolute"),
    [
        (Lifetime(), 100 * DAY, None),
        (Lifetime(remember=False), 12 * HOUR, DAY),
        (Lifetime("short"), 2 * HOUR, None),
        (Lifetime("short", remember=False), 2 * HOUR, DAY),
        (Lifetime("aal1"), 30 * DAY, 30 * DAY),
        (Lifetime("aal1", remember=False), 12 * HOUR, DAY),
        (Lifetime("aal2"), HOUR, DAY),
        (Lifetime("aal3"), 15 * MINUTE, 12 * HOUR),
        (Lifetime("aal3", remember=False), 15 * MINUTE, 12 * HOUR),
        (Lifetime("browser_session"), 12 * HOUR, DAY),
        (Lifetime("mobile"), 180 * DAY, None),
        (Lifetime("mobile", idle=DAY, absolute=7 * DAY), DAY, 7 * DAY),
        (Lifetime("machine"), 90 * DAY, 90 * DAY),
        (Lifetime("aal2", idle=2 * DAY, absolute=2 * DAY), HOUR, DAY),
        (Lifetime(idle=2 * HOUR), 2 * HOUR, None),
        (Lifetime(absolute=20 * MINUTE), 20 * MINUTE, 20 * MINUTE),
    ],
)
async def test_deadlines(
    lifetime: Lifetime, idle: timedelta, absolute: timedelta | None, sessions: Sessions, clock: HandClock
) -> None:
    """A session lives as its kind says, shorter if it is not remembered or the sign-in says so, and never longer."""
    issued = await sessions.create("ada", lifetime=lifetime)

    assert (idle, absolute) == deadlines((await record_of(sessions, issued)).lineage, clock)
    clock.advance(idle - MILLISECOND)
    assert not await refused(sessions, issued)


async def test_each_idle_deadline_on_every_store(everywhere: Sessions, clock: HandClock) -> None:
    """A session of each kind can be refreshed until one millisecond before its idle deadline, and not at it."""
    for name in ("default", *KINDS):
        early, late = [await everywhere.create("ada", lifetime=Lifetime(name)) for _ in range(2)]
        idle, _ = deadlines((await record_of(everywhere, late)).lineage, clock)
        clock.advance(idle - MILLISECOND)
        assert not await refused(everywhere, early), name
        clock.advance(MILLISECOND)
        assert await refused(everywhere, late), name


async def test_each_absolute_deadline_on_every_store(everywhere: Sessions, clock: HandClock) -> None:
    """A session that is refreshed again and again can be so until one millisecond before its absolute deadline, and not at it."""
    for name in (name for name, kind in PRESETS.items() if kind.absolute_timeout):
        issued = await everywhere.create("ada", lifetime=Lifetime(name))
        idle, left = deadlines((await record_of(everywhere, issued)).lineage, clock)
        assert left is not None
        while left > MILLISECOND:
            step = min(idle, left) - MILLISECOND
            clock.advance(step)
            left -= step
            issued = await everywhere.refresh(refresh_token_of(issued))
        clock.advance(left)
        assert await refused(everywhere, issued), name


async def test_each_rotation_goes_by_the_session(sessions: Sessions, clock: HandClock) -> None:
    """Idle timeout, kind and persistence stay those of the sign-in from refresh to refresh; the absolute deadline ends it all."""
    issued = await sessions.create("ada", lifetime=Lifetime("short", remember=False))
    first = await record_of(sessions, issued)
    for _ in range(3):
        clock.advance(PAST_GRACE)
        issued = await sessions.refresh(refresh_token_of(issued))
        record = await record_of(sessions, issued)

        assert (2 * HOUR, "short", False) == (deadlines(record.lineage, clock)[0], record.kind, record.persistent)
        assert first.lineage.absolute_expires_at == record.lineage.absolute_expires_at
        assert not issued.tokens.persistent


async def test_a_longer_kind_lengthens_no_living_session(store: Store, clock: HandClock) -> None:
    """A session keeps the idle timeout that its kind had at sign-in, while one without any goes by the settings of now."""
    before = engine(clock, store=store, idle_timeout=3 * HOUR, kinds={"web": SessionKind(idle_timeout=2 * HOUR)})
    issued = [await before.create("ada", lifetime=each) for each in (Lifetime("web"), Lifetime())]
    after = engine(clock, store=store, idle_timeout=5 * HOUR, kinds={"web": SessionKind(idle_timeout=4 * HOUR)})
    clock.advance(PAST_GRACE)
    again = [await after.refresh(refresh_token_of(each)) for each in issued]

    left = [deadlines((await record_of(after, each)).lineage, clock)[0] for each in again]
    assert [2 * HOUR, 5 * HOUR] == left


async def test_a_kind_that_is_gone(store: Store, clock: HandClock) -> None:
    """A session whose kind is configured no more goes on with its own deadlines, and has access tokens as the settings say."""
    kind = SessionKind(idle_timeout=2 * HOUR, access_token_validity=5 * MINUTE)
    issued = await engine(clock, store=store, kinds={"web": kind}).create("ada", lifetime=Lifetime("web"))
    assert issued.access_token.expires_at - issued.access_token.issued_at == 300
    clock.advance(PAST_GRACE)
    again = await engine(clock, store=store).refresh(refresh_token_of(issued))

    assert again.access_token.expires_at - again.access_token.issued_at == 3600
    assert 2 * HOUR == deadlines((await record_of(engine(clock, store=store), again)).lineage, clock)[0]


@pytest.mark.parametrize(("name", "validity"), [("default", HOUR), ("aal2", 15 * MINUTE), ("aal3", 5 * MINUTE)])
async def test_access_tokens_live_as_the_kind_says(
    name: str, validity: timedelta, sessions: Sessions, clock: HandClock
) -> None:
    """At sign-in and after a refresh alike."""
    issued = await sessions.create("ada", lifetime=Lifetime(name))
    clock.advance(PAST_GRACE)
    again = await sessions.refresh(refresh_token_of(issued))

    spans = [each.access_token.expires_at - each.access_token.issued_at for each in (issued, again)]
    assert [validity / SECOND] * 2 == spans


async def test_signing_keys_outlive_every_kind(store: Store, clock: HandClock) -> None:
    """A key verifies as long as the longest access token that it has signed, of whichever kind."""
    sessions = engine(clock, store=store, kinds={"machine": SessionKind(access_token_validity=DAY)})
    issued = await sessions.create("ada", lifetime=Lifetime("machine"))

    assert {86_400_000} == {key.token_lifetime for key in await store.signing_keys()}
    clock.advance(DAY - SECOND)
    assert "ada" == (await sessions.verify(issued.tokens.access_token)).user_id


async def test_information(sessions: Sessions) -> None:
    """A list of a user's sessions tells of which kind each is, and whether it is remembered."""
    for lifetime in (Lifetime(), Lifetime("aal2", remember=False), Lifetime("aal3")):
        await sessions.create("ada", lifetime=lifetime)

    told = {(each.kind, each.remembered) for each in await sessions.of_user("ada")}
    assert {("default", True), ("aal2", False), ("aal3", False)} == told


@pytest.mark.parametrize(
    ("lifetime", "told"),
    [
        (Lifetime("mobil"), "no kind 'mobil' is configured, give one of aal1, aal2"),
        (Lifetime(idle=HOUR + GRACE), "needs a shorter access_token_validity"),
        (Lifetime(idle=timedelta(0)), "at least one second"),
        (Lifetime(absolute=-SECOND), "at least one second"),
        (Lifetime(absolute=SECOND - MILLISECOND), "at least one second"),
        (Lifetime(idle=7200), "give idle and absolute as timedelta"),  # type: ignore[arg-type]
        (Lifetime(absolute="P1D"), "give idle and absolute as timedelta"),  # type: ignore[arg-type]
        (Lifetime("aal2", remember=None), "give remember as True or False"),  # type: ignore[arg-type]
        (Lifetime(remember="no"), "give remember as True or False"),  # type: ignore[arg-type]
        (Lifetime(["aal2"]), "no kind \\['aal2'\\] is configured"),  # type: ignore[arg-type]
        (Lifetime("a\nb"), "no kind 'a\\\\nb' is configured"),
        ("aal2", "give a Lifetime"),
        (None, "give a Lifetime"),
    ],
)
async def test_a_lifetime_that_cannot_be(lifetime: Lifetime, told: str, sessions: Sessions) -> None:
    """The error says what to change, and no session begins."""
    with pytest.raises(ConfigurationError, match=told):
        await sessions.create("ada", lifetime=lifetime)

    assert [] == await sessions.of_user("ada")


async def test_a_token_of_a_remembered_session_says_nothing_more(sessions: Sessions) -> None:
    """Only the access token of a session that ends with the browser says so, and nobody can say it in its place."""
    tokens: list[dict[str, Any]] = [
        dict((await sessions.create("ada", lifetime=each, access_token_payload={"browserSession": 7})).tokens.claims)
        for each in (Lifetime(), Lifetime("aal1"), Lifetime(remember=False))
    ]

    assert [None, None, True] == [claims.get("browserSession") for claims in tokens]


@pytest.mark.parametrize(
    "later",
    [
        {},  # the kind is gone
        {"kinds": {"web": SessionKind(idle_timeout=4 * HOUR, access_token_validity=2 * HOUR)}},
        {"kinds": {"web": SessionKind(idle_timeout=4 * HOUR, access_token_validity=15 * MINUTE - GRACE)}},
    ],
)
async def test_a_session_outlives_a_change_of_its_kind(later: dict[str, Any], store: Store, clock: HandClock) -> None:
    """A client that refreshes once its access token has expired comes in time, though tokens of the kind now live too long for it."""
    before = engine(clock, store=store, kinds={"web": SessionKind.aal3()})
    issued = await before.create("ada", lifetime=Lifetime("web"))
    after = engine(clock, store=store, **later)
    for _ in range(3):
        clock.advance(timedelta(seconds=issued.access_token.expires_at - clock() // 1000) + GRACE)
        issued = await after.refresh(refresh_token_of(issued))

    assert "ada" == (await after.verify(issued.tokens.access_token)).user_id


async def test_a_session_that_is_not_remembered_has_access_tokens_that_fit(store: Store, clock: HandClock) -> None:
    """Where access tokens live longer than such a session may be idle, the box can be left empty all the same."""
    sessions = engine(clock, store=store, access_token_validity=DAY)
    issued = await sessions.create("ada", lifetime=Lifetime(remember=False))

    assert 6 * HOUR / SECOND == issued.access_token.expires_at - issued.access_token.issued_at
    clock.advance(6 * HOUR + SECOND)
    assert not await refused(sessions, issued)


@pytest.mark.parametrize("lifetime", [Lifetime(absolute=SECOND), Lifetime("aal3", absolute=SECOND)])
async def test_the_shortest_session_begins_alive(lifetime: Lifetime, store: Store) -> None:
    """Its first access token is accepted, at whatever part of a second it begins."""
    clock = HandClock(1_700_000_000_999)
    sessions = engine(clock, store=MemoryStore(clock=clock), kinds=PRESETS)
    issued = await sessions.create("ada", lifetime=lifetime)

    assert "ada" == (await sessions.verify(issued.tokens.access_token)).user_id
