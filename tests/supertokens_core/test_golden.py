"""The golden data: what the program writes is what is written down, and it can be loaded at any moment."""

from __future__ import annotations

import hashlib
import operator

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.conftest import is_full
from tests.supertokens_core.golden import DATA, golden, has_jdk, program, written_anew
from tests.supertokens_core.tables import ADDED_BY_12_1, Layout, filled, kept, tables


def test_the_golden_data_is_of_this_program() -> None:
    """Whoever changes the program writes the data anew: `python -m tests.supertokens_core.golden`."""
    assert program() == golden().program


def test_the_program_writes_the_golden_data(request: pytest.FixtureRequest) -> None:
    """Compiled and run anew, the program writes the data that is in the repository, byte for byte."""
    if not is_full(request.config):
        pytest.skip("the program takes seconds: it runs with --full")
    if not has_jdk():
        pytest.skip("there is no JDK")
    assert DATA.read_text("utf-8") == written_anew()


def test_every_state_has_a_name_of_its_own() -> None:
    """A test finds a client by its state and name."""
    names = [str(client) for client in golden().clients]

    assert sorted(set(names)) == sorted(names)


def test_the_hashes_are_those_of_the_texts() -> None:
    """What the program says of an opened token, Python's hashlib says too."""
    for client in golden().clients:
        if client.opened is not None:
            once = hashlib.sha256(client.refresh_token.encode()).hexdigest()
            assert hashlib.sha256(once.encode()).hexdigest() == client.opened["hash_2"]


def test_access_tokens_are_signed_anew_as_the_program_signs() -> None:
    """Moved by nothing, the data stays what it is: the tokens signed here are those of the program."""
    assert golden() == golden().at(golden().moment)


def test_the_data_moves_with_time() -> None:
    """A day later, rows and tokens are a day younger, and the kid of a dynamic key is still its moment."""
    day = 86_400_000
    later = golden().at(golden().moment + day)

    assert [row["expires_at"] + day for row in golden().tables["session_info"]] == [
        row["expires_at"] for row in later.tables["session_info"]
    ]
    assert golden().client("fresh").access_token != later.client("fresh").access_token
    assert golden().client("fresh").refresh_token == later.client("fresh").refresh_token


@pytest.mark.parametrize(("server", "without"), [("postgres_url", frozenset()), ("mysql_url", ADDED_BY_12_1)])
async def test_the_rows_go_into_a_database(
    server: str, without: frozenset[str], request: pytest.FixtureRequest
) -> None:
    """Each database keeps the rows as they are, in the new layout and in the one before."""
    url: str = request.getfixturevalue(server)
    layout = Layout(prefix="old", without=without)
    session_info = tables(layout).tables["old_session_info"]
    engine = create_async_engine(url, poolclass=NullPool)
    async with filled(url, golden().tables, layout), engine.connect() as connection:
        found = (await connection.execute(select(session_info))).mappings().all()
    await engine.dispose()

    by_handle = operator.itemgetter("session_handle")
    written = [kept(row, session_info) for row in golden().tables["session_info"]]
    assert sorted(written, key=by_handle) == sorted(map(dict, found), key=by_handle)
