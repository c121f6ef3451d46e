"""Signing keys go over encrypted: each store verifies what the other has signed, and the newest of the old store signs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fastapi_session import ConfigurationError, MemoryStore, Sessions, TryRefreshTokenError
from fastapi_session.moving.copying.places import Places
from fastapi_session.moving.copying.store_copy import StoreCopy
from tests.engines import SECRET, WRONG_SECRET, created, engine, secrets
from tests.moving.copying.conftest import Move

AN_INTERVAL = timedelta(hours=168)


async def kids(sessions: Sessions) -> set[str]:
    """The kids of the keys that are in the store."""
    return {record.kid for record in await sessions.store.signing_keys()}


async def signs(sessions: Sessions) -> str:
    """The kid of the key that signs."""
    return (await sessions._parts.keyring.signing_key()).kid


async def verifies(sessions: Sessions, by: Sessions) -> bool:
    """Whether *sessions* believes an access token that *by* signs now."""
    issued = await by.create("alice")
    try:
        await sessions.verify(issued.tokens.access_token)
    except TryRefreshTokenError:
        return False
    return True


async def test_as_they_are(move: Move) -> None:
    """An empty store gets the keys as they are, and the application signs there with the same one."""
    assert 2 == (await move.begin()).keys
    assert await move.old.store.signing_keys() == await move.new.store.signing_keys()
    assert await signs(move.old) == await signs(move.new)
    assert 0 == (await move.another_pass()).keys


async def test_the_new_store_was_tried_before(move: Move) -> None:
    """If the application made keys on the new store before, those of the old one sign from then on, and all verify."""
    await move.new.open()
    move.clock.advance(timedelta(days=1))
    own = await kids(move.new)
    await move.begin()
    move.clock.advance(timedelta(minutes=2))

    assert own | await kids(move.old) == await kids(move.new)
    assert await signs(move.old) == await signs(move.new)
    assert await verifies(move.new, by=move.old)
    assert await verifies(move.old, by=move.new)


async def test_both_make_the_next_key(move: Move) -> None:
    """If both make the next key in the same hour, each copy takes over the other's, and each verifies what the other signs."""
    await move.begin()
    await move.new.open()
    back = move.another_run(back=True)
    await back.begin()
    move.clock.advance(AN_INTERVAL)
    for sessions in (move.old, move.new):
        await sessions.create("alice")
        await sessions._parts.background.finish()
    await move.another_pass()
    await back.run("middle")
    # Each process reads its store once a minute, and the new key signs ten minutes after it was made.
    for minutes in (2, 9):
        move.clock.advance(timedelta(minutes=minutes))
        for sessions in (move.old, move.new):
            await sessions.create("alice")
            await sessions._parts.background.finish()

    assert await kids(move.old) == await kids(move.new)
    assert await verifies(move.new, by=move.old)
    assert await verifies(move.old, by=move.new)


async def test_revoked_on_the_old_store(move: Move) -> None:
    """A key that is revoked on the old store is deleted in the new one, and the key made in its place goes over."""
    await move.begin()
    leaked = await signs(move.old)
    await move.old.revoke_signing_key(leaked)
    await move.another_pass()

    assert leaked not in await kids(move.new)
    assert await kids(move.old) == await kids(move.new)


async def test_revoked_on_the_new_store(move: Move) -> None:
    """A key that is revoked on the new store does not come back, in this run or in another."""
    await move.begin()
    leaked = await signs(move.new)
    await move.new.revoke_signing_key(leaked)
    await move.another_pass()
    move.copy = move.another_run()
    await move.begin()

    assert leaked in await kids(move.old)
    assert leaked not in await kids(move.new)


@pytest.mark.parametrize("which", ["FROM", "TO"])
async def test_another_secret(move: Move, which: str) -> None:
    """If the secret does not open the keys of a store, that is said before anything is written."""
    stranger = engine(move.clock, store=MemoryStore(clock=move.clock), secret=WRONG_SECRET)
    await stranger.open()
    await created(move.old)
    stores = (move.old.store, stranger.store) if which == "TO" else (stranger.store, move.old.store)
    copy = StoreCopy(Places(*stores), tell=move.not_copied.append)  # type: ignore[arg-type]
    before = await stranger.store.signing_keys()
    with pytest.raises(ConfigurationError, match=f"^{which}: secret: it does not open the signing key"):
        await copy.ensure_opened_by(secrets(SECRET))

    assert before == await stranger.store.signing_keys()
    await stranger.close()


async def test_the_wrong_way_round(move: Move) -> None:
    """A store on which no application has run is no store to copy from."""
    with pytest.raises(ConfigurationError, match="FROM has no signing keys, so no application has run on it"):
        await move.another_run(back=True).begin()
