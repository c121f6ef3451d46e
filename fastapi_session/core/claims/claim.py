"""A claim: a fact about a user that travels in the access token, as `{key: {"v": value, "t": milliseconds when it was fetched}}`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from fastapi_session.async_functions import ensure_async
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import Json

T = TypeVar("T")
"""The type of a claim's value: what JSON can say."""

Fetch = Callable[[str, str, Json], Awaitable[T | None]]
"""Returns a claim's value, given the user id, the tenant and the session's payload; `None` if there is none."""

FETCH_TAKES = ("user_id", "tenant_id", "payload")

LATEST_MOMENT = 253_402_300_800_000
"""Milliseconds until the year 10000. An entry with a later date, or one before 1970, was not written by us: the claim is fetched again."""


@dataclass(frozen=True)
class Claim(Generic[T]):
    """A fact about a user: its *key* in the payload, and the async function that knows its value.

    *default_max_age* is how old a value may be for validators that do not say. Default: as old as the session.
    Raises `ConfigurationError` if *fetch* is no async function of (user_id, tenant_id, payload).
    """

    key: str
    fetch: Fetch[T]
    default_max_age: timedelta | None = None

    def __post_init__(self) -> None:
        ensure_async(self.fetch, f"fetch of the claim {self.key!r}", takes=FETCH_TAKES)

    def value(self, payload: Json) -> T | None:
        """Return the claim's value in *payload*, `None` if it has none."""
        entry = self._entry(payload)
        return None if entry is None else entry["v"]

    def fetched_at(self, payload: Json) -> int | None:
        """Return when the value in *payload* was fetched, in milliseconds since the epoch; `None` if there is none."""
        entry = self._entry(payload)
        return None if entry is None else entry["t"]

    def entry(self, value: T, *, now: int) -> Json:
        """Return the entry of this claim in a payload, for *value* fetched at *now* (milliseconds)."""
        return {self.key: {"v": value, "t": now}}

    def _entry(self, payload: Json) -> Json | None:
        # An application may keep anything under this name in its payload: then the claim is fetched.
        entry = payload.get(self.key)
        if isinstance(entry, dict) and entry.get("v") is not None and _is_moment(entry.get("t")):
            return entry
        return None


AnyClaim = Claim[Any]
"""A claim, whatever the type of its value."""


def claims_of(given: Iterable[AnyClaim]) -> tuple[AnyClaim, ...]:
    """Return *given*, once each is a claim. Raises `ConfigurationError`, with the fix."""
    if isinstance(given, Claim):
        raise ConfigurationError("claims: give a list of them, also if there is one")
    claims = tuple(given)
    for each in claims:
        if not isinstance(each, Claim):
            raise ConfigurationError(
                f"claims: {each!r} is none; give the claims themselves, and what is asked of them to a route"
            )
    return claims


def _is_moment(value: object) -> bool:
    # Not isinstance: to that, true is a number.
    return type(value) is int and 0 <= value < LATEST_MOMENT
