"""Sessions by their handle: known, changed and ended without a request and without a token.

For background jobs, command lines and administration. An unknown handle is `None` or `False`, never an error.
Every method raises `StoreUnavailable` where the store is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import replace
from typing import Any, Self, TypeVar

from fastapi_session.core import access_token
from fastapi_session.core.claims.claim import Claim
from fastapi_session.core.claims.validators import ClaimValidator, claims_to_fetch, failures
from fastapi_session.core.payload import copied, json_object, merged
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.engine.assembly import Engine
from fastapi_session.engine.record_changes import change_record, live_record
from fastapi_session.engine.revocation.ending import ending
from fastapi_session.errors import ClaimFailure, ConfigurationError, PayloadError, SessionError
from fastapi_session.model import Json, SessionRecord, split_handle
from fastapi_session.session_information import SessionInformation
from fastapi_session.stores.base import TransactionalStore

T = TypeVar("T")


class SessionsByHandle:
    """What can be done with a session whose handle is known."""

    def __init__(self, engine: Engine, *, signs_statically: bool) -> None:
        self._engine = engine
        self._signs_statically = signs_statically
        self.store = engine.store

    def within(self, connection: Any) -> Self:
        """Return these sessions, with what creates, changes and ends them written in the open transaction of *connection*.

        That is a connection of the database that has the sessions; its owner commits or rolls back. Events are told,
        and this process hears of what ended, once it has committed. What is only read is read there too,
        and the first signing key of all is made there: whoever holds a connection waits for no other. To refresh, or to
        revoke a key, is as ever. Raises `ConfigurationError` where the store knows no transactions.
        """
        if not isinstance(self.store, TransactionalStore):
            raise ConfigurationError("within: this store has no transactions to write in; SqlStore has")
        joined, engine = copy(self), self._engine.within(self.store.within(connection))
        SessionsByHandle.__init__(joined, engine, signs_statically=self._signs_statically)
        return joined

    def on_end(self, tell: Callable[[bool], None]) -> None:
        """Call *tell* once it is certain what became of what was just written: true, it stays; false, it was undone.

        That is at once, and `within` a transaction when that has committed or was rolled back, or a savepoint around it was.
        """
        self._engine.on_end(tell)

    async def information(self, handle: str) -> SessionInformation | None:
        """Return what is known of the session named *handle*, `None` where there is none."""
        record = await live_record(self.store, handle)
        return None if record is None else SessionInformation.of(record)

    async def revoke(self, handle: str) -> bool:
        """End the session named *handle*, and say whether it was alive. After this no refresh of it succeeds."""
        record = await live_record(self.store, handle)
        if record is None or not await self.store.delete(record.session_id):
            return False
        self._engine.announcements.revoked(record)
        return True

    async def revoke_several(self, handles: Iterable[str]) -> list[str]:
        """End the sessions named by *handles*, and answer those that were alive."""
        return [handle for handle in handles if await self.revoke(handle)]

    async def refusal(self, handle: str) -> SessionError:
        """Return what to tell a client whose session, named *handle*, is not there any more, and whether to clear its tokens."""
        return (await self._engine.succession.of_access_token(split_handle(handle)[0])).about(handle)

    async def refusal_of_refresh(self, handle: str, *, reason: str) -> SessionError:
        """Return what to tell a refresh whose session, named *handle*, is not there any more; *reason* is for logs."""
        return await self._engine.succession.of_refresh_token(split_handle(handle)[0], reason=reason)

    def ending(self, handle: str) -> AbstractContextManager[asyncio.Future[None]]:
        """Give a future that is done when the session named *handle* is revoked or superseded: at once, or within two seconds elsewhere.

        It is done already where that is known.
        """
        return ending(split_handle(handle)[0], feed=self._engine.feed)

    async def update_session_data(self, handle: str, session_data: Json) -> bool:
        """Replace what the store keeps with the session. Says whether the session is there. Raises `PayloadError`."""
        return await self.change_session_data(handle, lambda _: session_data)

    async def change_session_data(self, handle: str, change: Callable[[Json], Json]) -> bool:
        """Write what *change* makes of the data, and ask it again where another writer came first: no change is lost.

        *change* is given a copy and returns the data as they are to be. Says whether the session is there. What *change*
        raises, or a `PayloadError` for what it returns, leaves the data as they were.
        """

        def changed(record: SessionRecord) -> SessionRecord:
            return replace(record, session_data=_made(change, of=record.session_data, what="session_data"))

        return await self._change_record(handle, changed) is not None

    async def merge_into_access_token_payload(self, handle: str, changes: Json) -> bool:
        """Lay *changes* over the session's own claims; `None` removes one. Says whether the session is there.

        Access tokens of before are answered "try refresh token" from then on, in other processes within two seconds; so
        the client has the new claims with its next request. Raises `PayloadError`, and then nothing is written.
        """
        return await self.change_access_token_payload(handle, lambda payload: merged(payload, changes))

    async def change_access_token_payload(self, handle: str, change: Callable[[Json], Json]) -> bool:
        """Do as `change_session_data` does, with the session's own claims."""
        return await self._change_payload(handle, change, marks_stale=True) is not None

    async def fetch_and_set_claim(self, handle: str, claim: Claim[Any]) -> bool:
        """Fetch the value of *claim* and keep it. Says whether the session is there."""
        record = await live_record(self.store, handle)
        if record is None:
            return False
        fetched = await self._fetched([claim], record.user_id, record.tenant_id, record.access_token_payload)
        return await self.merge_into_access_token_payload(handle, fetched)

    async def set_claim_value(self, handle: str, claim: Claim[T], value: T) -> bool:
        """Keep *value* as that of *claim*, fetched now. Says whether the session is there."""
        return await self.merge_into_access_token_payload(handle, claim.entry(value, now=self._engine.clock()))

    async def claim_value(self, handle: str, claim: Claim[T]) -> T | None:
        """Return the value of *claim*, `None` where the session has none, or is not there."""
        record = await live_record(self.store, handle)
        return None if record is None else claim.value(record.access_token_payload)

    async def remove_claim(self, handle: str, claim: Claim[Any]) -> bool:
        """Forget the value of *claim*. Says whether the session is there."""
        return await self.merge_into_access_token_payload(handle, {claim.key: None})

    async def claim_failures(self, handle: str, validators: Sequence[ClaimValidator]) -> list[ClaimFailure] | None:
        """Return what *validators* say of the session, after fetching what they need; `None` where it is not there."""
        record = await live_record(self.store, handle)
        if record is None:
            return None
        now = self._engine.clock()  # what is fetched from here on is young, however long it takes
        due = claims_to_fetch(validators, record.access_token_payload, now=now)
        fetched = await self._fetched(due, record.user_id, record.tenant_id, record.access_token_payload)
        if fetched and not await self.merge_into_access_token_payload(handle, fetched):
            return None
        return failures(validators, merged(record.access_token_payload, fetched), now=now)

    async def _fetched(self, claims: Iterable[Claim[Any]], user_id: str, tenant_id: str, payload: Json) -> Json:
        """Return what a payload has of *claims* once they are fetched; one that has no value leaves nothing."""
        fetched: dict[str, Any] = {}
        for claim in claims:
            value = await claim.fetch(user_id, tenant_id, {**payload, **fetched})
            if value is not None:
                fetched.update(claim.entry(value, now=self._engine.clock()))
        return fetched

    async def _change_payload(
        self, handle: str, change: Callable[[Json], Json], *, marks_stale: bool = False
    ) -> SessionRecord | None:
        key = await self._signing_key()

        def changed(record: SessionRecord) -> SessionRecord:
            payload = _made(change, of=record.access_token_payload, what="access_token_payload")
            with_payload = replace(record, access_token_payload=access_token.custom_claims(payload))
            self._engine.mint.ensure_fits(with_payload, key=key, before=record)
            return with_payload

        stale = self._engine.announcements.changed if marks_stale else None
        return await self._change_record(handle, changed, stale=stale)

    async def _change_record(
        self,
        handle: str,
        change: Callable[[SessionRecord], SessionRecord],
        *,
        stale: Callable[[SessionRecord], None] | None = None,
    ) -> SessionRecord | None:
        async with self._engine.locks.of(handle):  # other processes are noticed by the version of the record
            return await change_record(self.store, handle, change=change, stale=stale)

    async def _signing_key(self) -> SigningKey:
        return await self._engine.keyring.signing_key(static=self._signs_statically, through=self._engine.joined)


def _made(change: Callable[[Json], object], *, of: Json, what: str) -> dict[str, Any]:
    """Return what *change* makes of a copy: a store may hold the original. Raises `PayloadError` if that is no JSON object."""
    value = change(copied(of))
    if not isinstance(value, Mapping):  # `None` after a change in place, most likely: nobody means to forget all by it
        raise PayloadError(f"{what}: the change returned {type(value).__name__}, return the object as it is to be")
    return json_object(value, what)
