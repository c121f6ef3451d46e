"""What is known of a session by its handle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fastapi_session.device import Device, describe_user_agent
from fastapi_session.model import Actor, Circumstances, Json, SessionRecord, moment


@dataclass(frozen=True, slots=True)
class SessionInformation:
    """What the store knows of a session: neither its tokens nor what verifies them.

    *first_seen* says whose request began it, *last_seen* whose was given its newest refresh token, *last_seen_at* when (UTC),
    or when it was used after that, if `last_seen_resolution` is set. It ends at *expires_at* unless it is refreshed before.
    *label* is what its user calls it, `None` if nothing. *kind* is one of `SessionConfig.kinds`, or "default"; *remembered* says whether its cookies outlive the browser. *actor* is who acts as the
    user by impersonation, with the reason he gave. *bound* says whether it is bound to a key of its client.
    *factors* has when the user was last authenticated by each method that the application named, *acr* is the level reached.
    """

    handle: str
    user_id: str
    recipe_user_id: str
    tenant_id: str
    access_token_payload: Json
    session_data: Json
    created_at: datetime
    last_seen_at: datetime
    last_seen: Circumstances
    expires_at: datetime
    kind: str
    remembered: bool
    first_seen: Circumstances
    label: str | None
    actor: Actor | None = None
    bound: bool = False
    factors: Mapping[str, datetime] = field(default_factory=dict)
    acr: str | None = None

    @property
    def device(self) -> Device:
        """The device of *last_seen*, so far as its user agent says. It is found out when it is asked for, and then remembered."""
        return describe_user_agent(self.last_seen.user_agent)

    @classmethod
    def of(cls, record: SessionRecord) -> SessionInformation:
        """Return what *record* says, without what the rotation of tokens keeps there."""
        return cls(
            handle=record.handle,
            user_id=record.user_id,
            recipe_user_id=record.recipe_user_id,
            tenant_id=record.tenant_id,
            access_token_payload=record.access_token_payload,
            session_data=record.session_data,
            created_at=moment(record.created_at),
            last_seen_at=moment(max(record.lineage.window_at, record.last_seen_at)),
            last_seen=record.circumstances,
            expires_at=moment(record.lineage.idle_expires_at),
            kind=record.kind,
            remembered=record.persistent,
            first_seen=Circumstances(record.first_ip_address, record.first_user_agent),
            label=record.label,
            actor=record.acted_by,
            bound=record.bound_key is not None,
            factors={name: moment(at) for name, at in record.factors.items()},
            acr=record.acr,
        )
