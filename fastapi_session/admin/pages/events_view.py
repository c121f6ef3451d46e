"""The audit, the newest event first: what happened, to whom, by whom and from where. It is empty unless the deployment has an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette_admin import InlineModelView

from fastapi_session.admin.pages.read_only import LONGEST_LIST, ReadOnly, as_rows, columns, sessions_of
from fastapi_session.device import describe_user_agent
from fastapi_session.events import AuditEvent
from fastapi_session.plain_text import when
from fastapi_session.sessions import Sessions

_CIRCUMSTANCES = ("circumstances", "presented_by")
"""Where events have the address and the user agent of a request."""
_OF_EACH = ("reason", "by", "address", "device")
"""Columns of an event wherever it is shown."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as a row."""

    event_id: str
    at: str
    name: str
    user_id: str
    tenant_id: str
    handle: str
    reason: str | None
    by: str | None
    address: str | None
    device: str | None

    @classmethod
    def of(cls, event: AuditEvent) -> EventRow:
        """Return *event* as a row."""
        said = event.details
        seen: Mapping[str, Any] = next((said[name] for name in _CIRCUMSTANCES if said.get(name)), {})
        actor = said.get("by") or said.get("actor") or {}
        agent = seen.get("user_agent")
        return cls(
            event_id=event.event_id,
            at=when(event.at),
            name=event.name,
            user_id=event.user_id,
            tenant_id=event.tenant_id,
            handle=event.handle,
            reason=said.get("reason"),
            by=actor.get("user_id"),
            address=seen.get("ip_address"),
            device=describe_user_agent(agent).text or agent,
        )


class EventsView(ReadOnly[EventRow]):
    """The audit."""

    key = "event"
    menu_label = "Events"
    display_name = "Event"
    icon = "fa fa-list"
    pk_attr = "event_id"
    fields = (
        *columns("at", "name", "user_id", "tenant_id", "handle", at="When", name="What", handle="Session"),
        *columns(*_OF_EACH),
        *columns("event_id", in_list=False),
    )
    fields_default_sort = (("at", True),)
    row_actions = ()

    def can_view_detail(self, request: Request) -> bool:
        """Show all of an event in the list."""
        return False

    async def rows(self, request: Request, user_id: str | None) -> Sequence[EventRow]:
        """Return the newest events."""
        return await as_rows(EventRow.of, await _newest(sessions_of(request), user_id))


async def _newest(sessions: Sessions, user_id: str | None, tenant_id: str | None = None) -> Sequence[AuditEvent]:
    """Return the newest events, of the user and the tenant if they are given; none if there is no audit."""
    if not sessions.config.audit:
        return ()
    page = await sessions.events(user_id=user_id, tenant_id=tenant_id, newest_first=True, limit=LONGEST_LIST)
    return page.events


class Timeline(InlineModelView):
    """What happened to the session of a page: the newest events of its user that are about it."""

    key = "timeline"
    menu_label = "What happened"
    pk_attr = "event_id"
    fk_attr = "handle"
    fields = columns("at", "name", *_OF_EACH, at="When", name="What")

    async def find_by_parent(self, request: Request, parent: Any) -> Sequence[EventRow]:
        """Return the events of the session *parent*."""
        found = await _newest(sessions_of(request), parent.user_id, parent.tenant_id)
        return await as_rows(EventRow.of, [each for each in found if each.handle == parent.handle])
