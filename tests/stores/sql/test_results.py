"""A result of another statement is an unavailable store to its caller, and nobody uses that connection again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import SessionRecord
from fastapi_session.stores.columns import Row
from fastapi_session.stores.rows import SESSION_COLUMNS
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sql.postgres.batches import PostgresBatches
from fastapi_session.stores.sql.postgres.drivers import Done, Driver
from fastapi_session.stores.sql.results import ForeignResult, kept
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import digest, new_session, new_signing_key, next_rotation
from tests.stores.sql.conftest import PATIENCE

Ask = Callable[[SqlStore, SessionRecord], Awaitable[Any]]

QUESTIONS: dict[str, Ask] = {
    "get": lambda store, mine: store.get(mine.session_id),
    "insert": lambda store, _: store.insert(new_session("new", now=0)),
    "rotate": lambda store, mine: store.rotate(next_rotation(mine, debounce=0)),
    "get many": lambda store, mine: asyncio.gather(*(store.get(mine.session_id) for _ in range(2))),
    "insert many": lambda store, _: asyncio.gather(*(store.insert(new_session(f"{n}", now=0)) for n in range(2))),
    "rotate many": lambda store, mine: asyncio.gather(
        *(store.rotate(next_rotation(mine, debounce=0)) for _ in range(2))
    ),
    "replace": lambda store, mine: store.replace(mine.session_id, expected=mine.lineage, lineage=mine.lineage),
    "update": lambda store, mine: store.update(
        mine.session_id, version=0, access_token_payload={}, session_data={}, label=None
    ),
    "delete": lambda store, mine: store.delete(mine.session_id),
    "acknowledge": lambda store, mine: store.acknowledge(mine.session_id, current=mine.lineage.current, issue_id=b""),
    "sessions of": lambda store, mine: store.sessions_of(mine.user_id),
    "sessions of a tenant": lambda store, mine: store.sessions_of(mine.user_id, tenant_id=mine.tenant_id),
    "delete all of": lambda store, mine: store.delete_sessions_of(mine.user_id, limit=9),
    "delete external": lambda store, _: store.delete_external(digest("external"), limit=9),
    "is remembered": lambda store, _: store.is_remembered(digest("once")),
    "delete expired": lambda store, _: store.delete_expired(limit=1),
    "notices": lambda store, _: store.notices(after=5),
    "delete notices": lambda store, _: store.delete_notices(until=5, limit=1),
    "take in": lambda store, mine: store.take_in([mine]),
    "every device": lambda store, _: anext(store.every_device(batch=9)),
    "every digest": lambda store, _: anext(store.every_remembered(batch=9)),
    "signing keys": lambda store, _: store.signing_keys(),
    "insert key": lambda store, _: store.insert_key(new_signing_key("new", now=0)),
    "replace key": lambda store, _: store.replace_key(new_signing_key("key", now=0), expected_secret_kid=1),
    "delete key": lambda store, _: store.delete_key("key"),
}

_COLUMNS = ", ".join(SESSION_COLUMNS)
OTHERS = {
    "a session": f"SELECT {_COLUMNS} FROM fastapi_session WHERE session_id = '{digest('a').hex()[:32]}'",
    "a session and a time": f"SELECT 1, {_COLUMNS} FROM fastapi_session WHERE user_id = 'other' LIMIT 1",
    "a number": "SELECT 7",
    "many rows": "UPDATE fastapi_session SET version = version",
}
"""What another client asked for, by its result. Three sessions are there, and none is `mine`."""


@pytest.fixture
async def store(url: str, engine: AsyncEngine, clock: HandClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(url, clock=clock, timeout=PATIENCE)
    await store.open()
    for name in "abc":
        await store.insert(new_session(name, now=clock(), user_id="other", tenant_id="other"))
    yield store
    await store.close()


@pytest.mark.parametrize("question", QUESTIONS)
async def test_the_result_of_another_statement(store: SqlStore, clock: HandClock, question: str) -> None:
    """Whatever another statement returns, it is no result here, and the connection is dropped."""
    mine = new_session("mine", now=clock(), user_id="mine", tenant_id="mine")
    for other in OTHERS:
        await see_it_refused(store, mine, question=question, other=other)


def mix_up(together: PostgresBatches, patch: pytest.MonkeyPatch, *, other: str, lent: list[Any]) -> None:
    """Let what is asked below SQLAlchemy be answered with the result of the statement *other*."""
    driver = type(together._borrowing._driver)
    rows = driver.rows

    async def others_rows(self: Driver, connection: Any, _text: str, _values: list[object], *, named: bool) -> Done:
        lent.append(connection.dbapi_connection)
        return await rows(self, connection, other, [], named=named)

    patch.setattr(driver, "rows", others_rows)


async def see_it_refused(store: SqlStore, mine: SessionRecord, *, question: str, other: str) -> None:
    """Ask the *question*, whose every statement is answered with the result of the *other* one."""
    ways = store._engine.ways()
    lent: list[Any] = []

    def mixed_up(connection: Connection, *_: Any) -> tuple[str, tuple[()]]:
        lent.append(connection.connection.dbapi_connection)
        return OTHERS[other], ()

    event.listen(ways.together.sync_engine, "before_cursor_execute", mixed_up, retval=True)
    event.listen(ways.alone.sync_engine, "before_cursor_execute", mixed_up, retval=True)
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(store._batches, PostgresBatches):
            mix_up(store._batches, patch, other=OTHERS[other], lent=lent)
        with pytest.raises(StoreUnavailable):
            await QUESTIONS[question](store, mine)
    event.remove(ways.together.sync_engine, "before_cursor_execute", mixed_up)
    event.remove(ways.alone.sync_engine, "before_cursor_execute", mixed_up)

    def connection_of(connection: Connection) -> Any:
        return connection.connection.dbapi_connection

    assert await store._pooled.run(connection_of) not in lent
    assert 3 == len(await store.sessions_of("other"))


@pytest.mark.parametrize("row", [(), ("other",), ("mine", "other"), (None,)])
def test_what_another_insertion_returns(row: Row) -> None:
    """Ids that were kept are some of those given, in one column: whatever else there is, is no result here."""
    assert {"mine"} == kept([("mine",)], ["mine", "new"])
    with pytest.raises(ForeignResult):  # no ValueError, by which a driver says that nothing was sent
        kept([row], ["mine", "new"])
