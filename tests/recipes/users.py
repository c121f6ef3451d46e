"""What a reader of the recipe on fastapi-users has already: a model, its table, and a manager of users."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Depends
from fastapi_users import BaseUserManager, UUIDIDMixin
from fastapi_users.db import BaseUserDatabase
from fastapi_users.password import PasswordHelper
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

QUICK = PasswordHelper(PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)))
Database = async_sessionmaker(expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(unique=True)
    hashed_password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    is_superuser: Mapped[bool] = mapped_column(default=False)
    is_verified: Mapped[bool] = mapped_column(default=False)


class UserDatabase(BaseUserDatabase[User, UUID]):  # type: ignore[type-var]  # its columns are more than its fields
    """Users by SQLAlchemy. The adapter that fastapi-users has takes no SQLAlchemy of 2.1 or newer."""

    async def get(self, id: UUID) -> User | None:  # noqa: A002  as fastapi-users calls it
        async with Database() as database:
            return await database.get(User, id)

    async def get_by_email(self, email: str) -> User | None:
        async with Database() as database:
            return await database.scalar(select(User).where(User.email == email))

    async def create(self, create_dict: dict[str, Any]) -> User:
        async with Database.begin() as database:
            user = User(**create_dict)
            database.add(user)
        return user

    async def update(self, user: User, update_dict: dict[str, Any]) -> User:
        async with Database.begin() as database:
            user = await database.merge(user)
            for name, value in update_dict.items():
                setattr(user, name, value)
        return user


class UserManager(UUIDIDMixin, BaseUserManager[User, UUID]):  # type: ignore[type-var]  # as above
    """Registers users and checks their passwords."""


async def connect() -> None:
    """Have an empty database in the current folder."""
    engine = create_async_engine("sqlite+aiosqlite:///users.db", poolclass=NullPool)
    Database.configure(bind=engine)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


async def get_user_database() -> UserDatabase:
    return UserDatabase()


async def get_user_manager(
    database: Annotated[UserDatabase, Depends(get_user_database)],
) -> AsyncIterator[UserManager]:
    yield UserManager(database, QUICK)
