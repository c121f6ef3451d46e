"""The Lua of the events: one script to read them and one to clear them away. Every script that changes a session may write one.

`KEYS` are those of `Shard.events`. An event's id in the stream is its place: it only grows, and no script runs beside another.
"""

from __future__ import annotations

from fastapi_session.stores.redis.script import Script

_PLACES = """
local function name_of(user, id)
    local moment, number = string.match(id, '^(%d+)-(%d+)$')
    return user .. string.format('%016d-%016d', moment, number)
end

local function id_of(name)
    local moment, number = string.match(name, '(%d+)-(%d+)$')
    return string.format('%d-%d', moment, number)
end
"""

EVENTS = Script.of(f"""{_PLACES}
local user, tenant, after, newest_first, count = unpack(ARGV, 3, 7)

local function in_stream()
    local found
    if newest_first == 'true' then
        found = redis.call('XREVRANGE', KEYS[1], after == '' and '+' or after, '-', 'COUNT', count + 1)
    else
        found = redis.call('XRANGE', KEYS[1], after == '' and '-' or after, '+', 'COUNT', count + 1)
    end
    if found[1] and found[1][1] == after then table.remove(found, 1) end
    found[count + 1] = nil
    return found
end

local function of_user()
    local names, found = nil, {{}}
    if newest_first == 'true' then
        local from = after == '' and user .. '~' or name_of(user, after)
        names = redis.call('ZREVRANGEBYLEX', KEYS[2], '(' .. from, '[' .. user, 'LIMIT', 0, count)
    else
        local from = after == '' and user or name_of(user, after)
        names = redis.call('ZRANGEBYLEX', KEYS[2], '(' .. from, '(' .. user .. '~', 'LIMIT', 0, count)
    end
    for place, name in ipairs(names) do
        local id = id_of(name)
        found[place] = redis.call('XRANGE', KEYS[1], id, id)[1] or {{id, {{}}}}
    end
    return found
end

local found, rows, ids = user == '' and in_stream() or of_user(), {{}}, {{}}
for _, entry in ipairs(found) do
    local id, fields = unpack(entry)
    if fields[2] and (tenant == '' or fields[8] == tenant) then
        table.insert(rows, fields[2])
        table.insert(ids, id)
    end
end
return {{ARGV[1], rows, ids, #found, #found > 0 and found[#found][1] or after}}
""")

DELETE_EVENTS = Script.of(f"""{_PLACES}
local deleted = 0
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[4])) do
    local id, fields = unpack(entry)
    if tonumber(fields[4]) > tonumber(ARGV[3]) then break end
    redis.call('XDEL', KEYS[1], id)
    redis.call('ZREM', KEYS[2], name_of(fields[6], id))
    deleted = deleted + 1
end
return {{ARGV[1], deleted}}
""")
