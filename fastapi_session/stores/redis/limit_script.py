"""The Lua of an insertion under a limit: the table of `stores.limits`, in the one script that writes.

A script may touch only keys that it is given. So it is given the names of the user's sessions as they were found before; if there
is another one by now, it writes nothing, and returns them for the next attempt.

`KEYS` are those of `Shard.keys`: the new session, those whose place it takes, those of *names*. `ARGV[3]` and `ARGV[4]` are as of
`INSERT`, `ARGV[5]` is what `said_of` returns, and from `ARGV[6]` on are the fields.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from fastapi_session.insertion import Limit
from fastapi_session.stores.redis.fields import field
from fastapi_session.stores.redis.script import Script
from fastapi_session.stores.redis.scripts import DONE, EXISTS, FIRST, HAS_MOVED, INSERTING, REFUSED, UNNAMED


def said_of(limit: Limit, *, bounds: tuple[str, str], names: Sequence[str]) -> str:
    """Return what the script has to know of *limit*, and the *names* between *bounds* that were found before."""
    said = {
        "bounds": bounds,
        "names": names,
        "count": limit.count,
        "kind": None if limit.kind is None else field(limit.kind),
        "uncounted": [field(kind) for kind in limit.uncounted],
        "refuses": limit.refuses,
        "evict": limit.evict,
    }
    return json.dumps(said)


INSERT_LIMITED = Script.telling_or_not(f"""{INSERTING}
local function set(values)
    local members = {{}}
    for _, each in ipairs(values) do members[each] = true end
    return members
end

local said, earlier = cjson.decode(ARGV[5]), cjson.decode(ARGV[3])
local is_earlier, is_uncounted, may_end = set(earlier), set(said.uncounted), set(said.evict)

local key_of = {{}}
for place, name in ipairs(said.names) do key_of[name] = KEYS[{FIRST} + #earlier + place] end

-- What cannot be read counts as nothing: it must not fail the sign-ins of its user.
local function living(name, moment)
    local fields = read(key_of[name], 'kind', 'actor', 'window_at', 'idle_expires_at', 'absolute_expires_at')
    local id, idle = string.sub(name, -33, -2), tonumber(fields[4]) or 0
    local is_of_kind = not is_uncounted[fields[1]]
    if said.kind ~= cjson.null then is_of_kind = fields[1] == said.kind end
    if not is_of_kind or fields[2] ~= 'null' or is_earlier[id] then return nil end
    if math.min(idle, tonumber(fields[5]) or idle) <= moment then return nil end
    return {{id = id, name = name, may_end = may_end[id] or false, window_at = tonumber(fields[3]) or 0}}
end

local function ends_before(a, b)
    if a.may_end ~= b.may_end then return a.may_end end
    if a.window_at ~= b.window_at then return a.window_at < b.window_at end
    return a.id < b.id
end

if redis.call('EXISTS', session) == 1 then return {{ARGV[1], {EXISTS}, {{}}}} end
if has_moved({FIRST + 1}) then return {{ARGV[1], {HAS_MOVED}, {{}}}} end
local names, counted, moment = redis.call('ZRANGEBYLEX', by_user, unpack(said.bounds)), {{}}, now()
for _, name in ipairs(names) do
    if not key_of[name] then return {{ARGV[1], {UNNAMED}, names}} end
    table.insert(counted, living(name, moment))
end
table.sort(counted, ends_before)
local too_many = #counted + 1 - said.count
for place = 1, too_many do
    if said.refuses and not counted[place].may_end then return {{ARGV[1], {REFUSED}, {{}}}} end
end

supersede({FIRST + 1})
local evicted = {{}}
for place = 1, too_many do
    local name = counted[place].name
    evicted[place] = record(key_of[name])
    revoke(key_of[name], name, 'evicted')
end
insert(6)
return {{ARGV[1], {DONE}, evicted}}
""")
