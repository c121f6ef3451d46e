"""A refresh, verdict by verdict: what the client is told, whether the session lives on, and what the log says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from fastapi_session.audit import Audit
from fastapi_session.core import refresh_token
from fastapi_session.core.anti_csrf import AntiCsrfProof
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.errors import SessionError, StoreUnavailable, TokenTheftError, UnauthorisedError
from fastapi_session.model import Lineage, Reading, Rotation, SessionRecord
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.conftest import Place
from tests.engines import NEW_SECRET, SECRET, created, engine, refresh_token_of, refreshed, secrets, stem
from tests.moments import DAY, GRACE, HOUR, MILLISECOND, SECOND

RING = secrets(SECRET)


def content_of(token: str) -> RefreshToken:
    content = refresh_token.read(token, RING)
    assert content is not None
    return content


def minted(content: RefreshToken) -> str:
    return refresh_token.mint(content, RING.newest)


async def refreshed_and_used(sessions: Sessions, token: str) -> str:
    """Return the refresh token that *token* is exchanged for, once the store knows that its access token is in use."""
    issued = await sessions.refresh(token)
    await sessions.verify(issued.tokens.access_token)
    await sessions._parts.background.finish()
    return refresh_token_of(issued)


async def row(store: Store, handle: str) -> Lineage | None:
    record = (await store.get(handle)).record
    return None if record is None else record.lineage


async def refusal(sessions: Sessions, token: str, **options: Any) -> SessionError:
    """Return why *token* is refused, which it is."""
    with pytest.raises(SessionError) as refused:
        await sessions.refresh(token, **options)
    return refused.value


@dataclass
class Line:
    """A session with all its refresh tokens so far, each rotated a minute after the one before."""

    sessions: Sessions
    clock: HandClock
    handle: str
    tokens: list[str]

    async def rotate(self) -> str:
        self.clock.advance(2 * GRACE)
        self.tokens.append(await refreshed(self.sessions, self.tokens[-1]))
        return self.tokens[-1]

    async def use(self) -> None:
        """Present the newest access token, and let the acknowledgement arrive."""
        issued = await self.sessions.refresh(self.tokens[-1])
        await self.sessions.verify(issued.tokens.access_token)
        await self.sessions._parts.background.finish()


async def line_of(sessions: Sessions, clock: HandClock, *, rotations: int = 0) -> Line:
    handle, token = await created(sessions)
    line = Line(sessions, clock, handle, [token])
    for _ in range(rotations):
        await line.rotate()
    return line


@pytest.fixture
def place(any_place: Place) -> Place:
    """Every kind of store."""
    return any_place


@pytest.fixture
def sessions(store: Store, clock: HandClock) -> Sessions:
    return engine(clock, store=store)


@pytest.mark.parametrize(
    "text",
    ["", "x", "A" * 148, "ü" * 148, "a.b.c", "A" * 10_000, "\x00" * 148],
    ids=lambda text: f"{len(text)} {text[:1]!r}",
)
async def test_garbage_is_refused_without_asking_the_store(text: str, clock: HandClock) -> None:
    """D0: what this deployment never wrote is unauthorised, clears the tokens, and costs the store nothing."""

    class Untouched(MemoryStore):
        async def rotate(self, rotation: Rotation, *, audit: Audit | None = None) -> SessionRecord | None:
            raise AssertionError

        async def get(self, session_id: str) -> Reading:
            raise AssertionError

    error = await refusal(engine(clock, store=Untouched(clock=clock)), text)

    assert (UnauthorisedError, "refresh token: BAD_TOKEN", True) == (type(error), error.reason, error.clears_tokens)


async def test_every_bit_of_a_token_counts(sessions: Sessions, clock: HandClock) -> None:
    """D0: a token with one character changed is refused, and its session is none the worse."""
    line = await line_of(sessions, clock)
    (token,) = line.tokens
    for position in range(len(token)):
        other = "A" if token[position] != "A" else "B"
        error = await refusal(sessions, token[:position] + other + token[position + 1 :])
        assert "refresh token: BAD_TOKEN" == error.reason

    assert await line.rotate()


async def test_a_session_that_is_gone(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """D1: the token of a revoked session is unauthorised and clears the tokens."""
    line = await line_of(sessions, clock)
    await sessions.revoke(line.handle)
    error = await refusal(sessions, line.tokens[0])

    assert (UnauthorisedError, "refresh token: GONE", True) == (type(error), error.reason, error.clears_tokens)


async def test_a_fork_of_the_newest_token(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """D2: a second token of the newest generation, which nobody was given, is theft."""
    line = await line_of(sessions, clock, rotations=1)
    fork = minted(replace(content_of(line.tokens[-1]), secret=b"f" * 32))
    error = await refusal(sessions, fork)

    assert (TokenTheftError, "ORPHANED_BRANCH") == (type(error), error.reason)
    assert await row(store, line.handle) is None


async def test_the_newest_token_within_the_debounce(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """D3: until a millisecond before the debounce ends the same generation comes back, with a new access token, and counts as used."""
    line = await line_of(sessions, clock, rotations=1)
    clock.advance(GRACE - MILLISECOND)
    issued = await sessions.refresh(line.tokens[-1])
    after = await row(store, line.handle)

    assert stem(line.tokens[-1]) == stem(refresh_token_of(issued))
    assert clock() // 1000 == issued.access_token.issued_at
    assert after is not None
    used = content_of(line.tokens[-1]).issue_id
    assert (1, True, used, clock()) == (after.generation, after.acknowledged, after.used, after.used_at)


async def test_the_newest_token_after_the_debounce(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """D4: from then on it is exchanged for the next one, and the idle deadline moves on."""
    line = await line_of(sessions, clock)
    clock.advance(GRACE)
    issued = await sessions.refresh(line.tokens[0])
    after = await row(store, line.handle)

    assert line.tokens[0] != issued.tokens.refresh_token
    assert after is not None
    assert (1, clock(), False) == (after.generation, after.window_at, after.acknowledged)
    assert clock() + 100 * 86_400_000 == after.idle_expires_at == issued.tokens.refresh_token_expires_at
    assert content_of(line.tokens[0]).fingerprint.hex() == issued.access_token.parent_refresh_token_hash
    assert content_of(refresh_token_of(issued)).fingerprint.hex() == issued.access_token.refresh_token_hash


async def test_the_token_before_within_the_grace_period(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """D5: to the last millisecond of the grace period the token before brings the same successor, even when that was used."""
    line = await line_of(sessions, clock, rotations=1)
    await line.use()
    before = await row(store, line.handle)
    clock.advance(GRACE - MILLISECOND)

    assert stem(line.tokens[1]) == stem(await refreshed(sessions, line.tokens[0]))
    assert before == await row(store, line.handle)


async def test_the_token_before_while_its_successor_is_unused(
    sessions: Sessions, store: Store, clock: HandClock
) -> None:
    """D6: the next morning a client whose answer was lost gets the same successor, and a new window begins."""
    line = await line_of(sessions, clock, rotations=1)
    clock.advance(DAY)

    assert stem(line.tokens[1]) == stem(await refreshed(sessions, line.tokens[0]))
    after = await row(store, line.handle)
    assert after is not None
    assert (1, clock(), False) == (after.generation, after.window_at, after.acknowledged)


@pytest.mark.parametrize("rotations", [1, 5])
@pytest.mark.parametrize(
    ("behaviour", "expected"), [("TOKEN_THEFT", TokenTheftError), ("UNAUTHORISED", UnauthorisedError)]
)
async def test_the_token_before_once_its_successor_was_used(
    behaviour: str, expected: type[SessionError], rotations: int, store: Store, clock: HandClock
) -> None:
    """D7: after the grace period it is theft, or unauthorised where that is configured; revoked either way."""
    line = await line_of(engine(clock, store=store, recent_token_reuse_behaviour=behaviour), clock, rotations=rotations)
    await line.use()
    clock.advance(GRACE)
    error = await refusal(line.sessions, line.tokens[-2])

    assert (expected, True) == (type(error), error.clears_tokens)
    assert "RECENT_PREV" in error.reason
    assert await row(store, line.handle) is None
    assert "refresh token: GONE" == (await refusal(line.sessions, line.tokens[-1])).reason


async def test_a_used_token_before_without_recovery(store: Store, clock: HandClock) -> None:
    """D7: without recovery of lost responses, it is theft even where the successor was never used."""
    line = await line_of(engine(clock, store=store, lost_response_recovery=False), clock, rotations=1)
    clock.advance(GRACE)

    assert "RECENT_PREV" == (await refusal(line.sessions, line.tokens[0])).reason


async def test_a_write_that_the_store_lost(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """D8: where the store fell back by one rotation, the client's newer token is believed, and the line goes on."""
    line = await line_of(sessions, clock, rotations=1)
    before = (await store.get(line.handle)).record
    assert before is not None
    await line.rotate()
    await store.delete(line.handle)
    await store.insert(before)

    assert line.tokens[-1] != await refreshed(sessions, line.tokens[-1])
    after = await row(store, line.handle)
    assert after is not None
    assert (3, False) == (after.generation, after.acknowledged)


