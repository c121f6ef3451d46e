"""Sessions in Redis or Valkey: for any number of machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Protocol

from fastapi_session.clock import Clock
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import (
    LATEST,
    FeedReading,
    Json,
    Lineage,
    Notice,
    Predecessor,
    Reading,
    Rotation,
    SessionRecord,
    SigningKeyRecord,
)
from fastapi_session.store_url import unprinted
from fastapi_session.stores.json_text import dump_json
from fastapi_session.stores.opening import opening
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.redis import feed_scripts, key_scripts, once_scripts, scripts
from fastapi_session.stores.redis.calls import Calls, Client, Reply, as_text, mistake_in_address
from fastapi_session.stores.redis.fields import (
    circumstances_fields,
    expected_fields,
    field,
    key_row_of,
    key_text,
    lineage_fields,
    notice_rows_of,
    session_fields,
    session_row_of,
)
from fastapi_session.stores.redis.keys import Keyspace, Shard, names_of_user, session_ids_of
from fastapi_session.stores.redis.script import Script
from fastapi_session.stores.rows import Row

SESSIONS_PAGE = 100
"""How many of a user's sessions one script reads at most: no other command runs on the server meanwhile."""
NOTICES_PAGE = 1_000
"""How many notices one script reads at most."""


Belonging = Callable[[Sequence[Row]], Sequence[SessionRecord]]
"""Returns of rows the sessions that were looked for."""


class Find(Protocol):
    """Returns the names of sessions that are looked for."""

    async def __call__(self, *, limit: int) -> Sequence[str]:
        """Return at most *limit* of them."""


