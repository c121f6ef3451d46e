"""Changing and ending a session's record without losing another writer's change.

| another writer | how it is noticed |
|---|---|
| of this process, on the same event loop | it waits for the session's lock |
| of another event loop, or another process | compare-and-set by the version of the record: the second one tries again |
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar
from weakref import WeakValueDictionary

from fastapi_session.audit import InsertionAudit
from fastapi_session.core import access_token
from fastapi_session.core.endings import attributed
from fastapi_session.core.payload import checked_label, copied, is_same, json_object
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.event_loop import ensure_asyncio
from fastapi_session.engine.keys.keyring import Keyring
from fastapi_session.engine.live_records import kept_record, live_record
from fastapi_session.engine.session_limits import insert_under
from fastapi_session.engine.tokens.issuing import Mint
from fastapi_session.errors import PayloadError, StoreUnavailable
from fastapi_session.handles import own_handle
from fastapi_session.insertion import Limit
from fastapi_session.model import Ending, Json, Predecessor, SessionRecord
from fastapi_session.stores.base import JoinedStore, SessionStore

T = TypeVar("T")

ATTEMPTS = 1_000
"""How often a change is tried again. Each attempt that fails is another writer's that succeeded."""


class SessionLocks:
    """One lock for each session on each event loop: it guards reading, changing and writing that session's record.

    Without it compare-and-set would still lose nothing, but a hundred tasks that change one session would try again and again.
    A lock that nobody holds or waits for is not kept.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, handle: str) -> asyncio.Lock:
        """Return the lock of the session *handle*: `async with locks.of(handle)`. Raises as `ensure_asyncio`."""
        ensure_asyncio()
        return self._locks.setdefault((asyncio.get_running_loop(), own_handle(handle)), asyncio.Lock())


class RecordChanges:
    """Changes and ends the sessions in *store*, which is *joined* if it writes in a transaction of the user's."""

    def __init__(
        self,
        store: SessionStore,
        *,
        joined: JoinedStore | None,
        mint: Mint,
        keyring: Keyring,
        locks: SessionLocks,
        announcements: Announcements,
    ) -> None:
        self._store = store
        self._joined = joined
        self._mint = mint
        self._keyring = keyring
        self._announcements = announcements
        self._locks = locks

    async def end(self, handle: str, ending: Ending) -> bool:
        """End the session named *handle* as *ending* says, and say whether it was alive. Raises `StoreUnavailable`."""
        record = await kept_record(self._store, handle)
        if record is None:
            return False
        ending = attributed(ending, record)
        audit = self._announcements.audit_of_end(ending)
        if not await self._store.delete(record.session_id, audit=audit):
            return False  # whoever deleted it announces it
        self._announcements.revoked(record, ending, audit=audit)
        return True

    async def take_over(
        self,
        handle: str,
        make: Callable[[SessionRecord], tuple[SessionRecord, T] | None],
        *,
        replacing: Sequence[str],
        audit: Callable[[SessionRecord], InsertionAudit | None],
        limit: Limit | None = None,
    ) -> T | None:
        """Put the session that *make* makes of that named *handle* in its place and in that of those *replacing* (ids), in one transaction.

        No change of the session is lost, whoever makes it: one that was written before is in the record that *make* is given,
        and one that comes later finds that the session was superseded. If another writer came first, *make* is called again.
        *audit* returns what the store is to write of the new one.
        Returns what *make* returned beside the record; `None` if it returned `None`, or the session has ended, and then nothing
        was written. Raises `SessionLimitReached` if *limit* refuses, and `StoreUnavailable`.
        """
        async with self._locks.of(handle):
            for _ in range(ATTEMPTS):
                record = await live_record(self._store, handle)
                made = None if record is None else make(record)
                if record is None or made is None:
                    return None
                predecessor = Predecessor(record.session_id, record.version)
                if await insert_under(
                    limit,
                    made[0],
                    store=self._store,
                    announcements=self._announcements,
                    replacing=replacing,
                    succeeding=predecessor,
                    audit=audit(made[0]),
                ):
                    return made[1]
        raise StoreUnavailable("the session kept changing while another one was to take its place")

    async def change_data(self, handle: str, change: Callable[[Json], Json]) -> SessionRecord | None:
        """Write what *change* makes of the session data. Returns and raises as `change_record`, and `PayloadError`."""

        def changed(record: SessionRecord) -> SessionRecord:
            return replace(record, session_data=_made(change, of=record.session_data, what="session_data"))

        async with self._locks.of(handle):
            return await change_record(self._store, handle, change=changed)

    async def change_label(self, handle: str, label: str | None) -> SessionRecord | None:
        """Call the session *label*, or nothing if it is `None`. Returns and raises as `change_record`, and `PayloadError`."""
        checked = checked_label(label)
        async with self._locks.of(handle):
            return await change_record(self._store, handle, change=lambda record: replace(record, label=checked))

    async def change_payload(
        self, handle: str, change: Callable[[Json], Json], *, marks_stale: bool = False
    ) -> SessionRecord | None:
        """Write what *change* makes of the session's own claims. Returns and raises as `change_record`, and `PayloadError`.

        With *marks_stale*, earlier access tokens are refused with "try refresh token" from then on.
        """
        key = await self._keyring.signing_key(through=self._joined)  # before the lock, since it may have to be read

        def changed(record: SessionRecord) -> SessionRecord:
            payload = _made(change, of=record.access_token_payload, what="access_token_payload")
            custom = access_token.custom_claims(payload, is_authenticated=bool(record.factors))
            self._mint.dropped_names.note(payload, custom)
            with_payload = replace(record, access_token_payload=custom)
            self._mint.ensure_fits(with_payload, key=key, before=record)
            return with_payload

        stale = self._announcements.changed if marks_stale else None
        async with self._locks.of(handle):
            return await change_record(self._store, handle, change=changed, stale=stale)


async def change_record(
    store: SessionStore,
    handle: str,
    *,
    change: Callable[[SessionRecord], SessionRecord],
    stale: Callable[[SessionRecord], None] | None = None,
) -> SessionRecord | None:
    """Write the payload, data and label that *change* makes of the record; if another writer came first, change theirs.

    Nothing is written if it makes no difference. With *stale* earlier access tokens are outdated: this process is informed by
    that function, the others by a notice in the store. Return the new record, `None` if there is none. What *change* raises
    leaves the record as it was.
    """
    for _ in range(ATTEMPTS):
        record = await live_record(store, handle)
        if record is None:
            return None
        changed = change(record)
        # No write, and so no notice: clients would have to refresh for nothing.
        if _says_the_same(record, changed):
            return record
        if await store.update(
            record.session_id,
            version=record.version,
            access_token_payload=changed.access_token_payload,
            session_data=changed.session_data,
            label=changed.label,
            marks_stale=stale is not None,
        ):
            if stale is not None:
                stale(changed)
            return changed
    raise StoreUnavailable("the session kept changing while it was being changed")


def _says_the_same(one: SessionRecord, other: SessionRecord) -> bool:
    return (
        one.label == other.label
        and is_same(one.access_token_payload, other.access_token_payload)
        and is_same(one.session_data, other.session_data)
    )


def _made(change: Callable[[Json], object], *, of: Json, what: str) -> Json:
    """Return what *change* makes of a copy: a store may hold the original. Raises `PayloadError` if that is no JSON object."""
    value = change(copied(of))
    # Most likely `None`, after a change in place: nobody wants to delete all by that.
    if not isinstance(value, Mapping):
        raise PayloadError(f"{what}: the change returned {type(value).__name__}, return the object as it is to be")
    return json_object(value, what)
