"""What is kept though nobody needs it any more: in stores whose application has not cleared away for days."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from fastapi_session import SessionConfig
from fastapi_session.audit import Audit
from fastapi_session.clock import system_clock
from fastapi_session.doctor.store.growth import DAY, MANY
from fastapi_session.model import Notice, SessionRecord
from fastapi_session.stores.base import MovableStore
from fastapi_session.testing.records import new_session
from tests.conftest import Place, place_of
from tests.doctor.store.deployments import found, started
from tests.engines import config


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "valkey"])
def served(request: pytest.FixtureRequest) -> Place:
    """A store of each kind that says how much is kept."""
    return place_of(request.param, request)


async def deployed(served: Place, **options: object) -> tuple[SessionConfig, MovableStore]:
    store = served.store()
    assert isinstance(store, MovableStore)
    deployment = config(store=store, **options)
    await started(deployment)
    return deployment, store


def expired(name: str, *, ago: int) -> SessionRecord:
    """A session whose deadline passed so many milliseconds ago."""
    now = system_clock()
    record = new_session(name, now=now - 30 * DAY)
    return replace(record, lineage=replace(record.lineage, idle_expires_at=now - ago))


async def test_expired_sessions(served: Place) -> None:
    """FS181 for many that ended more than a day ago; as many of today are nothing."""
    deployment, store = await deployed(served)
    for number in range(0, MANY, 100):
        await store.take_in([expired(f"today {each}", ago=DAY // 2) for each in range(number, number + 100)])
    assert [] == await found(deployment)

    for number in range(0, MANY, 100):
        await store.take_in([expired(f"{each}", ago=2 * DAY) for each in range(number, number + 100)])
    assert [("FS181", f"{MANY} of them")] == await found(deployment)


async def test_old_notices(served: Place) -> None:
    """FS182 for many that no token is concerned by any more."""
    deployment, store = await deployed(served)
    now = system_clock()
    await store.append_notices([Notice(f"{n:032}", "session_revoked", now - DAY // 2 + n) for n in range(MANY)])
    assert [] == await found(deployment)

    await store.append_notices([Notice(f"{n:032}", "session_revoked", now - 2 * DAY + n) for n in range(MANY)])
    assert [("FS182", f"{MANY} of them")] == await found(deployment)


async def test_old_events(served: Place) -> None:
    """FS183 for many that are older than they are to be kept, also if the audit was switched off meanwhile."""
    before = served.store(lambda: system_clock() - 6 * DAY)
    await before.open()
    assert isinstance(before, MovableStore)
    for number in range(0, MANY, 100):
        records = [expired(f"{each}", ago=DAY // 2) for each in range(number, number + 100)]
        await before.take_in(records, audit=Audit("c" * 32, "SessionCreated", {}))
    await before.close()
    deployment, _ = await deployed(served, audit=True, audit_retention=timedelta(days=7))
    assert [] == await found(deployment)

    kept = config(store=deployment.store, audit=True, audit_retention=timedelta(days=4))
    assert [("FS183", f"{MANY} of them")] == await found(kept)
    switched_off = config(store=deployment.store, audit_retention=timedelta(days=4))
    assert [("FS183", f"{MANY} of them")] == await found(switched_off)
