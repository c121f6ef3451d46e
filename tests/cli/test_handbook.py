"""The operator's handbook: each command on it is called in the order of the page, on a real store, and does what the page says."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from fastapi_session import (
    Authentication,
    ConfigurationError,
    IssuedSession,
    SessionConfig,
    SessionLimit,
    Sessions,
    StoreUnavailable,
    TokenTheftError,
)
from fastapi_session.clock import system_clock
from fastapi_session.core import access_token, refresh_token
from fastapi_session.core.key_encryption import decrypt
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.model import Circumstances
from fastapi_session.secret_strength import weakness
from fastapi_session.stores.sql import METADATA
from fastapi_session.stores.sqlite.schema import SCHEMA_VERSION
from tests.browser.waiting import until
from tests.cli.conftest import CommandLine
from tests.cli.deployments import configured, handles_of, in_application
from tests.cli.page_shell import COMMAND, Shell, alike
from tests.pages import TEXTS
from tests.stores import redis_servers
from tests.web.deployment import application
from tests.web.wire import KEPT, THEFT, TRY_REFRESH_TOKEN, UNAUTHORISED, change
from tests.wire import AUTH_MODE, REFRESH_PATH, SIGN_OUT_PATH

PAGE = "docs/operations.md"
BLOCK = re.compile(r"^( *)```console\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
HOME, ELSEWHERE = "203.0.113.7", "198.51.100.23"
HOUR = timedelta(hours=1)
BY_XARGS = 123
"""The exit code of xargs if its command did not end with 0."""
SECRET = "of-before-7bH2vKq0sXw9uPzL4mTn8rYc3dFg6jA1eQi5oSkVx0Zt8WcB3nMd6h"


def blocks() -> dict[str, list[str]]:
    """The consoles of each section of the page, by its heading, as far as it has any."""
    _, *parts = re.split(r"^##+ (.+)$", TEXTS[PAGE], flags=re.MULTILINE)
    found = {
        heading: [dedent(text) for _, text in BLOCK.findall(part)]
        for heading, part in zip(parts[::2], parts[1::2], strict=True)
    }
    return {heading: texts for heading, texts in found.items() if texts}


class Steps:
    """The steps of one section, taken one after the other."""

    def __init__(self, heading: str, shell: Shell) -> None:
        self._left = blocks()[heading]
        self._shell = shell

    def next(self) -> None:
        """Call the commands of the next step, each of which prints what the page says."""
        for command, expected in COMMAND.findall(self._left.pop(0)):
            code = 1 if re.search("^(error|not there)", expected, re.MULTILINE) else 0
            if command.startswith("fastapi-session ") and " > " not in command:
                printed = self._shell(command, expected=expected, code=code)
            else:
                printed = self._shell.of_system(command, code=BY_XARGS * code)
            assert (command, alike(expected)) == (command, alike(printed))

    def done(self) -> bool:
        return not self._left


Take = Callable[[str], Steps]
needs_sqlite = pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3, the program, is not installed")


@pytest.fixture
def take(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Take]:
    """Begins a section, in a folder with the deployment of a SQLite file. In the end each of its steps has been taken."""
    configured(monkeypatch, tmp_path, SECRET=SECRET, API_DOMAIN="https://api.example.com")
    taken: list[Steps] = []

    def begin(heading: str) -> Steps:
        taken.append(Steps(heading, Shell(command_line, monkeypatch)))
        return taken[-1]

    yield begin
    assert all(steps.done() for steps in taken)


@dataclass(frozen=True)
class Client:
    """What a client holds of its session."""

    handle: str
    access_token: str
    refresh_token: str

    @staticmethod
    def of(issued: IssuedSession) -> Client:
        refresh = issued.tokens.refresh_token
        assert refresh is not None
        return Client(issued.access_token.session_handle, issued.tokens.access_token, refresh)


def signed_in(user: str, agent: str = FIREFOX, *, ago: timedelta, address: str = HOME) -> Client:
    """A client that signed in some time *ago*."""

    async def create(sessions: Sessions) -> Client:
        return Client.of(await sessions.create(user, circumstances=Circumstances(address, agent)))

    return in_application(create, ago=ago)


def came_back(client: Client, *, ago: timedelta) -> Client:
    """The *client* after it was refreshed some time *ago*, and has used its new tokens."""

    async def refresh(sessions: Sessions) -> Client:
        issued = await sessions.refresh(client.refresh_token, circumstances=Circumstances(HOME, FIREFOX))
        await sessions.verify(issued.tokens.access_token)
        return Client.of(issued)

    return in_application(refresh, ago=ago)


def revoked(client: Client) -> None:
    async def revoke(sessions: Sessions) -> None:
        assert await sessions.revoke(client.handle, reason="signed_out")

    in_application(revoke)


class Process:
    """A process of the application, as the environment configured it when it started."""

    def __init__(self, client: TestClient) -> None:
        self._client = client

    def sign_in(self, user: str) -> Response:
        return self._client.post(f"/login?user_id={user}", headers={AUTH_MODE: "header", "user-agent": FIREFOX})

    def call(self, client: Client) -> Response:
        return self._client.get("/me", headers={"authorization": f"Bearer {client.access_token}"})

    def refresh(self, client: Client) -> Response:
        return self._client.post(REFRESH_PATH, headers={"authorization": f"Bearer {client.refresh_token}"})

    def sign_out(self, client: Client) -> Response:
        return self._client.post(SIGN_OUT_PATH, headers={"authorization": f"Bearer {client.access_token}"})


@contextmanager
def process() -> Iterator[Process]:
    """A process that is started now, and stopped in the end."""
    config = SessionConfig()
    with TestClient(application(Sessions(config)), base_url=config.api_domain) as client:
        yield Process(client)


def refreshed(client: Client, response: Response) -> Client:
    """The *client* after the *response* to its refresh, which has succeeded."""
    assert 200 == response.status_code
    access, refresh = (response.headers[f"st-{kind}-token"] for kind in ("access", "refresh"))
    return replace(client, access_token=access, refresh_token=refresh)


def test_every_section_is_tried() -> None:
    """There is a test of each section that has commands."""
    tried = set(re.findall(r'take\("(.+?)"\)', Path(__file__).read_text("utf-8")))

    assert {*blocks()} == tried


def test_every_table_is_dropped() -> None:
    """The command for a database names each table of ours."""
    (named,) = re.findall(r"DROP TABLE (.+?)'", TEXTS[PAGE], re.DOTALL)

    assert {*METADATA.tables} == {*re.split(r",\s+", named)}


def test_no_secret_of_the_page_is_one() -> None:
    """The page shows no secret that somebody could copy."""
    assert [] == [
        text
        for text in re.findall(r"\b[\w-]{32,}\b", TEXTS[PAGE])
        if weakness(text.encode()) is None and not re.fullmatch(r"(?:[ds]-)?[0-9a-f]{32}|[a-z-]+", text)
    ]


def test_the_first_day(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    """From nothing to the first session, which is there and was noted."""
    for name in ("SECRET", "STORE", "AUDIT", "API_DOMAIN"):
        monkeypatch.delenv(f"FASTAPI_SESSION_{name}")
    steps = take("The first day")
    for _ in range(3):
        steps.next()
    signed_in("ada", ago=timedelta(0))
    steps.next()
    with process():
        steps.next()


def test_an_upgrade(take: Take) -> None:
    """The tables are renewed while the old processes run, and nobody is signed out."""
    ada = signed_in("ada", ago=2 * HOUR)
    with process() as old:
        steps = take("Upgrade")
        steps.next()
        with process() as new:
            steps.next()
            ada = refreshed(ada, new.refresh(ada))
            assert [200, 200] == [each.call(ada).status_code for each in (old, new)]


@needs_sqlite
def test_going_back(take: Take) -> None:
    """A file that a newer version has changed is refused by this one, which starts with the copy from before."""
    ada = signed_in("ada", ago=2 * HOUR)
    take("Backup").next()
    with closing(sqlite3.connect("sessions.db")) as file:
        file.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(ConfigurationError, match="has tables of version"), process():
        pass
    Path("copy.db").replace("sessions.db")
    with process() as back:
        assert 200 == back.refresh(ada).status_code


@needs_sqlite
def test_a_backup(take: Take) -> None:
    """The copy is whole, and readable by its owner alone."""
    signed_in("ada", ago=HOUR)
    with process():
        take("Backup").next()
    with closing(sqlite3.connect("copy.db")) as copy:
        assert [("ok",)] == copy.execute("PRAGMA integrity_check").fetchall()
        assert [("ada",)] == copy.execute("SELECT user_id FROM session").fetchall()
    assert 0o600 == Path("copy.db").stat().st_mode & 0o777


@needs_sqlite
def test_a_restore(take: Take) -> None:
    """Each row of the table is true, and whoever was signed out since the backup is so again."""
    still, once, twice, out = (signed_in(user, ago=5 * HOUR) for user in ("ada", "bob", "cyd", "dan"))
    take("Backup").next()
    once = came_back(once, ago=3 * HOUR)
    twice = came_back(came_back(twice, ago=3 * HOUR), ago=2 * HOUR)
    later = signed_in("eve", ago=2 * HOUR)
    gone = signed_in("fay", ago=2 * HOUR)
    for each in (out, gone):
        revoked(each)
    steps = take("Restore")
    steps.next()
    steps.next()
    assert [out.handle] == handles_of("dan")
    steps.next()
    with process() as restored:
        assert [200, 200] == [restored.refresh(each).status_code for each in (still, once)]
        for each in (twice, later, out, gone):
            response = restored.refresh(each)
            assert (401, UNAUTHORISED) == (response.status_code, response.json())


def test_signing_keys(take: Take) -> None:
    """A key that comes before its time disturbs nobody."""
    ada = signed_in("ada", ago=2 * HOUR)
    with process() as running:
        take("Signing keys").next()
        assert 200 == running.call(refreshed(ada, running.refresh(ada))).status_code


def test_the_secret(take: Take) -> None:
    """At each step the processes of before know what the new ones make; who comes back goes on, who does not is signed out by the last."""
    ada, bob, cyd = (signed_in(user, ago=5 * HOUR) for user in ("ada", "bob", "cyd"))
    steps = take("The secret")
    with process() as before:
        steps.next()
        ada = came_back(ada, ago=4 * HOUR)
        assert 200 == before.refresh(bob).status_code
    with pytest.MonkeyPatch.context() as hasty:
        hasty.setenv("FASTAPI_SESSION_SECRET", os.environ["NEW"])
        with pytest.raises(ConfigurationError, match="does not open the signing key"), process():
            pass
    with process() as first:
        steps.next()
        ada, cyd = (came_back(each, ago=3 * HOUR) for each in (ada, cyd))
        assert 200 == first.refresh(cyd).status_code
    steps.next()
    with process() as third:
        assert [200, 401] == [third.refresh(each).status_code for each in (ada, bob)]


def test_a_theft(take: Take) -> None:
    """The alarm is in the audit, with both parties; in the end no session of the user is left."""
    ada = signed_in("ada", ago=50 * HOUR)
    stolen = came_back(ada, ago=48 * HOUR)
    came_back(stolen, ago=47 * HOUR)
    signed_in("ada", SAFARI, ago=20 * HOUR)
    strange = signed_in("ada", "curl/8.14.1", ago=HOUR / 2, address=ELSEWHERE)
    steps = take("A theft")

    async def steal(sessions: Sessions) -> None:
        with pytest.raises(TokenTheftError):
            await sessions.refresh(stolen.refresh_token, circumstances=Circumstances(ELSEWHERE, "curl/8.14.1"))

    in_application(steal)
    with process() as running:
        steps.next()
        steps.next()
        assert 200 == running.call(strange).status_code
        steps.next()
        assert 401 == running.refresh(strange).status_code
    assert [] == handles_of("ada")


def test_sessions_that_do_not_last(take: Take) -> None:
    """The list and the audit say why a user was signed out, and `explain` finds a token that another secret has made."""
    signed_in("ada", ago=5 * HOUR)

    async def sign_in_once_more(sessions: Sessions) -> Client:
        here = Circumstances(HOME, SAFARI)
        return Client.of(await sessions.create("ada", circumstances=here, limit=SessionLimit(1)))

    last = in_application(sign_in_once_more, ago=2 * HOUR)
    other = Secret.from_material(b"of another process-" * 3)
    made_there = refresh_token.first(last.handle, secret=bytes(32), kid=other.kid, issue_id=bytes(9))
    Path("token.txt").write_text(refresh_token.mint(made_there, other), "utf-8")
    steps = take("Sessions that do not last")
    steps.next()
    steps.next()


def test_who_is_called_a_thief(take: Take) -> None:
    """The client that brings the used token is told of the theft, the other one that its session is over."""
    ada = signed_in("ada", ago=5 * HOUR)
    stolen = came_back(ada, ago=4 * HOUR)
    newest = came_back(stolen, ago=3 * HOUR)
    with process() as running:
        assert THEFT == running.refresh(stolen).json()
        assert [401, 401] == [running.refresh(newest).status_code, running.call(newest).status_code]


def test_a_leaked_secret(take: Take) -> None:
    """Whoever comes back in time goes on; the old secret opens no key and no token any more."""
    ada, bob = signed_in("ada", ago=5 * HOUR), signed_in("bob", ago=5 * HOUR)
    steps = take("A leaked secret")
    steps.next()
    ada = came_back(ada, ago=4 * HOUR)
    steps.next()
    ada = came_back(ada, ago=3 * HOUR)
    steps.next()
    with process() as third:
        assert [200, 401] == [third.refresh(each).status_code for each in (ada, bob)]
    with pytest.raises(ConfigurationError, match="does not open"):
        in_application_with(os.environ["OLD"])


@pytest.mark.usefixtures("take")
def test_what_the_secret_alone_is_good_for() -> None:
    """A refresh token that is made up by the secret opens no session. It ends the one that it names."""
    ada = signed_in("ada", ago=2 * HOUR)
    secret = Secret.from_material(SECRET.encode())
    made_up = RefreshToken(secret.kid, ada.handle, 0, secret=bytes(32), parent=bytes(32), issue_id=bytes(9))
    with process() as running:
        response = running.refresh(replace(ada, refresh_token=refresh_token.mint(made_up, secret)))

        assert (401, THEFT) == (response.status_code, response.json())
    assert [] == handles_of("ada")


def in_application_with(secret: str) -> None:
    """Start the application with this *secret*."""

    async def start(sessions: Sessions) -> None:
        await sessions.create("nobody")

    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("FASTAPI_SESSION_SECRET", secret)
        in_application(start)


def forged(user: str, handle: str, own: Client) -> Client:
    """What a thief who has the store and its secret makes of them: an access token for the session *handle* of *user*, like *own*."""

    async def forge(sessions: Sessions) -> Client:
        secrets = Secrets([Secret.from_material(SECRET.encode())])
        key = next(key for each in await sessions.store.signing_keys() if (key := decrypt(each, secrets)).kid[0] == "d")
        parsed = access_token.parse(own.access_token)
        assert parsed is not None
        said = replace(parsed.content, user_id=user, session_handle=handle, expires_at=system_clock() // 1000 + 3_600)
        return replace(own, access_token=access_token.mint(said.claims(), key))

    return in_application(forge)


def elevated(thief: Client, *, ago: timedelta) -> Client:
    """The session that a *thief* with a forged token got some time *ago* from a route which elevates sessions."""

    async def elevate(sessions: Sessions) -> Client:
        return Client.of(await sessions.elevate(await sessions.verify(thief.access_token), Authentication(("otp",))))

    return in_application(elevate, ago=ago)


def test_the_secret_and_the_store(take: Take) -> None:
    """A thief who can sign, and has got a session of his own by that, has nothing any more; everybody signs in again."""
    ada, bob, own = (signed_in(user, ago=2 * HOUR) for user in ("ada", "bob", "mallory"))
    thief = forged("bob", bob.handle, own)

    got = elevated(thief, ago=HOUR)
    thief = forged("ada", ada.handle, own)
    steps = take("The secret and the store have leaked")
    with process() as running:
        assert 200 == running.call(thief).status_code
    steps.next()
    with process() as beside:  # what the page warns of
        assert 200 == beside.refresh(got).status_code
    steps.next()
    with process() as new:
        assert (401, TRY_REFRESH_TOKEN) == (new.call(thief).status_code, new.call(thief).json())
        for each in (ada, own, got):
            assert (401, UNAUTHORISED) == (new.refresh(each).status_code, new.refresh(each).json())
        assert 200 == new.sign_in("ada").status_code
    steps.next()


def test_a_leaked_store(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check says where the secret comes from, and nobody notices anything."""
    monkeypatch.delenv("FASTAPI_SESSION_SECRET")
    monkeypatch.delenv("FASTAPI_SESSION_API_DOMAIN")
    ada = signed_in("ada", ago=2 * HOUR)
    steps = take("A leaked store or backup")
    with process() as running:
        steps.next()
        steps.next()
        assert 200 == running.refresh(ada).status_code


