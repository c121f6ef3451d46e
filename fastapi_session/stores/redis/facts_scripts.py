"""The Lua for who only looks: whether the user may run what scripts need, and how much is kept too long."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi_session.stores.redis.script import Script

NEEDED: Mapping[str, str] = {
    "DEL": "",
    "EXISTS": "",
    "HDEL": "field",
    "HEXISTS": "field",
    "HGET": "field",
    "HMGET": "field",
    "HSET": "field value",
    "HVALS": "",
    "PEXPIRE": "1",
    "ZADD": "0 member",
    "ZCARD": "",
    "ZCOUNT": "0 1",
    "ZRANGE": "0 1",
    "ZRANGEBYLEX": "- +",
    "ZRANGEBYSCORE": "0 1",
    "ZRANK": "member",
    "ZREM": "member",
    "ZREMRANGEBYRANK": "0 1",
    "ZREMRANGEBYSCORE": "0 1",
    "ZREVRANGEBYLEX": "+ -",
    "ZSCORE": "member",
}
"""What scripts call on a key, and what follows the key in such a command. TIME has none, and every script calls it."""

NEEDED_FOR_EVENTS: Mapping[str, str] = {
    "XADD": "* field value",
    "XDEL": "1-1",
    "XRANGE": "- +",
    "XREVRANGE": "+ -",
}
"""The same for the events of an audit."""

REFUSED = Script.of("""
if not redis.acl_check_cmd then return {ARGV[1], 'unknown'} end  -- before Redis 7
local refused = {}
for place = 3, #ARGV do
    local words = {}
    for word in string.gmatch(ARGV[place], '%S+') do table.insert(words, word) end
    table.insert(words, 2, KEYS[1])
    if not redis.acl_check_cmd(unpack(words)) then table.insert(refused, words[1]) end
end
return {ARGV[1], 'known', refused}
""")
"""`KEYS` is one of the store's, `ARGV` has a command each, without its key. None of them is run."""

OVERDUE = Script.of("""
local until_sessions, until_notices, until_events, most = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local sessions = redis.call('ZCOUNT', KEYS[1], '-inf', until_sessions)
local notices = redis.call('ZCOUNT', KEYS[2], '-inf', until_notices)
local events, after, more = 0, '-', true
while more and events < most do
    local page = redis.pcall('XRANGE', KEYS[3], after, '+', 'COUNT', 100)
    if page.err then break end  -- without an audit the user needs no right to it
    more = #page == 100
    for _, entry in ipairs(page) do
        if tonumber(entry[2][4]) > until_events then more = false break end
        events, after = events + 1, '(' .. entry[1]
    end
end
return {ARGV[1], sessions, notices, events}
""")
"""`KEYS` are the sessions of a shard by their deadlines, its feed and its events, oldest first."""