class RedisStore:
    """Keeps sessions and signing keys on *server*: a URL, or a client of one's own, which is never closed here.

    The server's clock decides, unless a *clock* is given, as tests do; it returns milliseconds since the epoch.
    Every key begins with *prefix*. More than one of *shards* spread sessions over the nodes of a Redis Cluster; what
    concerns sessions of several shards is then no longer one transaction. Neither may change while sessions are kept.

    Raises ConfigurationError for a URL that is none, and for a prefix or a number of shards that cannot be.
    """

    def __init__(
        self, server: str | Client, *, clock: Clock | None = None, prefix: str = "fastapi_session", shards: int = 1
    ) -> None:
        server = unprinted(server)
        self._calls = Calls(server)
        self._clock = clock
        self._keys = Keyspace(prefix, shards=shards)
        self._readable = Readable("Redis")

    async def open(self) -> None:
        """Find out whether the server responds. Raises ConfigurationError if it refuses the user, or has no such database."""
        with opening(self._calls.place, mistake=mistake_in_address):
            await self.signing_keys()

    async def close(self) -> None:
        """Finish what was begun and close the connections of this event loop. The store may be used again."""
        await self._calls.close()

    async def insert(
        self, record: SessionRecord, *, replacing: Sequence[str] = (), succeeding: Predecessor | None = None
    ) -> bool:
        """Keep a new *record* in the place of others, if that of *succeeding* has not changed. Raises StoreUnavailable if its id exists."""
        # In this order: what may have changed comes first.
        versions = {} if succeeding is None else {succeeding.session_id: succeeding.version}
        earlier, shard = [*versions, *replacing], self._keys.shard_of(record.session_id)
        together = [each for each in earlier if self._keys.shard_of(each) == shard]
        if not versions.keys() <= {*together}:
            together = []  # those that are replaced have to wait for the outcome
        keys, fields = shard.keys(record.session_id, *together), session_fields(record)
        version = field(versions.get(together[0]) if together else None)
        outcome = int(*await self._run(scripts.INSERT, keys, field(together), version, *fields))
        if outcome == scripts.EXISTS:
            raise StoreUnavailable("the session id exists already")
        for elsewhere in earlier:
            if outcome == scripts.DONE and elsewhere not in together:
                outcome = await self._supersede(elsewhere, versions.get(elsewhere))
                if outcome == scripts.HAS_MOVED:
                    await self.delete(record.session_id)  # nobody has its tokens yet
        return outcome == scripts.DONE

    async def _supersede(self, session_id: str, version: int | None) -> int:
        [outcome] = await self._change(scripts.SUPERSEDE, session_id, field([session_id]), field(version))
        return int(outcome)

    async def rotate(self, rotation: Rotation) -> SessionRecord | None:
        """Hand the session on to the next refresh token, or return `None` if *rotation* does not apply."""
        [record] = await self._change(
            scripts.ROTATE,
            rotation.session_id,
            field(rotation.generation),
            field(rotation.presented),
            field(rotation.successor),
            field(rotation.successor_kid),
            field(rotation.debounce),
            field(rotation.idle_timeout),
            field(rotation.issue_id),
            *circumstances_fields(rotation.circumstances),
        )
        return None if record is None else self._readable.session(_session_row(record), session_id=rotation.session_id)

    async def get(self, session_id: str) -> Reading:
        """Return the record, expired or not, together with the server's clock."""
        [row], now = await self._read(self._keys.shard_of(session_id), [session_id])
        return Reading(None if row is None else self._readable.session(row, session_id=session_id), now)

    async def replace(self, session_id: str, *, expected: Lineage, lineage: Lineage) -> bool:
        """Write *lineage* if the session still has what compare-and-set compares of *expected*."""
        fields = [*expected_fields(expected), *lineage_fields(lineage)]
        [replaced] = await self._change(scripts.REPLACE, session_id, *fields)
        return bool(replaced)

    async def delete(self, session_id: str, *, expected: Lineage | None = None) -> bool:
        """Delete the session, with *expected* only if `replace` would write, and say whether it was deleted."""
        if expected is None:
            [deleted] = await self._change(scripts.DELETE, session_id)
        else:
            [deleted] = await self._change(scripts.DELETE_UNMOVED, session_id, *expected_fields(expected))
        return bool(deleted)

    async def acknowledge(self, session_id: str, *, current: bytes, issue_id: bytes | None) -> None:
        """Note that the refresh token whose hash is *current* has been used, as it was handed out as *issue_id*."""
        await self._change(scripts.ACKNOWLEDGE, session_id, field(current), field(issue_id))

    async def update(
        self,
        session_id: str,
        *,
        version: int,
        access_token_payload: Json,
        session_data: Json,
        label: str | None,
        marks_stale: bool = False,
    ) -> bool:
        """Write payload, data, label and version + 1, if the session's version is *version*; note it with *marks_stale*."""
        payloads = [field(dump_json(access_token_payload)), field(dump_json(session_data))]
        fields = [field(version), *payloads, field(label), field(marks_stale)]
        [updated] = await self._change(scripts.UPDATE, session_id, *fields)
        return bool(updated)

    async def sessions_of(self, user_id: str, *, tenant_id: str | None = None) -> Sequence[SessionRecord]:
        """Return the user's sessions that have not expired, oldest first."""
        living: list[SessionRecord] = []
        for shard in self._keys.shards:
            async for names in self._names_in(shard, names_of_user(user_id, tenant_id)):
                rows, now = await self._read(shard, session_ids_of(map(as_text, names)))
                there = [row for row in rows if row is not None]
                records = self._readable.sessions_of(there, user_id=user_id, tenant_id=tenant_id)
                living += [record for record in records if not record.lineage.expired(now)]
        return sorted(living, key=lambda record: (record.created_at, record.session_id))

    async def delete_sessions_of(
        self, user_id: str, *, tenant_id: str | None = None, keep: str | None = None, limit: int
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the user's sessions but *keep*, expired ones too, and return them: fewer only if no more are left."""
        deleted: list[SessionRecord] = []
        for shard in self._keys.shards:
            find = partial(self._names, scripts.NAMES_OF_USER, shard, *names_of_user(user_id, tenant_id))
            belonging = partial(self._readable.sessions_of, user_id=user_id, tenant_id=tenant_id)
            deleted += await self._delete_in(shard, find, belonging, keep=keep, limit=limit - len(deleted))
        return deleted

    async def delete_external(self, digest: bytes, *, limit: int) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the sessions that have *digest*, expired ones too, and return them: fewer only if no more are left."""
        deleted: list[SessionRecord] = []
        for shard in self._keys.shards:
            find = partial(self._names, scripts.NAMES_BY_DIGEST, shard, digest.hex())
            belonging = partial(self._readable.external, digest=digest)
            deleted += await self._delete_in(shard, find, belonging, limit=limit - len(deleted))
        return deleted

    async def delete_expired(self, *, limit: int) -> int:
        """Delete at most *limit* sessions whose deadline has passed, and return how many."""
        total = 0
        for shard in self._keys.shards:
            [names] = await self._run(scripts.NAMES_OF_EXPIRED, shard.keys(), field(limit - total))
            keys = shard.keys(*session_ids_of(map(as_text, names)))
            [deleted] = await self._run(scripts.DELETE_EXPIRED, keys, *map(as_text, names))
            total += deleted
        return total

    async def insert_key(self, record: SigningKeyRecord) -> bool:
        """Keep *record* unless its kid, or its family and sequence, exist already. Say whether it was kept."""
        place = f"{record.family} {record.sequence}"
        [inserted] = await self._run(
            key_scripts.INSERT_KEY, self._keys.signing_keys, record.kid, place, key_text(record)
        )
        return bool(inserted)

    async def signing_keys(self) -> Sequence[SigningKeyRecord]:
        """Return every key, by family and sequence."""
        [rows] = await self._run(key_scripts.SIGNING_KEYS, self._keys.signing_keys)
        keys = self._readable.signing_keys(key_row_of(as_text(row)) for row in rows)
        return sorted(keys, key=attrgetter("family", "sequence"))

    async def replace_key(self, record: SigningKeyRecord, *, expected_secret_kid: int) -> bool:
        """Write *record* over the key of its kid, if that one is encrypted under *expected_secret_kid*."""
        [replaced] = await self._run(
            key_scripts.REPLACE_KEY, self._keys.signing_keys, record.kid, key_text(record), field(expected_secret_kid)
        )
        return bool(replaced)

    async def delete_key(self, kid: str) -> bool:
        """Delete the key, and say whether it was there."""
        [deleted] = await self._run(key_scripts.DELETE_KEY, self._keys.signing_keys, kid, field(kid))
        return bool(deleted)

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        """Return what was appended to the feed later than *after* and until *until*, oldest first, and the earliest clock of its shards."""
        readings = await asyncio.gather(*(self._notices_in(feed, after, until) for feed in self._keys.feeds))
        notices = [notice for reading in readings for notice in reading.notices]
        return FeedReading(tuple(sorted(notices, key=attrgetter("at"))), min(reading.now for reading in readings))

    async def delete_notices(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* notices of *until* or before, and return how many."""
        total = 0
        for feed in self._keys.feeds:
            [deleted] = await self._run(feed_scripts.DELETE_NOTICES, [feed], field(until), field(limit - total))
            total += deleted
        return total

    async def once(self, digest: bytes, *, until: int) -> bool:
        """Remember *digest* until then, and say whether it was not remembered yet."""
        [is_new] = await self._run(once_scripts.REMEMBER, [self._keys.once(digest)], field(until))
        return bool(is_new)

    async def is_remembered(self, digest: bytes) -> bool:
        """Say whether *digest* is remembered."""
        [is_there] = await self._run(once_scripts.IS_REMEMBERED, [self._keys.once(digest)])
        return bool(is_there)

    async def delete_remembered(self, *, limit: int) -> int:  # noqa: ARG002 - the server expires them
        """Return 0: the server forgets by itself."""
        return 0

    async def _run(self, script: Script, keys: Sequence[str], *arguments: str) -> Reply:
        now = "" if self._clock is None else field(self._clock())
        return await self._calls.run(script, keys=keys, arguments=[now, *arguments])

    async def _change(self, script: Script, session_id: str, *arguments: str) -> Reply:
        return await self._run(script, self._keys.shard_of(session_id).keys(session_id), *arguments)

    async def _read(self, shard: Shard, session_ids: Sequence[str]) -> tuple[list[Row | None], int]:
        records, now = await self._run(scripts.READ, shard.keys(*session_ids))
        return [None if each is None else _session_row(each) for each in records], int(as_text(now))

    async def _names_in(self, shard: Shard, bounds: tuple[str, str]) -> AsyncIterator[Sequence[str]]:
        """Yield the names between *bounds*, in pages: the server is held up by none of them."""
        lowest, highest = bounds
        names: Reply = [lowest] * SESSIONS_PAGE
        while len(names) == SESSIONS_PAGE:
            [names] = await self._run(scripts.NAMES_OF_USER, shard.keys(), lowest, highest, field(SESSIONS_PAGE))
            yield names
            lowest = f"({as_text(names[-1])}" if names else lowest

    async def _names(self, script: Script, shard: Shard, *arguments: str, limit: int) -> list[str]:
        """Return the names that *script* finds, at most so many."""
        [names] = await self._run(script, shard.keys(), *arguments, field(limit))
        return [*map(as_text, names)]

    async def _delete_in(
        self, shard: Shard, find: Find, belonging: Belonging, *, limit: int, keep: str | None = None
    ) -> Sequence[SessionRecord]:
        """Delete sessions whose names *find* finds until there are *limit*, or none but *keep* is left.

        Those that others have deleted meanwhile do not count, nor do those that are not *belonging* or cannot be read.
        """
        deleted: list[SessionRecord] = []
        while wanted := limit - len(deleted):
            found = await find(limit=wanted + (keep is not None))
            names = [name for name in found if session_ids_of([name]) != [keep]][:wanted]
            [records] = await self._run(scripts.DELETE_NAMED, shard.keys(*session_ids_of(names)), *names)
            deleted += belonging([_session_row(record) for record in records if record is not None])
            if len(names) < wanted:
                break
        return deleted

    async def _notices_in(self, feed: str, after: int, until: int) -> FeedReading:
        """Read a feed page by page, and return it with the clock of before."""
        notices, clocks, begins, passed, count = list[Notice](), list[int](), f"({after}", field(0), NOTICES_PAGE
        while count == NOTICES_PAGE:
            page = [begins, field(until), passed, field(NOTICES_PAGE)]
            now, appended, count, *ends = await self._run(feed_scripts.NOTICES, [feed], *page)
            begins, passed = map(as_text, ends)
            clocks.append(int(as_text(now)))
            notices += self._readable.notices(notice_rows_of(as_text(appended)) if count else [])
        return FeedReading(tuple(notices), clocks[0])


def _session_row(record: object) -> Row:
    return session_row_of(as_text(record))
