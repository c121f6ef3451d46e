"""`fastapi-session sessions ...`: what is listed, and what ends."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fastapi_session import AuditEvent, Sessions, StoreUnavailable
from fastapi_session.cli.attribution import by_command_line
from fastapi_session.client.dpop import DpopKey
from fastapi_session.model import Circumstances
from tests.cli.conftest import CommandLine
from tests.cli.deployments import SECRET, configured, handles_of, in_application, signed_in

UNKNOWN = "0" * 32


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, tmp_path)


def events() -> list[AuditEvent]:
    async def read(sessions: Sessions) -> list[AuditEvent]:
        return [*(await sessions.events()).events]

    return in_application(read)


def answered(command_line: CommandLine, *arguments: str) -> dict[str, Any]:
    done = command_line(*arguments, "--json")
    assert "" == done.err
    said: dict[str, Any] = json.loads(done.out)
    return said


def test_the_sessions_of_a_user(command_line: CommandLine) -> None:
    """The list has the sessions of that user in that tenant, oldest first, or in every tenant."""
    ours, theirs = signed_in("alice", "bob", "alice"), signed_in("alice", tenant_id="acme")

    listed = answered(command_line, "sessions", "list", "--user", "alice")["sessions"]
    assert [ours[0], ours[2]] == [each["handle"] for each in listed]
    assert theirs == [
        each["handle"]
        for each in answered(command_line, "sessions", "list", "--user", "alice", "--tenant", "acme")["sessions"]
    ]
    everywhere = answered(command_line, "sessions", "list", "--user", "alice", "--all-tenants")["sessions"]
    assert {ours[0], ours[2], *theirs} == {each["handle"] for each in everywhere}
    text = command_line("sessions", "list", "--user", "alice").out.splitlines()
    assert ["HANDLE", ours[0], ours[2], "2"] == [line.split()[0] for line in text]
    for tenant in ("acme", "public"):
        assert 2 == command_line("sessions", "list", "--user", "alice", "--tenant", tenant, "--all-tenants").code


def test_one_session(command_line: CommandLine) -> None:
    """A session is shown with its claims and data only if they are asked for; there may be none."""

    async def create(sessions: Sessions) -> str:
        issued = await sessions.create("alice", session_data={"cart": 3}, access_token_payload={"role": "admin"})
        return issued.access_token.session_handle

    handle = in_application(create)
    shown = answered(command_line, "sessions", "show", handle, "--data")["session"]
    assert ({"cart": 3}, {"role": "admin"}) == (shown["session_data"], shown["claims"])
    assert answered(command_line, "sessions", "show", handle)["session"]["session_data"] is None
    assert "cart" not in command_line("sessions", "show", handle).out
    done = command_line("sessions", "show", UNKNOWN)
    assert (1, "", "error: there is no such session") == (done.code, done.out, done.err)


def test_a_bound_session(command_line: CommandLine) -> None:
    """A session that is bound to a key is shown as one, to people and to programs; another is not."""

    async def create(sessions: Sessions) -> tuple[str, str]:
        bound = await sessions.create("alice", bound_key=DpopKey().bound_key)
        return bound.access_token.session_handle, (await sessions.create("alice")).access_token.session_handle

    bound, other = in_application(create)

    assert "\nbound      to a key of its client\n" in command_line("sessions", "show", bound).out
    assert "bound" not in command_line("sessions", "show", other).out
    assert [True, False] == [
        answered(command_line, "sessions", "show", handle)["session"]["bound"] for handle in (bound, other)
    ]


def test_a_user_agent_writes_nothing_over(command_line: CommandLine) -> None:
    """What a client wrote cannot move the cursor of a terminal, or begin a line."""

    async def create(sessions: Sessions) -> str:
        circumstances = Circumstances(user_agent="\x1b[2Jgone\nended: all")
        return (await sessions.create("alice", circumstances=circumstances)).access_token.session_handle

    done = command_line("sessions", "show", in_application(create))
    assert "\x1b" not in done.out
    assert r"\x1b[2Jgone\nended: all" in done.out


def test_sessions_end(command_line: CommandLine) -> None:
    """Those that are named end and no other, the event says why, by whom and that it was a command; one that is not there is code 1."""
    first, second, third = signed_in("alice", "alice", "bob")
    done = command_line("sessions", "revoke", first, UNKNOWN, "--yes", "--reason", "stolen_laptop", "--by", "operator")

    assert (1, f"ended: {first}\n", f"not there: {UNKNOWN}\n") == (done.code, done.out, done.err)
    assert ([second], [third]) == (handles_of("alice"), handles_of("bob"))
    last = events()[-1]
    agent = by_command_line().user_agent
    assert agent is not None
    assert agent.startswith("fastapi-session/")
    assert ("SessionRevoked", first, "stolen_laptop", "operator", agent) == (
        last.name,
        last.handle,
        last.details["reason"],
        last.details["by"]["user_id"],
        last.details["circumstances"]["user_agent"],
    )
    command_line("sessions", "revoke", second, "--yes")
    assert ("by_handle", None) == (events()[-1].details["reason"], events()[-1].details["by"])


def test_nothing_ends_without_a_yes(command_line: CommandLine) -> None:
    """Without a terminal and without `--yes`, and in a dry run, nothing ends."""
    [handle] = signed_in("alice")
    for command in (["revoke", handle], ["revoke-user", "alice"]):
        done = command_line("sessions", *command)
        assert (2, "") == (done.code, done.out)
        assert "--yes" in done.err
        assert {"version": 1, "dry_run": True, "ended": [handle]}.items() <= answered(
            command_line, "sessions", *command, "--dry-run"
        ).items()
    assert [handle] == handles_of("alice")


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [(StoreUnavailable("the disk is full"), 1, "error: the disk is full"), (KeyboardInterrupt(), 130, "")],
)
def test_an_end_in_the_middle(
    end: BaseException, code: int, said: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has ended before the store failed, or somebody pressed Ctrl-C, is said, and so is the failure."""
    first, second = signed_in("alice", "bob")

    class Failing(Sessions):
        async def revoke(self, handle: str, **options: Any) -> bool:
            if handle == second:
                raise end
            return await super().revoke(handle, **options)

    module = ModuleType("an_application_on_a_full_disk")
    vars(module)["sessions"] = Failing
    monkeypatch.setitem(sys.modules, module.__name__, module)
    done = command_line("sessions", "revoke", first, second, "--yes", "--app", f"{module.__name__}:sessions()")

    assert (code, f"ended: {first}\n", said) == (done.code, done.out, done.err)
    assert ([], [second]) == (handles_of("alice"), handles_of("bob"))