def test_a_leaked_signing_key(take: Take) -> None:
    """Tokens of the key are refused, also those that a thief has signed; clients refresh once. What he got by them is ended by hand."""
    bob = signed_in("bob", ago=2 * HOUR)
    got = elevated(forged("bob", bob.handle, bob), ago=HOUR)
    ada = signed_in("ada", ago=HOUR / 2)
    thief = forged("ada", ada.handle, ada)
    steps = take("A leaked signing key")
    steps.next()
    with process() as running:
        assert [200, 200] == [running.call(each).status_code for each in (ada, thief)]
    steps.next()
    with process() as running:
        for each in (ada, thief):
            assert (401, TRY_REFRESH_TOKEN) == (running.call(each).status_code, running.call(each).json())
        assert 200 == running.call(refreshed(ada, running.refresh(ada))).status_code
        assert 200 == running.refresh(got).status_code
        steps.next()
        assert 401 == running.refresh(got).status_code


def test_a_store_that_is_down(take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are verified, all else waits, and no process can start; when the store is back, all goes on."""
    with redis_servers.running(tmp_path) as server:
        monkeypatch.setenv("FASTAPI_SESSION_STORE", server.url)
        ada = signed_in("ada", ago=HOUR / 2)
        steps = take("A store that is down")
        with process() as running:
            server.kill()
            assert 200 == running.call(ada).status_code
            for response in (running.refresh(ada), running.sign_in("bob"), running.sign_out(ada)):
                assert (503, KEPT, True) == (
                    response.status_code,
                    change(response),
                    "retry-after" in response.headers,
                )
            steps.next()
            with pytest.raises(StoreUnavailable), process():
                pass
            server.restart()
            until(lambda: 200 == running.refresh(ada).status_code)  # it may have to read its file first


def test_a_store_that_is_full(take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions can be cleared away and ended in a full Valkey; with room, all goes on."""
    with redis_servers.running(tmp_path) as server:
        monkeypatch.setenv("FASTAPI_SESSION_STORE", server.url)
        ada, bob = signed_in("ada", ago=HOUR / 2), signed_in("bob", ago=HOUR / 2)
        signed_in("cyd", ago=100 * 24 * HOUR + HOUR)
        steps = take("A store that is full")
        with process() as running:
            server.ask("CONFIG", "SET", "maxmemory", "1")
            assert 503 == running.refresh(ada).status_code
            steps.next()
            steps.next()
            assert 200 == running.sign_out(bob).status_code
            server.ask("CONFIG", "SET", "maxmemory", "0")
            assert 200 == running.refresh(ada).status_code


def test_a_lost_store(take: Take) -> None:
    """With an empty store and another secret, everybody signs in again; the old one is put aside whole."""
    ada = signed_in("ada", ago=HOUR / 2)
    steps = take("A lost store or secret")
    steps.next()
    steps.next()
    with process() as new:
        assert [401, 401] == [new.call(ada).status_code, new.refresh(ada).status_code]
        assert 200 == new.sign_in("ada").status_code
    with closing(sqlite3.connect("old/sessions.db")) as old:
        assert [(1,)] == old.execute("SELECT count(*) FROM session").fetchall()
