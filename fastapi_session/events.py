"""What happens to sessions, for those who subscribe.

Subscribers are async functions of one event. They are called in the background, after the fact: what they do, and whether
they fail, changes nothing for the request they observe. No event carries a token or a part of one.

```
SessionEvent
├── SessionCreated       somebody signed in
├── SessionAdopted       a session of another system was taken in, or a login of one became a session
├── SessionElevated      a user was authenticated again, and a session with new tokens took the place of the one before
├── SessionRefreshed     a client exchanged its refresh token
├── SessionRevoked       a session was ended, for the reason it gives
├── DeviceBound          a browser bound its session to a key of its own
├── DeviceMismatch       the refresh token of a bound session came without proof of its key; nothing has changed
├── TokenTheftDetected   a used refresh token came back; the session is already revoked
├── ClaimsRejected       a session did not satisfy the claims of a route
├── ImpersonationStarted a user acts as another one from now on
└── ImpersonationEnded   the actor stopped, or the session was revoked
```
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi_session.audit import EventRecord
from fastapi_session.errors import ClaimFailure
from fastapi_session.handles import session_handle
from fastapi_session.model import NOT_KNOWN, Actor, Circumstances, EndReason, Json, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent:
    """Something that happened to the session *handle* of *user_id* in *tenant_id*, *at* a moment (UTC).

    *kind* is the kind of the session, `None` where only its access token was seen. *event_id* is random, 32 hexadecimal
    characters: if a queue delivers an event twice, it is recognised by this id.
    *actor* is who acted as that user by impersonation, if anybody did.
    """

    handle: str
    user_id: str
    tenant_id: str
    at: datetime
    kind: str | None
    event_id: str
    actor: Actor | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the event as a JSON object: its class as `event`, and its attributes by their names. No token is in it.

        A moment is text (RFC 3339, UTC, milliseconds); what has attributes of its own, such as `Circumstances`, is an object.
        """
        return {"event": type(self).__name__, **_json_of(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCreated(SessionEvent):
    """Somebody signed in. *replaced* are the handles of the sessions whose place this one took: those the client had.

    *upgraded_from* is the one among them, if any, that was a guest's, and whose data this session took over.
    *is_new_device* says whether the user has not signed in by this device before; it is `None` if that is not tracked, and at
    the user's very first sign-in. *bound* says whether it is bound to a key of its client from the beginning (DPoP); if a browser
    binds it, that is told by `DeviceBound`.
    """

    circumstances: Circumstances
    replaced: tuple[str, ...] = ()
    upgraded_from: str | None = None
    is_new_device: bool | None = None
    bound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAdopted(SessionEvent):
    """A session of the system *source* was taken in, or a login of it became a session: its user had signed in there."""

    circumstances: Circumstances
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionElevated(SessionEvent):
    """A user was authenticated again, by *methods*: the session took the place of *previous_handle*, and has the level *acr*."""

    previous_handle: str
    methods: tuple[str, ...]
    acr: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRefreshed(SessionEvent):
    """A client exchanged its refresh token. *is_rotated* says whether it was given the next one, not the same again."""

    circumstances: Circumstances
    is_rotated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRevoked(SessionEvent):
    """A session was ended.

    | *reason* | the session ended |
    |---|---|
    | `signed_out` | by `session.revoke()`, or at an endpoint for signing out |
    | `by_handle` | by `sessions.revoke(handle)` |
    | `others`, `all` | with its user's others, or with all of them, by `sessions.revoke_all` |
    | `limit` | since its user may have no more sessions at a time |
    | `superseded` | since another one took its place: only in the audit, subscribers have `SessionCreated.replaced` |
    | `password_changed` | whenever you give that reason; any text of up to 64 characters is one |
    | `impersonation_ended` | since whoever acted as its user stopped |
    | `backchannel` | since the identity provider said so |
    | `token_revoked` | since a service revoked one of its tokens at the revocation endpoint; *by* has the id of that client |
    | `regressed` | since its client has a newer token than the store knows: the store has lost writes |
    | `expired` | at its deadline: only in the audit, when it is cleared away |
    | `ended_elsewhere` | since it had ended in the system where it began, before its client came here |

    *by* is who ended it, *circumstances* are those of the request in which it ended, both as far as they are known.
    """

    reason: EndReason | str
    by: Actor | None = None
    circumstances: Circumstances = NOT_KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceBound(SessionEvent):
    """A browser bound its session to a key that it keeps: from now on it is refreshed only by who has that."""

    circumstances: Circumstances


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMismatch(SessionEvent):
    """The refresh token of a bound session came without proof of its key. It was refused, and nothing has changed.

    *presented_by* is who came with it, *last_seen* who was given the newest token before, with the key. Mostly the token was
    copied; it may also be the owner, if a browser has lost its key or could not prove it.
    """

    presented_by: Circumstances
    last_seen: Circumstances


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTheftDetected(SessionEvent):
    """A used refresh token came back. *reason* is the row of the rotation table that decided (see `Verdict`).

    *presented_by* is who came with the used token, *last_seen* who was given the newest one before. Which of the two is the
    thief, nobody can know: that is why the session ends for both.
    """

    reason: str
    presented_by: Circumstances
    last_seen: Circumstances


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsRejected(SessionEvent):
    """A session did not satisfy the claims of a route: *failures* are all that were not satisfied. Nothing has changed."""

    failures: tuple[ClaimFailure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpersonationStarted(SessionEvent):
    """*actor* acts as *user_id* from now on, in the session *handle*; the actor's own session waits. *actor* has the reason given."""

    circumstances: Circumstances


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpersonationEnded(SessionEvent):
    """*actor* no longer acts as *user_id*: the actor stopped, or the session *handle* was revoked.

    *resumed* is the handle of the actor's own new session, `None` if there is none. An impersonation that
    simply reaches its deadline ends without an event: nobody is there to notice.
    """

    resumed: str | None = None


Subscriber = Callable[[SessionEvent], Awaitable[None]]
"""An async function that is called with every event; it picks those it wants with `isinstance` or `match`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """An event as the store has kept it, whatever version wrote it: *name* is the class of the event, *details* what only that has.

    *at* is the store's clock (UTC).
    """

    event_id: str
    at: datetime
    name: str
    handle: str
    user_id: str
    tenant_id: str
    kind: str
    details: Json

    @classmethod
    def of(cls, record: EventRecord) -> AuditEvent:
        """Return the event that a store has kept as *record*."""
        return cls(
            event_id=record.event_id,
            at=moment(record.at),
            name=record.name,
            handle=session_handle(record.session_id, record.tenant_id),
            user_id=record.user_id,
            tenant_id=record.tenant_id,
            kind=record.kind,
            details={"actor": None, **record.body},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the event as a JSON object, as `SessionEvent.to_json` does."""
        own = {field.name: _json_of(getattr(self, field.name)) for field in fields(self)}
        del own["name"], own["details"]
        return {"event": self.name, **own, **self.details}


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some *events* of the audit, and what to give as *after* for those that follow. There are none for now if it has none."""

    events: tuple[AuditEvent, ...]
    after: str | None


def details(kind: type[SessionEvent], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not of the session itself in an event of *kind*, as JSON: what is *said*, else its defaults."""
    common = {field.name for field in fields(SessionEvent)}
    own = [field for field in fields(kind) if field.name not in common]
    return {field.name: _json_of(said.get(field.name, field.default)) for field in own}


def _json_of(value: Any) -> Any:
    """Return *value*, of a field of an event, as JSON says it."""
    if is_dataclass(value):
        return {field.name: _json_of(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, tuple):
        return [_json_of(each) for each in value]
    return value