def test_all_of_a_user(command_line: CommandLine) -> None:
    """All of a user end but the one that is kept, in one tenant unless it is said otherwise; a wrong one to keep ends nothing."""
    kept, other = signed_in("alice", "alice")
    [theirs] = signed_in("alice", tenant_id="acme")
    [stranger] = signed_in("bob")

    assert 1 == command_line("sessions", "revoke-user", "alice", "--keep", stranger, "--yes").code
    assert {kept, other, theirs} == {*handles_of("alice")}
    said = answered(command_line, "sessions", "revoke-user", "alice", "--keep", kept, "--yes")
    assert {"version": 1, "dry_run": False, "ended": [other], "kept": kept} == said
    assert "others" == events()[-1].details["reason"]
    assert {kept, theirs} == {*handles_of("alice")}
    assert "ended: 2 sessions\n" == command_line("sessions", "revoke-user", "alice", "--all-tenants", "--yes").out
    assert [stranger] == handles_of("bob")
    assert (0, "ended: 0 sessions\n") == (
        (done := command_line("sessions", "revoke-user", "alice", "--yes")).code,
        done.out,
    )


def test_a_reason_that_is_too_long(command_line: CommandLine) -> None:
    """A reason that no event can have is refused in a line, and nothing ends."""
    [handle] = signed_in("alice")
    done = command_line("sessions", "revoke", handle, "--yes", "--reason", "x" * 65)

    assert (1, "", "error: reason: give a text of 1 to 64 characters") == (done.code, done.out, done.err)
    assert [handle] == handles_of("alice")


