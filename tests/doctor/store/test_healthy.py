"""A store that is as it should be, of each kind: nothing is found, and nothing is changed by looking."""

from __future__ import annotations

from datetime import timedelta

from fastapi_session.doctor.finding import Level
from fastapi_session.stores.base import MovableStore
from tests.conftest import Place
from tests.doctor.store.deployments import found, started
from tests.engines import config


async def test_a_healthy_store_is_silent(any_place: Place) -> None:
    """In a store that an application has just used, with an audit and a limit, nothing is found that harms."""
    deployment = config(store=any_place.store(), audit=True, session_limit=3, audit_retention=timedelta(days=7))
    await started(deployment)

    assert [] == await found(deployment, least=Level.WARNING)
    assert [] == await found(deployment)


async def test_a_new_store_is_not_touched(any_place: Place) -> None:
    """In a store that no application has used there are no keys yet, FS111, and there are none after that."""
    store = any_place.store()
    await store.open()

    assert [("FS111", "it is a new store")] == await found(config(store=store))

    assert [] == await store.signing_keys()
    await store.close()


async def test_looking_changes_nothing(any_place: Place) -> None:
    """All that a store holds is after a look what it was before."""
    store = any_place.store()
    deployment = config(store=store, audit=True)
    await started(deployment)
    assert isinstance(store, MovableStore)

    async def held() -> object:
        sessions = [record async for page in store.every_session(batch=100) for record in page]
        return sessions, await store.signing_keys(), (await store.notices(after=0)).notices

    before = await held()
    await found(deployment)

    assert before == await held()
    await store.close()
