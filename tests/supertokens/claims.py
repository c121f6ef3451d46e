"""Claims and their validators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from fastapi import Depends, Request

from fastapi_session import (
    BooleanClaim,
    Claim,
    ClaimFailure,
    ClaimRule,
    ClaimValidator,
    InvalidClaimsError,
    PayloadRule,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    create_new_session_in_request,
    verify_session,
)
from fastapi_session.model import Json
from tests.moments import HOUR, MINUTE
from tests.supertokens.rows import (
    NOW,
    PAYLOAD,
    Groups,
    Paying,
    Role,
    Serve,
    Visit,
    fetch_groups,
    fetch_paying,
    fetch_role,
    row,
    welcome,
)
from tests.wire import FRONT_TOKEN


@row("PrimitiveClaim(key, fetch_value, default_max_age_in_sec=60)")
def primitive_claim(serve: Serve) -> None:
    claim = PrimitiveClaim(key="role", fetch=fetch_role, default_max_age=timedelta(minutes=1))
    validator = claim.has_value("admin of public")
    site = serve(parts={"validators": [validator]})
    site.sign_in()

    assert 200 == site.me()
    sent = [site.client.get("/me").headers.get(FRONT_TOKEN)]
    site.clock.advance(MINUTE + timedelta(milliseconds=1))
    sent += [site.client.get("/me").headers.get(FRONT_TOKEN)]
    assert [False, True] == [each is not None for each in sent]


@row("BooleanClaim(key, fetch_value)")
async def boolean_claim(visit: Visit) -> None:
    claim = BooleanClaim("paying", fetch_paying)
    await visit.session.fetch_and_set_claim(claim)
    assert visit.session.get_claim_value(claim) is True


@row("PrimitiveArrayClaim(key, fetch_value)")
async def array_claim(visit: Visit) -> None:
    claim = PrimitiveArrayClaim("groups", fetch_groups)
    await visit.session.fetch_and_set_claim(claim)
    assert ["staff", "editors"] == visit.session.get_claim_value(claim)


@row("fetch_value(user_id, recipe_user_id, tenant_id, payload, user_context)")
async def fetch_arguments(visit: Visit) -> None:
    async def fetch(user_id: str, tenant_id: str, payload: Json) -> str:
        return f"{user_id} {tenant_id} {payload['plan']}"

    claim = PrimitiveClaim("whose", fetch)
    await visit.session.fetch_and_set_claim(claim)
    assert "ada public pro" == visit.session.get_claim_value(claim)


async def holds_alone(visit: Visit, good: ClaimValidator, bad: ClaimValidator) -> None:
    """Prove that the session satisfies *good*, and that *bad* is told the client by its id."""
    await visit.session.assert_claims(good)
    with pytest.raises(InvalidClaimsError) as caught:
        await visit.session.assert_claims(good, bad)
    assert ["bad"] == [failure.id for failure in caught.value.failures]


@row("claim.validators.has_value(value, max_age_in_sec, id_)")
async def has_value(visit: Visit) -> None:
    await holds_alone(visit, Role.has_value("admin of public", max_age=HOUR), Role.has_value("guest", id="bad"))


@row("claim.validators.is_true(max_age)")
async def is_true(visit: Visit) -> None:
    await holds_alone(visit, Paying.is_true(max_age=HOUR), Paying.is_false(id="bad"))


@row("claim.validators.is_false(max_age)")
async def is_false(visit: Visit) -> None:
    await visit.session.set_claim_value(Paying, value=False)
    await holds_alone(visit, Paying.is_false(max_age=HOUR), Paying.is_true(id="bad"))


@row("claim.validators.includes(item)")
async def includes(visit: Visit) -> None:
    await holds_alone(visit, Groups.includes("staff"), Groups.includes("guests", id="bad"))


@row("claim.validators.excludes(item)")
async def excludes(visit: Visit) -> None:
    await holds_alone(visit, Groups.excludes("guests"), Groups.excludes("staff", id="bad"))


@row("claim.validators.includes_all(items)")
async def includes_all(visit: Visit) -> None:
    bad = Groups.includes_all(["staff", "guests"], id="bad")
    await holds_alone(visit, Groups.includes_all(["staff", "editors"]), bad)


@row("claim.validators.includes_any(items)")
async def includes_any(visit: Visit) -> None:
    await holds_alone(visit, Groups.includes_any(["staff", "guests"]), Groups.includes_any(["guests"], id="bad"))


@row("claim.validators.excludes_all(items)")
async def excludes_all(visit: Visit) -> None:
    await holds_alone(visit, Groups.excludes_all(["guests"]), Groups.excludes_all(["guests", "staff"], id="bad"))


@row("SessionClaim")
async def any_claim(visit: Visit) -> None:
    async def fetch(user_id: str, tenant_id: str, payload: Json) -> dict[str, str]:
        return {"city": "London"}

    address = Claim("address", fetch)
    await visit.session.fetch_and_set_claim(address)
    assert {"city": "London"} == visit.session.get_claim_value(address)


@row("claim.get_value_from_payload(payload)")
async def claim_value(visit: Visit) -> None:
    await visit.session.set_claim_value(Role, "guest")
    assert "guest" == Role.value(visit.session.access_token_payload)


@row("claim.get_last_refetch_time(payload)")
async def fetched_at(visit: Visit) -> None:
    await visit.session.set_claim_value(Role, "guest")
    assert NOW * 1000 == Role.fetched_at(visit.session.access_token_payload)


@row("claim.add_to_payload_(payload, value)")
def claim_entry(serve: Serve) -> None:
    site = serve()

    @site.app.post("/begin")
    async def begin(request: Request) -> None:
        payload = {**PAYLOAD, **Role.entry("guest", now=site.sessions.now())}
        await create_new_session_in_request(request, "ada", access_token_payload=payload)

    site.client.post("/begin")
    site.app.get("/guest", dependencies=[Depends(verify_session(Role.has_value("guest")))])(welcome)
    assert 200 == site.client.get("/guest").status_code


@row("claim.remove_from_payload_by_merge_(payload)")
async def claim_removed(visit: Visit) -> None:
    await visit.session.set_claim_value(Role, "guest")
    await visit.session.merge_into_access_token_payload({Role.key: None})
    assert PAYLOAD == visit.session.claims
    await visit.session.remove_claim(Role)
    assert PAYLOAD == visit.session.claims


@row("claim.build(...)")
async def claim_built(visit: Visit) -> None:
    value = await Role.fetch("ada", "acme", {})
    assert value is not None
    await visit.session.merge_into_access_token_payload(Role.entry(value, now=visit.sessions.now()))
    assert "admin of acme" == visit.session.get_claim_value(Role)


@dataclass(frozen=True)
class RoleAtLeast:
    """A validator as an application writes it."""

    least: str

    def claim_to_fetch(self, payload: Json, *, now: int) -> Claim[Any] | None:
        return Role if Role.value(payload) is None else None

    def failure(self, payload: Json, *, now: int) -> ClaimFailure | None:
        return None if (Role.value(payload) or "") >= self.least else ClaimFailure("role-at-least", self.least)


@row("SessionClaimValidator.validate(payload, user_context)")
def own_validator(serve: Serve) -> None:
    validator: ClaimValidator = RoleAtLeast("z")
    assert validator.failure({}, now=0) is not None
    site = serve()
    rules = verify_session(
        validator,
        ClaimRule(Role, lambda role: role == "root", lambda role: {"not": role}),
        PayloadRule("max", lambda payload: payload["plan"] == "max", lambda payload: {"not": payload["plan"]}),
    )
    site.app.get("/own", dependencies=[Depends(rules)])(welcome)
    site.sign_in()

    failures = site.client.get("/own").json()["claimValidationErrors"]
    assert [
        {"id": "role-at-least", "reason": "z"},
        {"id": Role.key, "reason": {"not": "admin of public"}},
        {"id": "max", "reason": {"not": PAYLOAD["plan"]}},
    ] == failures


@row("SessionClaimValidator.should_refetch(payload, user_context)")
async def own_validator_fetches(visit: Visit) -> None:
    validator: ClaimValidator = RoleAtLeast("a")
    assert Role == validator.claim_to_fetch(visit.session.claims, now=visit.sessions.now())
    await visit.session.assert_claims(validator)
    assert "admin of public" == visit.session.get_claim_value(Role)


@row("ClaimValidationResult(is_valid, reason)")
async def validation_result(visit: Visit) -> None:
    await visit.session.set_claim_value(Role, "guest")
    failure = ClaimFailure("role-at-least", "z")
    assert [None, failure] == [RoleAtLeast(least).failure(visit.session.claims, now=0) for least in ("a", "z")]
