"""What a script is, and how every script begins.

`ARGV[1]` is the ticket of the request, which every reply begins with; `ARGV[2]` is the time in milliseconds, or empty
if the server's own clock decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1

BEGINNING = """
local function now()
    if ARGV[2] ~= '' then return tonumber(ARGV[2]) end
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function integer(number)  -- Lua alone would print 1.7e+12
    return string.format('%d', number)
end

local function note(feed, subject, kind)  -- both of them JSON already
    local moment = integer(now())
    redis.call('ZADD', feed, moment, '[' .. subject .. ',' .. kind .. ',' .. moment .. ']')
end
"""


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the name under which a server that has run it before knows it."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> Script:
        """Return *text*, after the common beginning, as a script."""
        whole = BEGINNING + text
        return cls(whole, sha1(whole.encode(), usedforsecurity=False).hexdigest())
