"""fastapi-users: a user that is loaded for each request, by a JSON Web Token, or by a random one that the database keeps."""

# No `from __future__ import annotations`: some annotations name dependencies that a function has just made.

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy, Strategy
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users.db import BaseUserDatabase, SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTableUUID,
)
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from benchmarks.applications import SECRET, Answer, application, by_header

LIFETIME = 24 * 3600


class Base(DeclarativeBase):
    """The tables."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """A user."""


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    """A token of the database strategy."""


class Manager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """Finds users by their id."""


ALICE = uuid.UUID(int=1)


def alice() -> User:
    """Return the user that signs in."""
    return User(id=ALICE, email="alice@example.com", hashed_password="", is_active=True)


class UsersInMemory(BaseUserDatabase[User, uuid.UUID]):
    """One user, without a database."""

    def __init__(self) -> None:
        self._alice = alice()

    async def get(self, _id: uuid.UUID) -> User | None:
        """Return the one user."""
        return self._alice


def fastapi_users_in_memory() -> FastAPI:
    """Return an application with the JWT strategy and no database."""
    users = UsersInMemory()

    async def manager() -> AsyncIterator[Manager]:
        yield Manager(users)

    return guarded(manager, jwt_strategy)


def fastapi_users(folder: Path, *, in_database: bool) -> FastAPI:
    """Return an application with its users in SQLite, and with *in_database* their tokens as well."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'users.db'}")
    session_of = async_sessionmaker(engine, expire_on_commit=False)

    async def session() -> AsyncIterator[AsyncSession]:
        async with session_of() as opened:
            yield opened

    async def manager(opened: Annotated[AsyncSession, Depends(session)]) -> AsyncIterator[Manager]:
        yield Manager(SQLAlchemyUserDatabase(opened, User))

    def database_strategy(opened: Annotated[AsyncSession, Depends(session)]) -> Any:
        return DatabaseStrategy(SQLAlchemyAccessTokenDatabase(opened, AccessToken), lifetime_seconds=LIFETIME)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with session_of() as opened:
            opened.add(alice())
            await opened.commit()
        yield
        await engine.dispose()

    app = guarded(manager, database_strategy if in_database else jwt_strategy)
    app.router.lifespan_context = lifespan
    return app


def jwt_strategy() -> Any:
    """Sign tokens with HS256, the default."""
    return JWTStrategy(SECRET, lifetime_seconds=LIFETIME)


def guarded(manager: Any, strategy: Any) -> FastAPI:
    """Return an application whose route asks for the current user."""
    backend = AuthenticationBackend("bearer", BearerTransport("login"), strategy)
    current_user = FastAPIUsers[User, uuid.UUID](manager, [backend]).current_user(active=True)

    async def endpoint(user: Annotated[User, Depends(current_user)]) -> Answer:
        return {"user_id": str(user.id)}

    async def login(
        users: Annotated[Any, Depends(manager)], writer: Annotated[Strategy[User, uuid.UUID], Depends(strategy)]
    ) -> Answer:
        return by_header(await writer.write_token(await users.get(ALICE)))

    return application(endpoint, login=login)
