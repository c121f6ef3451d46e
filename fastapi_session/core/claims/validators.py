"""Rules about the claims of a session. All failures are reported together, each with a reason in the shape that clients know.

| case | reason's `message`, beside what was expected |
|---|---|
| no value, though it was fetched | "value does not exist", `actualValue` null |
| older than `max_age`, though it was fetched again | "expired", `ageInSeconds`, `maxAgeInSeconds` |
| another value | "wrong value", `actualValue` |

Validators are frozen values: two that say the same are equal, so that FastAPI runs equal dependencies once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Protocol

from fastapi_session.core.authentication import Authenticated
from fastapi_session.core.claims.claim import AnyClaim, Claim, T
from fastapi_session.errors import ClaimFailure, ConfigurationError
from fastapi_session.model import Actor, Json

_EXAMPLES = 'Role.has_value("admin"), Roles.includes("admin") or Fresh(minutes=5)'


class ClaimValidator(Protocol):
    """A rule about a session's payload: every hashable object with these two methods."""

    def claim_to_fetch(self, payload: Json, *, now: int) -> AnyClaim | None:
        """Return the claim whose value has to be fetched before `failure` is called, `None` if none has to be."""

    def failure(self, payload: Json, *, now: int) -> ClaimFailure | None:
        """Return what is wrong with *payload* at *now* (milliseconds), `None` if nothing is."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What is known of a session beside its claims: how its user was *authenticated*, `None` if the application did not say.

    *acr_order* are the configured assurance levels, the lowest first. *actor* is who acts as its user, if anybody does.
    """

    authenticated: Authenticated | None = None
    acr_order: tuple[str, ...] = ()
    actor: Actor | None = None
    is_guest: bool = False


NOTHING_KNOWN = SessionFacts()


class SessionRule(ABC):
    """A validator that asks for facts of the session which no application can put into its payload."""

    def claim_to_fetch(self, payload: Json, *, now: int) -> None:
        """Fetch nothing: the facts are what they are."""
        return

    def failure(self, payload: Json, *, now: int) -> ClaimFailure | None:
        """Fail as for a session of which nothing is known. A payload alone says nothing of its sign-in."""
        return self.failure_of(NOTHING_KNOWN, now=now)

    @abstractmethod
    def failure_of(self, facts: SessionFacts, *, now: int) -> ClaimFailure | None:
        """Return what is wrong with *facts* at *now* (milliseconds), `None` if nothing is."""


@dataclass(frozen=True)
class PayloadRule:
    """A validator of your own in one line: *holds* returns whether the whole payload is accepted.

    *id* is the name of the failure in the response. *reason* returns, as JSON, why a payload is refused; by default nothing.
    """

    id: str
    holds: Callable[[Json], bool]
    reason: Callable[[Json], object] | None = None

    def claim_to_fetch(self, payload: Json, *, now: int) -> None:
        """Fetch nothing: the rule is about what is there."""

    def failure(self, payload: Json, *, now: int) -> ClaimFailure | None:
        """Return a failure, with its reason if there is one, if *holds* returns false."""
        if self.holds(payload):
            return None
        return ClaimFailure(self.id, None if self.reason is None else self.reason(payload))


@dataclass(frozen=True)
class Expectation:
    """What a value is compared with and how. *reported_as* is the name of *expected* in the reason of a failure."""

    reported_as: str
    expected: object = field(compare=False)
    holds: Callable[[object, Any], bool]
    _written: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Its repr is compared: to Python 1, 1.0 and True are equal, and FastAPI would run one of two rules for both.
        object.__setattr__(self, "_written", repr(self.expected))

    def reported(self) -> Json:
        """Return what was expected, as the reason has it."""
        return {self.reported_as: list(self.expected) if isinstance(self.expected, tuple) else self.expected}

    def is_met_by(self, value: object) -> bool:
        """Say whether *value* is as expected."""
        return self.holds(value, self.expected)

    def reason(self, value: object) -> object:
        """Return why *value* is refused, which is not as expected."""
        return {"message": "wrong value", **self.reported(), "actualValue": value}


@dataclass(frozen=True)
class OwnExpectation(Generic[T]):
    """What a function of the application's own expects of a value, and the one that returns why a value is refused."""

    holds: Callable[[T], bool]
    why: Callable[[T], object] | None

    def reported(self) -> Json:
        """Return nothing: what a function expects cannot be written down."""
        return {}

    def is_met_by(self, value: T) -> bool:
        """Say whether *value* is as expected."""
        return self.holds(value)

    def reason(self, value: T) -> object:
        """Return why *value* is refused, which is not as expected."""
        return {"message": "wrong value", "actualValue": value} if self.why is None else self.why(value)


