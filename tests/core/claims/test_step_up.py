"""Demands on how and when the user was authenticated: what holds, the reason if not, and what would meet them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fastapi_session import Acr, AnyOf, ConfigurationError, Factor, Fresh, verify_session
from fastapi_session.core.authentication import Authenticated, authenticated
from fastapi_session.core.claims.validators import SessionFacts, SessionRule, failures
from fastapi_session.errors import (
    AuthenticationFailure,
    ClaimFailure,
    InvalidClaimsError,
    StepUpRequired,
    claims_refusal,
)
from tests.moments import MINUTE

NOW = 1_700_000_000_000
SECONDS = NOW // 1000
LEVELS = ("aal1", "aal2", "aal3")


def facts(acr: str | None = None, **ages: int) -> SessionFacts:
    """Return the facts of a session whose factors were checked so many seconds ago."""
    return SessionFacts(Authenticated({name: SECONDS - age for name, age in ages.items()}, acr), LEVELS)


@pytest.mark.parametrize(
    ("demand", "known"),
    [
        (Fresh(minutes=5), facts(pwd=300)),
        (Fresh(minutes=5), facts(pwd=4_000, otp=0)),
        (Fresh(hours=1, seconds=1), facts(pwd=3_601)),
        (Factor("otp"), facts(otp=10**6)),
        (Factor("otp", within=MINUTE), facts(pwd=1_000, otp=60)),
        (Acr("aal2"), facts("aal2", pwd=1)),
        (Acr("aal2"), facts("aal3", pwd=1)),
        (Acr("phr"), facts("phr", hwk=1)),
        (AnyOf(Factor("hwk"), Acr("aal2")), facts("aal2", pwd=1)),
    ],
    ids=repr,
)
def test_a_demand_holds(demand: SessionRule, known: SessionFacts) -> None:
    """What is young enough, known, or high enough meets a demand, to the second."""
    assert demand.failure_of(known, now=NOW) is None


@pytest.mark.parametrize(
    ("demand", "known", "failure"),
    [
        (
            Fresh(minutes=5),
            facts(pwd=301),
            AuthenticationFailure(
                "st-fresh",
                {"message": "authentication too old", "ageInSeconds": 301, "maxAgeInSeconds": 300},
                max_age=300,
            ),
        ),
        (
            Factor("otp"),
            facts(pwd=1),
            AuthenticationFailure("st-factor", {"message": "factor missing", "expectedFactor": "otp"}),
        ),
        (
            Factor("otp", within=MINUTE),
            facts(pwd=1),
            AuthenticationFailure(
                "st-factor",
                {"message": "factor missing", "expectedFactor": "otp", "maxAgeInSeconds": 60},
                max_age=60,
            ),
        ),
        (
            Factor("otp", within=MINUTE),
            facts(pwd=1, otp=61),
            AuthenticationFailure(
                "st-factor",
                {
                    "message": "authentication too old",
                    "expectedFactor": "otp",
                    "ageInSeconds": 61,
                    "maxAgeInSeconds": 60,
                },
                max_age=60,
            ),
        ),
        (
            Acr("aal2"),
            facts("aal1", pwd=1),
            AuthenticationFailure(
                "st-acr",
                {
                    "message": "assurance level too low",
                    "expectedToIncludeAtLeastOneOf": ["aal2", "aal3"],
                    "actualValue": "aal1",
                },
                acr_values=("aal2", "aal3"),
            ),
        ),
        (
            Acr("phr"),
            facts("aal3", pwd=1),
            AuthenticationFailure(
                "st-acr",
                {
                    "message": "assurance level too low",
                    "expectedToIncludeAtLeastOneOf": ["phr"],
                    "actualValue": "aal3",
                },
                acr_values=("phr",),
            ),
        ),
    ],
    ids=["old", "missing", "missing within", "old factor", "low", "not in the order"],
)
def test_a_demand_fails(demand: SessionRule, known: SessionFacts, failure: AuthenticationFailure) -> None:
    """A failure says what was expected and what there is, and what would meet the demand."""
    assert failure == demand.failure_of(known, now=NOW)


DEMANDS = [
    Fresh(minutes=5),
    Factor("otp"),
    Factor("otp", within=MINUTE),
    Acr("aal1"),
    AnyOf(Factor("otp"), Acr("aal1")),
]


@pytest.mark.parametrize("demand", DEMANDS, ids=repr)
def test_a_session_of_which_nothing_is_known_fails(demand: SessionRule) -> None:
    """Also if its payload says whatever it likes: an application's own claims are no facts."""
    payload = {"auth_time": SECONDS, "amr": ["otp"], "acr": "aal3", "auth_times": {"otp": SECONDS}}
    assert [demand.failure_of(SessionFacts(acr_order=LEVELS), now=NOW)] == failures(
        [demand], payload, now=NOW, facts=SessionFacts(acr_order=LEVELS)
    )
    assert isinstance(demand.failure(payload, now=NOW), AuthenticationFailure)


