"""What type checkers refuse: each line is an error to them, and an ignored error that is none is one too."""

from __future__ import annotations

from fastapi import Depends
from starlette.requests import HTTPConnection

from fastapi_session import CreateSession, Session, Sessions, verify_session
from tests.typing.typed_claims import Groups, Levels, Role
from tests.typing.typed_sessions import Cart, Claims


async def of_claims(session: Session, sessions: Sessions) -> None:
    Role.has_value(1)  # type: ignore[arg-type]
    Groups.includes(1)  # type: ignore[arg-type]
    Levels.includes_all(["one"])  # type: ignore[list-item]
    await session.set_claim_value(Role, 1)  # type: ignore[misc]
    await sessions.set_claim_value("handle", Groups, "staff")  # type: ignore[misc]
    session.get_claim_value("role")  # type: ignore[arg-type]


async def of_models(session: Session[Claims, Cart], connection: HTTPConnection) -> None:
    _ = session.claims.colour  # type: ignore[attr-defined]
    _ = session.claims["role"]  # type: ignore[index]
    _ = (await session.get_session_data()).colour  # type: ignore[attr-defined]
    await session.change_session_data(lambda cart: cart.colour)  # type: ignore[attr-defined]
    _plain: Session = session  # type: ignore[assignment]
    optional = await verify_session()(connection)
    _ = optional.user_id  # type: ignore[union-attr]


async def of_calls(create: CreateSession) -> None:
    await create()  # type: ignore[call-arg]
    Depends(verify_session("admin"))  # type: ignore[arg-type]