@dataclass(frozen=True)
class ValueRule(Generic[T]):
    """The validator that all claims here make: a value that is there, young enough, and as expected."""

    id: str
    claim: Claim[T]
    max_age: timedelta | None
    expectation: Expectation | OwnExpectation[T]

    def claim_to_fetch(self, payload: Json, *, now: int) -> AnyClaim | None:
        """Return the claim if its value is absent or too old."""
        fetched_at = self.claim.fetched_at(payload)
        return self.claim if fetched_at is None or self._is_too_old(now - fetched_at) else None

    def failure(self, payload: Json, *, now: int) -> ClaimFailure | None:
        """Return what is wrong, its reason in the table's shape unless the expectation gives one of its own."""
        value, fetched_at = self.claim.value(payload), self.claim.fetched_at(payload)
        if value is None or fetched_at is None:
            absent = {"message": "value does not exist", **self.expectation.reported(), "actualValue": None}
            return ClaimFailure(self.id, absent)
        age = now - fetched_at
        if self.max_age is not None and self._is_too_old(age):
            limit = self.max_age.total_seconds()
            return ClaimFailure(self.id, {"message": "expired", "ageInSeconds": age / 1000, "maxAgeInSeconds": limit})
        return None if self.expectation.is_met_by(value) else ClaimFailure(self.id, self.expectation.reason(value))

    def _is_too_old(self, age: int) -> bool:
        return self.max_age is not None and timedelta(milliseconds=age) > self.max_age


@dataclass(frozen=True)
class ClaimRule(Generic[T]):
    """A validator of your own in one line: *holds* returns whether the value of *claim* is accepted.

    A value that is absent or older than *max_age*, by default the claim's, is fetched before. *reason* returns, as JSON, why a
    value is refused; by default that it is wrong. *id* is the name of the failure in the response, by default the claim's key.
    """

    claim: Claim[T]
    holds: Callable[[T], bool]
    reason: Callable[[T], object] | None = None
    max_age: timedelta | None = None
    id: str | None = None

    def claim_to_fetch(self, payload: Json, *, now: int) -> AnyClaim | None:
        """Return the claim if its value is absent or too old."""
        return self._rule().claim_to_fetch(payload, now=now)

    def failure(self, payload: Json, *, now: int) -> ClaimFailure | None:
        """Return what is wrong with the value, `None` if nothing is."""
        return self._rule().failure(payload, now=now)

    def _rule(self) -> ValueRule[T]:
        age = self.claim.default_max_age if self.max_age is None else self.max_age
        return ValueRule(self.id or self.claim.key, self.claim, age, OwnExpectation(self.holds, self.reason))


def validators_of(given: Iterable[ClaimValidator]) -> tuple[ClaimValidator, ...]:
    """Return *given*, once each is a validator. Raises `ConfigurationError`, with the fix."""
    if not isinstance(given, Iterable):
        raise ConfigurationError("validators: give a list of them, also if there is one")
    validators = tuple(given)
    for each in validators:
        if isinstance(each, Claim):
            raise ConfigurationError(
                f"validators: the claim {each.key!r} asks nothing by itself; say what it has to be, as in {_EXAMPLES}"
            )
        # A class has the two methods as well, and would fail in the first request only.
        if isinstance(each, type) or not (hasattr(each, "claim_to_fetch") and hasattr(each, "failure")):
            raise ConfigurationError(f"validators: {each!r} is no validator; give one or more, as {_EXAMPLES}")
    return validators


def claims_to_fetch(validators: Iterable[ClaimValidator], payload: Json, *, now: int) -> list[AnyClaim]:
    """Return the claims that have to be fetched before *validators* can be checked, each once."""
    # By key, since two validators of one claim need it once.
    wanted = (validator.claim_to_fetch(payload, now=now) for validator in validators)
    return list({claim.key: claim for claim in wanted if claim is not None}.values())


def failures(
    validators: Iterable[ClaimValidator], payload: Json, *, now: int, facts: SessionFacts = NOTHING_KNOWN
) -> list[ClaimFailure]:
    """Return every validator's failure at *now* (milliseconds), on *payload* or on the *facts* of the session."""
    found = (
        validator.failure_of(facts, now=now)
        if isinstance(validator, SessionRule)
        else validator.failure(payload, now=now)
        for validator in validators
    )
    return [failure for failure in found if failure is not None]


def is_equal(value: object, expected: object) -> bool:
    """Say whether two JSON values are the same; true is not 1."""
    # `==` says that it is: a claim that is 1 must not satisfy a rule that expects true.
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
