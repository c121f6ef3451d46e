"""The Lua of the Redis store: one short script an operation, each atomic.

`KEYS` are those of `Shard.keys`: both indexes, then one key a session. `ARGV[1]` is the ticket of the request, which
every reply begins with; `ARGV[2]` is the time in milliseconds, or nothing where the server's own clock decides.
Nothing is ever written to the key of a session that is not there: that would bring it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1

from fastapi_session.stores.rows import SESSION_COLUMNS

LINGER = 24 * 60 * 60 * 1000
"""Milliseconds that the server keeps a session past its deadline, for the case that nobody clears it away."""

COMMON = f"""
local by_user, by_deadline, session = KEYS[1], KEYS[2], KEYS[3]

local function now()
    if ARGV[2] ~= '' then return tonumber(ARGV[2]) end
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function integer(number)  -- Lua alone would print 1.7e+12
    return string.format('%d', number)
end

local function record(key)
    local fields = redis.call('HMGET', key, '{"', '".join(SESSION_COLUMNS)}')
    return fields[1] and '[' .. table.concat(fields, ',') .. ']'
end

local function name(key)
    return table.concat(redis.call('HMGET', key, 'user_id', 'tenant_id', 'session_id'))
end

local function deadline()
    local expires = redis.call('HMGET', session, 'idle_expires_at', 'absolute_expires_at')
    return math.min(expires[1], tonumber(expires[2]) or expires[1])
end

local function end_later()
    local moment = deadline()
    redis.call('ZADD', by_deadline, integer(moment), name(session))
    redis.call('PEXPIRE', session, integer(math.max(moment - now(), 0) + {LINGER}))
end

local function forget(key, name)
    redis.call('ZREM', by_user, name)
    redis.call('ZREM', by_deadline, name)
    return redis.call('DEL', key)
end

local function delete(key)
    if redis.call('EXISTS', key) == 0 then return 0 end
    return forget(key, name(key))
end

local function unmoved()
    local fields = redis.call('HMGET', session, 'generation', 'current', 'acknowledged', 'window_at')
    for place = 1, 4 do
        if fields[place] ~= ARGV[place + 2] then return false end
    end
    return true
end
"""


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the name under which a server that has run it before knows it."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> Script:
        """Answer *text* as a script."""
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


INSERT = Script.of(f"""{COMMON}
if redis.call('EXISTS', session) == 1 then return {{ARGV[1], 0}} end
if KEYS[4] then delete(KEYS[4]) end
redis.call('HSET', session, unpack(ARGV, 3))
redis.call('ZADD', by_user, 0, name(session))
end_later()
return {{ARGV[1], 1}}
""")

ROTATE = Script.of(f"""{COMMON}
local generation, presented, successor, kid, debounce, idle_timeout = unpack(ARGV, 3, 8)
local fields = redis.call('HMGET', session, 'generation', 'current', 'window_at', 'absolute_expires_at')
local moment, absolute = now(), tonumber(fields[4])
if fields[1] ~= generation or fields[2] ~= presented then return {{ARGV[1], false}} end
if fields[3] + debounce > moment or deadline() <= moment then return {{ARGV[1], false}} end
local idle = math.min(moment + idle_timeout, absolute or moment + idle_timeout)
redis.call('HSET', session,
    'generation', integer(generation + 1), 'current', successor, 'previous', presented, 'current_kid', kid,
    'window_at', integer(moment), 'acknowledged', 'false', 'idle_expires_at', integer(idle),
    'ip_address', ARGV[9], 'user_agent', ARGV[10])
end_later()
return {{ARGV[1], record(session)}}
""")

READ = Script.of(f"""{COMMON}
local records = {{}}
for place = 3, #KEYS do records[place - 2] = record(KEYS[place]) end
return {{ARGV[1], records, integer(now())}}
""")

REPLACE = Script.of(f"""{COMMON}
if not unmoved() then return {{ARGV[1], 0}} end
redis.call('HSET', session, unpack(ARGV, 7))
end_later()
return {{ARGV[1], 1}}
""")

DELETE = Script.of(f"""{COMMON}
return {{ARGV[1], delete(session)}}
""")

DELETE_UNMOVED = Script.of(f"""{COMMON}
return {{ARGV[1], unmoved() and delete(session) or 0}}
""")

ACKNOWLEDGE = Script.of(f"""{COMMON}
if redis.call('HGET', session, 'current') == ARGV[3] then redis.call('HSET', session, 'acknowledged', 'true') end
return {{ARGV[1]}}
""")

UPDATE = Script.of(f"""{COMMON}
local version = redis.call('HGET', session, 'version')
if version ~= ARGV[3] then return {{ARGV[1], 0}} end
redis.call('HSET', session,
    'version', integer(version + 1), 'access_token_payload', ARGV[4], 'session_data', ARGV[5])
return {{ARGV[1], 1}}
""")

NAMES_OF_USER = Script.of(f"""{COMMON}
return {{ARGV[1], redis.call('ZRANGEBYLEX', by_user, ARGV[3], ARGV[4])}}
""")

DELETE_ALL_OF = Script.of(f"""{COMMON}
local names = redis.call('ZRANGEBYLEX', by_user, ARGV[3], ARGV[4])
if table.concat(names) ~= table.concat(ARGV, '', 5) then return {{ARGV[1], false}} end
local records = {{}}
for place, name in ipairs(names) do
    records[place] = record(KEYS[place + 2])
    forget(KEYS[place + 2], name)
end
return {{ARGV[1], records}}
""")

NAMES_OF_EXPIRED = Script.of(f"""{COMMON}
return {{ARGV[1], redis.call('ZRANGEBYSCORE', by_deadline, '-inf', integer(now()), 'LIMIT', 0, ARGV[3])}}
""")

DELETE_EXPIRED = Script.of(f"""{COMMON}
local deleted, moment = 0, now()
for place = 3, #KEYS do
    local score = redis.call('ZSCORE', by_deadline, ARGV[place])
    if score and tonumber(score) <= moment then
        forget(KEYS[place], ARGV[place])
        deleted = deleted + 1
    end
end
return {{ARGV[1], deleted}}
""")

INSERT_KEY = Script.of("""
local ticket, kid, place, row = unpack(ARGV)
if redis.call('HEXISTS', KEYS[1], place) == 1 or redis.call('HEXISTS', KEYS[2], kid) == 1 then return {ticket, 0} end
redis.call('HSET', KEYS[1], place, row)
redis.call('HSET', KEYS[2], kid, place)
return {ticket, 1}
""")

SIGNING_KEYS = Script.of("""
return {ARGV[1], redis.call('HVALS', KEYS[1])}
""")

DELETE_KEY = Script.of("""
local place = redis.call('HGET', KEYS[2], ARGV[2])
if not place then return {ARGV[1], 0} end
redis.call('HDEL', KEYS[1], place)
redis.call('HDEL', KEYS[2], ARGV[2])
return {ARGV[1], 1}
""")
