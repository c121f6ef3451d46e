"""Sessions in Redis or Valkey: for any number of machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from fastapi_session.audit import Audit, InsertionAudit
from fastapi_session.clock import Clock
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.insertion import HAS_MOVED, KEPT, REFUSED, Insertion, Limit
from fastapi_session.model import (
    Json,
    Lineage,
    Predecessor,
    Reading,
    Rotation,
    SessionRecord,
)
from fastapi_session.store_url import unprinted
from fastapi_session.stores.columns import Row
from fastapi_session.stores.json_text import dump_json
from fastapi_session.stores.opening import opening
from fastapi_session.stores.redis import once_scripts, scripts
from fastapi_session.stores.redis.calls import Calls
from fastapi_session.stores.redis.connections import Client, mistake_in_address
from fastapi_session.stores.redis.event_verbs import EventVerbs
from fastapi_session.stores.redis.events import Audits, audits_of
from fastapi_session.stores.redis.facts_verbs import FactVerbs
from fastapi_session.stores.redis.fields import (
    circumstances_fields,
    expected_fields,
    field,
    lineage_fields,
    session_fields,
)
from fastapi_session.stores.redis.key_verbs import KeyVerbs
from fastapi_session.stores.redis.keys import Keyspace, Shard, names_of_user, session_ids_of
from fastapi_session.stores.redis.limit_script import INSERT_LIMITED, said_of
from fastapi_session.stores.redis.moving_verbs import MovingVerbs
from fastapi_session.stores.redis.notice_verbs import NoticeVerbs
from fastapi_session.stores.redis.pipelines import Reply, as_text
from fastapi_session.stores.redis.reading import SESSIONS_PAGE, session_row_in
from fastapi_session.stores.redis.script import Script
from fastapi_session.stores.redis.sighting_verbs import SightingVerbs

SIGN_INS_AT_ONCE = 1_000
"""How many other sign-ins of its user may come before one under a limit, while that tries."""

_EXISTS = "the session id exists already"


Belonging = Callable[[Sequence[Row]], Sequence[SessionRecord]]
"""Returns of rows the sessions that were looked for."""


class Find(Protocol):
    """Returns the names of sessions that are looked for."""

    async def __call__(self, *, limit: int) -> Sequence[str]:
        """Return at most *limit* of them."""


class RedisStore(KeyVerbs, NoticeVerbs, EventVerbs, SightingVerbs, FactVerbs, MovingVerbs):
    """Keeps sessions and signing keys on *server*: a URL, `RedisStore("redis://localhost:6379/0")`, or a client of one's own.

    Such a client is never closed here.

    The server's clock decides, unless a *clock* is given, as tests do; it returns milliseconds since the epoch.
    Every key begins with *prefix*. More than one of *shards* spread sessions over the nodes of a Redis Cluster; what
    concerns sessions of several shards is then no longer one transaction. Neither may change while sessions are kept.

    Raises ConfigurationError for a URL that is none, and for a prefix or a number of shards that cannot be.
    """

    def __init__(
        self, server: str | Client, *, clock: Clock | None = None, prefix: str = "fastapi_session", shards: int = 1
    ) -> None:
        server = unprinted(server)  # first: an error reporter sends the local variables of this frame
        super().__init__(Calls(server), Keyspace(prefix, shards=shards), clock=clock)

    async def open(self) -> None:
        """Find out whether the server responds. Raises ConfigurationError if it refuses the user, or has no such database."""
        with opening(self._calls.place, mistake=mistake_in_address):
            await self.signing_keys()

    async def close(self) -> None:
        """Finish what was begun and close the connections of this event loop. The store may be used again."""
        await self._calls.close()

    @property
    def keeps_limits(self) -> bool:
        """Whether all sessions of a user are in one shard: no script can touch several."""
        return len(self._keys.shards) == 1

    async def insert(
        self,
        record: SessionRecord,
        *,
        replacing: Sequence[str] = (),
        succeeding: Predecessor | None = None,
        limit: Limit | None = None,
        audit: InsertionAudit | None = None,
    ) -> Insertion:
        """Keep a new *record* in the place of others, if *succeeding* has not changed and there is room.

        Raises StoreUnavailable if its id exists, ConfigurationError for a limit if there are several shards.
        """
        # In this order: what may have changed comes first.
        versions = {} if succeeding is None else {succeeding.session_id: succeeding.version}
        earlier = [*versions, *replacing]
        if limit is not None:
            return await self._insert_limited(record, limit, earlier=earlier, versions=versions, audit=audit)
        shard = self._keys.shard_of(record.session_id)
        together = [each for each in earlier if self._keys.shard_of(each) == shard]
        if not versions.keys() <= {*together}:
            together = []  # those that are replaced have to wait for the outcome
        keys, fields = shard.keys(record.session_id, *together), session_fields(record)
        version = field(versions.get(together[0]) if together else None)
        told = audits_of(audit)
        outcome = int(*await self._tell(shard, scripts.INSERT, keys, field(together), version, *fields, audits=told))
        if outcome == scripts.EXISTS:
            raise StoreUnavailable(_EXISTS)
        for elsewhere in earlier:
            if outcome == scripts.DONE and elsewhere not in together:
                outcome = await self._supersede(elsewhere, versions.get(elsewhere), audits=told)
                if outcome == scripts.HAS_MOVED:  # nobody has its tokens yet
                    await self.delete(record.session_id, audit=None if audit is None else audit.superseded)
        return KEPT if outcome == scripts.DONE else HAS_MOVED

    async def _insert_limited(
        self,
        record: SessionRecord,
        limit: Limit,
        *,
        earlier: Sequence[str],
        versions: Mapping[str, int],
        audit: InsertionAudit | None,
    ) -> Insertion:
        if not self.keeps_limits:
            raise ConfigurationError("RedisStore: no script can count sessions of several shards: give shards=1")
        [shard], user = self._keys.shards, {"user_id": record.user_id, "tenant_id": record.tenant_id}
        version, fields = field(versions.get(earlier[0]) if earlier else None), session_fields(record)
        names = list[str]()
        for _ in range(SIGN_INS_AT_ONCE):
            keys = shard.keys(record.session_id, *earlier, *session_ids_of(names))
            said = said_of(limit, bounds=names_of_user(**user), names=names)
            given = [field(earlier), version, said, *fields]
            outcome, found = await self._tell(shard, INSERT_LIMITED, keys, *given, audits=audits_of(audit))
            if outcome == scripts.EXISTS:
                raise StoreUnavailable(_EXISTS)
            if outcome == scripts.DONE:
                evicted = self._readable.sessions_of(map(session_row_in, found), **user)
                return Insertion("kept", tuple(evicted))
            if outcome != scripts.UNNAMED:
                return REFUSED if outcome == scripts.REFUSED else HAS_MOVED
            names = [*map(as_text, found)]
        raise StoreUnavailable("Redis failed: too many sign-ins of one user at once")

    async def _supersede(self, session_id: str, version: int | None, *, audits: Audits) -> int:
        shard = self._keys.shard_of(session_id)
        given = shard.keys(session_id), field([session_id]), field(version)
        [outcome] = await self._tell(shard, scripts.SUPERSEDE, *given, audits=audits)
        return int(outcome)

    async def rotate(self, rotation: Rotation, *, audit: Audit | None = None) -> SessionRecord | None:
        """Hand the session on to the next refresh token, or return `None` if *rotation* does not apply."""
        [record] = await self._change(
            scripts.ROTATE,
            rotation.session_id,
            field(rotation.generation),
            field(rotation.presented),
            field(rotation.proved),
            field(rotation.successor),
            field(rotation.successor_kid),
            field(rotation.debounce),
            field(rotation.idle_timeout),
            field(rotation.issue_id),
            *circumstances_fields(rotation.circumstances),
            audit=audit,
        )
        return (
            None if record is None else self._readable.session(session_row_in(record), session_id=rotation.session_id)
        )

    async def get(self, session_id: str) -> Reading:
        """Return the record, expired or not, together with the server's clock."""
        [row], now = await self._read(self._keys.shard_of(session_id), [session_id])
        return Reading(None if row is None else self._readable.session(row, session_id=session_id), now)

    async def replace(
        self, session_id: str, *, expected: Lineage, lineage: Lineage, audit: Audit | None = None
    ) -> bool:
        """Write *lineage* if the session still has what compare-and-set compares of *expected*."""
        fields = [*expected_fields(expected), *lineage_fields(lineage)]
        [replaced] = await self._change(scripts.REPLACE, session_id, *fields, audit=audit)
        return bool(replaced)

    async def delete(self, session_id: str, *, expected: Lineage | None = None, audit: Audit | None = None) -> bool:
        """Delete the session, with *expected* only if `replace` would write, and say whether it was deleted."""
        if expected is None:
            [deleted] = await self._change(scripts.DELETE, session_id, audit=audit)
        else:
            [deleted] = await self._change(scripts.DELETE_UNMOVED, session_id, *expected_fields(expected), audit=audit)
        return bool(deleted)

    async def acknowledge(self, session_id: str, *, current: bytes, issue_id: bytes | None) -> None:
        """Note that the refresh token whose hash is *current* has been used, as it was handed out as *issue_id*."""
        await self._change(scripts.ACKNOWLEDGE, session_id, field(current), field(issue_id))

    async def bind(self, session_id: str, bound_key: str, *, audit: Audit | None = None) -> bool:
        """Set *bound_key*, if the session has none and has not expired, and say whether it was set."""
        [bound] = await self._change(scripts.BIND, session_id, field(bound_key), audit=audit)
        return bool(bound)

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
            async for names in self._names_in(shard, names_of_user(user_id, tenant_id), size=SESSIONS_PAGE):
                rows, now = await self._read(shard, session_ids_of(map(as_text, names)))
                there = [row for row in rows if row is not None]
                records = self._readable.sessions_of(there, user_id=user_id, tenant_id=tenant_id)
                living += [record for record in records if not record.lineage.expired(now)]
        return sorted(living, key=lambda record: (record.created_at, record.session_id))

    async def delete_sessions_of(
        self,
        user_id: str,
        *,
        tenant_id: str | None = None,
        keep: str | None = None,
        limit: int,
        audit: Audit | None = None,
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the user's sessions but *keep*, expired ones too, and return them: fewer only if no more are left."""
        deleted: list[SessionRecord] = []
        for shard in self._keys.shards:
            find = partial(self._names, scripts.NAMES_OF_USER, shard, *names_of_user(user_id, tenant_id))
            belonging = partial(self._readable.sessions_of, user_id=user_id, tenant_id=tenant_id)
            wanted = limit - len(deleted)
            deleted += await self._delete_in(shard, find, belonging, keep=keep, limit=wanted, audit=audit)
        return deleted

    async def delete_external(
        self, digest: bytes, *, limit: int, audit: Audit | None = None
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the sessions that have *digest*, expired ones too, and return them: fewer only if no more are left."""
        deleted: list[SessionRecord] = []
        for shard in self._keys.shards:
            find = partial(self._names, scripts.NAMES_BY_DIGEST, shard, digest.hex())
            belonging = partial(self._readable.external, digest=digest)
            deleted += await self._delete_in(shard, find, belonging, limit=limit - len(deleted), audit=audit)
        return deleted

    async def delete_expired(self, *, limit: int, audit: Audit | None = None) -> int:
        """Delete at most *limit* sessions whose deadline has passed, and return how many."""
        total = 0
        for shard in self._keys.shards:
            [names] = await self._run(scripts.NAMES_OF_EXPIRED, shard.keys(), field(limit - total))
            keys = shard.keys(*session_ids_of(map(as_text, names)))
            [deleted] = await self._tell(
                shard, scripts.DELETE_EXPIRED, keys, *map(as_text, names), audits=audits_of(audit)
            )
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

    async def _change(self, script: Script, session_id: str, *arguments: str, audit: Audit | None = None) -> Reply:
        shard = self._keys.shard_of(session_id)
        return await self._tell(shard, script, shard.keys(session_id), *arguments, audits=audits_of(audit))

    async def _names(self, script: Script, shard: Shard, *arguments: str, limit: int) -> list[str]:
        """Return the names that *script* finds, at most so many."""
        [names] = await self._run(script, shard.keys(), *arguments, field(limit))
        return [*map(as_text, names)]

    async def _delete_in(
        self,
        shard: Shard,
        find: Find,
        belonging: Belonging,
        *,
        limit: int,
        keep: str | None = None,
        audit: Audit | None,
    ) -> Sequence[SessionRecord]:
        """Delete sessions whose names *find* finds until there are *limit*, or none but *keep* is left.

        Those that others have deleted meanwhile do not count, nor do those that are not *belonging* or cannot be read.
        """
        deleted: list[SessionRecord] = []
        while wanted := limit - len(deleted):
            found = await find(limit=wanted + (keep is not None))
            names = [name for name in found if session_ids_of([name]) != [keep]][:wanted]
            keys = shard.keys(*session_ids_of(names))
            [records] = await self._tell(shard, scripts.DELETE_NAMED, keys, *names, audits=audits_of(audit))
            deleted += belonging([session_row_in(record) for record in records if record is not None])
            if len(names) < wanted:
                break
        return deleted
