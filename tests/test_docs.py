"""The documentation tells the truth: its examples run, its lists are complete, its links lead somewhere."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
import tomllib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from fastapi_users.jwt import generate_jwt
from itsdangerous import TimestampSigner
from opentelemetry.util._once import Once

import fastapi_session
from fastapi_session import (
    CreateSession,
    SessionConfig,
    create_session,
    doctor,
    errors,
    install,
    session_router,
    testing,
)
from fastapi_session.core.rotation import Verdict
from fastapi_session.testing import sign_in
from tests import architecture
from tests.browser.server import Server, serve
from tests.pages import DOCS, EXAMPLES, LINK, PAGES, ROOT, TEXTS, examples_of, files_of, run_examples
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, AUTH_MODE, REFRESH_PATH, SIGN_OUT_PATH

CODE = re.compile(r"`[^`\n]+`|^::: .*$", re.MULTILINE)
RECIPES = "docs/recipes/"
REFERENCE = "docs/reference/"

Run = Callable[[str], ModuleType]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give secrets and the data of a provider as the pages ask for them, in the environment."""
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", secrets.token_urlsafe(48))
    for name in ("PANEL_SECRET", "PROXY_SECRET", "REPORTS_SECRET", "MAIL_SECRET"):
        monkeypatch.setenv(name, secrets.token_urlsafe(48))
    for name in ("OAUTH_COOKIE_SECRET", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"):
        monkeypatch.setenv(name, "as the provider says")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the Python examples of a page from top to bottom, as one module, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    # A page may set the provider of metrics, which a process can do once: the next test is to have none again.
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", None)
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER_SET_ONCE", Once())

    return run_examples


def mentions(name: str, words: set[str]) -> set[str]:
    """Return which of *words* stand on a page as code."""
    return words & set(re.findall(r"\w+", " ".join(CODE.findall(TEXTS[name]))))


@pytest.mark.parametrize("name", [name for name in EXAMPLES if RECIPES not in name])
def test_examples_run(name: str, run: Run) -> None:
    """The Python examples of every page run; each recipe has a module of its own in `tests/recipes`."""
    run(name)


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_password_is_part_of_an_address(name: str) -> None:
    """A parameter of a route that is plain text comes with the address, which ends up in access logs."""
    assert [] == re.findall(r"def \w+\([^)]*\bpassword: str\b", EXAMPLES[name])


@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if "pytest" in example])
def test_tests_pass(name: str, tmp_path: Path) -> None:
    """The tests that a page shows pass where a reader copies them to."""
    (tmp_path / "test_page.py").write_text(EXAMPLES[name], "utf-8")
    settings = ["-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *settings, "test_page.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout


def test_the_page_on_testing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that is made at import, and its tests, copied into an empty folder: all pass, with no setting of ours."""
    files = files_of("docs/testing.md")
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.delenv("FASTAPI_SESSION_SECRET")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    tests = re.findall(r"^(?:async )?def (test_\w+)", "\n".join(files.values()), re.MULTILINE)

    assert sorted(tests) == sorted(re.findall(r"^PASSED \S+::(\w+)", done.stdout, re.MULTILINE)), done.stdout


def test_metrics_are_read(run: Run) -> None:
    """What the page reads of metrics has one of each instrument that such a request moves."""
    names = set(run("docs/observability.md").names)

    assert {"fastapi_session.verifications", "fastapi_session.store.duration"} <= names


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_the_application_works(name: str, run: Run) -> None:
    """The application that a newcomer copies signs in, recognises its user, refreshes and signs out."""
    with TestClient(run(name).app, headers={AUTH_MODE: "cookie", "rid": "anti-csrf"}) as client:
        assert 401 == client.get("/me").status_code
        assert 403 == client.post("/login", json={"name": "ada", "password": "wrong"}).status_code
        assert 200 == client.post("/login", json={"name": "ada", "password": "lovelace"}).status_code
        assert "ada" == client.get("/me").json()["user_id"]
        assert 200 == client.post(REFRESH_PATH).status_code
        assert "ada" == client.get("/me").json()["user_id"]
        assert {"status": "OK"} == client.post(SIGN_OUT_PATH).json()
        assert 401 == client.get("/me").status_code


def test_the_landing_page(run: Run) -> None:
    """The few lines of the landing page sign in, know the user and sign out; the icon is that of the example app."""
    with browser(run("docs/index.md")) as client:
        assert 401 == client.get("/me").status_code
        assert 200 == client.post("/login").status_code
        assert "ada" == client.get("/me").json()
        assert {"status": "OK"} == client.post(SIGN_OUT_PATH).json()
        assert 401 == client.get("/me").status_code
    assert (ROOT / "example_app/page/icon.svg").read_bytes() == (DOCS / "images/favicon.svg").read_bytes()


def browser(page: ModuleType) -> TestClient:
    """A client of a page's application, which keeps cookies."""
    return TestClient(page.app, headers={AUTH_MODE: "cookie", "rid": "anti-csrf"})


def test_claims(run: Run) -> None:
    """On the page on claims an administrator is let in, another is told what the page says, and changes take effect."""
    page = run("docs/claims.md")
    told = json.loads(examples_of("docs/claims.md", "json")[0])
    with browser(page) as client:
        client.post("/login?user_id=ada")
        assert {"roles": ["admin"]} == client.get("/admin").json()
        client.post("/login?user_id=bob")
        assert told == client.get("/admin").json()
        client.post("/verify-address")
        failures = client.get("/admin").json()["claimValidationErrors"]
        assert ["roles"] == [failure["id"] for failure in failures]
        assert "bob" in client.post("/send-mail-again").json()
        assert 403 == client.get("/bar").status_code


def test_sessions_by_handle(run: Run) -> None:
    """On the page on handles users see their devices and sign them out, and jobs do what they say."""
    page = run("docs/sessions-by-handle.md")
    with browser(page) as client:
        assert client.portal is not None
        mine = sign_in(client, page.sessions, "ada", method="cookie").access_token.session_handle
        other = sign_in(TestClient(page.app), page.sessions, "ada").access_token.session_handle
        assert [mine, other] == [device["handle"] for device in client.get("/devices").json()]
        assert [200, 404] == [client.delete(f"/devices/{other}").status_code for _ in range(2)]
        assert [client.portal.call(page.count_download, mine) for _ in range(2)] == [True, True]
        assert {"downloads": 2} == client.portal.call(page.sessions.information, mine).session_data
        assert "ada" == client.portal.call(page.over_some_other_wire)
        assert client.portal.call(page.token_for_the_mailer).count(".") == 2
    assert 2 == asyncio.run(page.sign_everybody_out(["ada", "nobody"]))


def test_typed_sessions(run: Run) -> None:
    """On the page on typed sessions a cart fills."""
    with browser(run("docs/typed-sessions.md")) as client:
        client.post("/login")
        client.post("/cart/apple")
        assert {"plan": "pro", "items": ["apple", "pear"]} == client.post("/cart/pear").json()


def test_errors(run: Run) -> None:
    """On the page on errors the vault opens for one, and whoever else comes is told what the page says."""
    page = run("docs/errors.md")
    with browser(page) as client:
        answers = []
        for user_id in ("ada", "grace", "mallory"):
            sign_in(client, page.sessions, user_id, method="cookie")
            answers.append(client.get("/vault"))
        assert [200, 403, 401] == [answer.status_code for answer in answers]
        assert [{"id": "keyholder"}] == answers[1].json()["claimValidationErrors"]
        assert ACCESS_COOKIE not in client.cookies


def test_events(run: Run) -> None:
    """On the page on events a sign-in is told."""
    page = run("docs/events.md")
    with browser(page) as client:
        sign_in(client, page.sessions, "ada")
    assert ["ada signed in with None"] == page.MAILS


def test_an_adopter_of_your_own(run: Run) -> None:
    """The login of the page becomes a session at its first request, and what is no login stays none."""
    with browser(run("docs/adopters.md")) as client:
        assert 401 == client.get("/me", headers={"cookie": "sid=of-nobody"}).status_code
        adopted = client.get("/me", headers={"cookie": "sid=b3f1c0a97d52"})
        assert {"user_id": "ada"} == adopted.json()
        assert "sid=; Path=/; Expires=Thu, 01 Jan 1970" in adopted.headers["set-cookie"]
        assert {"user_id": "ada"} == client.get("/me").json()


def test_moving_from_starlette(run: Run) -> None:
    """Who is signed in by the middleware is so by the page's application, if the page's user is active."""
    page = run("docs/moving-from-starlette-sessions.md")
    signer = TimestampSigner(page.SECRET_KEY)
    cookies = [signer.sign(b64encode(json.dumps({"user_id": name}).encode())).decode() for name in ("ada", "bob")]
    with browser(page) as client:
        statuses = [client.get("/me", headers={"cookie": f"session={cookie}"}).status_code for cookie in cookies]

    assert [200, 401] == statuses


def test_moving_from_fastapi_users(run: Run) -> None:
    """Who has a JWT of the strategy is signed in by the page's application, if the page's user is active."""
    page = run("docs/moving-from-fastapi-users.md")
    users = [*page.ACTIVE, "a92a0a4e-5d9d-4c1f-8a4b-2f2f9a9f5a55"]
    tokens = [generate_jwt({"sub": user, "aud": "fastapi-users:auth"}, page.SECRET, 3600) for user in users]
    with browser(page) as client:
        statuses = [client.get("/me", headers={"cookie": f"fastapiusersauth={token}"}).status_code for token in tokens]

    assert [200, 401] == statuses


def test_sockets_and_streams(run: Run) -> None:
    """On the page on sockets whoever is signed in is answered, on a socket and by a stream."""
    with browser(run("docs/websockets-and-streams.md")) as client:
        client.post("/login")
        with client.websocket_connect("/live") as socket:
            socket.send_text("hello")
            assert "ada: hello" == socket.receive_text()
        assert "data: 0\n\ndata: 1\n\ndata: 2\n\n" == client.get("/events").text


def test_the_first_application_by_curl(run: Run) -> None:
    """The commands of the first page sign in, call a route, refresh and sign out."""
    page = run("README.md")
    with serve(lambda _: page.app) as server:
        printed = commanded(examples_of("README.md", "sh")[0], server)

    assert '{"user_id":"ada"}{"user_id":"ada"}{}{"status":"OK"}' == printed


def test_tokens_for_other_services() -> None:
    """The verifier of the page accepts an access token, and no token that is made for something else, nor a forged one."""
    app = FastAPI()
    sessions = install(app, SessionConfig(store="memory:", api_domain="https://api.example.com"))
    app.include_router(session_router())

    @app.post("/login")
    async def login(create: Annotated[CreateSession, Depends(create_session())]) -> str:
        await create("ada")
        return await sessions.create_jwt({"sub": "ada", "iss": page.ISSUER}, validity=timedelta(minutes=5))

    with serve(lambda _: app) as server:
        keys = {"https://api.example.com/auth/jwt": f"{server.origin}/auth/jwt"}
        page = run_examples("docs/signing-keys.md", instead=keys)
        signed_in = httpx.post(f"{server.origin}/login", headers={AUTH_MODE: "header"})
        token = signed_in.headers[ACCESS_HEADER]

        assert "ada" == page.claims_of(token)["sub"]
        for other in (signed_in.json(), token[:-8] + "AAAAAAAA"):
            with pytest.raises(page.jwt.PyJWTError):
                page.claims_of(other)


def test_guard(run: Run, tmp_path: Path) -> None:
    """On the page on guards the front end, an application of one's own and the documentation are for who is signed in."""
    page, html = run("docs/guard.md"), {"accept": "text/html"}
    (tmp_path / "dist/index.html").write_text("<title>Front end</title>", "utf-8")
    with browser(page) as client:
        del client.headers[AUTH_MODE], client.headers["rid"]
        for path in ("/app/", "/docs/", "/docs/openapi.json", "/whoami/"):
            assert 401 == client.get(path).status_code
        sent = [client.get(path, headers=html, follow_redirects=False) for path in ("/app/", "/docs/", "/docs/x?y=1")]
        assert ["/login?next=/app/", "/login?next=/docs/", "/login?next=/docs/x?y=1"] == [
            each.headers["location"] for each in sent
        ]
        client.post("/login", headers={AUTH_MODE: "cookie"})
        assert "<title>Front end</title>" == client.get("/app/", headers=html).text
        assert "ada" == client.get("/whoami/").json()
        assert "url: '/docs/openapi.json'" in client.get("/docs/", headers=html).text
        document = client.get("/docs/openapi.json").json()
        assert ("/login" in document["paths"], None) == (True, document.get("servers"))
        assert [404, 404] == [client.get(path).status_code for path in ("/openapi.json", "/redoc")]


def test_introspection(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of the page sign in, ask about a token, as it says, and end its session; the other routers are for their own clients."""
    page = run("docs/introspection.md")
    sign_in, ask, revoke = examples_of("docs/introspection.md", "bash")
    told = json.loads(examples_of("docs/introspection.md", "json")[0])
    with serve(lambda _: page.app) as server:
        monkeypatch.setenv("ACCESS_TOKEN", commanded(f'{sign_in}echo "$ACCESS_TOKEN"', server).strip())
        said = [commanded(each, server) for each in (ask, revoke, ask)]
        form, by = {"token": "x"}, [("reports", os.environ["REPORTS_SECRET"]), ("mailer", page.mail_secret)]
        statuses = [
            [httpx.post(f"{server.origin}{path}/introspect", data=form, auth=each).status_code for each in by]
            for path in ("/auth", "/services", "/partners")
        ]

    asked = json.loads(said[0])
    assert ({*told}, "ada") == ({*asked}, asked["sub"])
    assert ["", '{"active":false}'] == said[1:]
    assert [[200, 401], [200, 200], [401, 200]] == statuses


def commanded(command: str, server: Server) -> str:
    """What the *command* of a page prints, of the *server* that runs."""
    script = command.replace("localhost:8000", server.origin.removeprefix("http://"))
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout


def test_administration(run: Run) -> None:
    """On the page on administration only Grace gets in, by the API and on both kinds of pages."""
    paths = ["/admin/sessions", "/admin/health", "/admin/pages/session/list", "/backoffice/session/list"]
    with browser(run("docs/admin.md")) as client:
        statuses = []
        for user_id in ("ada", "grace"):
            client.post(f"/login?user_id={user_id}")
            statuses.append([client.get(path).status_code for path in paths])

    assert [[403] * 4, [200] * 4] == statuses


def test_administration_at_a_terminal(run: Run) -> None:
    """The first commands of the page sign Grace in and show her all sessions."""
    page = run("docs/admin.md")
    with serve(lambda _: page.app) as server:
        [found] = json.loads(commanded(examples_of("docs/admin.md", "bash")[0], server))["sessions"]

    assert "grace" == found["user_id"]


def test_the_sign_in_of_administration(run: Run) -> None:
    """On the same page a browser is sent to sign in, and then to the page that it wanted."""
    with TestClient(run("docs/admin.md").app) as client:
        html = {"accept": "text/html"}
        asked = client.get("/admin/pages/session/list", headers=html)
        signed_in = client.post(str(asked.url), headers={**html, AUTH_MODE: "cookie"})

    assert ("I am Grace" in asked.text, "/admin/pages/session/list") == (True, signed_in.url.path)
    assert 200 == signed_in.status_code


def test_sync_endpoints(run: Run) -> None:
    """On the page on sync endpoints a plan changes, and all sessions end."""
    with browser(run("docs/sync-endpoints.md")) as client:
        assert "ada" == client.post("/login").json()
        assert {"plan": "max"} == client.post("/plan/max").json()
        assert 1 == client.post("/leave-all").json()


def test_changing_behaviour(run: Run) -> None:
    """On the page on changing behaviour nobody has more than three sessions, and who is blocked goes on with none."""
    page = run("docs/changing-behaviour.md")
    with browser(page) as client:
        assert client.portal is not None
        for _ in range(5):
            sign_in(client, page.sessions, "ada", method="cookie")
        assert 3 == len(client.portal.call(page.sessions.of_user, "ada"))
        page.BLOCKED.add("ada")
        assert "/login" == client.post(REFRESH_PATH).json()["sign_in_at"]
        assert 2 == len(client.portal.call(page.sessions.of_user, "ada"))


def test_tenants(run: Run) -> None:
    """On the page on tenants a session is worth something for its own alone."""
    page = run("docs/tenants.md")
    with browser(page) as client:
        assert client.portal is not None
        client.post("/acme/login")
        assert ["ada", 404] == [client.get("/acme/me").json(), client.get("/other/me").status_code]
        assert [0, 1] == [client.portal.call(page.present, "ada", tenant) for tenant in ("other", "acme")]
        assert 1 == len(client.portal.call(page.leave, "ada", "acme"))


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link of every page leads to a file."""
    links = LINK.findall(TEXTS[name])

    assert [] == [link for link in links if not (PAGES[name].parent / link).exists()]


def test_every_setting_is_documented() -> None:
    """The page on configuration tells of every setting, and of no other."""
    headings = re.findall(r"^### `(\w+)`$", TEXTS["docs/configuration.md"], re.MULTILINE)

    assert sorted(SessionConfig.model_fields) == sorted(headings)


def test_defaults_are_documented() -> None:
    """Where a setting's default is a text or a number, the page on configuration gives it."""
    defaults = {
        name: json.dumps(field.default)
        for name, field in SessionConfig.model_fields.items()
        if type(field.default) in {str, int, float}
    }
    told = dict(re.findall(r"^### `(\w+)`\n\nDefault: `(.+?)`", TEXTS["docs/configuration.md"], re.MULTILINE))

    assert defaults == {name: told.get(name) for name in defaults}


def described() -> dict[str, list[str]]:
    """Which names each page of the reference describes, by their full path."""
    pages = {name: re.findall(r"^::: (\S+)$", text, re.MULTILINE) for name, text in TEXTS.items() if REFERENCE in name}
    return {name.removeprefix(REFERENCE): names for name, names in pages.items() if names}


def test_every_public_name_is_described_once() -> None:
    """The reference describes every public name on one page, and no other page describes any."""
    public = [f"fastapi_session.{name}" for name in fastapi_session.__all__]
    public += [f"fastapi_session.testing.{name}" for name in testing.__all__]
    public += [f"fastapi_session.doctor.{name}" for name in doctor.__all__]
    found = Counter(name for names in described().values() for name in names)

    assert dict.fromkeys(public, 1) == {name: found[name] for name in public}
    assert dict.fromkeys(found, 1) == found
    assert [] == [name for name, text in TEXTS.items() if "\n::: " in text and REFERENCE not in name]


def test_the_reference_lists_what_its_pages_describe() -> None:
    """The list of names leads to each; the anchor that a name had when the reference was one page is that of its line."""
    names = [(page, name) for page, found in described().items() for name in found]
    lines = re.findall(r"^- \[`.*`\]\((.+?)#(.+)\)\{#(.+)\}$", TEXTS[f"{REFERENCE}index.md"], re.MULTILINE)

    assert sorted((page, name, name) for page, name in names) == sorted(lines)


def test_every_error_is_documented() -> None:
    """The page on errors tells of every error, with its code."""
    known = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)}
    names = {each.__name__ for each in known} | {each.code for each in known if hasattr(each, "code")}

    assert names == mentions("docs/errors.md", names)


