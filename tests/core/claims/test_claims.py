"""Claims and the validators they make: what holds, and the reason where it does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastapi_session.core.claims.claim import Claim
from fastapi_session.core.claims.ready_made import BooleanClaim, PrimitiveArrayClaim, PrimitiveClaim
from fastapi_session.core.claims.validators import ClaimRule, ClaimValidator, PayloadRule, claims_to_fetch, failures
from fastapi_session.errors import ClaimFailure
from fastapi_session.model import Json
from tests.moments import MINUTE

NOW = 1_000_000
YOUNG, OLD = NOW - 60_000, NOW - 60_001


async def fetch_nothing(user_id: str, tenant_id: str, payload: Json) -> None:
    """Know no value."""


plan = PrimitiveClaim[str]("plan", fetch_nothing)
verified = BooleanClaim("verified", fetch_nothing)
roles = PrimitiveArrayClaim[str]("roles", fetch_nothing)


def payload(claim: Claim[Any], value: object, *, at: int = YOUNG) -> Json:
    """What a session claims whose *claim* has *value* since *at*."""
    return {"theme": "dark", **claim.entry(value, now=at)}


HOLDS = [
    (plan.has_value("pro"), plan, "pro"),
    (verified.is_true(), verified, True),
    (verified.is_false(), verified, False),
    (roles.includes("admin"), roles, ["user", "admin"]),
    (roles.excludes("admin"), roles, ["user"]),
    (roles.includes_all(["admin", "user"]), roles, ["user", "admin", "other"]),
    (roles.includes_any(["admin", "root"]), roles, ["user", "admin"]),
    (roles.excludes_all(["admin", "root"]), roles, []),
]

FAILS = [
    (plan.has_value("pro"), plan, "free", {"expectedValue": "pro"}),
    (verified.is_true(), verified, False, {"expectedValue": True}),
    (verified.is_false(), verified, True, {"expectedValue": False}),
    (verified.is_true(), verified, 1, {"expectedValue": True}),
    (roles.includes("admin"), roles, ["user"], {"expectedToInclude": "admin"}),
    (roles.includes("admin"), roles, "admin", {"expectedToInclude": "admin"}),
    (roles.excludes("admin"), roles, ["admin"], {"expectedToNotInclude": "admin"}),
    (roles.excludes("admin"), roles, "user", {"expectedToNotInclude": "admin"}),
    (roles.includes_all(["a", "b"]), roles, ["a"], {"expectedToInclude": ["a", "b"]}),
    (roles.includes_any(["a", "b"]), roles, ["c"], {"expectedToIncludeAtLeastOneOf": ["a", "b"]}),
    (roles.excludes_all(["a", "b"]), roles, ["b", "c"], {"expectedToNotInclude": ["a", "b"]}),
]


def named(case: tuple[Any, ...]) -> str:
    """Name a case by its rule and value."""
    return f"{case[0].expectation.holds.__name__} {case[0].expectation.expected} {case[2]}"


@pytest.mark.parametrize("case", HOLDS, ids=named)
def test_holds(case: tuple[ClaimValidator, Claim[Any], object]) -> None:
    """A value as expected satisfies the validator."""
    validator, claim, value = case

    assert [] == failures([validator], payload(claim, value), now=NOW)


@pytest.mark.parametrize("case", FAILS, ids=named)
def test_wrong_value(case: tuple[ClaimValidator, Claim[Any], object, dict[str, object]]) -> None:
    """Another value is told with what was expected and what there is."""
    validator, claim, value, expected = case
    reason = {"message": "wrong value", **expected, "actualValue": value}

    assert [ClaimFailure(claim.key, reason)] == failures([validator], payload(claim, value), now=NOW)


@pytest.mark.parametrize("case", FAILS, ids=named)
def test_value_does_not_exist(case: tuple[ClaimValidator, Claim[Any], object, dict[str, object]]) -> None:
    """A value that is not there is told with what was expected."""
    validator, claim, _, expected = case
    reason = {"message": "value does not exist", **expected, "actualValue": None}

    assert [ClaimFailure(claim.key, reason)] == failures([validator], {"theme": "dark"}, now=NOW)


def test_expired() -> None:
    """A value older than max_age fails with its age, one exactly as old holds."""
    validator = plan.has_value("pro", max_age=MINUTE)
    reason = {"message": "expired", "ageInSeconds": 60.001, "maxAgeInSeconds": 60.0}

    assert [] == failures([validator], payload(plan, "pro", at=YOUNG), now=NOW)
    assert [ClaimFailure("plan", reason)] == failures([validator], payload(plan, "pro", at=OLD), now=NOW)


def test_default_max_age() -> None:
    """A claim's default max_age holds for the validators that do not say another."""
    claim = PrimitiveClaim[str]("plan", fetch_nothing, default_max_age=MINUTE)
    old = payload(claim, "pro", at=OLD)

    assert [claim] == claims_to_fetch([claim.has_value("pro")], old, now=NOW)
    assert [] == claims_to_fetch([claim.has_value("pro", max_age=timedelta(hours=1))], old, now=NOW)


def test_id() -> None:
    """A validator's id is the claim's key unless it is given one."""
    told = failures([plan.has_value("pro"), plan.has_value("pro", id="is-pro")], {}, now=NOW)

    assert ["plan", "is-pro"] == [failure.id for failure in told]


