"""Binding a session and renewing its credential, on every store, also when several ask at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fastapi_session import Sessions
from fastapi_session.core.binding.bound_keys import device_key
from fastapi_session.core.binding.device_values import SessionIdentifier, read_session_identifier
from fastapi_session.engine.binding.device_binding import Bound, Challenged
from fastapi_session.model import NOT_KNOWN
from fastapi_session.stores.base import Store
from tests.core.binding import provers
from tests.core.binding.provers import PRIVATE, Private
from tests.engines import config
from tests.web.binding.browsers import BOUND, OTHER_KEY


@pytest.fixture
async def sessions(shared: Store) -> AsyncIterator[Sessions]:
    """An engine on a store of each kind."""
    sessions = Sessions(config(**BOUND, store=shared))
    await sessions.open()
    yield sessions
    await sessions.close()


def proof(challenge: str, private: Private | None = None) -> str:
    return provers.proof({"jti": challenge}, private=private or PRIVATE["ES256"], typ="dbsc+jwt")


async def offered(sessions: Sessions) -> tuple[str, str]:
    """The id of a new session, and the challenge to bind it."""
    session_id = (await sessions.create("ada")).access_token.session_id
    challenge = sessions.device_binding.offer(session_id)
    assert challenge is not None
    return session_id, challenge


async def registered(sessions: Sessions, text: str, session_id: str) -> Bound | None:
    return await sessions.device_binding.register(text, came_with={session_id}, by=NOT_KNOWN)


async def bound(sessions: Sessions) -> tuple[Bound, SessionIdentifier]:
    session_id, challenge = await offered(sessions)
    first = await registered(sessions, proof(challenge), session_id)
    assert first is not None
    identifier = read_session_identifier(first.identifier)
    assert identifier is not None
    return first, identifier


async def test_two_keys_at_once(sessions: Sessions) -> None:
    """Of two who register a key at the same time one has bound the session, and the other is refused."""
    session_id, challenge = await offered(sessions)
    keys = [PRIVATE["ES256"], OTHER_KEY]
    outcomes = await asyncio.gather(*(registered(sessions, proof(challenge, key), session_id) for key in keys))
    [winner] = [outcome for outcome in outcomes if outcome is not None]
    record = (await sessions.store.get(session_id)).record

    assert record is not None
    assert record.bound_key == winner.bound_key
    assert winner.credential is not None


async def test_the_same_key_at_once(sessions: Sessions) -> None:
    """Of two registrations of one key both are told the same, and one gets the credential."""
    session_id, challenge = await offered(sessions)
    both = await asyncio.gather(*(registered(sessions, proof(challenge), session_id) for _ in range(2)))

    assert 1 == len({outcome.identifier for outcome in both if outcome is not None})
    assert [True, False] == sorted(
        (outcome is not None and outcome.credential is not None for outcome in both), reverse=True
    )


async def test_one_challenge_at_once(sessions: Sessions) -> None:
    """Of any number of proofs with one challenge one renews; the others are challenged, and then renew too."""
    first, identifier = await bound(sessions)
    renew = sessions.device_binding.renew
    came_with = {identifier.session_id}
    asked = [renew(identifier, proof(first.challenge), came_with=came_with) for _ in range(5)]
    outcomes = await asyncio.gather(*asked)
    challenged = [outcome for outcome in outcomes if isinstance(outcome, Challenged)]
    again = [await renew(identifier, proof(each.challenge), came_with=came_with) for each in challenged]

    assert (1, 4) == (len([each for each in outcomes if isinstance(each, Bound)]), len(challenged))
    assert [Bound] * 4 == [type(each) for each in again]


async def test_a_refresh_with_the_credential(sessions: Sessions) -> None:
    """What a credential proves is what the store demands, for its own session alone."""
    first, identifier = await bound(sessions)
    possession = sessions.device_binding.possession([first.credential or ""], is_of=lambda _: True)

    assert possession is not None
    assert (device_key(identifier.key.thumbprint), identifier.session_id) == (
        possession.bound_key,
        possession.session_id,
    )
    assert sessions.device_binding.possession([first.credential or ""], is_of=lambda _: False) is None


async def test_a_session_that_ends_while_it_is_bound(sessions: Sessions) -> None:
    """Whichever comes first, what is over stays over."""
    session_id, challenge = await offered(sessions)
    outcome, _ = await asyncio.gather(registered(sessions, proof(challenge), session_id), sessions.revoke(session_id))

    assert (await sessions.store.get(session_id)).record is None
    assert outcome is None or outcome.record.session_id == session_id


async def test_a_proof_tells_nothing_in_its_repr(sessions: Sessions) -> None:
    """Neither credentials nor challenges are in the `repr` of what the browser is told."""
    first, identifier = await bound(sessions)
    renewed = await sessions.device_binding.renew(identifier, None, came_with=())
    assert isinstance(renewed, Challenged)
    text = repr(first) + repr(renewed) + repr(replace(first))

    assert [] == [
        secret for secret in (first.credential, first.challenge, renewed.challenge) if secret and secret in text
    ]
