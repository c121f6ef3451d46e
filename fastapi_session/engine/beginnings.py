"""Beginning a session: its record is kept, whoever it replaces ends, and all that is announced."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fastapi_session.core.guests import Merge
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.guests import Guests
from fastapi_session.engine.known_devices import KnownDevices
from fastapi_session.engine.live_records import is_handle
from fastapi_session.engine.session_limits import insert_under
from fastapi_session.engine.tokens.taking_in import TakingIn
from fastapi_session.handles import own_handle, split_handle
from fastapi_session.insertion import Limit
from fastapi_session.model import SessionRecord
from fastapi_session.stores.base import SessionStore


class Beginnings:
    """Begins sessions in *store*. *devices* says whether that of a sign-in is new, `None` if it is not tracked.

    *elsewhere* has sessions that are not here yet, if some have to move in.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        guests: Guests,
        announcements: Announcements,
        devices: KnownDevices | None,
        elsewhere: TakingIn | None = None,
    ) -> None:
        self._store = store
        self._devices = devices
        self._guests = guests
        self._announcements = announcements
        self._elsewhere = elsewhere

    async def begin(
        self,
        record: SessionRecord,
        *,
        replaced: Sequence[str],
        upgrading: str | None,
        merge: Merge,
        limit: Limit | None,
        device: str | None,
    ) -> None:
        """Keep *record* in the place of the sessions *replaced* and *upgrading* (handles), under *limit*, and announce it.

        Raises `PayloadError` for what *merge* returns, and what that raises, `SessionLimitReached`, `StoreUnavailable`.
        """
        upgrading = None if upgrading is None else own_handle(upgrading)
        if self._elsewhere is not None:  # what is missing here could be taken in later, and would not have ended
            await self._elsewhere.take_in_missing([*replaced, *([] if upgrading is None else [upgrading])])
        others = [split_handle(handle)[0] for handle in replaced if handle != upgrading]
        upgraded_from, announcements = None, self._announcements
        if upgrading is None or not is_handle(upgrading):
            audit = announcements.audit_of_creation(record, replaced=replaced) if announcements.audits else None
            await insert_under(
                limit, record, store=self._store, announcements=announcements, replacing=others, audit=audit
            )
        else:
            replaced = [*dict.fromkeys([*replaced, upgrading])]
            audit_of = partial(announcements.audit_of_creation, record, replaced=replaced)
            audits = audit_of(upgraded_from=upgrading), audit_of()
            is_guest = await self._guests.insert_upgraded(
                record, upgrading, merge=merge, replacing=others, audits=audits, limit=limit
            )
            upgraded_from, audit = (upgrading, audits[0]) if is_guest else (None, audits[1])
        # Last: a sign-in that is refused must not make a device known.
        is_new = None if self._devices is None else await self._devices.see(record, device)
        announcements.created(record, replaced=replaced, upgraded_from=upgraded_from, is_new_device=is_new, audit=audit)
