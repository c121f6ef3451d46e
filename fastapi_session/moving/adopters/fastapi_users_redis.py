"""Logins of fastapi-users that are keys of Redis (`RedisStrategy`), whose token is in a cookie or comes as a bearer token."""

from __future__ import annotations

from functools import partial

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from starlette.requests import HTTPConnection

from fastapi_session.adoption import Adoption
from fastapi_session.clock import Clock, system_clock
from fastapi_session.errors import StoreUnavailable
from fastapi_session.moving.adopters.adopter import LONGEST_LOGIN, Check, OldCookie, Presented, awaited
from fastapi_session.moving.adopters.credentials import presented_by, presented_text

_COOKIE = OldCookie("fastapiusersauth")
_DOWN = (RedisConnectionError, RedisTimeoutError, OSError)


class FastAPIUsersRedis:
    """Adopts the users of the tokens that *redis*, the client of the strategy, has, whom *check* lets in.

    *key_prefix* is that of the strategy. *cookie* is that of the transport; `None` for bearer tokens.
    *check* is given nothing more: fastapi-users looks up the user of each request, and so has *check*, as to whether he is active.
    Nothing is written in Redis unless it *retires* each token that was adopted: then its key is deleted.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        check: Check,
        cookie: OldCookie | None = _COOKIE,
        key_prefix: str = "fastapi_users_token:",
        retires: bool = False,
        name: str = "fastapi-users",
        clock: Clock = system_clock,
    ) -> None:
        self.name = name
        self._redis = redis
        self._check = awaited(check)
        self._cookie = cookie
        self._key_prefix = key_prefix
        self._retires = retires
        self._clock = clock

    def presented(self, connection: HTTPConnection) -> Presented | None:
        """Return what came as a token: whether it is one, Redis knows."""
        text = presented_text(connection, self._cookie)
        return None if text is None else presented_by(self._cookie, key=text)

    async def adopt(self, presented: Presented) -> Adoption | None:
        """Return the login that Redis has, if *check* lets its user in. Raises `StoreUnavailable`."""
        key = f"{self._key_prefix}{presented.key}"
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.get(key)
                pipeline.pttl(key)
                user_id, left = await pipeline.execute()
        except _DOWN as error:
            # From None: its frames have the key that signs somebody in.
            raise StoreUnavailable(
                f"the Redis of the logins to adopt does not respond: {type(error).__name__}"
            ) from None
        if user_id is None:
            return None
        deadline = self._clock() + (left if left >= 0 else LONGEST_LOGIN)
        text = user_id.decode() if isinstance(user_id, bytes) else user_id
        retire = partial(self._redis.delete, key) if self._retires else None
        return await self._check(Adoption(text, deadline, retire=retire), {})
