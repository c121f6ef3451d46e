"""`fastapi-session explain`: what is said of tokens, that nothing becomes of them, and that none of them is printed."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fastapi_session import SessionConfig, Sessions
from fastapi_session.cli.explaining.verdicts import ACTOR_IS_GONE, NEEDS_PROOF, OUTCOMES, ROWS
from fastapi_session.core import refresh_token, rotation
from fastapi_session.core.binding.bound_keys import dpop_key
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.rotation import Verdict
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.model import SessionRecord, SigningKeyRecord
from tests.cli.conftest import CommandLine
from tests.cli.deployments import SECRET, configured, in_application

SECRETS = Secrets([Secret.from_material(SECRET.encode())])
HOUR = timedelta(hours=1)
KEYS = "version kind genuine outcome session handle user_id tenant_id issued_at expires_at row verdict".split()

Explain = Callable[[str], dict[str, Any]]


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, tmp_path)


def kept() -> tuple[list[SessionRecord], list[SigningKeyRecord]]:
    """All that the store has of sessions and keys."""

    async def read(sessions: Sessions) -> tuple[list[SessionRecord], list[SigningKeyRecord]]:
        found = [record async for page in sessions.store.every_session(batch=100) for record in page]  # type: ignore[attr-defined]
        return found, [*await sessions.store.signing_keys()]

    return in_application(read)


@pytest.fixture
def explained(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Explain:
    """What is said of a token, as JSON. The text says the same; nothing is written, and no piece of the token is in either."""

    def explain(token: str) -> dict[str, Any]:
        before = kept()
        said = []
        for options in (["--json"], []):
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(token.encode())))
            done = command_line("explain", *options)
            assert (0, "") == (done.code, done.err)
            said.append(done.out)
        assert before == kept()
        found: dict[str, Any] = json.loads(said[0])
        assert KEYS == [*found]
        assert [] == [
            value for value in found.values() if isinstance(value, str) and value not in said[1] and "T" not in value
        ]
        if found["kind"] != "handle":
            pieces = {token[place : place + 10] for place in range(len(token) - 9)}
            assert [] == [piece for piece in pieces if piece in "".join(said) and piece not in found["outcome"]]
        return found

    return explain


def begun(*, ago: timedelta = timedelta(0), **fields: Any) -> IssuedSession:
    async def create(sessions: Sessions) -> IssuedSession:
        return await sessions.create("alice", **fields)

    return in_application(create, ago=ago)


def refreshed(token: str, *, ago: timedelta = timedelta(0)) -> str:
    async def refresh(sessions: Sessions) -> str:
        return (await sessions.refresh(token)).tokens.refresh_token or ""

    return in_application(refresh, ago=ago)


def first(ago: timedelta = timedelta(0)) -> str:
    return begun(ago=ago).tokens.refresh_token or ""


def rewritten(token: str, change: Callable[[RefreshToken], RefreshToken]) -> str:
    read = refresh_token.read(token, SECRETS)
    assert read is not None
    return refresh_token.mint(change(read), SECRETS.newest)


def next_of(token: RefreshToken) -> RefreshToken:
    return refresh_token.successor(token, SECRETS.newest, issue_id=bytes(9))


def exchanged() -> str:
    """A token that was exchanged two hours ago; nobody has used its successor yet."""
    token = first(3 * HOUR)
    refreshed(token, ago=2 * HOUR)
    return token


def exchanged_and_used() -> str:
    token = first(3 * HOUR)
    refreshed(refreshed(token, ago=2 * HOUR), ago=2 * HOUR - timedelta(seconds=1))
    return token


def exchanged_twice() -> str:
    token = first(3 * HOUR)
    refreshed(refreshed(token, ago=2 * HOUR), ago=HOUR)
    return token


def exchanged_now() -> str:
    token = first(HOUR)
    refreshed(token)
    return token


def of_an_ended_session() -> str:
    issued = begun()

    async def revoke(sessions: Sessions) -> bool:
        return await sessions.revoke(issued.access_token.session_handle)

    assert in_application(revoke)
    return issued.tokens.refresh_token or ""


@pytest.mark.parametrize(
    ("row", "verdict", "token"),
    [
        ("D0", "BAD_TOKEN", lambda: f"{first()[:-4]}AAAA"),
        ("D1", "GONE", of_an_ended_session),
        ("D1", "GONE", lambda: first(timedelta(days=101))),
        ("D2", "ORPHANED_BRANCH", lambda: rewritten(first(), lambda token: replace(token, secret=bytes(32)))),
        ("D3", "CURRENT", first),
        ("D4", "ROTATED", lambda: first(HOUR)),
        ("D7", "GRACE", exchanged_now),
        ("D8", "REISSUE", exchanged),
        ("D10", "RECENT_PREV", exchanged_and_used),
        ("D11", "RECOVERED", lambda: rewritten(first(), next_of)),
        ("D12", "STORE_REGRESSED", lambda: rewritten(first(), lambda token: next_of(next_of(token)))),
        ("D13", "STALE_LINEAGE", exchanged_twice),
    ],
)
def test_refresh_tokens(row: str, verdict: str, token: Callable[[], str], explained: Explain) -> None:
    """A refresh token is told by the row that it would meet, and meets none."""
    said = explained(token())

    assert ("refresh token", row, verdict) == (said["kind"], said["row"], said["verdict"])
    assert OUTCOMES[Verdict(verdict)] == said["outcome"]
    assert (row != "D0") == said["genuine"]
    assert (None if row == "D0" else 32) == (said["handle"] and len(said["handle"]))


def test_the_row_is_what_happens(explained: Explain) -> None:
    """What would have become of the token becomes of it, as often as it was looked at before."""
    token = first(HOUR)
    assert ["D4", "D4"] == [explained(token)["row"] for _ in range(2)]
    newest = refreshed(token)

    assert ("D7", "D3") == (explained(token)["row"], explained(newest)["row"])
    assert ("alice", "alive") == (explained(newest)["user_id"], explained(newest)["session"])


def test_a_late_token_may_be_no_alarm(explained: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the reuse of the token before is no theft, it is not called one."""
    monkeypatch.setenv("FASTAPI_SESSION_RECENT_TOKEN_REUSE_BEHAVIOUR", "UNAUTHORISED")

    assert "without an alarm" in explained(exchanged_and_used())["outcome"]


