"""The types of a session's claims and data are those of the models that were given, and plain JSON without models."""

from __future__ import annotations

from typing import Annotated, Any, assert_type

from fastapi import Depends
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from fastapi_session import (
    CreateSession,
    Session,
    create_new_session_in_request,
    create_session,
    get_session_from_request,
    refresh_session_in_request,
    verify_session,
)
from fastapi_session.web.dependencies import CreateSessionProvider
from fastapi_session.web.verifying import SessionProvider

Plain = dict[str, Any]


class Claims(BaseModel):
    role: str


class Cart(BaseModel):
    items: list[str] = []


async def of_a_session(typed: Session[Claims, Cart], half: Session[Claims], plain: Session) -> None:
    assert_type(typed.claims, Claims)
    assert_type(typed.claims.role, str)
    assert_type(await typed.get_session_data(), Cart)
    assert_type((await typed.get_session_data()).items, list[str])
    assert_type(await typed.change_session_data(lambda cart: cart), Cart)
    assert_type(half.claims, Claims)
    assert_type(await half.get_session_data(), Plain)
    assert_type(plain.claims, Plain)
    assert_type(await plain.get_session_data(), Plain)
    assert_type(plain, Session[Plain, Plain])


async def of_a_provider(connection: HTTPConnection) -> None:
    assert_type(verify_session(payload=Claims, data=Cart), SessionProvider[Claims, Cart])
    assert_type(verify_session(payload=Claims), SessionProvider[Claims, Plain])
    assert_type(verify_session(data=Cart), SessionProvider[Plain, Cart])
    assert_type(verify_session(), SessionProvider[Plain, Plain])
    assert_type(await verify_session(payload=Claims, data=Cart)(connection), Session[Claims, Cart] | None)
    assert_type(await verify_session()(connection), Session | None)


async def of_a_request(connection: HTTPConnection) -> None:
    assert_type(await get_session_from_request(connection, payload=Claims, data=Cart), Session[Claims, Cart])
    assert_type(await get_session_from_request(connection), Session)
    assert_type(await get_session_from_request(connection, session_required=False), Session | None)
    assert_type(await refresh_session_in_request(connection, payload=Claims, data=Cart), Session[Claims, Cart])
    assert_type(await refresh_session_in_request(connection), Session)


async def of_creation(connection: HTTPConnection) -> None:
    provider = create_session(payload=Claims, data=Cart)
    assert_type(provider, CreateSessionProvider[Claims, Cart])
    create = await provider(connection)
    assert_type(create, CreateSession[Claims, Cart])
    assert_type(await create("ada", access_token_payload=Claims(role="admin")), Session[Claims, Cart])
    assert_type(await (await create_session()(connection))("ada"), Session)
    assert_type(await create_new_session_in_request(connection, "ada", payload=Claims), Session[Claims, Plain])


async def in_a_route(
    typed: Annotated[Session[Claims, Cart], Depends(verify_session(payload=Claims, data=Cart))],
    plain: Annotated[Session, Depends(verify_session())],
    optional: Annotated[Session[Claims] | None, Depends(verify_session(session_required=False, payload=Claims))],
) -> None:
    assert_type(typed.claims.role, str)
    assert_type(plain.claims["role"], Any)
    if optional is not None:
        assert_type(optional.claims, Claims)
