"""The Lua of the sessions: one short script an operation, each atomic.

`KEYS` are those of `Shard.keys`: the indexes and the feed, then one key a session; the first of `ARGV` are described in
`script.py`. Nothing is ever written to the key of a session that is not there: that would bring it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi_session.model import CROSSED_EXCHANGES
from fastapi_session.stores.redis.script import Script
from fastapi_session.stores.rows import ADDED_COLUMNS, COMPARED_COLUMNS, SESSION_COLUMNS

LINGER = 24 * 60 * 60 * 1000
"""Milliseconds that the server keeps a session past its deadline, for the case that nobody clears it away."""

FIRST = 5
"""The place in `KEYS` of the first session."""

EXISTS, DONE, HAS_MOVED, REFUSED, UNNAMED = range(5)
"""What became of an insertion: the id is taken, it was done, the session it was to succeed is another by now, a limit refused it, or
the user has a session whose key it was not given."""


def names_in_lua(columns: Sequence[str]) -> str:
    """Return *columns* as Lua says a list of strings."""
    return ", ".join(f"'{name}'" for name in columns)


COMMON = f"""
local by_user, by_deadline, by_external, feed, session = unpack(KEYS, 1, {FIRST})

-- What these fields count as in sessions that were kept before there were any.
local absent = {{{", ".join(f"{name} = '{value}'" for name, value in ADDED_COLUMNS.items())}}}

local function read(key, ...)
    local fields = redis.call('HMGET', key, ...)
    for place, name in ipairs({{...}}) do fields[place] = fields[place] or absent[name] or false end
    return fields
end

-- A field that is missing, though it is of old, is null: whoever reads the record finds out that it is damaged.
local function record(key)
    local columns = {{{names_in_lua(SESSION_COLUMNS)}}}
    local fields = redis.call('HMGET', key, unpack(columns))
    if not fields[1] and redis.call('EXISTS', key) == 0 then return false end
    for place, name in ipairs(columns) do fields[place] = fields[place] or absent[name] or 'null' end
    return '[' .. table.concat(fields, ',') .. ']'
end

local function name(key)
    local fields = redis.call('HMGET', key, 'user_id', 'tenant_id', 'session_id')
    return (fields[1] or '') .. (fields[2] or '') .. (fields[3] or '')
end

local function earlier(idle, absolute)
    return math.min(idle, tonumber(absolute) or idle)
end

local function deadline()
    return earlier(unpack(redis.call('HMGET', session, 'idle_expires_at', 'absolute_expires_at')))
end

local function end_at(moment)
    redis.call('ZADD', by_deadline, integer(moment), name(session))
    redis.call('PEXPIRE', session, integer(math.max(moment - now(), 0) + {LINGER}))
end

local function end_later()
    end_at(deadline())
end

-- A digest is of hexadecimal digits, a name begins and ends with a quote: so one sorted set has both orders.
local function index_external()
    local digests = redis.call('HMGET', session, 'external_session', 'external_subject')
    for _, text in ipairs(digests) do
        if text and text ~= 'null' then
            local digest = string.sub(text, 2, -2)
            redis.call('ZADD', by_external, 0, digest .. name(session), 0, name(session) .. digest)
        end
    end
end

