"""What another implementation of the core wrote down, read by ours: every token, and every row in a real database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr
from sqlalchemy import URL

from fastapi_session.moving import SuperTokens
from fastapi_session.moving.supertokens.refresh_token import opened
from tests.moving.supertokens.conftest import DATABASE, ensure_database
from tests.stores.sql.conftest import PATIENCE
from tests.supertokens_core.golden import Client, golden
from tests.supertokens_core.tables import filled

WRITTEN_OTHERWISE = {
    "refresh token with another version at its end",
    "refresh token of an un-promoted child, written otherwise",
}
"""Tokens that a client would have to change: no core hands them out, though it takes them."""


def test_tokens_are_opened_as_the_core_opens_them() -> None:
    """Tenant, hashes and anti-CSRF token of each token are those that the core finds in it; what it cannot open, nobody can."""
    keys = {row["app_id"]: SecretStr(row["value"]) for row in golden().tables["key_value"]}
    clients = [each for each in golden().clients if each.state not in WRITTEN_OTHERWISE]

    assert {str(each): expected(each) for each in clients} == {
        str(each): found(each, key=keys[each.app_id]) for each in clients
    }


def expected(client: Client) -> tuple[Any, ...] | None:
    return None if client.opened is None else in_token(client.opened)


def in_token(opened: Mapping[str, Any]) -> tuple[Any, ...]:
    session_id = opened["session_handle"].partition("_")[0].replace("-", "")
    return session_id, *(opened[name] for name in ("tenant_id", "hash_2", "parent_hash_2", "anti_csrf_token"))


def found(client: Client, *, key: SecretStr) -> tuple[Any, ...] | None:
    token = opened(client.refresh_token, key=key)
    if token is None:
        return None
    parent = None if token.parent is None else token.parent.hex()
    return token.session_id, token.tenant_id, token.secret.hex(), parent, token.anti_csrf_token


async def test_rows_are_read_as_the_core_reads_them(server_url: URL) -> None:
    """Of each client whose session the core refreshes, the row is read with its user, recipe user and tenant."""
    await ensure_database(server_url)
    url = server_url.set(database=DATABASE).render_as_string(hide_password=False)
    clients = [each for each in golden().clients if each.refresh["5.6"]["outcome"] == "refreshed"]
    read = {}
    async with filled(url, golden().tables):
        sources = {app_id: SuperTokens(url, app_id=app_id, timeout=PATIENCE) for app_id in ("public", "shop")}
        for source in sources.values():
            await source.open()
        for each in clients:
            assert each.opened is not None
            session_id, tenant_id, *_ = in_token(each.opened)
            read[str(each)] = await sources[each.app_id].session(session_id, tenant_id)
        for source in sources.values():
            await source.close()

    assert {
        str(each): [each.refresh["5.6"][name] for name in ("user_id", "recipe_user_id", "tenant_id")]
        for each in clients
    } == {
        client: session and [session.user_id, session.recipe_user_id, session.tenant_id]
        for client, session in read.items()
    }
