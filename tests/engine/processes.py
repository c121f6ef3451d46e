"""Processes of a deployment to test: each with its own view of the signing keys of one store."""

from __future__ import annotations

import asyncio

from fastapi_session.clock import Clock
from fastapi_session.core.secret import Secrets
from fastapi_session.core.signing_keys import Algorithm, KeyPolicy
from fastapi_session.engine.background import Background
from fastapi_session.engine.from_config import PUBLISH_LEAD
from fastapi_session.engine.keys.keyring import Keyring
from fastapi_session.stores.base import Store
from tests.engines import SECRET, secrets
from tests.milliseconds import HOUR, WEEK
from tests.moments import MILLISECOND

RING = secrets(SECRET)


def policy(algorithm: Algorithm = "ES256") -> KeyPolicy:
    return KeyPolicy(
        algorithm=algorithm,
        rotation_interval=WEEK,
        publish_lead=PUBLISH_LEAD // MILLISECOND,
        token_lifetime=HOUR,
    )


class Process:
    """One process of a deployment: its keyring, and what it does in the background."""

    def __init__(
        self, store: Store, clock: Clock, *, secrets: Secrets = RING, algorithm: Algorithm = "ES256", jitter: int = 0
    ) -> None:
        self.background = Background()
        self.keyring = Keyring(
            store,
            secrets=secrets,
            policy=policy(algorithm),
            clock=clock,
            random=_Random(jitter),
            background=self.background,
        )

    async def signing_kid(self, *, static: bool = False) -> str:
        """Return the kid that signs, once all that this causes in the background is done."""
        key = await self.keyring.signing_key(static=static)
        await self._all_done()
        return key.kid

    async def knows(self, kid: str) -> bool:
        key = await self.keyring.verifying_key(kid)
        await self._all_done()
        return key is not None

    async def _all_done(self) -> None:
        # Not `finish`, which gives up after seconds: a key pair of RSA takes longer on a machine that is busy.
        while tasks := [*self.background._tasks]:
            await asyncio.gather(*tasks)
            await asyncio.sleep(0)  # they leave the set in the next turn, and what is done is awaited within this one

    async def published(self) -> list[str]:
        return [key["kid"] for key in (await self.keyring.jwks())["keys"]]


class _Random:
    """Single bytes are the jitter; everything longer differs from call to call, and from process to process."""

    _counter = iter(range(1, 2**31))

    def __init__(self, jitter: int) -> None:
        self._jitter = jitter

    def __call__(self, count: int) -> bytes:
        return bytes([self._jitter]) if count == 1 else next(self._counter).to_bytes(count, "big")


async def kids(store: Store) -> list[str]:
    return [record.kid for record in await store.signing_keys()]
