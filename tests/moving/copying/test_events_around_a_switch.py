"""What happens to a session around the switch: the rows of the table of `store_copy`, with real tokens on both stores."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fastapi_session import Sessions, TokenTheftError, TryRefreshTokenError, UnauthorisedError
from fastapi_session.errors import SessionError
from fastapi_session.stores.base import TakenIn
from tests.engines import created, refreshed
from tests.moving.copying.conftest import Move

HOUR = timedelta(hours=1)


async def outcomes(move: Move) -> dict[TakenIn | None, int]:
    """What became of the sessions in another pass."""
    return dict((await move.another_pass()).sessions)


async def generation(sessions: Sessions, handle: str) -> int | None:
    """Which refresh token of the session its row is at, `None` without a row."""
    record = (await sessions.store.get(handle)).record
    return None if record is None else record.lineage.generation


async def refusal(sessions: Sessions, token: str) -> type[SessionError]:
    """With which error a refresh token is refused."""
    with pytest.raises(SessionError) as refused:
        await sessions.refresh(token)
    return type(refused.value)


async def test_it_began_before_the_pass(move: Move) -> None:
    """A session that began on the old store goes on on the new one: its access token is good, and it refreshes."""
    issued = await move.old.create("alice")
    done = await move.begin()

    assert {"kept": 1} == dict(done.sessions)
    assert "alice" == (await move.new.verify(issued.tokens.access_token)).user_id
    assert issued.tokens.refresh_token is not None
    await refreshed(move.new, issued.tokens.refresh_token)


async def test_it_began_after_the_pass(move: Move) -> None:
    """What began on the old store after the pass has a good access token on the new one, and a row with the next pass."""
    await move.begin()
    issued = await move.old.create("alice")
    assert issued.tokens.refresh_token is not None

    assert "alice" == (await move.new.verify(issued.tokens.access_token)).user_id
    assert {"kept": 1} == await outcomes(move)
    await refreshed(move.new, issued.tokens.refresh_token)


async def test_it_was_refreshed_on_the_old_store(move: Move) -> None:
    """After a pass the new row is as far as the old one, however often the session was refreshed there before."""
    handle, token = await created(move.old)
    await move.begin()
    for _ in range(3):
        move.clock.advance(HOUR)
        token = await refreshed(move.old, token)

    assert {"renewed": 1} == await outcomes(move)
    assert 3 == await generation(move.new, handle)
    move.clock.advance(HOUR)
    await refreshed(move.new, token)


async def test_one_step_of_lag(move: Move) -> None:
    """A token that the new row does not know yet is a child of the one that it knows: it goes on, and the next pass leaves it alone."""
    handle, token = await created(move.old)
    await move.begin()
    move.clock.advance(HOUR)
    token = await refreshed(move.old, token)
    move.clock.advance(HOUR)
    token = await refreshed(move.new, token)

    assert {"there": 1} == await outcomes(move)
    assert 2 == await generation(move.new, handle)
    move.clock.advance(HOUR)
    await refreshed(move.new, token)


async def test_two_steps_of_lag(move: Move) -> None:
    """Of two refreshes without a pass in between the new row knows nothing: the session is signed out, without an alarm."""
    handle, token = await created(move.old)
    await move.begin()
    for _ in range(2):
        move.clock.advance(HOUR)
        token = await refreshed(move.old, token)

    assert UnauthorisedError is await refusal(move.new, token)
    assert {"ended": 1} == await outcomes(move)
    assert await generation(move.new, handle) is None


async def test_two_refreshes_within_the_debounce_are_one_step(move: Move) -> None:
    """Within the grace period a client gets no second successor: tabs and retries are no second step of lag."""
    _, token = await created(move.old)
    await move.begin()
    move.clock.advance(HOUR)
    for _ in range(5):
        token = await refreshed(move.old, token)
        move.clock.advance(timedelta(seconds=5))

    await refreshed(move.new, token)


async def test_it_was_refreshed_on_the_new_store(move: Move) -> None:
    """What has gone on on the new store is not made older by passes."""
    handle, token = await created(move.old)
    await move.begin()
    for _ in range(2):
        move.clock.advance(HOUR)
        token = await refreshed(move.new, token)

    assert {"there": 1} == await outcomes(move)
    assert 2 == await generation(move.new, handle)
    move.clock.advance(HOUR)
    await refreshed(move.new, token)


async def test_to_and_fro(move: Move) -> None:
    """A client that the balancer sends to and fro stays signed in, with a pass in between or without."""
    handle, token = await created(move.old)
    await move.begin()
    for step in range(6):
        move.clock.advance(HOUR)
        token = await refreshed((move.old, move.new)[step % 2], token)
        if step % 3 == 0:
            await move.another_pass()

    assert 6 == await generation(move.new, handle)


@pytest.mark.parametrize("is_copied_back", [False, True])
async def test_it_was_refreshed_twice_on_the_new_store(move: Move, *, is_copied_back: bool) -> None:
    """A client that then comes to the old one is signed out there, unless a copy runs in the other direction too."""
    handle, token = await created(move.old)
    await move.begin()
    back = move.another_run(back=True)
    await back.begin()
    for _ in range(2):
        move.clock.advance(HOUR)
        token = await refreshed(move.new, token)
    move.clock.advance(HOUR)

    if is_copied_back:
        await back.run("middle")
        await refreshed(move.old, token)
        assert {"renewed": 1} == await outcomes(move)
        assert 3 == await generation(move.new, handle)
    else:
        assert UnauthorisedError is await refusal(move.old, token)


async def test_the_same_token_on_both(move: Move) -> None:
    """A token that was exchanged on both stores has one successor, so that a late tab raises no alarm."""
    _, token = await created(move.old)
    await move.begin()
    move.clock.advance(HOUR)
    on_old, on_new = await refreshed(move.old, token), await refreshed(move.new, token)
    await move.another_pass()
    move.clock.advance(HOUR)

    assert on_old[:112] == on_new[:112]
    await refreshed(move.new, on_old)


async def test_claims_changed_on_the_old_store(move: Move) -> None:
    """The new store has the claims of now, and a token with those of before is refused there as on the old one."""
    issued = await move.old.create("alice", access_token_payload={"role": "user"})
    handle = issued.access_token.session_handle
    await move.begin()
    await move.new.open()
    await move.old.merge_into_access_token_payload(handle, {"role": "admin"})
    await move.another_pass()
    move.clock.advance(timedelta(seconds=3))

    for sessions in (move.old, move.new):
        with pytest.raises(TryRefreshTokenError):
            await sessions.verify(issued.tokens.access_token)
    information = await move.new.information(handle)
    assert information is not None
    assert "admin" == information.access_token_payload["role"]


async def test_revoked_on_the_old_store(move: Move) -> None:
    """What is revoked on the old store ends on the new one with the notice, its access token too, and no pass brings it back."""
    issued = await move.old.create("alice")
    handle = issued.access_token.session_handle
    await move.begin()
    await move.new.open()
    await move.old.revoke(handle)
    await move.copy.carry()
    move.clock.advance(timedelta(seconds=3))

    assert await generation(move.new, handle) is None
    with pytest.raises(UnauthorisedError):
        await move.new.verify(issued.tokens.access_token)
    assert {} == await outcomes(move)


async def test_revoked_while_nobody_copied(move: Move) -> None:
    """A process that runs on the new store already learns of it with its next reading, however old the notice is."""
    issued = await move.old.create("alice")
    await move.begin()
    await move.new.open()
    await move.old.revoke(issued.access_token.session_handle)
    move.clock.advance(timedelta(minutes=1))
    await move.new.verify(issued.tokens.access_token)
    await move.copy.carry()
    move.clock.advance(timedelta(seconds=3))

    with pytest.raises(UnauthorisedError):
        await move.new.verify(issued.tokens.access_token)
    assert 0 == await move.copy.carry()


async def test_revoked_before_it_went_over(move: Move) -> None:
    """Who signs out on the old store a moment before the switch stays out: the access token is refused on the new one."""
    await move.begin()
    issued = await move.old.create("alice")
    await move.old.revoke(issued.access_token.session_handle)
    await move.another_pass("last")
    await move.new.open()

    with pytest.raises(UnauthorisedError):
        await move.new.verify(issued.tokens.access_token)


async def test_revoked_on_the_new_store(move: Move) -> None:
    """What is revoked on the new store does not come back with a pass, of this run or of another, though the old store has it."""
    handle, token = await created(move.old)
    await move.begin()
    assert await move.new.revoke(handle)

    assert {"ended": 1} == await outcomes(move)
    move.copy = move.another_run()
    assert {"ended": 1} == dict((await move.begin()).sessions)
    assert UnauthorisedError is await refusal(move.new, token)


async def test_ended_while_nobody_copied(move: Move) -> None:
    """A session that ended on the old store after a copy of some days ago ends on the new one when copying begins again."""
    handle, token = await created(move.old)
    still, other = await created(move.old)
    await move.begin()
    await move.old.revoke(handle)
    move.clock.advance(timedelta(days=3))
    await move.old.store.delete_notices(until=move.clock(), limit=10)
    move.copy = move.another_run()
    await move.begin()

    assert UnauthorisedError is await refusal(move.new, token)
    assert 0 == await generation(move.new, still)
    await refreshed(move.new, other)


async def test_expired_on_the_old_store(move: Move) -> None:
    """What has expired is not copied, and what goes on on the new store does not end because the old row has expired."""
    handle, token = await created(move.old)
    await move.begin()
    for _ in range(2):
        move.clock.advance(timedelta(days=60))
        token = await refreshed(move.new, token)

    assert {} == await outcomes(move)
    assert 2 == await generation(move.new, handle)
    await move.old.store.delete_expired(limit=10)
    await move.another_pass()
    assert 2 == await generation(move.new, handle)


async def test_theft_is_found_across_the_switch(move: Move) -> None:
    """A copied token that comes to the new store after its successor was used is theft there too."""
    _, stolen = await created(move.old)
    await move.begin()
    token = stolen
    for _ in range(2):
        move.clock.advance(HOUR)
        token = await refreshed(move.old, token)
    await move.another_pass()
    move.clock.advance(HOUR)

    assert TokenTheftError is await refusal(move.new, stolen)


async def test_the_way_back(move: Move) -> None:
    """Copied back, the old store has what happened on the new one: who is signed in stays so, who signed out is out."""
    gone, gone_token = await created(move.old)
    _, token = await created(move.old)
    await move.begin()
    await move.another_pass("last")
    new_handle, new_token = await created(move.new)
    await move.new.revoke(gone)
    for _ in range(3):
        move.clock.advance(HOUR)
        token = await refreshed(move.new, token)
    move.clock.advance(timedelta(days=3))
    await move.new.store.delete_notices(until=move.clock(), limit=10)
    back = move.another_run(back=True)
    await back.begin()
    await back.run("only")

    assert UnauthorisedError is await refusal(move.old, gone_token)
    await refreshed(move.old, token)
    await refreshed(move.old, new_token)
    assert 1 == await generation(move.old, new_handle)