def test_a_bound_session(explained: Explain) -> None:
    """It is judged as if its client proved the key, and it is said what becomes of it otherwise."""
    said = explained(begun(ago=HOUR, bound_key=dpop_key("a" * 43)).tokens.refresh_token or "")

    assert ("D4", OUTCOMES[Verdict.ROTATED] + NEEDS_PROOF) == (said["row"], said["outcome"])
    access = explained(begun(bound_key=dpop_key("a" * 43)).tokens.access_token)
    assert "with a DPoP proof of its key: accepted" == access["outcome"]


def test_the_token_of_an_impersonation(explained: Explain) -> None:
    """It goes on for as long as the session of who acts there is alive, and no longer."""
    actor = begun(ago=HOUR)

    async def act(sessions: Sessions) -> str:
        token = (await sessions.refresh(actor.tokens.refresh_token or "")).access_token
        return (await sessions.impersonate(token, "bob", reason="a ticket")).tokens.refresh_token or ""

    token = in_application(act)
    assert ("D3", OUTCOMES[Verdict.CURRENT]) == ((said := explained(token))["row"], said["outcome"])
    revoked(actor)
    assert ("bob", ACTOR_IS_GONE) == ((said := explained(token))["user_id"], said["outcome"])


def test_the_rows_are_those_of_the_table() -> None:
    """Each verdict has the row that the table gives it, and a sentence."""
    table = re.findall(r"^\| (D\d+[a-z]?) \|.*?\| ([A-Z_]+) \|", rotation.__doc__ or "", re.MULTILINE)

    assert {Verdict(verdict): row for row, verdict in table} == ROWS
    assert {*Verdict} == {*OUTCOMES} == {*ROWS, Verdict.KEY_MISMATCH}


def revoked(issued: IssuedSession) -> IssuedSession:
    async def revoke(sessions: Sessions) -> bool:
        return await sessions.revoke(issued.access_token.session_handle)

    assert in_application(revoke)
    return issued


