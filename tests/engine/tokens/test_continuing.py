"""Sessions of another system, exchanged for ours: each state that there can be, whichever store keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from fastapi_session.clock import system_clock
from fastapi_session.core import refresh_token
from fastapi_session.core.anti_csrf import AntiCsrfProof
from fastapi_session.core.authentication import Authentication
from fastapi_session.core.refresh_token import LENGTH
from fastapi_session.errors import (
    ConfigurationError,
    SessionError,
    StoreUnavailable,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.events import SessionAdopted, SessionEvent, SessionRefreshed, SessionRevoked, TokenTheftDetected
from fastapi_session.foreign_sessions import ForeignToken
from fastapi_session.model import MAX_OBJECT, Circumstances, SessionRecord
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.conftest import SHARED
from tests.engines import SECRET, config, refresh_token_of, secrets, stem
from tests.moments import DAY, GRACE, HOUR, MILLISECOND, MINUTE, SECOND
from tests.old_core import OldCore, OldTokens, handle_of

BY = Circumstances("203.0.113.7", "Firefox")
THEIR_GRACE = 30 * SECOND
EVERYWHERE = pytest.mark.parametrize("place", ["memory", *SHARED], indirect=True)
"""For what depends on what a store does: each kind of one; elsewhere those that are embedded."""


@pytest.fixture
def core(clock: HandClock) -> OldCore:
    return OldCore(clock)


@pytest.fixture
def events() -> list[SessionEvent]:
    return []


@pytest.fixture
async def sessions(
    store: Store, clock: HandClock, core: OldCore, events: list[SessionEvent]
) -> AsyncIterator[Sessions]:
    async def note(event: SessionEvent) -> None:
        events.append(event)

    made = Sessions(config(store=store, audit="all"), clock=clock, moving_from=core, subscribers=[note])
    await made._parts.continuing.open(store, clock=clock)  # type: ignore[union-attr]
    yield made
    await made._parts.background.finish()


def session_of(core: OldCore, tokens: OldTokens) -> Any:
    opened = core.read_refresh_token(tokens.refresh)
    assert opened is not None
    return opened.session_id


async def record(sessions: Sessions, session_id: str) -> SessionRecord:
    found = (await sessions.store.get(session_id)).record
    assert found is not None
    return found


async def refusal(sessions: Sessions, token: str, **options: Any) -> SessionError:
    with pytest.raises(SessionError) as refused:
        await sessions.refresh(token, **options)
    return refused.value


async def goes_on(sessions: Sessions, token: str, **options: Any) -> bool:
    """Refresh by *token*, which is accepted."""
    return LENGTH == len(refresh_token_of(await sessions.refresh(token, **options)))


async def told(sessions: Sessions, events: list[SessionEvent]) -> list[type[SessionEvent]]:
    await sessions._parts.background.finish()
    return [type(event) for event in events]


@EVERYWHERE
async def test_a_session_goes_on(sessions: Sessions, core: OldCore, events: list[SessionEvent]) -> None:
    """It keeps its id, user, claims and data, is announced once with where it began, and is ours from the first refresh on."""
    tokens = core.begin(
        "ada", tenant_id="acme", access_token_payload={"plan": "pro", "act": 1}, session_data={"cart": []}
    )
    session_id = session_of(core, tokens)
    issued = await sessions.refresh(tokens.refresh, circumstances=BY)
    kept = await record(sessions, session_id)

    assert (session_id, "acme", "ada", {"plan": "pro"}, {"cart": []}, "supertokens", BY) == (
        kept.session_id,
        kept.tenant_id,
        kept.user_id,
        kept.access_token_payload,
        kept.session_data,
        kept.source,
        kept.circumstances,
    )
    assert issued.access_token == await sessions.verify(issued.tokens.access_token, check_database=True)
    assert LENGTH == len(refresh_token_of(issued))
    assert [SessionAdopted, SessionRefreshed] == await told(sessions, events)
    kept_events = (await sessions.events(newest_first=True)).events  # a SQL store holds back others for a minute
    assert [("SessionRefreshed", None), ("SessionAdopted", "supertokens")] == [
        (each.name, each.details.get("source")) for each in kept_events
    ]
    asked = core.asked
    later = await sessions.refresh(refresh_token_of(issued))
    assert (session_id, asked) == (later.access_token.session_id, core.asked)


@EVERYWHERE
async def test_the_same_again(sessions: Sessions, core: OldCore, clock: HandClock) -> None:
    """A lost response and a second tab get the same successor, and a token that comes after that was used is theft."""
    tokens = core.begin()
    first = await sessions.refresh(tokens.refresh)
    again = [await sessions.refresh(f'"{tokens.refresh}"'), await sessions.refresh(tokens.refresh)]
    clock.advance(HOUR)
    again.append(await sessions.refresh(tokens.refresh))
    assert {stem(refresh_token_of(first))} == {stem(refresh_token_of(each)) for each in again}

    await sessions.verify(again[-1].tokens.access_token)
    await sessions._parts.background.finish()
    clock.advance(GRACE)
    assert isinstance(await refusal(sessions, tokens.refresh), TokenTheftError)
    assert None is await sessions.information(first.access_token.session_handle)
    refused = await refusal(sessions, tokens.refresh)
    assert (UnauthorisedError, True) == (type(refused), refused.clears_tokens), "it is not taken in again"


async def test_what_their_row_does_not_know_yet(sessions: Sessions, core: OldCore, clock: HandClock) -> None:
    """A child that the core has not written down goes on, also if its row would have ended long before the child."""
    tokens = core.begin()
    clock.advance(99 * DAY)
    child = core.refresh(tokens, writes_it_down=False)
    issued = await sessions.refresh(child.refresh)
    clock.advance(50 * DAY)

    assert await goes_on(sessions, refresh_token_of(issued))


@EVERYWHERE
async def test_the_one_before_in_their_grace(sessions: Sessions, core: OldCore, clock: HandClock) -> None:
    """What the core would still take goes on in the place of the newest; after that it is theft, as there."""
    first, late = core.begin(), core.begin()
    child = core.refresh(first)
    core.refresh(late)
    clock.advance(THEIR_GRACE)
    issued = await sessions.refresh(first.refresh)
    orphan = await sessions.refresh(child.refresh)
    clock.advance(MILLISECOND)

    assert stem(refresh_token_of(issued)) == stem(refresh_token_of(orphan))
    assert isinstance(await refusal(sessions, late.refresh), TokenTheftError)


@EVERYWHERE
async def test_their_row_moves_on_while_it_waits(sessions: Sessions, core: OldCore, clock: HandClock) -> None:
    """A look-up or an import freezes nothing: until the first exchange here their row counts as it is now."""
    tokens = core.begin()
    session_id = session_of(core, tokens)
    assert ["kept"] == [each.outcome for each in await sessions.taking_in.take_in([*core.sessions.values()])]
    assert await sessions.information(handle_of(core.sessions[session_id]))
    for _ in range(3):
        clock.advance(HOUR)
        tokens = core.refresh(tokens)
    renewed, again = [await sessions.taking_in.take_in([*core.sessions.values()]) for _ in range(2)]
    tokens = core.refresh(tokens)
    issued = await sessions.refresh(tokens.refresh)

    assert (["renewed"], ["there"]) == ([each.outcome for each in renewed], [each.outcome for each in again])
    core.refresh(tokens)
    assert ["there"] == [each.outcome for each in await sessions.taking_in.take_in([*core.sessions.values()])]
    assert await goes_on(sessions, refresh_token_of(issued))


@EVERYWHERE
async def test_what_ended_there_ends_here(sessions: Sessions, core: OldCore, events: list[SessionEvent]) -> None:
    """A session that waits here ends with its row there; one that was exchanged does not ask any more."""
    waiting, unknown, moved = core.begin(), core.begin(), core.begin()
    await sessions.taking_in.take_in([core.sessions[session_of(core, each)] for each in (waiting, moved)])
    issued = await sessions.refresh(moved.refresh)
    for each in (waiting, unknown, moved):
        core.revoke(each)

    refused = [await refusal(sessions, each.refresh) for each in (waiting, unknown)]
    assert [True, True] == [each.clears_tokens for each in refused]
    assert [moved.refresh] == [
        each.refresh for each in (waiting, moved) if await sessions.information(session_of(core, each))
    ]
    assert await goes_on(sessions, refresh_token_of(issued))
    assert [SessionRevoked] == [each for each in await told(sessions, events) if each is SessionRevoked]
    assert ["ended_elsewhere"] == [each.reason for each in events if isinstance(each, SessionRevoked)]


async def test_an_import_that_finds_them_gone(sessions: Sessions, core: OldCore) -> None:
    """What an import is told to end is ended if it still waits, and nothing else."""
    waiting, moved = core.begin(tenant_id="acme"), core.begin()
    handles = [handle_of(each) for each in core.sessions.values()]
    await sessions.taking_in.take_in([*core.sessions.values()])
    await sessions.refresh(moved.refresh)

    own = (await sessions.create("ada")).access_token.session_handle
    ended = await sessions.taking_in.end_waiting([*handles, own, "odd", handles[0].replace("acme", "other")])
    assert [f"{session_of(core, waiting)}_acme"] == ended


ENDINGS: dict[str, Any] = {
    "revoked": lambda sessions, handle: sessions.revoke(handle),
    "all revoked": lambda sessions, _: sessions.revoke_all("ada"),
    "replaced by a sign-in": lambda sessions, handle: sessions.create("ada", replacing=[handle]),
    "upgraded by a sign-in": lambda sessions, handle: sessions.create("ada", upgrading=handle),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("is_known", [True, False])
async def test_what_ended_here_is_never_taken_in_again(
    ending: str, is_known: bool, sessions: Sessions, core: OldCore
) -> None:
    """Whatever their table still says: also of a session that was never here before it ended."""
    tokens = core.begin()
    if is_known:
        await sessions.taking_in.take_in([*core.sessions.values()])
    await ENDINGS[ending](sessions, handle_of(core.sessions[session_of(core, tokens)]))
    before = len(await sessions.of_user("ada"))

    await refusal(sessions, tokens.refresh)
    assert ["ended"] == [each.outcome for each in await sessions.taking_in.take_in([*core.sessions.values()])]
    assert before == len(await sessions.of_user("ada"))


async def test_what_ended_here_outlives_our_deadline_there(store: Store, clock: HandClock, core: OldCore) -> None:
    """Their row knows nothing of an absolute timeout of ours: once that has passed, a revoked session is still over."""
    sessions = Sessions(config(store=store, absolute_timeout=7 * DAY), clock=clock, moving_from=core)
    revoked, expired = core.begin(), core.begin()
    await sessions.taking_in.take_in([*core.sessions.values()])
    assert await sessions.revoke(session_of(core, revoked))
    clock.advance(8 * DAY)
    await store.delete_expired(limit=9)
    await store.delete_remembered(limit=9)

    for tokens in (revoked, expired):
        assert (await refusal(sessions, tokens.refresh)).clears_tokens


async def test_by_handle_after_it_was_refreshed_there(sessions: Sessions, core: OldCore, clock: HandClock) -> None:
    """What was imported, and has expired by what was read then, is asked for again: it can be ended as long as it goes on there."""
    tokens = core.begin(expires_at=clock() + 60_000)
    await sessions.taking_in.take_in([*core.sessions.values()])
    child = core.refresh(tokens)
    clock.advance(HOUR)

    assert await sessions.revoke(session_of(core, child))
    assert (await refusal(sessions, child.refresh)).clears_tokens


async def test_what_takes_its_place_began_here(sessions: Sessions, core: OldCore) -> None:
    """A session that was elevated does not wait for a client of theirs: an import that finds no row of it there leaves it alone."""
    issued = await sessions.refresh(core.begin().refresh)
    elevated = await sessions.elevate(issued.access_token, Authentication(("otp",)))

    assert [] == await sessions.taking_in.end_waiting([elevated.access_token.session_handle])
    assert await goes_on(sessions, refresh_token_of(elevated))


async def test_by_handle_and_by_user(sessions: Sessions, core: OldCore) -> None:
    """What was never imported is known, changed and counted from the first moment on; nothing of another tenant or user is."""
    handle = handle_of(core.sessions[session_of(core, core.begin(tenant_id="acme"))])
    core.begin("grace")
    assert await sessions.information(handle.replace("acme", "other")) is None
    assert await sessions.merge_into_access_token_payload(handle, {"plan": "pro"})
    assert [] == await sessions.of_user("ada", tenant_id="public")
    core.begin("ada")

    found = await sessions.of_user("ada")
    assert {"acme": {"plan": "pro"}, "public": {}} == {each.tenant_id: each.access_token_payload for each in found}
    assert 1 == len(await sessions.of_user("grace"))


async def test_a_limit_counts_them(store: Store, clock: HandClock, core: OldCore) -> None:
    """A sign-in here ends the oldest session there, if no more are allowed, and that one stays ended."""
    sessions = Sessions(config(store=store, session_limit=1), clock=clock, moving_from=core)
    tokens = core.begin()
    clock.advance(SECOND)
    new = (await sessions.create("ada")).access_token.session_handle

    assert [new] == [each.handle for each in await sessions.of_user("ada")]
    await refusal(sessions, tokens.refresh)


async def test_anti_csrf(sessions: Sessions, core: OldCore) -> None:
    """Their anti-CSRF token counts once, where there is one; without it nothing is revoked, and the next one is ours."""
    tokens, without = core.begin(anti_csrf="theirs"), core.begin()
    for proof in (
        AntiCsrfProof("VIA_TOKEN", token="other"),
        AntiCsrfProof("VIA_TOKEN"),
        AntiCsrfProof("VIA_CUSTOM_HEADER"),
    ):
        refused = await refusal(sessions, tokens.refresh, proof=proof)
        assert (UnauthorisedError, False) == (type(refused), refused.clears_tokens)
    issued = await sessions.refresh(tokens.refresh, proof=AntiCsrfProof("VIA_TOKEN", token="theirs"))
    assert await goes_on(sessions, without.refresh, proof=AntiCsrfProof("VIA_TOKEN"))

    own = AntiCsrfProof("VIA_TOKEN", token=issued.tokens.anti_csrf_token)
    assert issued.tokens.anti_csrf_token not in (None, "theirs")
    assert await goes_on(sessions, refresh_token_of(issued), proof=own)
    assert isinstance(
        await refusal(sessions, refresh_token_of(issued), proof=AntiCsrfProof("VIA_TOKEN", token="theirs")),
        UnauthorisedError,
    )


async def test_a_session_whose_access_tokens_nobody_would_read_is_named(sessions: Sessions, core: OldCore) -> None:
    """A payload that makes an access token longer than any that is read is unfit: its client would refresh in vain."""
    fits, too_long = (core.begin(access_token_payload={"a": "x" * count}) for count in (4_500, 6_000))
    assert await goes_on(sessions, fits.refresh)
    [arrival] = await sessions.taking_in.take_in([core.sessions[session_of(core, too_long)]])
    assert "unfit" == arrival.outcome
    assert arrival.reason.startswith("access_token_payload: the access token would have ")
    refused = await refusal(sessions, too_long.refresh)
    assert (UnauthorisedError, False) == (type(refused), refused.clears_tokens)


async def test_what_does_not_fit_is_not_lost(
    sessions: Sessions, core: OldCore, caplog: pytest.LogCaptureFixture
) -> None:
    """A session that cannot be taken is refused with its tokens kept, and goes on once that is mended."""
    large, mapped_twice = core.begin(session_data={"a": "x" * MAX_OBJECT}), core.begin()
    core.unfit = {session_of(core, mapped_twice)}
    for tokens in (large, mapped_twice):
        refused = await refusal(sessions, tokens.refresh)
        assert (UnauthorisedError, False) == (type(refused), refused.clears_tokens)
    assert 2 == caplog.text.count("cannot go on here")
    assert [("unfit", True)] == [
        (each.outcome, each.reason.startswith("session_data"))
        for each in await sessions.taking_in.take_in([core.sessions[session_of(core, large)]])
    ]
    assert [] == await sessions.of_user("ada")

    core.unfit = set()
    assert await goes_on(sessions, mapped_twice.refresh)


async def test_without_their_database(sessions: Sessions, core: OldCore) -> None:
    """After the import their key alone is needed: what was imported goes on, and nothing is asked."""
    imported, missed = core.begin(), core.begin()
    await sessions.taking_in.take_in([core.sessions[session_of(core, imported)]])
    core.is_exported, core.is_down = True, True

    assert await goes_on(sessions, imported.refresh)
    assert (await refusal(sessions, missed.refresh)).clears_tokens
    assert 1 == len(await sessions.of_user("ada"))


async def test_their_database_is_down(sessions: Sessions, core: OldCore, events: list[SessionEvent]) -> None:
    """Nobody is refused for it, and nothing ends: whoever has moved does not notice."""
    waiting, moved = core.begin(), core.begin()
    issued = await sessions.refresh(moved.refresh)
    core.is_down = True
    for asked in (sessions.refresh(waiting.refresh), sessions.of_user("ada"), sessions.revoke_all("ada")):
        with pytest.raises(StoreUnavailable):
            await asked
    assert await goes_on(sessions, refresh_token_of(issued))
    core.is_down = False

    assert await goes_on(sessions, waiting.refresh)
    assert not {SessionRevoked, TokenTheftDetected} & {*await told(sessions, events)}


class ClosedCore(OldCore):
    """One that has to be opened before it knows the key of its tokens, as its database has that."""

    knows_its_key = False

    async def open(self) -> None:
        self._asked()
        self.knows_its_key = True

    def read_refresh_token(self, text: str) -> ForeignToken | None:
        return super().read_refresh_token(text) if self.knows_its_key else None


async def test_their_database_is_down_at_the_start(store: Store, clock: HandClock) -> None:
    """Whoever has moved is served, whoever has not comes again; once it is up, or if nobody opened anything, it is opened when needed."""
    core = ClosedCore(clock)
    waiting, moved = core.begin(), core.begin()
    before = Sessions(config(store=store), clock=clock, moving_from=core)
    issued = await before.refresh(moved.refresh)
    core.knows_its_key, core.is_down = False, True
    sessions = Sessions(config(store=store), clock=clock, moving_from=core)
    await sessions.open()

    with pytest.raises(StoreUnavailable) as refused:
        await sessions.refresh(waiting.refresh)
    ours = [frame for frame in refused.traceback if "fastapi_session" in str(frame.path)]
    assert ours
    assert not [frame for frame in ours if waiting.refresh in repr(frame.locals)]
    assert await goes_on(sessions, refresh_token_of(issued))
    core.is_down = False
    assert await goes_on(sessions, waiting.refresh)
    assert (await sessions.verify(waiting.access)).user_id == "ada"
    await sessions.close()


async def test_hostile_tokens(sessions: Sessions, core: OldCore) -> None:
    """What cannot be opened is refused; only what has the length of ours clears anything, for theirs may be unreadable by a wrong key."""
    tokens = core.begin()
    sealed, nonce, version = tokens.refresh.split(".")
    odd = [
        OldCore(core.clock, key="1000:00:00").begin().refresh,
        f"{sealed[:-4]}AAA=.{nonce}.{version}",
        f"{sealed}.{nonce[::-1]}.{version}",
        f"{sealed}.{nonce}.V1",
        f"{'A' * 100_000}.{nonce}.V2",
        "\x00.\ud800.V2",
        '"',
        "",
        core.sealed(b"[]", nonce),
        core.sealed(b"\xff", nonce),
    ]
    for text in odd:
        refused = await refusal(sessions, text)
        assert (UnauthorisedError, False) == (type(refused), refused.clears_tokens)
    assert (await refusal(sessions, "A" * LENGTH)).clears_tokens
    assert [False] * len(odd) == [sessions.is_refresh_token(text) for text in odd]
    assert sessions.is_refresh_token(tokens.refresh, session_id=session_of(core, tokens))


async def test_who_has_their_key_ends_no_session_of_ours(sessions: Sessions, core: OldCore) -> None:
    """A token of theirs names sessions of theirs: one that began here is neither given away nor ended."""
    issued = await sessions.create("ada")
    session_id = issued.access_token.session_id
    forged = core.minted(str(UUID(session_id)), "ada")

    assert not (await refusal(sessions, forged.refresh)).clears_tokens
    assert await goes_on(sessions, refresh_token_of(issued))


async def test_their_access_tokens(sessions: Sessions, core: OldCore, clock: HandClock) -> None:
    """They are believed as long as one can live, ask the store by their own hashes, and open nothing after a sign-out."""
    first = core.begin(tenant_id="acme")
    tokens = core.refresh(first)
    content = await sessions.verify(tokens.access)
    assert (f"{session_of(core, tokens)}_acme", "ada", "acme") == (
        content.session_handle,
        content.user_id,
        content.tenant_id,
    )
    assert content == await sessions.verify(tokens.access, check_database=True)
    assert content.session_handle == (await sessions.verify(first.access, check_database=True)).session_handle
    changed = await sessions.merge_and_reissue(content, {"plan": "pro"})
    assert changed is not None
    assert {"plan": "pro"} == (await sessions.verify(changed.tokens.access_token, check_database=True)).custom

    assert await sessions.revoke(content.session_handle)
    with pytest.raises(UnauthorisedError):
        await sessions.verify(tokens.access)
    clock.advance(HOUR)
    with pytest.raises(SessionError):
        await sessions.verify(core.begin().access)


async def test_an_access_token_of_theirs_that_ends_never(sessions: Sessions, core: OldCore, clock: HandClock) -> None:
    """However long it says that it lives, it ends with its key; and so does what is signed here in its place."""
    tokens = core.begin()
    [session] = core.sessions.values()
    endless = core.access_token(handle_of(session), "ada", tokens.refresh, exp=clock() // 1000 + 100_000_000)
    issued = await sessions.merge_and_reissue(await sessions.verify(endless), {"plan": "pro"})
    assert issued is not None
    clock.advance(HOUR)

    for token in (endless, issued.tokens.access_token):
        with pytest.raises(TryRefreshTokenError):
            await sessions.verify(token)


async def test_without_keys_of_theirs(store: Store, clock: HandClock, core: OldCore) -> None:
    """If their access tokens are not to be believed, the client refreshes once; and its session is still known as its own."""
    core.access_token_validity *= 0
    sessions = Sessions(config(store=store), clock=clock, moving_from=core)
    await sessions._parts.continuing.open(store, clock=clock)  # type: ignore[union-attr]
    tokens = core.begin()
    with pytest.raises(SessionError, match="no key"):
        await sessions.verify(tokens.access)
    parsed = sessions.parse(tokens.access)
    assert parsed is not None

    assert session_of(core, tokens) == await sessions.verified_handle(parsed)


@EVERYWHERE
async def test_many_at_once(sessions: Sessions, core: OldCore, events: list[SessionEvent]) -> None:
    """However many present a token at once, and whether it is theirs before or after: one row, one successor, no alarm."""
    tokens = core.begin()
    issued = await asyncio.gather(*(sessions.refresh(tokens.refresh) for _ in range(16)))

    assert 1 == len({stem(refresh_token_of(each)) for each in issued})
    assert 1 == len(await sessions.of_user("ada"))
    kinds = await told(sessions, events)
    assert (1, 16, 0) == tuple(map(kinds.count, (SessionAdopted, SessionRefreshed, TokenTheftDetected)))


async def test_deadlines(store: Store, clock: HandClock, core: OldCore) -> None:
    """A waiting session ends when it ended there; an absolute timeout counts from the move, and nobody is logged out by it."""
    sessions = Sessions(config(store=store, absolute_timeout=30 * DAY), clock=clock, moving_from=core)
    old, other = core.begin(created_at=0), core.begin(expires_at=clock() + 60_000)
    issued = await sessions.refresh(old.refresh)
    information = await sessions.information(issued.access_token.session_handle)
    assert information is not None
    await sessions.taking_in.take_in([*core.sessions.values()])
    clock.advance(MINUTE)

    await refusal(sessions, other.refresh)
    assert "expired" in [each.outcome for each in await sessions.taking_in.take_in([*core.sessions.values()])]
    clock.advance(29 * DAY)
    issued = await sessions.refresh(refresh_token_of(issued))
    clock.advance(DAY)
    await refusal(sessions, refresh_token_of(issued))


@pytest.mark.parametrize("commits", [True, False])
async def test_within_a_transaction(commits: bool, postgresql_store_url: str) -> None:
    """What ends in the user's transaction was taken in there: it stays ended if that commits, and else nothing has happened."""
    core = OldCore(system_clock)
    sessions = Sessions(config(store=postgresql_store_url), moving_from=core)
    await sessions.open()
    tokens, database = core.begin("carl"), create_async_engine(postgresql_store_url)
    async with database.connect() as connection:
        joined = sessions.within(connection)
        assert [session_of(core, tokens)] == await joined.revoke_all("carl")
        await (connection.commit() if commits else connection.rollback())
    await database.dispose()

    if commits:
        await refusal(sessions, tokens.refresh)
    else:
        assert await goes_on(sessions, tokens.refresh)
    await sessions.close()


def test_a_store_that_takes_in_nothing(clock: HandClock, core: OldCore) -> None:
    """A store of one's own without that part is refused at once, with what it lacks."""
    lacking = cast("Store", SimpleNamespace())
    with pytest.raises(ConfigurationError, match="moving_from: this store takes in no sessions"):
        Sessions(config(store=lacking), clock=clock, moving_from=core)
    with pytest.raises(ConfigurationError, match="moving_from: give the system"):
        _ = Sessions(config(), clock=clock).taking_in


def test_no_token_is_in_what_is_printed(core: OldCore) -> None:
    """Neither a token nor what is derived from one is in the repr of what the engine holds."""
    tokens = core.begin(anti_csrf="anti-csrf-of-theirs")
    opened = core.read_refresh_token(tokens.refresh)
    assert opened is not None
    printed = repr((opened, replace(core.sessions[opened.session_id], previous=opened.secret), tokens))

    for secret in (tokens.refresh, tokens.access, "anti-csrf-of-theirs", repr(opened.secret)):
        assert secret not in printed
    assert refresh_token.read(tokens.refresh, secrets(SECRET)) is None
