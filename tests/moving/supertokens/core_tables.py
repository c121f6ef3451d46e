"""The database of a core, and rows to put into it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.moving.supertokens.minting import KEY, MintedSession

NEVER = 4_000_000_000_000

APP = "public"


@dataclass(frozen=True, slots=True)
class Core:
    """The database of a core: *owner* may do all, *url* leads a user there who may only read."""

    owner: AsyncEngine
    url: str
    tables: Mapping[str, Table] = field(repr=False)

    async def add(self, table: str, *rows: Mapping[str, Any], app_id: str = APP) -> None:
        async with self.owner.begin() as connection:
            await connection.execute(self.tables[table].insert(), [{"app_id": app_id, **row} for row in rows])

    async def key(self, value: str = KEY, *, app_id: str = APP) -> None:
        await self.add(
            "key_value",
            {"tenant_id": "public", "name": "refresh_token_key", "value": value, "created_at_time": 1},
            app_id=app_id,
        )

    async def session(self, minted: MintedSession, *, app_id: str = APP, **columns: Any) -> None:
        """Put the row of *minted* into the table, with other *columns* than its own."""
        await self.add("session_info", session_row(minted, rotates=self.rotates, **columns), app_id=app_id)

    @property
    def rotates(self) -> bool:
        return "refresh_token_rotated_at" in self.tables["session_info"].c

    async def change(self, minted: MintedSession, **columns: Any) -> None:
        table = self.tables["session_info"]
        async with self.owner.begin() as connection:
            await connection.execute(table.update().where(table.c.session_handle == minted.handle).values(**columns))

    async def revoke(self, minted: MintedSession) -> None:
        table = self.tables["session_info"]
        async with self.owner.begin() as connection:
            await connection.execute(table.delete().where(table.c.session_handle == minted.handle))

    async def user(self, core_id: str, *, primary: str | None = None, external: str | None = None) -> None:
        """A user of the core: linked to *primary*, and called *external* by the application."""
        await self.add(
            "app_id_to_user_id",
            {
                "user_id": core_id,
                "recipe_id": "emailpassword",
                "primary_or_recipe_user_id": primary or core_id,
                "is_linked_or_is_a_primary_user": primary is not None,
            },
        )
        if external is not None:
            await self.add("userid_mapping", {"supertokens_user_id": core_id, "external_user_id": external})


def session_row(minted: MintedSession, *, rotates: bool = False, **columns: Any) -> dict[str, Any]:
    """The row that the core writes for *minted*, with other *columns* than its own."""
    rotation = {"prev_refresh_token_hash_2": None, "refresh_token_rotated_at": None} if rotates else {}
    return {
        "tenant_id": minted.tenant_id,
        "session_handle": minted.handle,
        "user_id": minted.user_id,
        "refresh_token_hash_2": minted.h2,
        "session_data": json.dumps({"cart": 3}),
        "expires_at": NEVER,
        "created_at_time": 1_700_000_000_000,
        "jwt_user_payload": json.dumps({"role": "admin"}),
        "use_static_key": False,
        **rotation,
        **columns,
    }


def reader(database: str) -> str:
    """The user who may only read, and that database alone: MySQL shows a user the tables of all that it may read."""
    return f"{database}_reader"


def let_read(*, dialect: str, database: str, schema: str | None) -> list[str]:
    """The statements that let the reader read all that is there, and nothing else."""
    if dialect != "postgresql":
        return [f"GRANT SELECT ON {database}.* TO {reader(database)}@localhost"]
    return [
        f"GRANT USAGE ON SCHEMA {schema or 'public'} TO {reader(database)}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema or 'public'} TO {reader(database)}",
    ]
