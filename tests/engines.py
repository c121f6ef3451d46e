"""Engines to test: a real store, a clock driven by hand, and a store that fails and is slow when it is told to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from fastapi_session.audit import Audit
from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.engine.background import Background
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.engine.revocation.session_listeners import SessionListeners
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import StoreUnavailable
from fastapi_session.foreign_sessions import ForeignSessions
from fastapi_session.model import LATEST, FeedReading, SigningKeyRecord
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock

SECRET = "the-secret-of-the-deployment-under-test-0001"
NEW_SECRET = "the-secret-that-follows-it-one-day-later-002"
WRONG_SECRET = "a-secret-of-some-other-deployment-altogether"

ORIGIN = "http://testserver"
"""Where an application under test is, as test clients of Starlette say it."""


def config(*, store: Store | str = "memory:", **options: Any) -> SessionConfig:
    """Return a configuration with a secret and an origin, without jitter, but as *options* say."""
    chosen: dict[str, Any] = {"api_domain": ORIGIN, "secret": SECRET, "access_token_validity_jitter": 0, **options}
    return SessionConfig(store=store, **chosen)


def engine(
    clock: Clock, *, store: Store | str = "memory:", moving_from: ForeignSessions | None = None, **options: Any
) -> Sessions:
    """Return an engine that is configured so."""
    return Sessions(config(store=store, **options), clock=clock, moving_from=moving_from)


def secrets(*texts: str) -> Secrets:
    """Return the ring of the secrets *texts*, newest first."""
    return Secrets([Secret.from_material(text.encode()) for text in texts])


def refresh_token_of(issued: IssuedSession) -> str:
    """Return the refresh token of *issued*, which has one."""
    assert issued.tokens.refresh_token is not None
    return issued.tokens.refresh_token


async def created(sessions: Sessions, **options: Any) -> tuple[str, str]:
    """Return handle and refresh token of a new session of the user "alice"."""
    issued = await sessions.create("alice", **options)
    return issued.access_token.session_handle, refresh_token_of(issued)


async def refreshed(sessions: Sessions, token: str) -> str:
    """Return the refresh token that *token* is exchanged for."""
    return refresh_token_of(await sessions.refresh(token))


def stem(token: str) -> str:
    """Return what all answers with the refresh token *token* have in common: what is before their issue ids, secret included."""
    return token[:112]


def feed_of(store: Store, clock: Clock, *, background: Background, **options: Any) -> RevocationFeed:
    """Return a feed of *store* that reads each second and keeps what it heard for an hour, but as *options* say."""
    chosen: dict[str, Any] = {
        "listeners": SessionListeners(),
        "key_deleted": lambda _: None,
        "interval": 1_000,
        "max_age": None,
        "kept_for": lambda: 3_600_000,
    }
    return RevocationFeed(store, clock=clock, background=background, **{**chosen, **options})


class TroubledStore(MemoryStore):
    """Counts what it is asked; fails while it is *down*, and keeps who asks waiting until it is *ready*."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.down = False
        self.ready = asyncio.Event()
        self.ready.set()
        self.asked: Counter[str] = Counter()

    async def signing_keys(self) -> Sequence[SigningKeyRecord]:
        await self._turn("signing_keys")
        return await super().signing_keys()

    async def insert_key(self, record: SigningKeyRecord) -> bool:
        await self._turn("insert_key")
        return await super().insert_key(record)

    async def acknowledge(self, session_id: str, *, current: bytes, issue_id: bytes | None) -> None:
        await self._turn("acknowledge")
        await super().acknowledge(session_id, current=current, issue_id=issue_id)

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        await self._turn("notices")
        return await super().notices(after=after, until=until)

    async def delete_expired(self, *, limit: int, audit: Audit | None = None) -> int:
        await self._turn("delete_expired")
        return await super().delete_expired(limit=limit, audit=audit)

    async def _turn(self, question: str) -> None:
        self.asked[question] += 1
        await self.ready.wait()
        if self.down:
            raise StoreUnavailable("the store is down")
