"""What a script is, and how every script begins.

`ARGV[1]` is the ticket of the request, which every reply begins with; `ARGV[2]` is the time in milliseconds, or empty
if the server's own clock decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha1

from fastapi_session.model import DEFAULT_KIND

BEGINNING = """
local moment_of_script = tonumber(ARGV[2])

local function now()  -- the same for all that a script does
    if not moment_of_script then
        local time = redis.call('TIME')
        moment_of_script = time[1] * 1000 + math.floor(time[2] / 1000)
    end
    return moment_of_script
end

local function integer(number)  -- Lua alone would print 1.7e+12
    return string.format('%d', number)
end

local function note(feed, subject, kind)  -- both of them JSON already
    local moment = integer(now())
    redis.call('ZADD', feed, moment, '[' .. subject .. ',' .. kind .. ',' .. moment .. ']')
end
"""


SILENT = """
local function tell() end
"""

TELLING = """
local audit = cjson.decode(table.remove(ARGV))
local events_by_user, events = table.remove(KEYS), table.remove(KEYS)

local function place(id)  -- a stream counts up a moment and a number in it; as many digits for each, since names are compared as text
    local moment, number = string.match(id, '^(%d+)-(%d+)$')
    return string.format('%016d-%016d', moment, number)
end

local function tell(key, what)
    local whose, kind = redis.call('HMGET', key, 'session_id', 'tenant_id', 'user_id'), redis.call('HGET', key, 'kind')
    local actor = redis.call('HMGET', key, 'actor', 'actor_session', 'impersonation_reason')
    if not whose[1] then return end  -- the server has expired it
    local told, moment = audit[what], integer(now())
    local body = told[2]
    if actor[1] and actor[1] ~= 'null' then  -- an object of ours, which is never empty
        body = '{"actor":{"user_id":' .. actor[1] .. ',"handle":' .. (actor[2] or 'null')
            .. ',"reason":' .. (actor[3] or 'null') .. '},' .. string.sub(body, 2)
    end
    local event_id = string.sub(redis.sha1hex(audit.change .. string.sub(whose[1], 2, -2)), 1, 32)
    local row = '["' .. event_id .. '",' .. moment .. ',' .. told[1] .. ',' .. table.concat(whose, ',') .. ','
        .. (kind or DEFAULT_KIND) .. ',' .. cjson.encode(body) .. ']'
    local id = redis.call('XADD', events, '*', 'event', row, 'at', moment, 'user', whose[3], 'tenant', whose[2])
    redis.call('ZADD', events_by_user, 0, whose[3] .. place(id))
end
""".replace("DEFAULT_KIND", f"'\"{DEFAULT_KIND}\"'")


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the name under which a server that has run it before knows it.

    It *is short* if it has the same little to do however much the server keeps, unless it is about many keys.
    *telling* does the same and writes the event of each session that it changes: the last of `ARGV` says of which audit, and the
    last two of `KEYS` are the events and their index.
    """

    text: str
    sha: str
    is_short: bool = False
    telling: Script | None = None

    @classmethod
    def of(cls, text: str, *, is_short: bool = False) -> Script:
        """Return *text*, after the common beginning, as a script."""
        return cls._whole(BEGINNING + text, is_short=is_short)

    @classmethod
    def telling_or_not(cls, text: str, *, is_short: bool = False) -> Script:
        """Return *text*, which calls `tell(key, what)` for each session that it changes, as a script."""
        silent, telling = (cls._whole(BEGINNING + each + text, is_short=is_short) for each in (SILENT, TELLING))
        return replace(silent, telling=telling)

    @classmethod
    def _whole(cls, text: str, *, is_short: bool) -> Script:
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest(), is_short)


def telling(script: Script) -> Script:
    """Return the script that does the same as *script*, and writes events."""
    assert script.telling is not None
    return script.telling
