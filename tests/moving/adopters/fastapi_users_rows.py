"""A program of its own, whose SQLAlchemy is the one that fastapi-users asks for: it signs users in, and prints their tokens.

    python -m tests.moving.adopters.fastapi_users_rows FILE

makes the tables of fastapi-users in the SQLite FILE and has its strategy write tokens there.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from fastapi_users.authentication.strategy import DatabaseStrategy
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID
from fastapi_users_db_sqlalchemy.access_token import SQLAlchemyAccessTokenDatabase, SQLAlchemyBaseAccessTokenTableUUID
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    pass


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    pass


async def sign_in(file: str) -> dict[str, Any]:
    """Return the id of a user and the tokens of two sign-ins."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine, expire_on_commit=False) as session:
        user = User(email="ada@example.com", hashed_password="none")
        session.add(user)
        await session.commit()
        strategy: Any = DatabaseStrategy(SQLAlchemyAccessTokenDatabase(session, AccessToken), lifetime_seconds=3600)
        tokens = [await strategy.write_token(user) for _ in range(2)]
    await engine.dispose()
    return {"user_id": str(user.id), "tokens": tokens}


if __name__ == "__main__":
    json.dump(asyncio.run(sign_in(sys.argv[1])), sys.stdout)
