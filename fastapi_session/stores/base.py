"""What a store promises: small contracts, one contract sentence a method.

A store keeps and compares; it never judges a token. Not-found is `None` or `False`, never an error.
Any failure of the driver underneath surfaces as `StoreUnavailable`, and then nothing may be assumed about
the last write: every caller is safe to try again.

One row that was damaged, or changed by another hand, fails nothing but the operations on itself: see the table of `readable`.

A method that was cancelled may or may not have written. What was read belongs to its caller: a store
never returns one caller another caller's record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from fastapi_session.audit import Audit, EventQuery, EventReading, InsertionAudit
from fastapi_session.insertion import Insertion, Limit
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


class SessionStore(Protocol):
    """Keeps one record a session. Its clock (milliseconds since the epoch) decides about windows and deadlines.

    Whatever deletes a session (but for `delete_expired`: no access token outlives the deadline) appends the notice
    `session_revoked` in the same transaction, and `insert` the notice `session_superseded` for what it replaces, so
    that no process can miss what another one did.

    A verb that is given an *audit* writes its event of each session that it changed, and of no other, in the same transaction.
    It is given one only if the store is an `EventStore` too.
    """

    @property
    def keeps_limits(self) -> bool:
        """Whether `insert` may be given a limit: not if a user's sessions are on servers that have no transaction in common."""

    async def open(self) -> None:
        """Make the store ready: connect, create tables. Called again, it does nothing."""

    async def close(self) -> None:
        """Let go of what `open` took; writes that have returned are durable. The store may be opened again."""

    async def insert(
        self,
        record: SessionRecord,
        *,
        replacing: Sequence[str] = (),
        succeeding: Predecessor | None = None,
        limit: Limit | None = None,
        audit: InsertionAudit | None = None,
    ) -> Insertion:
        """Keep a new *record* and, in the same transaction, delete the sessions whose ids are *replacing*.

        For each of those append the notice `session_superseded`, whether it was still there or not: its client may have
        the tokens of the new one. An id that exists already is never overwritten: `StoreUnavailable`.

        *succeeding* is deleted and noted in the same way, but only if it is there in that version: else nothing at all is
        written, as is returned. So what the new session took over is never older than what anybody wrote to the
        other. Of *succeeding* and *replacing* none is in the other.

        With a *limit*, also in that transaction, delete the sessions that make room, as the table of `stores.limits` says, append
        `session_revoked` for each, and return them; nothing at all is written if the limit refuses *record*. At no moment does
        anybody see more sessions than the limit, however many are inserted at once.
        """

    async def rotate(self, rotation: Rotation, *, audit: Audit | None = None) -> SessionRecord | None:
        """Hand the session on to the next refresh token, in one conditional write.

        The write happens only if the row's generation and current hash are those of *rotation*, its bound key is the one *proved*
        (in SQL `IS NOT DISTINCT FROM`: `None` proves that no key is needed, and nothing else), the debounce has passed since its
        `window_at`, and neither deadline has passed. It sets generation + 1, previous = current, current = successor, its kid,
        window_at = now, acknowledged = False, exchanged = issue id, crossed moved on by one exchange, the circumstances and
        idle_expires_at = min(now + idle timeout, absolute), by the row's idle timeout if it has one, else by that of *rotation*.
        Return the record as written, else `None`; `None` too while `window_at` is in the future, because the clock was set back.
        """

    async def get(self, session_id: str) -> Reading:
        """Return the record (expired or not) together with the store's clock, which is read no earlier than the row."""

    async def replace(
        self, session_id: str, *, expected: Lineage, lineage: Lineage, audit: Audit | None = None
    ) -> bool:
        """Write *lineage* if the row has not changed since it was *expected*: a compare-and-set.

        Compared are generation, current, acknowledged, window_at, exchanged and crossed, since whatever
        a verdict depends on changes one of them.
        """

    async def delete(self, session_id: str, *, expected: Lineage | None = None, audit: Audit | None = None) -> bool:
        """Delete the session, with *expected* only if `replace` would write. Say whether it was deleted."""

    async def acknowledge(self, session_id: str, *, current: bytes, issue_id: bytes | None) -> None:
        """Set acknowledged, used = *issue_id* and used_at = now, if the row's current hash is *current* and it is not yet."""

    async def bind(self, session_id: str, bound_key: str, *, audit: Audit | None = None) -> bool:
        """Set *bound_key*, if the session has none and neither deadline has passed, and say whether it was set.

        Once set it never changes, and whatever `replace` compares stays as it is.
        """

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
        """Write payload, data, label and version + 1, if the row's version is *version*. Never brings a row back.

        With *marks_stale*, append the notice `session_stale` in the same transaction.
        """

    async def sessions_of(self, user_id: str, *, tenant_id: str | None = None) -> Sequence[SessionRecord]:
        """Return the user's sessions that have not expired, oldest first; of every tenant if none is given.

        They are read in pieces, each of bounded work: one that begins meanwhile may be left out.
        """

    async def delete_sessions_of(
        self,
        user_id: str,
        *,
        tenant_id: str | None = None,
        keep: str | None = None,
        limit: int,
        audit: Audit | None = None,
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the user's sessions, expired ones too, but the one whose id is *keep*; return what was deleted.

        Fewer than *limit* are returned only if, of those that were there when it was called, none is left: one that another
        transaction holds is waited for. So all are deleted by calls of bounded work, and others are served in between.
        """

    async def delete_external(
        self, digest: bytes, *, limit: int, audit: Audit | None = None
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the sessions whose external session or external subject is *digest*, and return them.

        As `delete_sessions_of` does: expired ones too, and fewer than *limit* only if none is left.
        """

    async def delete_expired(self, *, limit: int, audit: Audit | None = None) -> int:
        """Delete at most *limit* sessions whose deadline has passed, and return how many."""


class SigningKeyStore(Protocol):
    """Keeps the signing keys, private parts encrypted."""

    async def insert_key(self, record: SigningKeyRecord) -> bool:
        """Keep *record* unless its kid, or its family and sequence, exist already. Say whether it was kept."""

    async def signing_keys(self) -> Sequence[SigningKeyRecord]:
        """Return every key, by family and sequence."""

    async def replace_key(self, record: SigningKeyRecord, *, expected_secret_kid: int) -> bool:
        """Write *record* over the key of its kid, if that one is encrypted under *expected_secret_kid*."""

    async def delete_key(self, kid: str) -> bool:
        """Delete the key, append the notice `key_deleted` in the same transaction, and say whether it was there."""


class NoticeStore(Protocol):
    """The revocation feed: notices for every process, kept until they are deleted."""

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        """Return what was appended later than *after*, and not later than *until*, oldest first.

        Both are milliseconds of the store's clock, which is read before the notices. A notice is dated when it is appended,
        not when its transaction commits: one that stays open for long brings notices older than what was returned before.
        They are read in pieces, each of bounded work.
        """

    async def delete_notices(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* notices of *until* or before (milliseconds of the store's clock), and return how many."""


class OnceStore(Protocol):
    """Remembers what must not happen twice, by digests of 32 bytes. Moments are milliseconds of the store's clock."""

    async def once(self, digest: bytes, *, until: int) -> bool:
        """Remember *digest* and say whether it was not remembered yet: of any number of callers one is told so.

        It is remembered at least *until* this moment, and afterwards until it is cleared away.
        """

    async def is_remembered(self, digest: bytes) -> bool:
        """Say whether *digest* is remembered."""

    async def delete_remembered(self, *, limit: int) -> int:
        """Forget at most *limit* digests whose moment has passed, and return how many; 0 if the store forgets by itself."""


@runtime_checkable
class EventStore(Protocol):
    """A store that keeps events: what `SessionConfig(audit=...)` needs."""

    async def events(self, query: EventQuery) -> EventReading:
        """Return the events that *query* asks for, in the order in which they were written.

        Oldest first, no event is ever written before the place at which a reading ended; so a store whose transactions commit
        in another order than they write holds back the events of the last minute, and what was open for longer may be missed.
        Newest first, all that is there is returned. Raises ValueError if *query* goes on after what is no place.
        """

    async def delete_events(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* events of *until* or before (milliseconds of the store's clock), and return how many."""


class SightingStore(Protocol):
    """Keeps what was seen of users. Moments are milliseconds of the store's clock."""

    async def touch(self, session_ids: Sequence[str], *, idle_timeout: int | None = None) -> int:
        """Set last_seen_at = now for those of *session_ids* whose deadlines have not passed, and return how many.

        With *idle_timeout* (milliseconds), set idle_expires_at = min(now + idle timeout, absolute) too, by the row's idle
        timeout if it has one, else by this. Never brings a row back. Whatever `replace` compares stays as it is.
        """

    async def see_device(self, user_id: str, tenant_id: str, device: bytes) -> bool | None:
        """Note that the user has signed in by *device*, a digest of 32 bytes.

        Return false if it was known, true if it was not and others of the user were, `None` if none was.
        """

    async def delete_devices(self, *, limit: int) -> int:
        """Forget at most *limit* devices that were not seen for `DEVICE_KEPT`, and return how many; 0 if the store forgets by itself."""


class Store(SessionStore, SigningKeyStore, NoticeStore, OnceStore, SightingStore, Protocol):
    """What a deployment configures: one place for sessions and what was seen of them, keys, the feed, and what must not happen twice."""


TakenIn = Literal["kept", "renewed", "there", "ended"]
"""What became of a session that was to be taken in: see `MovableStore.take_in`."""


class Remembered(NamedTuple):
    """A *digest* that `once` remembered, and *until* when (milliseconds of the store's clock)."""

    digest: bytes
    until: int


class SeenDevice(NamedTuple):
    """A *device* by which a user has signed in, and when last (milliseconds of the store's clock)."""

    user_id: str
    tenant_id: str
    device: bytes
    last_seen_at: int


@runtime_checkable
class MovableStore(Protocol):
    """A store into which sessions move, and out of which they do: what moving in needs, and the copy from store to store.

    What iterates reads page by page, each of bounded work and at most *batch* long, in an order of the store's own: what is there all the
    time comes, once or more often; what comes or goes meanwhile may be left out. What cannot be read is left out too.
    """

    async def take_in(self, records: Sequence[SessionRecord], *, audit: Audit | None = None) -> Sequence[TakenIn]:
        """Keep sessions that began elsewhere, and return what became of each of *records*, in their order. No id is in them twice.

        | the store has | then | outcome |
        |---|---|---|
        | no such session, and never took it in | it is written, and its id remembered in the same transaction | kept |
        | no such session, but took it in before | nothing: it has ended here | ended |
        | one of which something is older, by the tables of `stores.taking_in` | what is newer is written | renewed |
        | any other | nothing | there |

        All is one transaction, or one for each record, and the same call may be repeated, by any number of callers at once. The id
        is remembered under `taking_in.mark_of`, until `taking_in.marked_until`. Nothing ends: a limit of sessions counts what was
        taken in from the next sign-in on. The notice `session_stale` is appended if claims changed of a session that does not wait
        any more, and the event of *audit* is written of each session that was kept.
        """

    async def append_notices(self, notices: Sequence[Notice]) -> None:
        """Append *notices* to the feed, each with the date that it has: those of another store, which have happened there."""

    def every_session(self, *, batch: int) -> AsyncIterator[Sequence[SessionRecord]]:
        """Yield all sessions, expired ones too."""

    def every_device(self, *, batch: int) -> AsyncIterator[Sequence[SeenDevice]]:
        """Yield all devices that `see_device` noted."""

    def every_remembered(self, *, batch: int) -> AsyncIterator[Sequence[Remembered]]:
        """Yield all digests that `once` and `take_in` remembered.

        A digest of `take_in` that is given to `once` of another store keeps `take_in` from keeping that session there.
        """


class SessionPage(NamedTuple):
    """Some sessions of a store, and the place *after* which there may be more; `None`: there are none."""

    records: Sequence[SessionRecord]
    after: str | None


@runtime_checkable
class PagedStore(Protocol):
    """A store whose sessions can be looked through, page by page, by whoever keeps the place between two requests."""

    async def session_page(self, *, after: str | None, limit: int) -> SessionPage:
        """Return at most *limit* sessions, expired ones too, from the beginning or *after* the place that a page ended with.

        They come in the order of `MovableStore.every_session`, and as that says: once or more often. A page may have fewer than
        *limit*, or none, before the last. Raises ValueError if *after* is no place of this store.
        """


class JoinedStore(Store, Protocol):
    """A store that reads and writes in a transaction of the user's."""

    def on_end(self, callback: Callable[[bool], None]) -> None:
        """Call *callback* once it is certain what became of what was just written: true, it was committed; false, it was undone.

        It is undone by a rollback, by the rollback of a savepoint around it, and by a commit that fails.
        """


@runtime_checkable
class TransactionalStore(Protocol):
    """A store that can write inside a transaction of the user's."""

    def within(self, connection: Any) -> JoinedStore:
        """Return a store that writes in the open transaction of *connection*, and whose writes end as that ends."""
