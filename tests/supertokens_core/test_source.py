"""Every token and every row of the golden data, read by our own source: what the core says of it, or a difference with its reason."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from fastapi_session.foreign_sessions import ForeignSession, ForeignToken
from fastapi_session.moving import SuperTokens
from tests.supertokens_core.golden import Client, golden
from tests.supertokens_core.tables import ADDED_BY_12_1, Layout, filled

NOT_OPENED = {
    "refresh token with another version at its end": "the core opens it, and then takes its text for another token",
    "refresh token of an un-promoted child, written otherwise": "the core opens what it has never written",
}
"""States of refresh tokens that the core opens and we do not, each with the reason: only the text that was handed out counts."""

LEFT_OUT = {
    "iss": "the SDK wrote it into each payload, and an access token of ours has its own",
    **dict.fromkeys(
        ("sub", "exp", "tId", "rsub", "sessionHandle", "refreshTokenHash1", "antiCsrfToken"),
        "the core refuses such a session from then on, and the name is the token's own",
    ),
}
"""Names that a payload in a row may have, and that are not taken, each with the reason."""

APPS = ("public", "shop")


def app_key(app_id: str) -> str:
    """Return the key of the refresh tokens of an app."""
    key: str = next(row["value"] for row in golden().tables["key_value"] if row["app_id"] == app_id)
    return key


def session_id(handle: str) -> str:
    return handle.partition("_")[0].replace("-", "")


def expected_token(client: Client) -> ForeignToken | None:
    """Return what is in the client's refresh token, by the other implementation."""
    opened = client.opened
    if opened is None or client.state in NOT_OPENED:
        return None
    parent = opened["parent_hash_2"]
    return ForeignToken(
        session_id=session_id(opened["session_handle"]),
        tenant_id=opened["tenant_id"],
        secret=bytes.fromhex(opened["hash_2"]),
        parent=None if parent is None else bytes.fromhex(parent),
        anti_csrf_token=opened["anti_csrf_token"],
    )


def expected_session(client: Client, *, knows_previous: bool) -> ForeignSession:
    """Return the session of the client's row, of the user that the other implementation finds."""
    row = golden().row(client)
    previous = row["prev_refresh_token_hash_2"] if knows_previous else None
    payload = json.loads(row["jwt_user_payload"])
    return ForeignSession(
        session_id=session_id(row["session_handle"]),
        tenant_id=row["tenant_id"],
        user_id=client.refresh["5.6"].get("user_id", row["user_id"]),
        recipe_user_id=row["user_id"],
        access_token_payload={name: value for name, value in payload.items() if name not in LEFT_OUT},
        session_data=json.loads(row["session_data"] or "{}"),  # The core writes no NULL, and cannot read it.
        created_at=row["created_at_time"],
        expires_at=row["expires_at"],
        current=bytes.fromhex(row["refresh_token_hash_2"]),
        previous=None if previous is None else bytes.fromhex(previous),
        rotated_at=row["refresh_token_rotated_at"] if knows_previous else None,
    )


def has_row(client: Client) -> bool:
    handles = {(row["app_id"], row["session_handle"]) for row in golden().tables["session_info"]}
    return client.opened is not None and (client.app_id, client.opened["session_handle"]) in handles


def test_each_refresh_token_is_opened_as_the_core_opens_it() -> None:
    """Session, tenant, hashes and anti-CSRF token of every token are those that the other implementation finds in it."""
    sources = {app_id: SuperTokens(refresh_token_key=app_key(app_id)) for app_id in APPS}

    assert {str(client): expected_token(client) for client in golden().clients} == {
        str(client): sources[client.app_id].read_refresh_token(client.refresh_token) for client in golden().clients
    }


DATABASES = {
    "postgresql, 12.1": ("postgres_url", Layout()),
    "mariadb, before": ("mysql_url", Layout(without=ADDED_BY_12_1)),
}
"""Where the rows are: the core's plugin for MySQL ends before 12.1."""


@pytest.fixture(params=list(DATABASES.values()), ids=list(DATABASES))
async def database(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Layout]]:
    """The URL of a database with the golden rows, and in which layout it has them."""
    server, layout = request.param
    url: str = request.getfixturevalue(server)
    async with filled(url, golden().tables, layout):
        yield url, layout


async def read(source: SuperTokens, client: Client) -> ForeignSession | None:
    """Return the session of the client as the database has it."""
    assert client.opened is not None
    return await source.session(session_id(client.opened["session_handle"]), client.opened["tenant_id"])


async def test_each_row_is_read_as_the_core_reads_it(database: tuple[str, Layout]) -> None:
    """Users, payloads, data, moments and hashes of every row are those that the other implementation has."""
    url, layout = database
    sources = {app_id: SuperTokens(url, app_id=app_id) for app_id in APPS}
    for source in sources.values():
        await source.open()
    clients = [each for each in golden().clients if has_row(each)]
    found = {str(client): await read(sources[client.app_id], client) for client in clients}
    for source in sources.values():
        await source.close()

    assert {str(client): expected_session(client, knows_previous=not layout.without) for client in clients} == found
