"""The way back: a core that takes over again finds everything of its own as it was, and takes no token of ours for a theft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from fastapi_session import SessionConfig, Sessions
from fastapi_session.clock import system_clock
from fastapi_session.errors import TokenTheftError, UnauthorisedError
from fastapi_session.moving import SuperTokens, import_sessions
from fastapi_session.moving.supertokens.refresh_token import opened
from tests.moving.supertokens.conftest import DATABASE
from tests.stores.sql.conftest import PATIENCE
from tests.supertokens_core.golden import Client, golden
from tests.supertokens_core.tables import Layout, filled, tables

Table = Sequence[Mapping[str, Any]]
SECRET = "the-secret-of-the-deployment-that-moves-0001"
STATES = ("fresh", "rotated long ago", "child not promoted", "tenant customer-1", "user linked, both mapped")


@pytest.mark.parametrize("core_driver", ["postgresql+asyncpg"], indirect=True)
async def test_core_finds_everything_as_it_was(server_url: Any, tmp_path: Path) -> None:
    """Sessions are imported, refreshed, ended and stolen here: in the core's tables nothing has changed, and our tokens are none of its."""
    url = server_url.set(database=DATABASE)
    now = golden().at(system_clock())
    clients = [next(each for each in now.clients if each.state == state and is_refreshed(each)) for state in STATES]
    owner = create_async_engine(url, poolclass=NullPool)
    text = url.render_as_string(hide_password=False)
    async with filled(text, now.tables):
        before = await everything(owner)
        config = SessionConfig(store=f"sqlite:///{tmp_path / 'sessions.db'}", secret=SECRET)
        sessions = Sessions(config, moving_from=SuperTokens(text, timeout=PATIENCE))
        await sessions.open()
        handed_out = await used(sessions, clients)
        await sessions.close()
        after = await everything(owner)
    await owner.dispose()

    key = SecretStr(next(row["value"] for row in now.tables["key_value"] if row["app_id"] == "public"))
    assert before == after
    assert all(opened(client.refresh_token, key=key) is not None for client in clients)
    assert [None] * len(STATES) == [opened(token, key=key) for token in handed_out]
    assert "" not in handed_out


def is_refreshed(client: Client) -> bool:
    return bool(client.refresh["5.6"]["outcome"] == "refreshed")


async def used(sessions: Sessions, clients: Sequence[Client]) -> list[str]:
    """Let all that can happen to sessions happen to those of *clients*, and return the refresh tokens that they were given."""
    await import_sessions(sessions, dry_run=False)
    issued = [await sessions.refresh(client.refresh_token) for client in clients]
    tokens = [each.tokens.refresh_token or "" for each in issued]
    await sessions.refresh(tokens[0])
    await sessions.revoke(issued[1].access_token.session_handle)
    with pytest.raises((TokenTheftError, UnauthorisedError)):
        await sessions.refresh(clients[1].refresh_token)
    await sessions.revoke_all("alice")
    return tokens


async def everything(engine: AsyncEngine) -> dict[str, Table]:
    """All rows of all tables of the core."""
    async with engine.connect() as connection:
        return {
            table.name: [
                {**row} for row in (await connection.execute(select(table).order_by(*table.primary_key))).mappings()
            ]
            for table in tables(Layout()).sorted_tables
        }
