"""Rules about what a session claims. Every failure is told at once, with a reason in the shape that clients know.

| case | reason's `message`, beside what was expected |
|---|---|
| no value, though it was fetched | "value does not exist", `actualValue` null |
| older than `max_age`, though it was fetched again | "expired", `ageInSeconds`, `maxAgeInSeconds` |
| another value | "wrong value", `actualValue` |

Validators are frozen values: two that say the same are equal, so that FastAPI runs equal dependencies once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Protocol

from fastapi_session.core.claim import Claim, T
from fastapi_session.errors import ClaimFailure
from fastapi_session.model import Json


class ClaimValidator(Protocol):
    """A rule about a session's payload. Any hashable object with these two methods will do."""

    def claim_to_fetch(self, payload: Json, *, now: int) -> Claim[Any] | None:
        """Answer the claim whose value has to be fetched before `failure` is asked, `None` where none has to be."""

    def failure(self, payload: Json, *, now: int) -> ClaimFailure | None:
        """Answer what is wrong with *payload* at *now* (milliseconds), `None` where nothing is."""


@dataclass(frozen=True)
class PayloadRule:
    """A validator of one's own in one line: *holds* is asked whether the whole payload will do."""

    id: str
    holds: Callable[[Json], bool]

    def claim_to_fetch(self, payload: Json, *, now: int) -> None:
        """Fetch nothing: the rule is about what is there."""

    def failure(self, payload: Json, *, now: int) -> ClaimFailure | None:
        """Answer a failure without a reason where *holds* says no."""
        return None if self.holds(payload) else ClaimFailure(self.id)


@dataclass(frozen=True)
class Expectation:
    """What a value is compared with and how, and the name under which the reason tells it."""

    told_as: str
    expected: Any = field(compare=False)
    holds: Callable[[Any, Any], bool]
    _written: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Compare by what is written: Python has 1 equal to 1.0 and to true, and no claim that is one is the others."""
        object.__setattr__(self, "_written", repr(self.expected))

    def told(self) -> dict[str, Any]:
        """Answer what was expected, as the reason tells it."""
        return {self.told_as: list(self.expected) if isinstance(self.expected, tuple) else self.expected}


@dataclass(frozen=True)
class ValueRule(Generic[T]):
    """The validator that all claims here make: a value that is there, young enough, and as expected."""

    id: str
    claim: Claim[T]
    max_age: timedelta | None
    expectation: Expectation

    def claim_to_fetch(self, payload: Json, *, now: int) -> Claim[Any] | None:
        """Answer the claim where its value is absent or too old."""
        fetched_at = self.claim.fetched_at(payload)
        return self.claim if fetched_at is None or self._is_too_old(now - fetched_at) else None

    def failure(self, payload: Json, *, now: int) -> ClaimFailure | None:
        """Answer the reason in the table's shape."""
        reason = self._reason(payload, now)
        return None if reason is None else ClaimFailure(self.id, reason)

    def _reason(self, payload: Json, now: int) -> dict[str, Any] | None:
        value, fetched_at = self.claim.value(payload), self.claim.fetched_at(payload)
        if value is None or fetched_at is None:
            return {"message": "value does not exist", **self.expectation.told(), "actualValue": None}
        age = now - fetched_at
        if self.max_age is not None and self._is_too_old(age):
            limit = self.max_age.total_seconds()
            return {"message": "expired", "ageInSeconds": age / 1000, "maxAgeInSeconds": limit}
        if not self.expectation.holds(value, self.expectation.expected):
            return {"message": "wrong value", **self.expectation.told(), "actualValue": value}
        return None

    def _is_too_old(self, age: int) -> bool:
        return self.max_age is not None and timedelta(milliseconds=age) > self.max_age


def claims_to_fetch(validators: Iterable[ClaimValidator], payload: Json, *, now: int) -> list[Claim[Any]]:
    """Answer the claims that have to be fetched before *validators* can be asked, each once."""
    wanted = (validator.claim_to_fetch(payload, now=now) for validator in validators)
    return list({claim.key: claim for claim in wanted if claim is not None}.values())


def failures(validators: Iterable[ClaimValidator], payload: Json, *, now: int) -> list[ClaimFailure]:
    """Answer every validator's failure on *payload* at *now* (milliseconds)."""
    told = (validator.failure(payload, now=now) for validator in validators)
    return [failure for failure in told if failure is not None]


def is_equal(value: object, expected: object) -> bool:
    """Say whether two JSON values are the same; true is not 1."""
    return isinstance(value, bool) is isinstance(expected, bool) and value == expected


def has_item(value: object, expected: object) -> bool:
    """Say whether the list *value* has *expected* in it."""
    return isinstance(value, list) and any(is_equal(item, expected) for item in value)


def has_not_item(value: object, expected: object) -> bool:
    """Say whether the list *value* has not *expected* in it."""
    return isinstance(value, list) and not has_item(value, expected)


def has_all(value: object, expected: Sequence[object]) -> bool:
    """Say whether the list *value* has all of *expected* in it."""
    return isinstance(value, list) and all(has_item(value, item) for item in expected)


def has_any(value: object, expected: Sequence[object]) -> bool:
    """Say whether the list *value* has one of *expected* in it."""
    return any(has_item(value, item) for item in expected)


def has_none(value: object, expected: Sequence[object]) -> bool:
    """Say whether the list *value* has none of *expected* in it."""
    return isinstance(value, list) and not has_any(value, expected)