def test_counting(command_line: CommandLine) -> None:
    """What is alive is counted by tenant and kind, and what has expired beside it."""
    signed_in("alice", "bob", tenant_id="acme")
    signed_in("alice")
    signed_in("gone", ago=timedelta(days=101))

    assert {
        "version": 1,
        "alive": 3,
        "expired": 1,
        "tenants": {"acme": 2, "public": 1},
        "kinds": {"default": 3},
    } == answered(command_line, "sessions", "count")
    assert 1 == answered(command_line, "sessions", "count", "--user", "alice")["alive"]
    assert 2 == answered(command_line, "sessions", "count", "--user", "alice", "--all-tenants")["alive"]
    assert [2, 2] == [command_line("sessions", "count", "--tenant", tenant).code for tenant in ("acme", "public")]
    assert command_line("sessions", "count").out.startswith("3 sessions\n")


def test_purging(command_line: CommandLine) -> None:
    """What has expired is deleted, which is an event, and so are events that are too old; nothing goes that is alive."""
    [handle] = signed_in("alice")
    [gone] = signed_in("gone", ago=timedelta(days=101))

    would = answered(command_line, "sessions", "purge", "--dry-run")
    assert {"sessions": 1, "notices": 0, "digests": 0, "devices": 0, "events": 1} == would["deleted"]
    assert would["dry_run"]
    assert command_line("sessions", "purge", "--dry-run").out.startswith("would delete: 1 expired session\n")
    said = answered(command_line, "sessions", "purge")
    assert {
        "version": 1,
        "dry_run": False,
        "deleted": {"sessions": 1, "notices": 0, "digests": 0, "devices": 0, "events": 1},
    } == said
    assert (gone, "expired") == (events()[-1].handle, events()[-1].details["reason"])
    assert [handle] == handles_of("alice")
    assert command_line("sessions", "purge").out.startswith("0 expired sessions\n")


def test_a_store_that_is_not_there(command_line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another folder nothing is made: it is said that there is no such file, and what to name."""
    monkeypatch.delenv("FASTAPI_SESSION_SECRET")
    done = command_line("sessions", "list", "--user", "alice")

    assert (1, "") == (done.code, done.out)
    assert done.err.startswith(f"error: store: there is no file {tmp_path}/sessions.db; name the application")
    assert [] == [*tmp_path.iterdir()]
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", SECRET)
    module = ModuleType("an_application_that_never_ran")
    vars(module)["sessions"] = Sessions
    monkeypatch.setitem(sys.modules, module.__name__, module)
    of_application = command_line("sessions", "list", "--user", "alice", "--app", f"{module.__name__}:sessions()")
    assert done == of_application
    assert [] == [*tmp_path.iterdir()]
    monkeypatch.setenv("FASTAPI_SESSION_STORE", "memory:")
    assert "error: store: a store in memory" in command_line("sessions", "list", "--user", "alice").err


SCHEMA = (
    "handle user_id tenant_id kind remembered bound created_at last_seen_at expires_at label device ip_address user_agent "
    "first_ip_address first_user_agent actor actor_reason"
).split()


def test_the_json_of_a_session(command_line: CommandLine) -> None:
    """A session has these keys and no others, in the list and alone: programs rely on them."""
    [handle] = signed_in("alice")
    listed = answered(command_line, "sessions", "list", "--user", "alice")
    shown = answered(command_line, "sessions", "show", handle)

    assert ["version", "sessions"] == [*listed]
    assert SCHEMA == [*listed["sessions"][0]]
    assert ["version", "session"] == [*shown]
    assert [*SCHEMA, "recipe_user_id", "claims", "session_data"] == [*shown["session"]]
    assert ["version", "dry_run", "ended", "not_there"] == [
        *answered(command_line, "sessions", "revoke", handle, "--yes")
    ]