def superseded(issued: IssuedSession) -> IssuedSession:
    begun(replacing=[issued.access_token.session_handle])
    return issued


def left_behind() -> IssuedSession:
    issued = begun(ago=timedelta(minutes=50))
    second = refreshed(issued.tokens.refresh_token or "", ago=timedelta(minutes=40))
    refreshed(second, ago=timedelta(minutes=30))
    return issued


def changed() -> IssuedSession:
    issued = begun()

    async def change(sessions: Sessions) -> bool:
        return await sessions.merge_into_access_token_payload(issued.access_token.session_handle, {"role": "admin"})

    assert in_application(change)
    return issued


@pytest.mark.parametrize(
    ("issued", "outcome", "session"),
    [
        (begun, "accepted", "alive"),
        (lambda: begun(ago=2 * HOUR), "try refresh token (401): it has expired", "alive"),
        (lambda: revoked(begun()), "unauthorised (401): session: it has ended", "not there"),
        (
            lambda: superseded(begun()),
            "try refresh token (401): session: another one has just taken its place",
            "not there",
        ),
        (left_behind, "accepted; try refresh token (401) with check_database", "alive"),
        (changed, "accepted, with the claims of before; try refresh token (401) if", "alive"),
    ],
)
def test_access_tokens(issued: Callable[[], IssuedSession], outcome: str, session: str, explained: Explain) -> None:
    """An access token is told by whose it is and what would become of it, expired or not."""
    token = issued()
    said = explained(token.tokens.access_token)

    assert said["outcome"].startswith(outcome)
    assert ("access token", True, session, "alice", token.access_token.session_handle, "public", None) == tuple(
        said[name] for name in ("kind", "genuine", "session", "user_id", "handle", "tenant_id", "row")
    )


def test_an_access_token_that_another_key_signed(explained: Explain, tmp_path: Path) -> None:
    """A forged access token is not genuine, one of another deployment is signed by no key that is there; either may say anything."""
    token = begun().tokens.access_token
    head, _, signature = token.rpartition(".")
    forged = f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"

    async def elsewhere() -> str:
        other = Sessions(SessionConfig(store=f"sqlite:///{tmp_path}/other.db", secret=SECRET))
        try:
            return (await other.create("alice")).tokens.access_token
        finally:
            await other.close()

    assert (False, "try refresh token (401): the key that it names did not sign it") == (
        (said := explained(forged))["genuine"],
        said["outcome"],
    )
    foreign = in_application(lambda _: elsewhere())
    assert (None, "try refresh token (401): its key is not there, or verifies no more") == (
        (said := explained(foreign))["genuine"],
        said["outcome"],
    )


def test_an_address_of_another_deployment(explained: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that was issued for another address says so."""
    token = begun().tokens.access_token
    monkeypatch.setenv("FASTAPI_SESSION_API_DOMAIN", "https://other.example.com")

    assert "try refresh token (401): it was issued for another address" == explained(token)["outcome"]


def test_a_jwt_for_another_service(explained: Explain) -> None:
    """A JWT that the application signed for another service is told as that."""

    async def sign(sessions: Sessions) -> str:
        return await sessions.create_jwt({"sub": "alice"}, validity=HOUR)

    assert "service JWT" == explained(in_application(sign))["kind"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("other JWT", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"),
        ("handle", "0123456789abcdef" * 2),
        ("front token", "eyJ1aWQiOiJhIiwiYXRlIjoxLCJ1cCI6e319"),
        ("unknown", ""),
        ("unknown", "\x1b[2J" + "garbage" * 20_000),
        ("unknown", "\xff.ü."),
    ],
    ids="jwt handle front nothing garbage text".split(),
)
def test_other_texts(kind: str, text: str, explained: Explain) -> None:
    """What is no token of a session is told by its form, garbage too."""
    begun()

    assert kind == explained(text)["kind"]


@pytest.mark.parametrize("form", ["{}\n", '"{}"', "Bearer {}", " bearer  {} \n"])
def test_as_it_was_copied(form: str, explained: Explain) -> None:
    """Blanks, quotes and `Bearer` around a token do not matter."""
    assert "D4" == explained(form.format(first(HOUR)))["row"]
