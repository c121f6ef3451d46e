"""The types of claims: of their values, of their validators, and of what may be asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, assert_type

from fastapi import FastAPI

from fastapi_session import (
    BooleanClaim,
    Claim,
    ClaimRule,
    ClaimValidator,
    PayloadRule,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    Session,
    SessionConfig,
    SessionEvent,
    Sessions,
    TokenTheftDetected,
    install,
    verify_session,
)
from fastapi_session.model import Json


async def fetch_role(user_id: str, tenant_id: str, payload: Json) -> str | None:
    return "admin" if user_id == "ada" else None


async def fetch_groups(user_id: str, tenant_id: str, payload: Json) -> list[str]:
    return ["staff"]


async def fetch_levels(user_id: str, tenant_id: str, payload: Json) -> list[int]:
    return [1, 2]


async def fetch_is_paying(user_id: str, tenant_id: str, payload: Json) -> bool:
    return True


Role = PrimitiveClaim("role", fetch_role)
Groups = PrimitiveArrayClaim("groups", fetch_groups)
Levels = PrimitiveArrayClaim("levels", fetch_levels)
IsPaying = BooleanClaim("is-paying", fetch_is_paying)


def of_claims() -> None:
    assert_type(Role, PrimitiveClaim[str])
    assert_type(Groups, PrimitiveArrayClaim[str])
    assert_type(Levels, PrimitiveArrayClaim[int])
    assert_type(Role.value({}), str | None)
    assert_type(Groups.value({}), list[str] | None)
    assert_type(Levels.value({}), list[int] | None)
    assert_type(IsPaying.value({}), bool | None)


async def of_a_session(session: Session) -> None:
    assert_type(session.get_claim_value(Role), str | None)
    assert_type(session.get_claim_value(Groups), list[str] | None)
    assert_type(session.get_claim_value(IsPaying), bool | None)
    await session.set_claim_value(Role, "admin")
    await session.set_claim_value(Levels, [1])
    await session.assert_claims(Role.has_value("admin"), Groups.includes("staff"), IsPaying.is_true())


async def by_handle(sessions: Sessions) -> None:
    assert_type(await sessions.claim_value("handle", Groups), list[str] | None)
    assert_type(await sessions.claim_value("handle", IsPaying), bool | None)
    assert_type(await sessions.set_claim_value("handle", Role, "admin"), bool)


def of_validators() -> None:
    validators: list[ClaimValidator] = [
        Role.has_value("admin"),
        Groups.includes_any(["staff", "admin"]),
        Levels.excludes(3),
        IsPaying.is_false(),
        PayloadRule("old-enough", lambda payload: payload.get("age", 0) >= 18),
        ClaimRule(Groups, lambda groups: len(groups) > 1, lambda groups: {"message": "lonely", "groups": len(groups)}),
    ]
    verify_session(*validators, override_global_claim_validators=without_global)


def without_global(validators: Sequence[ClaimValidator], session: Session[Any, Any]) -> Iterable[ClaimValidator]:
    return [IsPaying.is_true()] if session.user_id == "ada" else validators


def of_installing(app: FastAPI) -> None:
    claims: list[Claim[Any]] = [Role, Groups, IsPaying]
    sessions = install(app, SessionConfig(), claims=claims, validators=[IsPaying.is_true()], subscribers=[report])
    assert_type(sessions, Sessions)


async def report(event: SessionEvent) -> None:
    match event:
        case TokenTheftDetected(reason=reason):
            assert_type(reason, str)
        case _:
            assert_type(event.user_id, str)
