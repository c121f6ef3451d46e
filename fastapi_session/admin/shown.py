"""What administrators are shown, as JSON. Nothing that verifies a token is among it, and nothing private of a key.

| of a session | is shown |
|---|---|
| whose it is, when, from where, by which device, who acts in it | always |
| claims, session data | on request |
| refresh tokens and their hashes, the key it is bound to, digests of a provider's session | never |
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel

from fastapi_session.admin.signed_in import SignedInDevice
from fastapi_session.device import Device
from fastapi_session.engine.administration import Health
from fastapi_session.engine.keys.known_keys import KeyInformation, KeySecret
from fastapi_session.session_information import SessionInformation


class AdminSession(BaseModel):
    """A session. *claims* and *session_data* are null unless they were asked for by `data=true`."""

    handle: str
    user_id: str
    recipe_user_id: str
    tenant_id: str
    kind: str
    remembered: bool
    bound: bool
    label: str | None
    device: Device
    user_agent: str | None
    ip_address: str | None
    first_user_agent: str | None
    first_ip_address: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    factors: Mapping[str, datetime]
    acr: str | None
    actor: str | None
    actor_reason: str | None
    claims: Mapping[str, Any] | None
    session_data: Mapping[str, Any] | None

    @classmethod
    def of(cls, found: SessionInformation, *, data: bool) -> Self:
        """Return what is shown of *found*, with its *data* if that was asked for."""
        actor = found.actor
        return cls(
            handle=found.handle,
            user_id=found.user_id,
            recipe_user_id=found.recipe_user_id,
            tenant_id=found.tenant_id,
            kind=found.kind,
            remembered=found.remembered,
            bound=found.bound,
            label=found.label,
            device=found.device,
            user_agent=found.last_seen.user_agent,
            ip_address=found.last_seen.ip_address,
            first_user_agent=found.first_seen.user_agent,
            first_ip_address=found.first_seen.ip_address,
            created_at=found.created_at,
            last_seen_at=found.last_seen_at,
            expires_at=found.expires_at,
            factors=found.factors,
            acr=found.acr,
            actor=None if actor is None else actor.user_id,
            actor_reason=None if actor is None else actor.reason,
            claims=found.access_token_payload if data else None,
            session_data=found.session_data if data else None,
        )


class AdminSessions(BaseModel):
    """Some sessions. *after* is to be given for those that follow, null if there are none. *total* is known of a user alone."""

    sessions: list[AdminSession]
    after: str | None
    total: int | None


class AdminDevice(BaseModel):
    """A device by which a user is signed in, as its user agent says, and the handles of its *sessions*, those seen last first."""

    user_id: str
    tenant_id: str
    device: Device
    user_agent: str | None
    ip_address: str | None
    since: datetime
    last_seen_at: datetime
    sessions: list[str]

    @classmethod
    def of(cls, found: SignedInDevice) -> Self:
        """Return what is shown of *found*."""
        newest = found.newest
        return cls(
            user_id=newest.user_id,
            tenant_id=newest.tenant_id,
            device=found.device,
            user_agent=newest.last_seen.user_agent,
            ip_address=newest.last_seen.ip_address,
            since=found.since,
            last_seen_at=newest.last_seen_at,
            sessions=[each.handle for each in found.sessions],
        )


class AdminDevices(BaseModel):
    """The devices by which a user is signed in, those seen last first."""

    devices: list[AdminDevice]


class Ended(BaseModel):
    """The handles of the sessions that ended, and of the one that was kept."""

    ended: list[str]
    kept: str | None


class AdminKey(BaseModel):
    """A signing key, as `keys list` of the command line shows it: nothing private of it."""

    kid: str
    family: str
    algorithm: str
    state: Literal["pending", "active", "retired", "expired", "unreadable"]
    signs: bool
    created_at: datetime
    signs_from: datetime
    verifies_until: datetime | None
    secret: KeySecret

    @classmethod
    def of(cls, found: KeyInformation) -> Self:
        """Return what is shown of *found*."""
        return cls.model_validate(found, from_attributes=True)


class AdminKeys(BaseModel):
    """The signing keys, by family and in their order."""

    keys: list[AdminKey]


class RotatedKey(BaseModel):
    """The key that signs from then on, and whether it was made now: if not, one was waiting already."""

    kid: str
    signs_from: datetime
    made: bool


class AdminEvents(BaseModel):
    """Some events of the audit, the newest first, as they are given to subscribers; *after* is to be given for those that follow."""

    events: list[dict[str, Any]]
    after: str | None


class AdminHealth(BaseModel):
    """How the process that responded is. Seconds: how old its knowledge of revocations is, and how far its clock is ahead of the store's."""

    store: str
    feed_age: float | None
    clock_ahead: float
    audit: bool
    keys: int
    signing: list[str]
    unreadable: list[str]

    @classmethod
    def of(cls, found: Health, *, audit: bool) -> Self:
        """Return what is shown of *found*."""
        return cls(
            store=found.store,
            feed_age=None if found.feed_age is None else found.feed_age.total_seconds(),
            clock_ahead=found.clock_ahead.total_seconds(),
            audit=audit,
            keys=len(found.keys),
            signing=[key.kid for key in found.keys if key.signs],
            unreadable=[key.kid for key in found.keys if key.state == "unreadable"],
        )


class Told(BaseModel):
    """What is wrong with a request, or not there."""

    message: str
