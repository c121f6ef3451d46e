"""A guest who signs in: the user's session takes the place of the guest's, and takes over its session data.

| the guest's data are changed | then |
|---|---|
| before they are read | the change is merged |
| in this process, while they are merged | it waits for the session's lock, and finds that the session was superseded |
| in another process, while they are merged | nothing is written, since the version of the record has moved: they are read and merged again |
| after that | it finds that the session was superseded |

So no change that was written is lost, and a request that comes too late fails: its client sends it again with the user's tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fastapi_session.audit import InsertionAudit
from fastapi_session.core.guests import Merge, merged_data
from fastapi_session.core.payload import json_object
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.record_changes import RecordChanges
from fastapi_session.engine.session_limits import insert_under
from fastapi_session.errors import PayloadError
from fastapi_session.handles import split_handle
from fastapi_session.insertion import Limit
from fastapi_session.model import GUEST_KIND, Json, SessionRecord
from fastapi_session.stores.base import SessionStore

UpgradeAudits = tuple[InsertionAudit | None, InsertionAudit | None]
"""What the store is to write if the session was a guest's, and if not."""


class Guests:
    """Lets sessions in *store* take the place of guests'."""

    def __init__(self, store: SessionStore, *, record_changes: RecordChanges, announcements: Announcements) -> None:
        self._store = store
        self._announcements = announcements
        self._record_changes = record_changes

    async def insert_upgraded(
        self,
        record: SessionRecord,
        handle: str,
        *,
        merge: Merge,
        replacing: Sequence[str],
        audits: UpgradeAudits,
        limit: Limit | None,
    ) -> bool:
        """Keep *record* in the place of the session named *handle* and of those *replacing* (ids); say if the first was a guest's.

        The store writes the first of *audits* if it was, else the second.

        If so, its data are merged into those of *record*; else only *merge* is applied, to no data. Raises `PayloadError` for
        what *merge* returns, and what that raises, and `SessionLimitReached` if *limit* refuses: then nothing was written. Raises
        `StoreUnavailable`.
        """

        def upgraded(guest: SessionRecord) -> tuple[SessionRecord, bool] | None:
            return (_with_data(record, merge, guest.session_data), True) if guest.kind == GUEST_KIND else None

        as_guest, as_other = audits
        if await self._record_changes.take_over(
            handle, upgraded, replacing=replacing, audit=lambda _: as_guest, limit=limit
        ):
            return True
        # There are no guest's data to merge, but the sign-in goes on.
        earlier = [*replacing, split_handle(handle)[0]]
        alone = _with_data(record, merge, {})
        announcements = self._announcements
        await insert_under(
            limit, alone, store=self._store, announcements=announcements, replacing=earlier, audit=as_other
        )
        return False


def _with_data(record: SessionRecord, merge: Merge, guest: Json) -> SessionRecord:
    data = merged_data(merge, guest, record.session_data)
    # Most likely `None`, after a change in place: nobody wants to delete all by that.
    if not isinstance(data, Mapping):
        raise PayloadError(f"session_data: merge returned {type(data).__name__}, return the data as they are to be")
    return replace(record, session_data=json_object(data, "session_data"))
