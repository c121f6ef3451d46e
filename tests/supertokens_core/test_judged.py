"""Every golden client comes to our own engine: what the core would do with its tokens, ours does, or there is a reason."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from fastapi_session import Sessions
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfProof
from fastapi_session.errors import SessionError, TokenTheftError, TryRefreshTokenError, UnauthorisedError
from fastapi_session.moving import SuperTokens, import_sessions
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.engines import config, refresh_token_of, stem
from tests.supertokens_core.golden import Client, golden
from tests.supertokens_core.tables import ADDED_BY_12_1, Layout, filled, kept, tables

Outcome = tuple[str, ...]
Engine = AbstractAsyncContextManager[Sessions]
Engines = Callable[[str, str], AsyncIterator[Engine]]
"""The engines on the database of an app of the core: each has seen nothing of what was done with the others."""

OUTCOMES: Mapping[type[SessionError], str] = {
    TokenTheftError: "theft",
    TryRefreshTokenError: "try refresh",
    UnauthorisedError: "unauthorised",
}

APPS = ("public", "shop")

ALICE = ("refreshed", "alice", "alice", "public")

OTHERWISE_REFRESHED: Mapping[str, tuple[Outcome, str]] = {
    **{
        f"payload with the protected name {name}: the client": (
            ALICE,
            "the name is left out, and nobody is logged out for it",
        )
        for name in ("sub", "exp", "tId", "rsub", "sessionHandle", "refreshTokenHash1", "antiCsrfToken")
    },
    "session data NULL: the client": (ALICE, "the core cannot read what it has not written, and we take it as empty"),
    "payload of 6 kB: the client": (("unauthorised",), "no access token of more than 8,192 characters is read"),
    "expires at this moment: the client": (("unauthorised",), "a session of ours ends with its last millisecond"),
    "refresh token with another version at its end: the client": (
        ("unauthorised",),
        "the core never wrote it: nobody stole it",
    ),
    "refresh token of an un-promoted child, written otherwise: the client": (
        ("unauthorised",),
        "the core never wrote it",
    ),
}
"""Clients for whom a refresh ends otherwise than at the core: how, and why."""

OTHERWISE_VERIFIED: Mapping[str, tuple[Outcome, str]] = {
    "access token that ends at this moment": (("try refresh",), "a token ends with its last millisecond"),
    "access token without an issuer": (("try refresh",), "no SDK left it out, and it may be for another address"),
    "payload empty": (("try refresh",), "it has no issuer either"),
    "payload of 6 kB": (("unauthorised",), "no token of more than 8,192 characters is read"),
    "access token of version 2": (("unauthorised",), "its clients are older than the wire that we speak"),
}
"""States of access tokens that are taken otherwise than at the core: how, and why."""

BELIEVED_LONGER = "access token by a dynamic key whose time is over"
"""How long a key lives is not in the database. A token of it that is still alive, no core has signed."""

LEFT_OUT = frozenset({"iss", "tId", "rsub"})
"""Names in a payload that are no claims of the application here: the issuer of the SDK, and what later versions call theirs."""

NOT_AFTER_THE_GRACE_PERIOD = {
    "rotated within the grace period: previous",
    "rotated as long ago as the grace period is: previous",
    "rotated again within the grace period: previous",
    "child promoted by its access token just now: parent",
    "child promoted by its refresh just now, whose child is not: parent",
    "rotated, with anti-CSRF tokens: previous",
}
"""Clients that refresh by a token that the core takes for some seconds yet: going back a minute later, it takes it for stolen."""


@pytest.fixture
async def url(postgres_url: str) -> AsyncIterator[str]:
    """A database with the golden rows."""
    async with filled(postgres_url, golden().tables):
        yield postgres_url


def rounds(app_id: str) -> Iterator[Sequence[Client]]:
    """The clients of an app, of no session more than one at a time: what one does may end the session of the others."""
    by_session: dict[object, list[Client]] = defaultdict(list)
    for client in golden().clients:
        if client.app_id == app_id:
            by_session[client.opened["session_handle"] if client.opened else str(client)].append(client)
    while chosen := [clients.pop(0) for clients in by_session.values() if clients]:
        yield chosen


@asynccontextmanager
async def opened(source: SuperTokens, *, store: Store | None = None) -> AsyncIterator[Sessions]:
    """An engine, at the moment of the data, that knows of the sessions of *source* what the *store* has of them."""
    chosen = config(store=store or MemoryStore(clock=HandClock(golden().moment)), api_domain="https://example.com")
    sessions = Sessions(chosen, moving_from=source, clock=HandClock(golden().moment))
    await sessions.open()
    try:
        yield sessions
    finally:
        await sessions.close()


async def with_database(url: str, app_id: str) -> AsyncIterator[Engine]:
    """Engines that look into their database for what they have not seen yet."""
    while True:
        yield opened(SuperTokens(url, app_id=app_id))


async def after_import(url: str, app_id: str) -> AsyncIterator[Engine]:
    """Engines that have their database no more, only what was taken in from there, each its own copy of it, and the key."""
    imported = MemoryStore(clock=HandClock(golden().moment))
    async with opened(SuperTokens(url, app_id=app_id), store=imported) as sessions:
        await import_sessions(sessions, dry_run=False)
        taken_in = [each async for page in imported.every_session(batch=1_000) for each in page]
    key = next(row["value"] for row in golden().tables["key_value"] if row["app_id"] == app_id)
    while True:
        store = MemoryStore(clock=HandClock(golden().moment))
        await store.take_in(taken_in)
        yield opened(SuperTokens(refresh_token_key=key), store=store)


@dataclass(frozen=True)
class Way:
    """Which core had the sessions, in which *layout* on which *server*, which interface its backends spoke, and how ours has them."""

    server: str
    layout: Layout
    interface: str
    engines: Engines


WAYS = {
    "a core of 12.1": Way("postgres_url", Layout(), "5.6", with_database),
    "a core of 12.1, after the import": Way("postgres_url", Layout(), "5.6", after_import),
    "a core of before": Way("mysql_url", Layout(without=ADDED_BY_12_1), "5.4", with_database),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_refresh_tokens_are_judged_as_the_core_judges_them(way: Way, request: pytest.FixtureRequest) -> None:
    """A refresh is granted, refused or theft as at the core, and a second tab gets the same successor as the first."""
    url: str = request.getfixturevalue(way.server)
    found: dict[str, Outcome] = {}
    async with filled(url, golden().tables, way.layout):
        for app_id in APPS:
            engines = way.engines(url, app_id)
            for clients in rounds(app_id):
                async with await anext(engines) as sessions:
                    found |= {str(client): await refreshed(sessions, client) for client in clients}

    assert {str(client): expected_refresh(client, way.interface) for client in golden().clients} == found


def expected_refresh(client: Client, interface: str) -> Outcome:
    if str(client) in OTHERWISE_REFRESHED:
        return OTHERWISE_REFRESHED[str(client)][0]
    core = client.refresh[interface]
    return tuple(core[name] for name in ("outcome", "user_id", "recipe_user_id", "tenant_id") if name in core)


async def refreshed(sessions: Sessions, client: Client) -> Outcome:
    presented = client.anti_csrf["presented"]
    proof = AntiCsrfProof("VIA_TOKEN", token=presented) if client.anti_csrf["enabled"] else NOT_ASKED
    try:
        first = await sessions.refresh(client.refresh_token, proof=proof)
        second = await sessions.refresh(client.refresh_token, proof=proof)
    except SessionError as error:
        return (OUTCOMES[type(error)],)
    token = first.access_token
    same = [] if stem(refresh_token_of(first)) == stem(refresh_token_of(second)) else ["two successors"]
    return "refreshed", token.user_id, token.recipe_user_id, token.tenant_id, *same


async def test_access_tokens_are_verified_as_the_core_verifies_them(url: str) -> None:
    """An access token of the core is accepted, with its users, tenant and claims, until it ends."""
    found: dict[str, tuple[Any, ...]] = {}
    for app_id in APPS:
        async with opened(SuperTokens(url, app_id=app_id)) as sessions:
            found |= {str(each): await verified(sessions, each) for each in golden().clients if each.app_id == app_id}

    [believed_longer] = [str(client) for client in golden().clients if client.state == BELIEVED_LONGER]
    assert "accepted" == found.pop(believed_longer)[0]
    expected = {str(client): expected_verification(client) for client in golden().clients}
    assert {name: outcome for name, outcome in expected.items() if name != believed_longer} == found


def expected_verification(client: Client) -> tuple[Any, ...]:
    core = client.verify["offline"]
    if client.state in OTHERWISE_VERIFIED:
        return OTHERWISE_VERIFIED[client.state][0]
    if core["outcome"] != "accepted":
        return (str(core["outcome"]),)
    claims = {name: value for name, value in core["payload"].items() if name not in LEFT_OUT}
    handle = core["session_handle"].replace("-", "", 4)  # Those of the UUID: a tenant may have dashes, too.
    return "accepted", core["user_id"], core["recipe_user_id"], core["tenant_id"], handle, claims


async def verified(sessions: Sessions, client: Client) -> tuple[Any, ...]:
    try:
        token = await sessions.verify(client.access_token)
    except SessionError as error:
        return (OUTCOMES[type(error)],)
    return "accepted", token.user_id, token.recipe_user_id, token.tenant_id, token.session_handle, token.custom


async def test_the_core_can_take_over_again(url: str) -> None:
    """No refresh here changes a row there: the core goes on with the tokens that clients had when they came."""
    refreshing = [
        client
        for client in golden().clients
        if client.app_id == "public" and client.refresh["5.6"]["outcome"] == "refreshed"
    ]
    async with opened(SuperTokens(url, app_id="public")) as sessions:
        for client in refreshing:
            await refreshed(sessions, client)
    session_info = tables(Layout()).tables["session_info"]
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        left = [dict(row) for row in (await connection.execute(select(session_info))).mappings()]
    await engine.dispose()

    by_handle = operator.itemgetter("session_handle")
    rows = [kept(row, session_info) for row in golden().tables["session_info"]]
    assert sorted(rows, key=by_handle) == sorted(left, key=by_handle)
    assert {str(client): expected_later(client) for client in refreshing} == {
        str(client): client.refresh_later["60000"]["5.6"]["outcome"] for client in refreshing
    }


def expected_later(client: Client) -> str:
    if client.state == "expires at this moment":
        return "unauthorised"
    return "theft" if str(client) in NOT_AFTER_THE_GRACE_PERIOD else "refreshed"
