"""How many sessions a user may have at once: the setting, and what overrides it for a kind or a sign-in.

| of a sign-in, the kind | the limit | the sessions that count |
|---|---|---|
| has a limit of its own | the kind's | those of the kind |
| has none | `session_limit`, `per="user"` | those of all kinds without a limit of their own |
| has none | `session_limit`, `per="kind"` | those of the kind |
| is that of guests, or somebody acts as the user | none | |

`create(limit=...)` overrides either limit. Whatever the limit, the sessions of guests and impersonations do
not count, nor do those of another tenant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, InstanceOf, PlainSerializer
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from fastapi_session.errors import ConfigurationError

CountFor = Callable[[str, str, str], int | None]
"""Returns the limit of (user_id, tenant_id, kind); `None` is no limit."""

MOST_SESSIONS = 1_000
"""How many sessions a limit allows at most: each sign-in counts them."""

_WhenReached = Literal["evict", "refuse"]
_Per = Literal["user", "kind"]


@dataclass(frozen=True, slots=True)
class SessionLimit:
    """At most *count* sessions of a user at once, in each tenant: a number, or a function of (user_id, tenant_id, kind).

    *count* is 1 to 1,000, or `None` for as many as there may be. At the limit, a sign-in ends the session whose newest refresh
    token is the oldest, or with *when_reached* "refuse" raises `SessionLimitReached`. *per* "kind" counts each kind of session by
    itself. Raises `ConfigurationError` for what cannot be.
    """

    count: int | CountFor | None
    _: KW_ONLY
    when_reached: _WhenReached = "evict"
    per: _Per = "user"

    def __post_init__(self) -> None:
        if found := [*_problems(self)]:
            raise ConfigurationError("\n".join(f"SessionLimit.{each}" for each in found))

    def count_for(self, user_id: str, tenant_id: str, kind: str) -> int | None:
        """Return the limit of the user, `None` for none. Raises what *count* raises, and `ConfigurationError` if that returns another."""
        if not callable(self.count):
            return self.count
        count = self.count(user_id, tenant_id, kind)
        if not _is_count(count):
            raise ConfigurationError(f"SessionLimit.count: the function has to return 1 to {MOST_SESSIONS}, or None")
        return count


def _problems(limit: SessionLimit) -> Iterator[str]:
    if not callable(limit.count) and not _is_count(limit.count):
        yield (
            f"count: give 1 to {MOST_SESSIONS}, None for as many as there may be, or a function of (user_id, tenant_id, kind) "
            "that returns one of these"
        )
    if limit.when_reached not in get_args(_WhenReached):
        yield "when_reached: give 'evict' or 'refuse'"
    if limit.per not in get_args(_Per):
        yield "per: give 'user' or 'kind'"


def _is_count(given: object) -> bool:
    return given is None or (type(given) is int and 1 <= given <= MOST_SESSIONS)


def _limit(given: object) -> object:
    """Return the value *given* to a setting as a `SessionLimit`; as text JSON, a number alone or with the rest."""
    try:
        read = json.loads(given) if isinstance(given, str) else given
        if read is None or isinstance(read, SessionLimit):
            return read
        return SessionLimit(**read) if isinstance(read, Mapping) else SessionLimit(read)  # type: ignore[arg-type]
    except ConfigurationError as refused:
        found = str(refused).replace("SessionLimit.", "").replace("\n", "; ")
        raise PydanticCustomError("session_limit", "{found}", {"found": found}) from None
    except (ValueError, TypeError):
        fix = 'give a SessionLimit, in the environment a number or JSON: {"count": 5, "when_reached": "refuse"}'
        raise PydanticCustomError("session_limit", "{fix}", {"fix": fix}) from None


def _printed(limit: SessionLimit | None) -> object:
    if limit is None:
        return None
    count = "a function" if callable(limit.count) else limit.count
    return {"count": count, "when_reached": limit.when_reached, "per": limit.per}


# NoDecode, since for text that is no JSON pydantic-settings has an error of a class of its own.
LimitSetting = Annotated[
    InstanceOf[SessionLimit] | None, NoDecode, BeforeValidator(_limit), PlainSerializer(_printed, when_used="json")
]
"""A limit of sessions, or none; as text JSON."""
