"""A login of another system is one session, whichever store keeps it and however many engines adopt it at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from fastapi_session import Sessions
from fastapi_session.adoption import Adoption, OldLogin
from fastapi_session.clock import system_clock
from fastapi_session.core.binding.bound_keys import Possession, device_key
from fastapi_session.engine.adopting import Brought
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.model import Circumstances
from tests.conftest import Place
from tests.engines import engine, refresh_token_of, stem
from tests.milliseconds import DAY

AT_ONCE = 16
ROUNDS = 2


async def said(login: Adoption | None) -> Adoption | None:
    await asyncio.sleep(0)  # as if it were asked over a network
    return login


def login(key: str) -> OldLogin:
    return OldLogin("legacy", key, ask=partial(said, Adoption("ada", system_clock() + DAY)))


async def adopted(sessions: Sessions, key: str) -> IssuedSession | None:
    return await sessions.adopt(login(key), Brought(Circumstances("192.0.2.1"), now=sessions.now(), anti_csrf=False))


async def test_at_once(any_place: Place) -> None:
    """Of many at once, by two engines, one begins the session, and all have its tokens, though each is told apart."""
    store = any_place.store()
    engines = [engine(system_clock, store=store), engine(system_clock, store=store)]
    for number in range(ROUNDS):
        issued = await asyncio.gather(*(adopted(engines[each % 2], f"key-{number}") for each in range(AT_ONCE)))
        tokens = [refresh_token_of(each) for each in issued if each is not None]

        assert AT_ONCE == len({*tokens})
        assert 1 == len({stem(token) for token in tokens})
        assert number + 1 == len(await engines[0].of_user("ada"))
    await asyncio.gather(*(each.close() for each in engines))


async def test_against_the_end(any_place: Place) -> None:
    """A session that ends while its login is brought again and again stays ended."""
    sessions = engine(system_clock, store=any_place.store())
    first = await adopted(sessions, "key")
    assert first is not None
    handle = first.access_token.session_handle
    again = [adopted(sessions, "key") for _ in range(8)]
    *_, ended = await asyncio.gather(*again, sessions.revoke(handle))
    after = await adopted(sessions, "key")
    left = await sessions.of_user("ada")
    await sessions.close()

    assert (True, None, []) == (ended, after, left)


async def test_a_session_that_its_browser_has_bound(any_place: Place) -> None:
    """Its tokens are given to nobody any more who brings the login: a thief may have kept that."""
    sessions = engine(system_clock, store=any_place.store())
    first = await adopted(sessions, "key")
    assert first is not None
    session_id, key = first.access_token.session_id, device_key("b" * 43)
    assert await sessions.store.bind(session_id, key)
    again = await adopted(sessions, "key")
    goes_on = await sessions.refresh(refresh_token_of(first), possession=Possession(key, session_id))
    await sessions.close()

    assert (None, True) == (again, goes_on.access_token.is_bound)


async def test_what_is_kept(any_place: Place) -> None:
    """The session has all that was said of the login, and where it began."""
    sessions = engine(system_clock, store=any_place.store(), absolute_timeout="P30D")
    began = system_clock() - DAY
    adoption = Adoption(
        "ada", system_clock() + DAY, created_at=began, access_token_payload={"plan": "pro"}, session_data={"cart": 7}
    )
    brought = Brought(Circumstances("192.0.2.1", "Firefox"), now=sessions.now(), anti_csrf=False)
    issued = await sessions.adopt(replace(login("key"), ask=partial(said, adoption)), brought)
    assert issued is not None
    record = (await sessions.store.get(issued.access_token.session_handle)).record
    await sessions.close()

    assert record is not None
    assert ("legacy", {"plan": "pro"}, {"cart": 7}) == (record.source, record.access_token_payload, record.session_data)
    assert (began, began + 30 * DAY) == (record.created_at, record.lineage.absolute_expires_at)
    assert adoption.deadline == record.lineage.idle_expires_at
    assert "Firefox" == record.first_user_agent