async def test_a_store_that_lost_more(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """D9: where it fell back further the session is over, but nobody is accused of theft."""
    line = await line_of(sessions, clock)
    before = (await store.get(line.handle)).record
    assert before is not None
    for _ in range(2):
        await line.rotate()
    await store.delete(line.handle)
    await store.insert(before)
    error = await refusal(sessions, line.tokens[-1])

    assert (UnauthorisedError, "refresh token: STORE_REGRESSED", True) == (
        type(error),
        error.reason,
        error.clears_tokens,
    )
    assert await row(store, line.handle) is None


@pytest.mark.parametrize("age", [2, 3, 5])
async def test_an_old_token(age: int, sessions: Sessions, store: Store, clock: HandClock) -> None:
    """D10: a token two generations old and more is theft at any time, whoever presents it, and whose it was is told."""
    line = await line_of(sessions, clock, rotations=5)
    error = await refusal(sessions, line.tokens[-1 - age])

    assert isinstance(error, TokenTheftError)
    assert ("STALE_LINEAGE", "alice", line.handle) == (error.reason, error.user_id, error.handle)
    assert await row(store, line.handle) is None


async def test_the_log_names_the_session_and_no_token(
    sessions: Sessions, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A revocation by the table is logged once with its verdict; no part of any token is."""
    line = await line_of(sessions, clock, rotations=3)
    await refusal(sessions, line.tokens[0])

    told = [f"refresh of session {line.handle}: STALE_LINEAGE", f"TokenTheftDetected: session {line.handle}"]
    assert told == caplog.messages
    assert not [token for token in line.tokens if token[60:72] in caplog.text]


async def test_errors_carry_no_token(sessions: Sessions, clock: HandClock) -> None:
    """No refusal repeats the token that it is about."""
    line = await line_of(sessions, clock, rotations=3)
    told = [f"{await refusal(sessions, token)!r}" for token in (line.tokens[0] + "x", *line.tokens)]

    assert [] == [text for text in told for token in line.tokens if token[60:72] in text]


async def test_parallel_refreshes_agree(sessions: Sessions, clock: HandClock) -> None:
    """A hundred parallel refreshes of one token in one process are one rotation and one successor."""
    line = await line_of(sessions, clock)
    clock.advance(GRACE)
    answers = await asyncio.gather(*(refreshed(sessions, line.tokens[0]) for _ in range(100)))

    assert (100, 1) == (len(set(answers)), len({stem(answer) for answer in answers}))
    assert 1 == content_of(answers[0]).generation


async def test_idle_timeout_is_exact(sessions: Sessions, clock: HandClock) -> None:
    """A session that was idle for its timeout is gone, and a millisecond earlier it is not."""
    late, in_time = await line_of(sessions, clock), await line_of(sessions, clock)
    clock.advance(100 * DAY - MILLISECOND)
    await refreshed(sessions, in_time.tokens[0])
    clock.advance(MILLISECOND)

    assert "refresh token: GONE" == (await refusal(sessions, late.tokens[0])).reason
    assert await in_time.rotate()


async def test_absolute_timeout_is_exact(store: Store, clock: HandClock) -> None:
    """However often it is refreshed, a session ends with its absolute timeout, and its tokens' moments say so before."""
    sessions = engine(clock, store=store, absolute_timeout=3 * HOUR, idle_timeout=2 * HOUR)
    end = clock() + 3 * HOUR // MILLISECOND
    issued = await sessions.create("alice")
    for _ in range(5):
        clock.advance(HOUR / 2)
        issued = await sessions.refresh(refresh_token_of(issued))
        assert end >= issued.tokens.access_token_expires_at
        assert end >= issued.tokens.refresh_token_expires_at
    assert end == issued.tokens.refresh_token_expires_at
    clock.advance(HOUR / 2 - MILLISECOND)
    token = await refreshed(sessions, refresh_token_of(issued))
    clock.advance(MILLISECOND)

    assert "refresh token: GONE" == (await refusal(sessions, token)).reason


async def test_strict_mode(store: Store, clock: HandClock) -> None:
    """With no grace and no recovery every refresh rotates, and every used token is theft at once."""
    options: dict[str, Any] = {"refresh_token_rotation_grace_period": 0, "lost_response_recovery": False}
    sessions = engine(clock, store=store, **options)
    handle, first = await created(sessions)
    second = await refreshed(sessions, first)
    third = await refreshed(sessions, second)

    assert 3 == len({first, second, third})
    assert "RECENT_PREV" == (await refusal(sessions, second)).reason
    assert await row(store, handle) is None


async def test_anti_csrf_by_token(sessions: Sessions, clock: HandClock) -> None:
    """VIA_TOKEN asks for the anti-CSRF token of the session, which is new after every rotation; a wrong one is refused, and keeps the tokens."""
    issued = await sessions.create("alice", anti_csrf=True)
    clock.advance(GRACE)
    old = issued.tokens.anti_csrf_token
    for token in (None, "", "wrong", f"{old}x", "ü"):
        error = await refusal(sessions, refresh_token_of(issued), proof=AntiCsrfProof("VIA_TOKEN", token))
        assert (UnauthorisedError, False) == (type(error), error.clears_tokens)
    fresh = await sessions.refresh(refresh_token_of(issued), proof=AntiCsrfProof("VIA_TOKEN", old))

    assert fresh.tokens.anti_csrf_token not in {None, old}
    assert fresh.tokens.anti_csrf_token == fresh.access_token.anti_csrf_token


async def test_an_anti_csrf_token_of_a_moment_ago(sessions: Sessions, clock: HandClock) -> None:
    """A tab whose anti-CSRF token is one or two rotations behind its cookies may refresh by it; a later one may not."""
    issued = [await sessions.create("alice", anti_csrf=True)]
    for _ in range(3):
        clock.advance(GRACE)
        proof = AntiCsrfProof("VIA_TOKEN", issued[-1].tokens.anti_csrf_token)
        issued.append(await sessions.refresh(refresh_token_of(issued[-1]), proof=proof))
    too_old, *recent = [AntiCsrfProof("VIA_TOKEN", each.tokens.anti_csrf_token) for each in issued]
    newest = refresh_token_of(issued[-1])

    again = [await sessions.refresh(newest, proof=proof) for proof in recent]
    assert [issued[-1].tokens.anti_csrf_token] * 3 == [each.tokens.anti_csrf_token for each in again]
    error = await refusal(sessions, newest, proof=too_old)
    assert (UnauthorisedError, False) == (type(error), error.clears_tokens)


async def test_anti_csrf_by_header(sessions: Sessions, clock: HandClock) -> None:
    """VIA_CUSTOM_HEADER asks for any such header; a request without it is refused, and keeps its tokens."""
    _, token = await created(sessions)
    error = await refusal(sessions, token, proof=AntiCsrfProof("VIA_CUSTOM_HEADER"))
    await sessions.refresh(token, proof=AntiCsrfProof("VIA_CUSTOM_HEADER", custom_header=True))

    assert (UnauthorisedError, False) == (type(error), error.clears_tokens)


async def test_a_secret_is_replaced_in_service(store: Store, clock: HandClock) -> None:
    """With the new secret before the old one, old tokens are read, and within the grace period every process agrees.

    Whatever process rotated, with whichever list of secrets, a second asker gets the same successor.
    """
    before, after = engine(clock, store=store), engine(clock, store=store, secret=[NEW_SECRET, SECRET])
    for rotating in (before, after):
        _, token = await created(before)
        clock.advance(GRACE)
        successor = await refreshed(rotating, token)
        clock.advance(GRACE - MILLISECOND)
        assert stem(successor) == stem(await refreshed(after, token))
        clock.advance(GRACE)
        assert await refreshed(after, successor)


async def test_a_reissue_by_the_secret_that_rotated(store: Store, clock: HandClock) -> None:
    """A lost response of the old secret is found again by the new configuration, days later."""
    before, after = engine(clock, store=store), engine(clock, store=store, secret=[NEW_SECRET, SECRET])
    _, token = await created(before)
    clock.advance(GRACE)
    successor = await refreshed(before, token)
    clock.advance(DAY)

    assert stem(successor) == stem(await refreshed(after, token))


async def test_a_dropped_secret_is_no_theft(store: Store, clock: HandClock) -> None:
    """When the old secret has gone, tokens that it made are unauthorised; those refreshed since live on."""
    both = engine(clock, store=store, secret=[NEW_SECRET, SECRET])
    lazy, busy = await line_of(engine(clock, store=store), clock), await line_of(engine(clock, store=store), clock)
    clock.advance(GRACE)
    kept = await refreshed(both, busy.tokens[0])
    for _ in range(5):
        clock.advance(4 * DAY)
        kept = await refreshed(both, kept)
        await both._parts.background.finish()
    only_new = engine(clock, store=store, secret=NEW_SECRET)
    error = await refusal(only_new, lazy.tokens[0])
    clock.advance(GRACE)

    assert (UnauthorisedError, "refresh token: BAD_TOKEN") == (type(error), error.reason)
    assert await refreshed(only_new, kept)
    assert await row(store, lazy.handle) is not None


class MovingStore(MemoryStore):
    """Moves the row every time somebody has looked at it."""

    def __init__(self, clock: HandClock, *, times: int) -> None:
        super().__init__(clock=clock)
        self.times = times

    async def get(self, session_id: str) -> Reading:
        reading = await super().get(session_id)
        record = reading.record
        if record is not None and self.times:
            self.times -= 1
            turned = replace(record.lineage, acknowledged=not record.lineage.acknowledged)
            await super().replace(session_id, expected=record.lineage, lineage=turned)
        return reading


@pytest.mark.parametrize(("moves", "succeeds"), [(4, True), (100, False)])
async def test_a_row_that_keeps_moving(moves: int, succeeds: bool, clock: HandClock) -> None:
    """A lost swap is looked at again; where the row never stands still the client is asked to come again, not sent away."""
    store = MovingStore(clock, times=0)
    line = await line_of(engine(clock, store=store), clock, rotations=3)
    store.times = moves
    if succeeds:
        assert "STALE_LINEAGE" == (await refusal(line.sessions, line.tokens[0])).reason
    else:
        with pytest.raises(StoreUnavailable, match="kept moving"):
            await line.sessions.refresh(line.tokens[0])


async def test_a_rotation_that_is_due_only_now(clock: HandClock) -> None:
    """Where the debounce ends between the write and the reading, the write is simply tried again."""

    class Slow(MemoryStore):
        async def get(self, session_id: str) -> Reading:
            clock.advance(MILLISECOND)
            return await super().get(session_id)

    line = await line_of(engine(clock, store=Slow(clock=clock)), clock)
    clock.advance(GRACE - MILLISECOND)

    assert line.tokens[0] != await refreshed(line.sessions, line.tokens[0])


async def test_a_clock_that_steps_back(sessions: Sessions, clock: HandClock) -> None:
    """A clock that is set back by an hour costs nobody a session: the newest token begins its window anew."""
    line = await line_of(sessions, clock, rotations=2)
    clock.advance(timedelta(hours=-1))

    assert stem(line.tokens[-1]) == stem(await refreshed(sessions, line.tokens[-1]))
    assert stem(line.tokens[-1]) == stem(await refreshed(sessions, line.tokens[-2]))
    clock.advance(HOUR + SECOND)
    assert await line.rotate()


async def test_a_debounce_ends_after_a_clock_that_steps_back(sessions: Sessions, clock: HandClock) -> None:
    """D3: the debounce lasts no longer than ever, counted from the first refresh after the clock was set back."""
    line = await line_of(sessions, clock, rotations=2)
    clock.advance(timedelta(hours=-1))
    assert stem(line.tokens[-1]) == stem(await refreshed(sessions, line.tokens[-1]))
    clock.advance(GRACE - MILLISECOND)
    assert stem(line.tokens[-1]) == stem(await refreshed(sessions, line.tokens[-1]))
    clock.advance(MILLISECOND)

    assert stem(line.tokens[-1]) != stem(await refreshed(sessions, line.tokens[-1]))


async def test_a_replay_after_a_clock_that_steps_back(sessions: Sessions, clock: HandClock) -> None:
    """D9: 55 minutes into an hour that happens twice a replay is not answered; who comes again with it is a thief."""
    line = await line_of(sessions, clock, rotations=2)
    await line.use()
    clock.advance(timedelta(minutes=-60))
    clock.advance(timedelta(minutes=55))

    with pytest.raises(StoreUnavailable, match="clock was set back"):
        await sessions.refresh(line.tokens[-2])
    assert stem(line.tokens[-1]) != stem(await refreshed(sessions, line.tokens[-1]))
    error = await refusal(sessions, line.tokens[-2])
    assert (TokenTheftError, "STALE_LINEAGE") == (type(error), error.reason)


async def test_a_second_replay_after_a_clock_that_steps_back(sessions: Sessions, clock: HandClock) -> None:
    """D9: who was told to come again closed the window, so that the second time it is theft."""
    line = await line_of(sessions, clock, rotations=2)
    await line.use()
    clock.advance(timedelta(minutes=-60))
    with pytest.raises(StoreUnavailable, match="clock was set back"):
        await sessions.refresh(line.tokens[-2])
    error = await refusal(sessions, line.tokens[-2])

    assert (TokenTheftError, "RECENT_PREV") == (type(error), error.reason)


async def test_an_answer_that_was_left_behind(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """D5: a thief who refreshes before the owner, and holds back until the owner has recovered, is found at the next refresh."""
    line = await line_of(sessions, clock, rotations=1)
    await line.use()
    owner = thief = line.tokens[-1]
    clock.advance(HOUR)
    held = await refreshed(sessions, thief)
    clock.advance(2 * GRACE)
    owner = await refreshed_and_used(sessions, owner)
    clock.advance(HOUR)
    await refreshed(sessions, held)
    clock.advance(2 * GRACE)
    error = await refusal(sessions, owner)

    assert (TokenTheftError, "LEFT_BEHIND") == (type(error), error.reason)
    assert await row(store, line.handle) is None


async def test_exchanges_that_were_crossed_three_times(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """D6: a thief who follows the owner within every grace period is found the third time."""
    line = await line_of(sessions, clock)
    owner = thief = line.tokens[0]
    for _ in range(3):
        clock.advance(HOUR)
        assert await row(store, line.handle) is not None
        owner = await refreshed(sessions, owner)
        clock.advance(SECOND)
        thief = await refreshed(sessions, thief)
    clock.advance(HOUR)
    owner = await refreshed(sessions, owner)
    clock.advance(SECOND)
    error = await refusal(sessions, thief)

    assert (TokenTheftError, "CROSSED") == (type(error), error.reason)
    assert await row(store, line.handle) is None


async def test_answers_that_overtake_each_other(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """Two tabs that hold two answers of a generation may cross each other, even twice in a row: nobody is accused."""
    line = await line_of(sessions, clock)
    clock.advance(HOUR)
    one, other = [await refreshed(sessions, line.tokens[0]) for _ in range(2)]
    for crosses, crossed in ((True, 0b001), (True, 0b011), (False, 0b110), (True, 0b101), (False, 0b010)):
        clock.advance(HOUR)
        one, other = await refreshed(sessions, one), await refreshed(sessions, other if crosses else one)
        after = await row(store, line.handle)
        assert after is not None
        assert crossed == after.crossed