def test_a_fraction_of_a_second_makes_nothing_younger() -> None:
    """Tokens count whole seconds: a factor is found up to a second older than it is, and there is no leeway."""
    known = SessionFacts(authenticated({"pwd": NOW + 999}, None))
    assert Fresh(seconds=1).failure_of(known, now=NOW + 1_000) is None
    assert isinstance(Fresh(seconds=1).failure_of(known, now=NOW + 1_001), AuthenticationFailure)


def test_demands_that_say_the_same_are_equal() -> None:
    """So FastAPI runs equal dependencies once, and a test can override one."""
    for make in (lambda: Fresh(minutes=5), lambda: Factor("otp", MINUTE), lambda: Acr("aal2"), lambda: AnyOf(Acr("a"))):
        assert make() == make()
        assert verify_session(make()) is verify_session(make())
    assert Fresh(minutes=5) == Fresh(seconds=300)
    assert Fresh(minutes=5) != Fresh(minutes=6)


@pytest.mark.parametrize(
    ("kind", "arguments", "named"),
    [
        (Fresh, (), {}),
        (Fresh, (), {"seconds": 0.9}),
        (Fresh, (), {"minutes": -5}),
        (Factor, ("otp", timedelta(0)), {}),
        (Factor, ("otp", 300), {}),
        (Factor, ("one time",), {}),
        (Acr, ("",), {}),
        (AnyOf, (), {}),
        (AnyOf, ("aal2",), {}),
    ],
    ids=repr,
)
def test_a_demand_that_nothing_could_meet_is_refused(
    kind: type[SessionRule], arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    """Less than a second, and what is no name, is an error where it is written."""
    with pytest.raises(ConfigurationError, match=r"^(Fresh|Factor|Acr|AnyOf): "):
        kind(*arguments, **named)


@pytest.mark.parametrize(
    ("demands", "acr_values", "max_age"),
    [
        ([Fresh(minutes=5)], (), 300),
        ([Fresh(minutes=5), Factor("otp", MINUTE)], (), 60),
        ([Acr("aal2"), Fresh(minutes=5)], ("aal2", "aal3"), 300),
        ([Acr("aal1"), Acr("aal3")], ("aal3",), None),
        ([Acr("phr"), Acr("aal2")], ("phr",), None),
        ([AnyOf(Acr("phr"), Acr("aal2"))], ("phr", "aal2", "aal3"), None),
        ([AnyOf(Acr("aal2"), Fresh(minutes=5))], ("aal2", "aal3"), None),
        ([AnyOf(Fresh(minutes=5), Factor("otp", MINUTE))], (), 60),
        ([Factor("otp")], (), None),
    ],
    ids=repr,
)
def test_what_meets_all_demands_is_asked_for(
    demands: list[SessionRule], acr_values: tuple[str, ...], max_age: int | None
) -> None:
    """The strictest age, and the levels of which each one would do."""
    refusal = claims_refusal(failures(demands, {}, now=NOW, facts=SessionFacts(acr_order=LEVELS)))
    assert isinstance(refusal, StepUpRequired)
    assert (acr_values, max_age) == (refusal.acr_values, refusal.max_age)


def test_only_what_is_unmet_is_named() -> None:
    """A demand that holds says nothing: the user is asked for no more than is needed."""
    failed = failures([Fresh(minutes=5), Acr("aal2")], {}, now=NOW, facts=facts("aal2", pwd=301))
    assert ["st-fresh"] == [failure.id for failure in failed]


def test_no_step_up_is_asked_for_that_would_not_be_enough() -> None:
    """Who lacks a role as well is refused for that too: to type the password again would be for nothing."""
    failed = [*failures([Fresh(minutes=5)], {}, now=NOW), ClaimFailure("roles")]
    refusal = claims_refusal(failed)
    assert type(refusal) is InvalidClaimsError
    assert ["st-fresh", "roles"] == [failure.id for failure in refusal.failures]


def test_who_acts_as_the_user_is_not_asked_for_a_step_up() -> None:
    """He could only be asked for a password that is not his."""
    refusal = claims_refusal(failures([Fresh(minutes=5)], {}, now=NOW), is_impersonated=True)
    assert type(refusal) is InvalidClaimsError
    assert ["st-fresh"] == [failure.id for failure in refusal.failures]