-- Not by what the session says: the server may have expired it.
local function forget_external(name)
    for _, entry in ipairs(redis.call('ZRANGEBYLEX', by_external, '[' .. name, '(' .. name .. '~')) do
        redis.call('ZREM', by_external, entry, string.sub(entry, #name + 1) .. name)
    end
end

-- First what takes away: a server without memory refuses a script whose first write adds something, as an event does.
local function forget(key, name, what)
    redis.call('ZREM', by_user, name)
    tell(key, what or 'changed')
    forget_external(name)
    redis.call('ZREM', by_deadline, name)
    return redis.call('DEL', key)
end

local function revoke(key, name, what)
    if forget(key, name, what) == 0 then return 0 end  -- the server has expired it: nobody has to hear of that
    note(feed, string.sub(name, -34), '"session_revoked"')  -- a name ends with the session's id, as JSON
    return 1
end

local function delete(key)
    if redis.call('EXISTS', key) == 0 then return 0 end
    return revoke(key, name(key))
end

local function unmoved()
    local fields = read(session, {names_in_lua(COMPARED_COLUMNS)})
    for place = 1, {len(COMPARED_COLUMNS)} do
        if fields[place] ~= ARGV[place + 2] then return false end
    end
    return true
end
"""


INSERTING = f"""{COMMON}
-- With a version, ARGV[4], the first session has to be there in that version.
local function has_moved(first)
    return ARGV[4] ~= 'null' and redis.call('HGET', KEYS[first], 'version') ~= ARGV[4]
end

local function supersede(first)  -- the key in this place and those after it; ARGV[3] has the ids of their sessions
    for place, id in ipairs(cjson.decode(ARGV[3])) do
        local key = KEYS[first + place - 1]
        if redis.call('EXISTS', key) == 1 then forget(key, name(key), 'superseded') end
        note(feed, cjson.encode(id), '"session_superseded"')
    end
end

local function insert(first)  -- its fields are in this place of ARGV and those after it
    redis.call('HSET', session, unpack(ARGV, first))
    redis.call('ZADD', by_user, 0, name(session))
    index_external()
    end_later()
    tell(session, 'began')
end
"""

INSERT = Script.telling_or_not(
    f"""{INSERTING}
if redis.call('EXISTS', session) == 1 then return {{ARGV[1], {EXISTS}}} end
if has_moved({FIRST + 1}) then return {{ARGV[1], {HAS_MOVED}}} end
supersede({FIRST + 1})
insert(5)
return {{ARGV[1], {DONE}}}
""",
    is_short=True,
)

SUPERSEDE = Script.telling_or_not(
    f"""{INSERTING}
if has_moved({FIRST}) then return {{ARGV[1], {HAS_MOVED}}} end
supersede({FIRST})
return {{ARGV[1], {DONE}}}
""",
    is_short=True,
)

ROTATE = Script.telling_or_not(
    f"""{COMMON}
local generation, presented, proved, successor, kid, debounce, idle_timeout, issue_id = unpack(ARGV, 3, 10)
local fields = read(session,
    'generation', 'current', 'bound_key', 'window_at', 'idle_expires_at', 'absolute_expires_at', 'crossed', 'idle_timeout')
local moment, absolute = now(), fields[6]
if fields[1] ~= generation or fields[2] ~= presented or fields[3] ~= proved then return {{ARGV[1], false}} end
if fields[4] + debounce > moment or earlier(fields[5], absolute) <= moment then return {{ARGV[1], false}} end
local idle = earlier(moment + (tonumber(fields[8]) or idle_timeout), absolute)
redis.call('HSET', session,
    'generation', integer(generation + 1), 'current', successor, 'previous', presented, 'current_kid', kid,
    'window_at', integer(moment), 'acknowledged', 'false', 'idle_expires_at', integer(idle),
    'exchanged', issue_id, 'crossed', integer(fields[7] * 2 % {2**CROSSED_EXCHANGES}),
    unpack(ARGV, 11))
end_at(idle)
tell(session, 'changed')
return {{ARGV[1], record(session)}}
""",
    is_short=True,
)

READ = Script.telling_or_not(
    f"""{COMMON}
local records = {{}}
for place = {FIRST}, #KEYS do records[place - {FIRST - 1}] = record(KEYS[place]) end
return {{ARGV[1], records, integer(now())}}
""",
    is_short=True,
)

REPLACE = Script.telling_or_not(
    f"""{COMMON}
if not unmoved() then return {{ARGV[1], 0}} end
redis.call('HSET', session, unpack(ARGV, {3 + len(COMPARED_COLUMNS)}))
end_later()
tell(session, 'changed')
return {{ARGV[1], 1}}
""",
    is_short=True,
)

DELETE = Script.telling_or_not(
    f"""{COMMON}
return {{ARGV[1], delete(session)}}
""",
    is_short=True,
)

DELETE_UNMOVED = Script.telling_or_not(
    f"""{COMMON}
return {{ARGV[1], unmoved() and delete(session) or 0}}
""",
    is_short=True,
)

ACKNOWLEDGE = Script.telling_or_not(
    f"""{COMMON}
local fields = redis.call('HMGET', session, 'current', 'acknowledged')
if fields[1] == ARGV[3] and fields[2] == 'false' then
    redis.call('HSET', session, 'acknowledged', 'true', 'used', ARGV[4], 'used_at', integer(now()))
end
return {{ARGV[1]}}
""",
    is_short=True,
)

BIND = Script.telling_or_not(
    f"""{COMMON}
local fields = read(session, 'session_id', 'bound_key')
if not fields[1] or fields[2] ~= 'null' or deadline() <= now() then return {{ARGV[1], 0}} end
redis.call('HSET', session, 'bound_key', ARGV[3])
tell(session, 'changed')
return {{ARGV[1], 1}}
""",
    is_short=True,
)

UPDATE = Script.telling_or_not(
    f"""{COMMON}
local version = redis.call('HGET', session, 'version')
if version ~= ARGV[3] then return {{ARGV[1], 0}} end
redis.call('HSET', session,
    'version', integer(version + 1), 'access_token_payload', ARGV[4], 'session_data', ARGV[5], 'label', ARGV[6])
if ARGV[7] == 'true' then note(feed, redis.call('HGET', session, 'session_id'), '"session_stale"') end
return {{ARGV[1], 1}}
""",
    is_short=True,
)

NAMES_OF_USER = Script.telling_or_not(f"""{COMMON}
return {{ARGV[1], redis.call('ZRANGEBYLEX', by_user, ARGV[3], ARGV[4], 'LIMIT', 0, ARGV[5])}}
""")

NAMES_BY_DIGEST = Script.telling_or_not(f"""{COMMON}
local digest, limit = unpack(ARGV, 3)
local names = redis.call('ZRANGEBYLEX', by_external, '[' .. digest, '(' .. digest .. '~', 'LIMIT', 0, limit)
for place, entry in ipairs(names) do names[place] = string.sub(entry, #digest + 1) end
return {{ARGV[1], names}}
""")

DELETE_NAMED = Script.telling_or_not(f"""{COMMON}
local records = {{}}
for place = {FIRST}, #KEYS do
    records[place - {FIRST - 1}] = record(KEYS[place])
    revoke(KEYS[place], ARGV[place - {FIRST - 3}])
end
return {{ARGV[1], records}}
""")

NAMES_OF_EXPIRED = Script.telling_or_not(f"""{COMMON}
return {{ARGV[1], redis.call('ZRANGEBYSCORE', by_deadline, '-inf', integer(now()), 'LIMIT', 0, ARGV[3])}}
""")

DELETE_EXPIRED = Script.telling_or_not(f"""{COMMON}
local deleted, moment = 0, now()
for place = {FIRST}, #KEYS do
    local name = ARGV[place - {FIRST - 3}]
    local score = redis.call('ZSCORE', by_deadline, name)
    if score and tonumber(score) <= moment then
        forget(KEYS[place], name)
        deleted = deleted + 1
    end
end
return {{ARGV[1], deleted}}
""")
