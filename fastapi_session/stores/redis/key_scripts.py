"""The Lua of the signing keys: one short script an operation, each atomic.

`KEYS` are those of `Keyspace.signing_keys`: the rows by place, the places by kid, and the feed.
"""

from __future__ import annotations

from fastapi_session.stores.redis.script import Script
from fastapi_session.stores.rows import KEY_COLUMNS

SECRET_KID = KEY_COLUMNS.index("secret_kid") + 1  # Lua counts from one.

INSERT_KEY = Script.of("""
local kid, place, row = unpack(ARGV, 3)
if redis.call('HEXISTS', KEYS[1], place) == 1 or redis.call('HEXISTS', KEYS[2], kid) == 1 then return {ARGV[1], 0} end
redis.call('HSET', KEYS[1], place, row)
redis.call('HSET', KEYS[2], kid, place)
return {ARGV[1], 1}
""")

SIGNING_KEYS = Script.of("""
return {ARGV[1], redis.call('HVALS', KEYS[1])}
""")

REPLACE_KEY = Script.of(f"""
local kid, row, expected = unpack(ARGV, 3)
local place = redis.call('HGET', KEYS[2], kid)
if not place then return {{ARGV[1], 0}} end
if cjson.decode(redis.call('HGET', KEYS[1], place))[{SECRET_KID}] ~= tonumber(expected) then return {{ARGV[1], 0}} end
redis.call('HSET', KEYS[1], place, row)
return {{ARGV[1], 1}}
""")

DELETE_KEY = Script.of("""
local kid, subject = unpack(ARGV, 3)
local place = redis.call('HGET', KEYS[2], kid)
if not place then return {ARGV[1], 0} end
redis.call('HDEL', KEYS[1], place)
redis.call('HDEL', KEYS[2], kid)
note(KEYS[3], subject, '"key_deleted"')
return {ARGV[1], 1}
""")
