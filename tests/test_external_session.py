"""Sessions that an identity provider signed in end with the provider's session, or with all of its subject's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fastapi_session import (
    Circumstances,
    ConfigurationError,
    ExternalSession,
    SessionConfig,
    SessionError,
    SessionEvent,
    SessionRevoked,
    Sessions,
)
from fastapi_session.engine.user_sessions import PIECE
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.moments import DAY, MINUTE

ISSUER = "https://id.example.com"
LAPTOP, PHONE = (
    ExternalSession(ISSUER, sid="laptop", subject="4711"),
    ExternalSession(ISSUER, sid="phone", subject="4711"),
)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
async def sessions(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> AsyncIterator[Sessions]:
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/sessions.db"}
    sessions = Sessions(SessionConfig(store=urls[request.param]), clock=clock)
    await sessions.open()
    yield sessions
    await sessions.close()


async def begun(sessions: Sessions, external: ExternalSession | None, user_id: str = "ada", **options: Any) -> str:
    """The handle of a new session."""
    return (await sessions.create(user_id, external=external, **options)).access_token.session_handle


BEGUN = {
    "laptop": LAPTOP,
    "phone": PHONE,
    "sid alone": ExternalSession(ISSUER, sid="laptop"),
    "subject alone": ExternalSession(ISSUER, subject="4711"),
    "other subject": ExternalSession(ISSUER, sid="tablet", subject="4712"),
    "other provider": ExternalSession("https://elsewhere.example", sid="laptop", subject="4711"),
    "by password": None,
}
ENDS: list[tuple[ExternalSession, set[str]]] = [
    (ExternalSession(ISSUER, sid="laptop"), {"laptop", "sid alone"}),
    (ExternalSession(ISSUER, subject="4711"), {"laptop", "phone", "subject alone"}),
    (LAPTOP, {"laptop", "sid alone", "subject alone"}),
    (ExternalSession(ISSUER, sid="unheard of"), set()),
    (ExternalSession(ISSUER, subject="4711" + "laptop"), set()),
]


@pytest.mark.parametrize(("external", "expected"), ENDS)
async def test_what_ends(sessions: Sessions, external: ExternalSession, expected: set[str]) -> None:
    """Of sessions of all kinds, those end that the table says: their tokens are refused, the others go on."""
    issued = {name: await sessions.create("ada", external=each) for name, each in BEGUN.items()}
    ended = await sessions.revoke_external(external)

    assert {issued[name].access_token.session_handle for name in expected} == set(ended)
    refused = set[str]()
    for name, each in issued.items():
        try:
            await sessions.verify(each.tokens.access_token)
        except SessionError:
            refused.add(name)
    assert expected == refused
    assert [] == await sessions.revoke_external(external)


async def test_it_is_kept_at_rotation(sessions: Sessions, clock: HandClock) -> None:
    """A session that was refreshed ends with the provider's as before."""
    issued = await sessions.create("ada", external=LAPTOP)
    for _ in range(3):
        clock.advance(MINUTE)
        assert issued.tokens.refresh_token is not None
        issued = await sessions.refresh(issued.tokens.refresh_token)

    assert [issued.access_token.session_handle] == await sessions.revoke_external(LAPTOP)


async def test_of_every_user_and_tenant(sessions: Sessions, clock: HandClock) -> None:
    """Whoever the users are here: the subject is the provider's. Those that have expired already are not told."""
    await begun(sessions, PHONE)
    clock.advance(DAY * 1000)
    handles = {await begun(sessions, PHONE), await begun(sessions, PHONE, "grace", tenant_id="acme")}

    assert handles == set(await sessions.revoke_external(ExternalSession(ISSUER, subject="4711")))


async def test_however_many(clock: HandClock) -> None:
    """They are ended piece by piece, each once."""
    sessions = Sessions(SessionConfig(store=MemoryStore(clock=clock)), clock=clock)
    handles = {await begun(sessions, LAPTOP) for _ in range(2 * PIECE)}

    assert handles == set(await sessions.revoke_external(LAPTOP))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "sid, subject or both"),
        ({"sid": ""}, "sid must be text"),
        ({"sid": 7}, "sid must be text"),
        ({"subject": "4711", "sid": b"laptop"}, "sid must be text"),
        ({"subject": ""}, "subject must be text"),
        ({"issuer": "", "sid": "laptop"}, "issuer must be text"),
        ({"issuer": None, "sid": "laptop"}, "issuer must be text"),
    ],
)
def test_what_cannot_be(given: dict[str, Any], named: str) -> None:
    """A claim that is not there, or is no text, is told with what to give."""
    with pytest.raises(ConfigurationError, match=named):
        ExternalSession(**{"issuer": ISSUER, **given})


async def test_why_it_ended(clock: HandClock) -> None:
    """Each session that ends is told of, with the reason and the request of the provider."""
    told: list[SessionEvent] = []

    async def tell(event: SessionEvent) -> None:
        told.append(event)

    store, provider = MemoryStore(clock=clock), Circumstances("192.0.2.1", "Provider/1")
    sessions = Sessions(SessionConfig(store=store), clock=clock, subscribers=[tell])
    handle = await begun(sessions, LAPTOP)
    await sessions.revoke_external(LAPTOP, circumstances=provider)
    await sessions.close()

    [event] = [each for each in told if isinstance(each, SessionRevoked)]
    assert (handle, "backchannel", None, provider) == (event.handle, event.reason, event.by, event.circumstances)
