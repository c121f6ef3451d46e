"""The Lua of what was seen of users: when sessions were last used, and by which devices their user signs in."""

from __future__ import annotations

from fastapi_session.model import DEVICE_KEPT
from fastapi_session.stores.redis.script import Script
from fastapi_session.stores.redis.scripts import COMMON, FIRST

TOUCH = Script.of(
    f"""{COMMON}
local touched, moment = 0, now()
for place = {FIRST}, #KEYS do
    session = KEYS[place]  -- for `deadline` and `end_later`, which are about it
    if redis.call('EXISTS', session) == 1 and deadline() > moment then
        redis.call('HSET', session, 'last_seen_at', integer(moment))
        if ARGV[3] ~= 'null' then
            local fields = read(session, 'idle_timeout', 'absolute_expires_at')
            local wished = moment + (tonumber(fields[1]) or ARGV[3])
            redis.call('HSET', session, 'idle_expires_at', integer(math.min(wished, tonumber(fields[2]) or wished)))
            end_later()
        end
        touched = touched + 1
    end
end
return {{ARGV[1], touched}}
""",
    is_short=True,
)

# The reply is 0 if the device was known, 1 if others were, and 2 if none was.
SEE_DEVICE = Script.of(
    f"""
local devices, device, moment = KEYS[1], ARGV[3], now()
redis.call('ZREMRANGEBYSCORE', devices, '-inf', integer(moment - {DEVICE_KEPT}))
local seen, others = redis.call('ZSCORE', devices, device), redis.call('ZCARD', devices)
redis.call('ZADD', devices, integer(moment), device)
redis.call('PEXPIRE', devices, {DEVICE_KEPT})
if seen then return {{ARGV[1], 0}} end
return {{ARGV[1], others > 0 and 1 or 2}}
""",
    is_short=True,
)
