"""What is found of the system from which sessions are moving."""

from __future__ import annotations

from fastapi_session.moving import SuperTokens
from tests.doctor.store.deployments import found, started
from tests.engines import config


async def test_a_system_that_is_not_there(sqlite_store_url: str) -> None:
    """FS191 says why its database cannot be read, without the password."""
    deployment = config(store=sqlite_store_url)
    await started(deployment)

    away = SuperTokens("postgresql+asyncpg://u:hidden@127.0.0.1:1/core")
    [(id_, told)] = await found(deployment, moving_from=away)

    assert ("FS191", True) == (id_, told.startswith("supertokens: "))
    assert "hidden" not in told
