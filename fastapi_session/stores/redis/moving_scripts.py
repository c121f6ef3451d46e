"""The Lua of sessions that move in and out.

`TAKE_IN` is about several sessions of a shard. `KEYS` are those of `Shard.keys`, then one for each session: what remembers that
it was taken in. From `ARGV[3]` on each session has a block: until when its id is remembered, the record that its row has to be
still, or nothing, whether claims become stale, and the fields to write, in the order of the columns.
"""

from __future__ import annotations

from fastapi_session.stores.redis.script import Script
from fastapi_session.stores.redis.scripts import COMMON, FIRST, names_in_lua
from fastapi_session.stores.rows import SESSION_COLUMNS

KEPT, RENEWED, ENDED = range(3)
"""What became of a session. A row that is not what it was expected to be is returned instead."""

_WIDTH = 3 + len(SESSION_COLUMNS)

TAKE_IN = Script.telling_or_not(f"""{COMMON}
local columns = {{{names_in_lua(SESSION_COLUMNS)}}}

local function fields(first)
    local pairs = {{}}
    for place, column in ipairs(columns) do
        pairs[2 * place - 1], pairs[2 * place] = column, ARGV[first + place - 1]
    end
    return unpack(pairs)
end

local function write(first)
    redis.call('HSET', session, fields(first))
    redis.call('ZADD', by_user, 0, name(session))
    index_external()
    end_later()
end

local function unindex(name)
    forget_external(name)
    redis.call('ZREM', by_user, name)
    redis.call('ZREM', by_deadline, name)
end

local function remember(mark, until_when)
    if redis.call('EXISTS', mark) == 1 then return false end
    redis.call('HSET', mark, 'ticket', ARGV[1], 'until', until_when)
    redis.call('PEXPIRE', mark, integer(math.max(until_when - now(), 1)))
    return true
end

local function take_in(mark, first)
    local is_new, kept = remember(mark, ARGV[first]), record(session)
    if not kept and not is_new then return {ENDED} end
    if not kept then
        write(first + 3)
        tell(session, 'changed')
        return {KEPT}
    end
    if kept ~= ARGV[first + 1] then return kept end
    unindex(name(session))
    write(first + 3)
    if ARGV[first + 2] == 'true' then note(feed, ARGV[first + 3], '"session_stale"') end
    return {RENEWED}
end

local outcomes, count = {{}}, (#KEYS - {FIRST - 1}) / 2
for place = 1, count do
    session = KEYS[{FIRST - 1} + place]
    outcomes[place] = take_in(KEYS[{FIRST - 1} + count + place], 3 + (place - 1) * {_WIDTH})
end
return {{ARGV[1], outcomes}}
""")

SCAN = Script.of("""
return {ARGV[1], unpack(redis.call('SCAN', ARGV[3], 'MATCH', ARGV[4], 'COUNT', ARGV[5]))}
""")

DEVICES = Script.of("""
local devices = {}
for place, key in ipairs(KEYS) do devices[place] = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
return {ARGV[1], devices}
""")

REMEMBERED = Script.of("""
local moments = {}
for place, key in ipairs(KEYS) do moments[place] = redis.call('HGET', key, 'until') end
return {ARGV[1], moments}
""")
