"""Sessions in Redis or Valkey: the store, the scripts it runs, the keys they touch and how they are called."""

from __future__ import annotations

from fastapi_session.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
