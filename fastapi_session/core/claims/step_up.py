"""Demands on how and when the user was authenticated: a route states them, the session has the facts.

| demand | holds if | reason has |
|---|---|---|
| `Fresh(minutes=5)` | a factor was checked at most so long ago, whichever | `ageInSeconds`, `maxAgeInSeconds` |
| `Factor("otp")` | this factor was checked, and with *within* at most so long ago | `expectedFactor`, and the same |
| `Acr("aal2")` | the session has this level, or a higher one of `SessionConfig.acr_order` | `expectedToIncludeAtLeastOneOf`, `actualValue` |
| `AnyOf(one, other)` | one of the demands holds | `anyOf`: what is wrong by each of them |

A session of which nothing is known meets none of them. A refresh makes nothing younger, and there is no leeway: tokens count
whole seconds, so a factor may be found a second older than it is, and never younger.

What a failure asks the user for is what would meet the demand (RFC 9470, section 3). For alternatives that is a level, if one of
them names some, else the youngest age.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fastapi_session.core.authentication import ensure_word
from fastapi_session.core.claims.validators import SessionFacts, SessionRule
from fastapi_session.errors import AuthenticationFailure, ClaimFailure, ConfigurationError, PayloadError
from fastapi_session.model import Json

SHORTEST = timedelta(seconds=1)
"""The least that an age may be: what is asked for now is checked a moment later."""


@dataclass(frozen=True, init=False)
class Fresh(SessionRule):
    """Demand that the user was authenticated at most so long ago, by whichever factor: `Fresh(minutes=5)`.

    Raises `ConfigurationError` for less than a second.
    """

    within: timedelta

    def __init__(self, *, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        within = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        _ensure_age(within, "Fresh: give how long ago the user may have been authenticated, as in Fresh(minutes=5)")
        object.__setattr__(self, "within", within)

    def failure_of(self, facts: SessionFacts, *, now: int) -> ClaimFailure | None:
        """Return a failure if no factor is known, or the last one was checked too long ago."""
        known = facts.authenticated
        return _too_old("st-fresh", None if known is None else known.auth_time, self.within, now=now)


@dataclass(frozen=True)
class Factor(SessionRule):
    """Demand that the user was authenticated by the factor *name*, as "otp" (RFC 8176), and if given *within* so long.

    `verify_session(Factor("otp", within=timedelta(minutes=5)))`. A request that does not meet it is refused with `StepUpRequired`.
    Raises `ConfigurationError` for what can be no name, and for less than a second.
    """

    name: str
    within: timedelta | None = None

    def __post_init__(self) -> None:
        _ensure_named(self.name, "Factor")
        if self.within is not None:
            _ensure_age(self.within, 'Factor: give within as a timedelta, as in Factor("otp", timedelta(minutes=5))')

    def failure_of(self, facts: SessionFacts, *, now: int) -> ClaimFailure | None:
        """Return a failure if the factor is not among the known ones, or was checked too long ago."""
        known = facts.authenticated
        at = None if known is None else known.factors.get(self.name)
        expected = {"expectedFactor": self.name}
        if self.within is not None:
            return _too_old("st-factor", at, self.within, now=now, **expected)
        return None if at is not None else AuthenticationFailure("st-factor", {"message": "factor missing", **expected})


@dataclass(frozen=True)
class Acr(SessionRule):
    """Demand the assurance level *level*, or a higher one of `SessionConfig.acr_order`. A level that is not in there stands alone.

    `verify_session(Acr("aal2"))`. A request that does not meet it is refused with `StepUpRequired`.
    How long ago it was reached does not matter: for that demand a `Factor` too. Raises `ConfigurationError` for what can be no
    name.
    """

    level: str

    def __post_init__(self) -> None:
        _ensure_named(self.level, "Acr")

    def failure_of(self, facts: SessionFacts, *, now: int) -> ClaimFailure | None:
        """Return a failure if the session has none of the levels that would do."""
        order, level = facts.acr_order, self.level
        wanted = order[order.index(level) :] if level in order else (level,)
        actual = None if facts.authenticated is None else facts.authenticated.acr
        if actual in wanted:
            return None
        reason = {
            "message": "assurance level too low",
            "expectedToIncludeAtLeastOneOf": [*wanted],
            "actualValue": actual,
        }
        return AuthenticationFailure("st-acr", reason, acr_values=wanted)


@dataclass(frozen=True, init=False)
class AnyOf(SessionRule):
    """Demand that one of *demands* holds. Raises `ConfigurationError` for what is no demand."""

    demands: tuple[SessionRule, ...]

    def __init__(self, *demands: SessionRule) -> None:
        if not demands or not all(isinstance(each, SessionRule) for each in demands):
            raise ConfigurationError('AnyOf: give demands on the session, as in AnyOf(Factor("hwk"), Acr("aal2"))')
        object.__setattr__(self, "demands", demands)

    def failure_of(self, facts: SessionFacts, *, now: int) -> ClaimFailure | None:
        """Return a failure, with those of all, if none of the demands holds."""
        failed = []
        for each in self.demands:
            failure = each.failure_of(facts, now=now)
            if failure is None:
                return None
            failed.append(failure)
        reason = {"message": "none of these holds", "anyOf": [_told(each) for each in failed]}
        wanted = [each for each in failed if isinstance(each, AuthenticationFailure)]
        if not wanted:  # no step-up would help
            return ClaimFailure("st-any-of", reason)
        levels = dict.fromkeys(level for each in wanted for level in each.acr_values)
        ages = [] if levels else [each.max_age for each in wanted if each.max_age is not None]
        return AuthenticationFailure("st-any-of", reason, acr_values=(*levels,), max_age=min(ages, default=None))


def _too_old(id: str, at: int | None, within: timedelta, *, now: int, **expected: str) -> ClaimFailure | None:
    """Return the failure of what was checked *at* (seconds), if that is longer ago than *within*, or unknown."""
    limit = int(within.total_seconds())
    if at is not None and now - at * 1000 <= limit * 1000:
        return None
    told: Json = {"message": "factor missing" if expected else "authentication unknown", **expected}
    if at is not None:
        told = {"message": "authentication too old", **expected, "ageInSeconds": now // 1000 - at}
    return AuthenticationFailure(id, {**told, "maxAgeInSeconds": limit}, max_age=limit)


def _told(failure: ClaimFailure) -> Json:
    return {"id": failure.id, "reason": failure.reason}


def _ensure_age(within: object, fix: str) -> None:
    if not isinstance(within, timedelta) or within < SHORTEST:
        raise ConfigurationError(f"{fix}, of at least one second")


def _ensure_named(name: str, where: str) -> None:
    try:
        ensure_word(name, where)
    except PayloadError as error:
        raise ConfigurationError(str(error)) from None
