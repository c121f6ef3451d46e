"""The Lua of the revocation feed: scripts to read it, to append to it and to clear it. Every deleting script appends to it.

`KEYS[1]` is the sorted set of one shard, or of the signing keys: each notice by the moment at which it happened.
"""

from __future__ import annotations

from fastapi_session.stores.redis.script import Script

NOTICES = Script.of("""
local moment = integer(now())
local notices = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[3], ARGV[4], 'LIMIT', ARGV[5], ARGV[6])
if #notices == 0 then return {ARGV[1], moment, '', 0, '', 0} end
-- The next page begins in the moment in which this one ends, after what was read of that.
local last = redis.call('ZSCORE', KEYS[1], notices[#notices])
local passed = redis.call('ZRANK', KEYS[1], notices[#notices]) + 1 - redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. last)
return {ARGV[1], moment, table.concat(notices, '\\n'), #notices, last, integer(passed)}
""")

DELETE_NOTICES = Script.of("""
local count = math.min(redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[3]), ARGV[4])
if count == 0 then return {ARGV[1], 0} end
return {ARGV[1], redis.call('ZREMRANGEBYRANK', KEYS[1], 0, integer(count - 1))}
""")

APPEND_NOTICES = Script.of("""
for place = 3, #ARGV, 2 do redis.call('ZADD', KEYS[1], ARGV[place], ARGV[place + 1]) end
return {ARGV[1]}
""")