def test_every_verdict_is_documented() -> None:
    """The page on theft detection tells of every row of the rotation table."""
    verdicts = {verdict.value for verdict in Verdict}

    assert verdicts == mentions("docs/theft-detection.md", verdicts)


def test_every_module_is_on_the_map() -> None:
    """The page on architecture has each module, in its room, with the first sentence of its docstring."""
    assert architecture.drawn() == architecture.written(), "draw it: python -m tests.architecture"


def test_the_changelog_is_one_list_a_kind() -> None:
    """What the version of pyproject.toml has stands once, in one list for each kind of change, or for each part of that."""
    text = (ROOT / "CHANGELOG.md").read_text()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    kinds = re.findall(r"^### (.+)$", text.split("\n## ")[1], re.MULTILINE)
    lists = re.split(r"^####? .+\n", text.split("\n## ")[1], flags=re.MULTILINE)[1:]
    lines = [line for each in lists if each.strip() for line in each.strip().split("\n")]

    assert text.split("\n## ")[1].startswith(f"[{version}]")
    assert sorted(set(kinds)) == sorted(kinds)
    assert [] == [line for line in lines if not line.startswith("- ")]
    assert [] == [line for line in {*lines} if lines.count(line) > 1]


def test_every_decision_is_listed() -> None:
    """The list of decisions links each of them."""
    decisions = {page.name for page in (DOCS / "decisions").glob("[0-9]*.md")}

    assert decisions == set(LINK.findall(TEXTS["docs/decisions/index.md"]))
