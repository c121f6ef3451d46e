"""Everybody's sessions: whose, when, from where and by which device; one of them with its factors and what happened to it.

| of a session | is shown |
|---|---|
| claims | by their names, not with their values |
| session data | not at all |
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin import flash, row_action

from fastapi_session.admin.pages.events_view import Timeline
from fastapi_session.admin.pages.read_only import (
    VIEW,
    ReadOnly,
    as_rows,
    by,
    columns,
    known_sessions,
    sessions_of,
    to_list,
)
from fastapi_session.admin.signed_in import by_device
from fastapi_session.plain_text import when
from fastapi_session.session_information import SessionInformation
from fastapi_session.web.circumstances import circumstances_of


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as a row, and as a page of its own."""

    handle: str
    user_id: str
    tenant_id: str
    kind: str
    device: str
    address: str | None
    created: str
    last_seen: str
    expires: str
    actor: str | None
    label: str | None
    user_agent: str | None
    first_address: str | None
    first_user_agent: str | None
    remembered: str
    bound: str
    factors: str | None
    claims: str | None

    @classmethod
    def of(cls, found: SessionInformation) -> SessionRow:
        """Return *found* as a row."""
        actor, factors = found.actor, [f"{name} ({when(at)})" for name, at in found.factors.items()]
        return cls(
            handle=found.handle,
            user_id=found.user_id,
            tenant_id=found.tenant_id,
            kind=found.kind,
            device=by_device(found),
            address=found.last_seen.ip_address,
            created=when(found.created_at),
            last_seen=when(found.last_seen_at),
            expires=when(found.expires_at),
            actor=None if actor is None else f"{actor.user_id}: {actor.reason}",
            label=found.label,
            user_agent=found.last_seen.user_agent,
            first_address=found.first_seen.ip_address,
            first_user_agent=found.first_seen.user_agent,
            remembered="yes" if found.remembered else "no",
            bound="to a key of its client" if found.bound else "no",
            factors=", ".join([*factors, *([f"level {found.acr}"] if found.acr else [])]) or None,
            claims=", ".join(sorted(found.access_token_payload)) or None,
        )


class SessionsView(ReadOnly[SessionRow]):
    """The sessions. Search finds those of the user of that id, in every tenant."""

    key = "session"
    menu_label = "Sessions"
    display_name = "Session"
    icon = "fa fa-users"
    pk_attr = "handle"
    fields = (
        *columns("user_id", "tenant_id", "kind", "device", "address", "created", "last_seen", "expires"),
        *columns("actor", actor="Acted in by"),
        *columns("handle", "label", "user_agent", "first_address", "first_user_agent", in_list=False),
        *columns("remembered", "bound", "factors", "claims", in_list=False, claims="Names of claims"),
    )
    fields_default_sort = (("last_seen", True),)
    row_actions = (VIEW, "revoke", "revoke_user")
    inlines = (Timeline,)

    async def rows(self, request: Request, user_id: str | None) -> Sequence[SessionRow]:
        """Return sessions, of the user if one is given."""
        return await as_rows(SessionRow.of, await known_sessions(sessions_of(request), user_id))

    async def find_by_pk(self, request: Request, pk: Any) -> SessionRow | None:
        """Return the session of this handle."""
        found = await sessions_of(request).information(str(pk))
        return None if found is None else await asyncio.to_thread(SessionRow.of, found)

    # Their response is a redirect: the page of a session is not there any more once that has ended.

    @row_action(
        name="revoke",
        text="End the session",
        confirmation="Shall this session end? Its user signs in again on that device.",
        submit_btn_text="End it",
        icon_class="fa fa-right-from-bracket",
        custom_response=True,
    )
    async def revoke(self, request: Request, pk: Any) -> Response:
        """End a session."""
        ended = await sessions_of(request).revoke(str(pk), by=by(request), circumstances=circumstances_of(request))
        if ended:
            flash(request, "The session has ended.", "success")
        else:
            flash(request, "There is no such session any more.", "warning")
        return to_list(request, self.key)

    @row_action(
        name="revoke_user",
        text="End all sessions of the user",
        confirmation="Shall all sessions of this user end, in this tenant?",
        submit_btn_text="End all",
        icon_class="fa fa-user-slash",
        custom_response=True,
    )
    async def revoke_user(self, request: Request, pk: Any) -> Response:
        """End all sessions of the user whose session it is, in the tenant of it."""
        sessions = sessions_of(request)
        found = await sessions.information(str(pk))
        if found is None:
            flash(request, "There is no such session any more.", "warning")
            return to_list(request, self.key)
        ended = await sessions.revoke_all(
            found.user_id, tenant_id=found.tenant_id, by=by(request), circumstances=circumstances_of(request)
        )
        flash(request, f"Ended: {len(ended)}", "success")
        return to_list(request, self.key)
