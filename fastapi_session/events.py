"""What happens to sessions, for those who subscribe.

Subscribers are async functions of one event. They are called in the background, after the fact: what they do, and whether
they fail, changes nothing for the request they observe. No event carries a token or a part of one.

```
SessionEvent
├── SessionCreated       somebody signed in
├── SessionRefreshed     a client exchanged its refresh token
├── SessionRevoked       a session was ended: by sign-out, by its handle, with all of its user's
├── TokenTheftDetected   a used refresh token came back; the session is already revoked
└── ClaimsRejected       a session did not satisfy the claims of a route
```
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi_session.errors import ClaimFailure
from fastapi_session.model import Circumstances


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent:
    """Something that happened to the session *handle* of *user_id* in *tenant_id*, *at* a moment (UTC)."""

    handle: str
    user_id: str
    tenant_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCreated(SessionEvent):
    """Somebody signed in. *replaced* are the handles of the sessions whose place this one took: those the client had."""

    circumstances: Circumstances
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRefreshed(SessionEvent):
    """A client exchanged its refresh token. *is_rotated* says whether it was given the next one, not the same again."""

    circumstances: Circumstances
    is_rotated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRevoked(SessionEvent):
    """A session was ended."""


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
    """A session did not satisfy the claims of a route."""

    failures: tuple[ClaimFailure, ...]


Subscriber = Callable[[SessionEvent], Awaitable[None]]
"""An async function that is called with every event; it picks those it wants with `isinstance` or `match`."""
