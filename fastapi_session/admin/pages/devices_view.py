"""By which devices users are signed in: sessions whose user agents say the same device are one row, and end together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin import flash, row_action

from fastapi_session.admin.pages.read_only import ReadOnly, as_rows, by, columns, known_sessions, sessions_of, to_list
from fastapi_session.admin.signed_in import SignedInDevice, by_device, devices_of
from fastapi_session.plain_text import when
from fastapi_session.web.circumstances import circumstances_of


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device as a row, named by the handle of its newest session."""

    handle: str
    user_id: str
    tenant_id: str
    device: str
    address: str | None
    sessions: int
    since: str
    last_seen: str

    @classmethod
    def of(cls, found: SignedInDevice) -> DeviceRow:
        """Return *found* as a row."""
        newest = found.newest
        return cls(
            handle=newest.handle,
            user_id=newest.user_id,
            tenant_id=newest.tenant_id,
            device=by_device(newest),
            address=newest.last_seen.ip_address,
            sessions=len(found.sessions),
            since=when(found.since),
            last_seen=when(newest.last_seen_at),
        )


class DevicesView(ReadOnly[DeviceRow]):
    """The devices. Search finds those of the user of that id, in every tenant."""

    key = "device"
    menu_label = "Devices"
    display_name = "Device"
    icon = "fa fa-mobile"
    pk_attr = "handle"
    fields = (
        *columns("user_id", "tenant_id", "device", "address", "sessions", "since", "last_seen"),
        *columns("handle", in_list=False),
    )
    fields_default_sort = (("last_seen", True),)
    row_actions = ("sign_out",)

    def can_view_detail(self, request: Request) -> bool:
        """Show all of a device in the list."""
        return False

    async def rows(self, request: Request, user_id: str | None) -> Sequence[DeviceRow]:
        """Return devices, of the user if one is given."""
        found = await known_sessions(sessions_of(request), user_id)
        return await as_rows(DeviceRow.of, await asyncio.to_thread(devices_of, found))

    async def find_by_pk(self, request: Request, pk: Any) -> DeviceRow | None:
        """Return the device whose newest session has this handle."""
        found = await self._device(request, str(pk))
        return None if found is None else DeviceRow.of(found)

    @row_action(
        name="sign_out",
        text="Sign the device out",
        confirmation="Shall all sessions of the user on this device end?",
        submit_btn_text="End them",
        icon_class="fa fa-right-from-bracket",
        custom_response=True,
    )
    async def sign_out(self, request: Request, pk: Any) -> Response:
        """End the sessions of a device."""
        found = await self._device(request, str(pk))
        handles = [] if found is None else [each.handle for each in found.sessions]
        ended = await sessions_of(request).revoke_several(
            handles, by=by(request), circumstances=circumstances_of(request)
        )
        flash(request, f"Ended: {len(ended)}", "success" if ended else "warning")
        return to_list(request, self.key)

    async def _device(self, request: Request, handle: str) -> SignedInDevice | None:
        """Return the device of the session, with all of its sessions."""
        sessions = sessions_of(request)
        session = await sessions.information(handle)
        if session is None:
            return None
        every = await sessions.of_user(session.user_id, tenant_id=session.tenant_id)
        found = await asyncio.to_thread(devices_of, every)
        return next((each for each in found if handle in {one.handle for one in each.sessions}), None)
