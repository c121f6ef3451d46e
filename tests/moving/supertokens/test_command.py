"""`fastapi-session import supertokens`: what it says and does."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.moving.supertokens.core_tables import Core
from tests.moving.supertokens.minting import MintedSession, stored_pair

pytestmark = pytest.mark.parametrize("core_driver", ["postgresql+asyncpg"], indirect=True)


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment that its environment configures."""
    monkeypatch.setenv("FASTAPI_SESSION_STORE", f"sqlite:///{tmp_path / 'sessions.db'}")
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", "the-secret-of-the-deployment-that-moves-0001")
    monkeypatch.setenv("COLUMNS", "200")


def test_first_dry_then_for_good(core: Core, command_line: CommandLine) -> None:
    """Without --write nothing is written; then each tenant has its line, and a repetition says that all are there.

    Each says which store it is: a forgotten --app means that of the environment.
    """
    asyncio.run(core.session(MintedSession.begun("ada")))
    asyncio.run(core.session(MintedSession.begun("bob", tenant_id="shop")))
    dry, done, again = (
        command_line("import", "supertokens", core.url, *options) for options in ([], ["--write"], ["--write"])
    )

    store = os.environ["FASTAPI_SESSION_STORE"]
    assert (
        "tenant public: 1 can be taken in\ntenant shop: 1 can be taken in\n"
        f"nothing was written to {store}: repeat this with --write\n" == dry.out
    )
    assert f"tenant public: 1 taken in\ntenant shop: 1 taken in\nwritten to {store}\n" == done.out
    assert f"tenant public: 1 there already\ntenant shop: 1 there already\nwritten to {store}\n" == again.out
    assert [0, 0, 0] == [each.code for each in (dry, done, again)]


@pytest.mark.parametrize("options", [[], ["--write"]])
def test_the_keys_of_the_core_are_not_kept(
    core: Core, options: list[str], command_line: CommandLine, tmp_path: Path
) -> None:
    """The time for which the core's keys are believed begins with the application, however long before that somebody had a look."""
    pair = {"created_at_time": 1_700_000_000_000, "value": stored_pair("|")}
    asyncio.run(core.add("session_access_token_signing_keys", pair))
    done = command_line("import", "supertokens", core.url, *options)
    with closing(sqlite3.connect(tmp_path / "sessions.db")) as store:
        kept = store.execute("SELECT kid FROM signing_key WHERE family = 'm'").fetchall()

    assert (0, []) == (done.code, kept)


def test_what_was_not_taken_in_is_named(core: Core, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that does not fit is named with its reason, and the exit code says that there is one. A variable may have the URL."""
    broken = MintedSession.begun()
    asyncio.run(core.session(broken, jwt_user_payload="no JSON"))
    asyncio.run(core.session(MintedSession.begun()))
    monkeypatch.setenv("CORE", core.url)
    done = command_line("import", "supertokens", "env:CORE", "--write")

    said = "tenant public: 1 taken in, 1 not taken in\n1 times: jwt_user_payload is no JSON\n"
    assert f"{said}written to {os.environ['FASTAPI_SESSION_STORE']}\n" == done.out
    assert f"not taken in: {broken.handle}: jwt_user_payload is no JSON" in done.err
    assert 1 == done.code


def test_a_handle_writes_nothing_over(core: Core, command_line: CommandLine) -> None:
    """What stands in the core's tables cannot move the cursor of a terminal."""
    asyncio.run(core.session(MintedSession.begun(), session_handle="\x1b[2Jgone"))
    done = command_line("import", "supertokens", core.url)

    assert r"not taken in: \x1b[2Jgone: " in done.err
    assert "\x1b[2J" not in done.err


def test_the_json(core: Core, command_line: CommandLine) -> None:
    """A program has the report in the same keys, whether anything was written or not; who was not taken in is still named."""
    broken = MintedSession.begun()
    asyncio.run(core.session(broken, jwt_user_payload="no JSON"))
    asyncio.run(core.session(MintedSession.begun(tenant_id="shop")))
    dry, done = (command_line("import", "supertokens", core.url, "--json", *options) for options in ([], ["--write"]))

    none = dict.fromkeys("read kept renewed there ended dropped expired unfit".split(), 0)
    remarks, store = {"jwt_user_payload is no JSON": 1}, os.environ["FASTAPI_SESSION_STORE"]
    for said, became, written in ((dry, "read", False), (done, "kept", True)):
        tenants = {"public": {**none, "unfit": 1}, "shop": {**none, became: 1}}
        expected = {"version": 1, "written": written, "store": store, "tenants": tenants, "remarks": remarks}
        assert (1, expected) == (said.code, json.loads(said.out))
        assert f"not taken in: {broken.handle}: jwt_user_payload is no JSON" in said.err


def test_what_is_wrong_is_said_in_a_line(core: Core, command_line: CommandLine) -> None:
    """A wrong app, no database, and a variable that is not set are mistakes of the command line."""
    said = [
        command_line("import", "supertokens", *arguments)
        for arguments in ([core.url, "--app-id", "absent"], [], ["env:ABSENT_VARIABLE"])
    ]

    assert [
        "error: app_id: there is no refresh_token_key of the app 'absent', but of 'public': give one of these",
        "error: DATABASE: give the URL of the core's database, or --app with moving_from=SuperTokens(...)",
        "error: DATABASE: the variable ABSENT_VARIABLE is not set",
    ] == [each.err.strip().splitlines()[-1] for each in said]
    assert [1, 1, 1] == [each.code for each in said]


def test_options_that_would_be_ignored(
    core: Core, command_line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the application says which tables it is, options that say it too are refused, for nobody would heed them."""
    (tmp_path / "moving_app.py").write_text(
        "from fastapi_session import SessionConfig, Sessions\nfrom fastapi_session.moving import SuperTokens\n"
        f"sessions = Sessions(SessionConfig(), moving_from=SuperTokens(database={core.url!r}))\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    refused = command_line("import", "supertokens", "--app", "moving_app:sessions", "--prefix", "st")

    assert (
        refused.err.strip().splitlines()[-1].startswith("error: --schema, --prefix, --app-id: they belong to DATABASE")
    )
    assert 1 == refused.code
