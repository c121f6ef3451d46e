"""The Lua of what must not happen twice: `KEYS[1]` is that of one digest.

A client of the user's own may send a command again after it lost the reply, and redis-py does so by itself. The key holds the
ticket of the request that set it: sent again, it has the same ticket, and gets the same reply. It is a hash, since servers
already let us use those.
"""

from __future__ import annotations

from fastapi_session.stores.redis.script import Script

REMEMBER = Script.of(
    """
local holder = redis.call('HGET', KEYS[1], 'ticket')
if holder then return {ARGV[1], holder == ARGV[1] and 1 or 0} end
redis.call('HSET', KEYS[1], 'ticket', ARGV[1], 'until', ARGV[3])
redis.call('PEXPIRE', KEYS[1], integer(math.max(ARGV[3] - now(), 1)))
return {ARGV[1], 1}
""",
    is_short=True,
)

IS_REMEMBERED = Script.of(
    """
return {ARGV[1], redis.call('EXISTS', KEYS[1])}
""",
    is_short=True,
)
