"""A login of another system that becomes a session here: what that system said, and what the session begins with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi_session.config.lifetimes import AS_CONFIGURED, Lifetime
from fastapi_session.handles import PUBLIC_TENANT
from fastapi_session.model import Json


@dataclass(frozen=True, slots=True)
class Adoption:
    """What another system said of a login: whose it is, and until when.

    *deadline* is when the login ends there, unless it is extended: afterwards no session begins by it, and the session that did has to
    be refreshed before. *created_at* is when the user signed in there, `None` if that is not known: then the session's absolute timeout
    begins with the adoption. Both are milliseconds since the epoch.
    *access_token_payload*, *session_data*, *tenant_id*, *recipe_user_id* and *lifetime* are as `create` takes them.
    *retire* is called once the session is kept here: it takes the login away from the other system. What it raises is logged.
    """

    user_id: str
    deadline: int
    created_at: int | None = None
    access_token_payload: Json = field(default_factory=dict, repr=False)
    session_data: Json = field(default_factory=dict, repr=False)
    tenant_id: str = PUBLIC_TENANT
    recipe_user_id: str | None = None
    lifetime: Lifetime = AS_CONFIGURED
    retire: Callable[[], Awaitable[object]] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OldLogin:
    """A login as a client brought it: *source* is the name of the other system, *key* a text that is the same each time it is brought.

    *ask* returns what the other system says of the login, `None` if it knows no such login, or not any more.
    """

    source: str
    key: str = field(repr=False)
    ask: Callable[[], Awaitable[Adoption | None]] = field(repr=False)
