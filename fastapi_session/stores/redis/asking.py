"""What all verbs of the Redis store share: running a script, with a time if the server's clock does not decide."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi_session.clock import Clock
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.redis.calls import Calls
from fastapi_session.stores.redis.fields import field
from fastapi_session.stores.redis.keys import Keyspace
from fastapi_session.stores.redis.pipelines import Reply
from fastapi_session.stores.redis.script import Script


class Asking:
    """Asks a server by *calls* about what is in *keys*. Its clock decides, unless *clock* is given."""

    def __init__(self, calls: Calls, keys: Keyspace, *, clock: Clock | None) -> None:
        self._calls = calls
        self._clock = clock
        self._keys = keys
        self._readable = Readable("Redis")

    async def _run(self, script: Script, keys: Sequence[str], *arguments: str) -> Reply:
        now = "" if self._clock is None else field(self._clock())
        return await self._calls.run(script, keys=keys, arguments=[now, *arguments])