def test_all_failures_at_once() -> None:
    """Every validator that fails is told, those that hold are not."""
    claimed = {**payload(plan, "free"), **payload(verified, True)}
    told = failures([roles.includes("admin"), verified.is_true(), plan.has_value("pro")], claimed, now=NOW)

    assert ["roles", "plan"] == [failure.id for failure in told]


def test_claims_to_fetch() -> None:
    """A claim is fetched once for all of its validators: where it is absent, or too old for one of them."""
    claimed = {**payload(plan, "free"), **payload(roles, [], at=OLD)}
    validators: list[ClaimValidator] = [
        plan.has_value("pro"),
        roles.includes("a"),
        roles.includes("b", max_age=MINUTE),
        roles.includes("c", max_age=MINUTE),
        verified.is_true(),
    ]

    assert [roles, verified] == claims_to_fetch(validators, claimed, now=NOW)


def test_equal_validators_are_equal() -> None:
    """Validators that say the same are one to FastAPI, which asks by equality and hash."""
    once, again = (roles.includes_any(["a", "b"], max_age=MINUTE) for _ in range(2))

    assert once == again
    assert hash(once) == hash(again)
    assert once != roles.includes_any(["a"], max_age=MINUTE)


def test_payload_rule() -> None:
    """A rule of one's own is one line: an id, and what must hold of the payload."""
    adult = PayloadRule("adult", lambda claimed: claimed.get("age", 0) >= 18)

    assert [ClaimFailure("adult")] == failures([adult], {"age": 17}, now=NOW)
    assert [] == failures([adult], {"age": 18}, now=NOW)
    assert [] == claims_to_fetch([adult], {}, now=NOW)


def test_payload_rule_with_a_reason() -> None:
    """A rule about the payload may tell the client why."""
    adult = PayloadRule("adult", lambda claimed: claimed["age"] >= 18, lambda claimed: {"missing": 18 - claimed["age"]})

    assert [ClaimFailure("adult", {"missing": 1})] == failures([adult], {"age": 17}, now=NOW)
    assert [] == failures([adult], {"age": 18}, now=NOW)


def at_least_three(level: int) -> bool:
    return level >= 3


def too_low(level: int) -> dict[str, Any]:
    return {"message": "too low", "missing": 3 - level}


LEVEL = PrimitiveClaim[int]("level", fetch_nothing, default_max_age=MINUTE)


@pytest.mark.parametrize(
    ("rule", "value", "fetched_at", "failure"),
    [
        (ClaimRule(LEVEL, at_least_three), 3, NOW, None),
        (ClaimRule(LEVEL, at_least_three), 2, NOW, ("level", {"message": "wrong value", "actualValue": 2})),
        (ClaimRule(LEVEL, at_least_three, too_low), 2, NOW, ("level", {"message": "too low", "missing": 1})),
        (ClaimRule(LEVEL, at_least_three, lambda _: None), 2, NOW, ("level", None)),
        (ClaimRule(LEVEL, at_least_three, id="rank"), 2, NOW, ("rank", {"message": "wrong value", "actualValue": 2})),
        (ClaimRule(LEVEL, at_least_three), 3, YOUNG, None),
        (
            ClaimRule(LEVEL, at_least_three, too_low),
            3,
            OLD,
            ("level", {"message": "expired", "ageInSeconds": 60.001, "maxAgeInSeconds": 60.0}),
        ),
        (ClaimRule(LEVEL, at_least_three, max_age=2 * MINUTE), 3, OLD, None),
        (
            ClaimRule(LEVEL, at_least_three, too_low),
            None,
            NOW,
            ("level", {"message": "value does not exist", "actualValue": None}),
        ),
    ],
)
def test_claim_rule(rule: ClaimRule[int], value: Any, fetched_at: int, failure: tuple[str, Any] | None) -> None:
    """A rule about a claim asks for a value that is there, young enough and as it says, and gives the reason it likes."""
    payload = {"level": {"v": value, "t": fetched_at}}
    is_due = value is None or (failure is not None and "ageInSeconds" in (failure[1] or {}))

    assert ([] if failure is None else [ClaimFailure(*failure)]) == failures([rule], payload, now=NOW)
    assert ([LEVEL] if is_due else []) == claims_to_fetch([rule], payload, now=NOW)


def test_claim_rules_are_values() -> None:
    """Two rules that say the same by the same functions are one, so that FastAPI runs one provider for both."""
    assert ClaimRule(LEVEL, at_least_three, too_low) == ClaimRule(LEVEL, at_least_three, too_low)
    assert hash(ClaimRule(LEVEL, at_least_three)) == hash(ClaimRule(LEVEL, at_least_three))
    assert ClaimRule(LEVEL, at_least_three) != ClaimRule(LEVEL, at_least_three, too_low)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from("vtx"), children, max_size=3),
    max_leaves=6,
)


@given(json_values)
@example({"v": "pro", "t": 10**400})
@example({"v": "pro", "t": -1})
@example({"v": True, "t": True})
def test_whatever_stands_there(entry: object) -> None:
    """Whatever stands under a claim's key, a validator never raises, and what is no claim's entry fails."""
    for validator in (plan.has_value("pro", max_age=MINUTE), roles.includes_all(["a"]), verified.is_true()):
        claimed = {validator.claim.key: entry}
        told = failures([validator], claimed, now=NOW)

        assert validator.claim.value(claimed) is not None or ["value does not exist"] == [
            failure.reason["message"] for failure in told
        ]
