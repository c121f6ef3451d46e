"""The pages of administrators over HTTP: who gets in, what is shown, what ends, and that nothing else can be done."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from starlette.middleware import Middleware

from fastapi_session import (
    Authentication,
    Circumstances,
    ConfigurationError,
    Fresh,
    NotGuest,
    Sessions,
    StoreUnavailable,
    guarded,
    verify_session,
)
from fastapi_session.testing import HandClock
from tests.admin.administered import (
    ADMIN,
    ADMINS,
    IN_CLAIMS,
    IN_DATA,
    GenerousRoles,
    Roles,
    application,
    engine_of,
    kept_secrets,
    shown,
    with_guests,
)
from tests.engines import ORIGIN, TroubledStore, config
from tests.web.binding.browsers import BOUND, HTTPS, bound, signed_in
from tests.web.deployment import deployed, finish_background
from tests.wire import ACCESS_COOKIE, AUTH_MODE, REFRESH_COOKIE, REFRESH_PATH

pytest.importorskip("starlette_admin")

from starlette_admin import BaseAdmin, TimezoneConfig

from fastapi_session.admin.pages import SessionAuth, session_panel, session_views

PANEL = "/admin/pages"
LISTS = ["session", "device", "signing-key", "event"]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/26.0 Mobile/15E148 Safari/604.1"
CSRF = "starlette_admin_csrftoken"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine_of(clock)


@contextmanager
def opened(
    sessions: Sessions, *, user: str | None = ADMIN, require: Any = ADMINS, **options: Any
) -> Iterator[TestClient]:
    """A browser at an application with the pages, in which *user* is signed in."""
    app = application(sessions)
    session_panel(require, secret_key=token_urlsafe(48), **options).mount_to(app)
    with browser(app) as client:
        if user is not None:
            sign_in(client, user)
        yield client


def browser(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=ORIGIN, follow_redirects=False, raise_server_exceptions=False)


def sign_in(client: TestClient, user: str) -> None:
    client.post(f"/login?user_id={user}", headers={AUTH_MODE: "cookie"})


def ask(client: TestClient, sessions: Sessions, verb: Any, *arguments: Any, **options: Any) -> Any:
    """What *verb* returns on the event loop of the application."""
    assert client.portal is not None
    client.portal.call(finish_background, sessions)
    return client.portal.call(lambda: verb(*arguments, **options))


def created(
    client: TestClient,
    sessions: Sessions,
    user: str = "ada",
    *,
    agent: str = FIREFOX,
    seen: Circumstances | None = None,
    **options: Any,
) -> str:
    """The handle of a new session of *user*."""
    seen = seen or Circumstances("203.0.113.7", agent)
    issued = ask(client, sessions, sessions.create, user, circumstances=seen, **options)
    handle: str = issued.access_token.session_handle
    return handle


def handles(client: TestClient, sessions: Sessions, user: str = "ada") -> list[str]:
    return [each.handle for each in ask(client, sessions, sessions.of_user, user)]


def text_of(client: TestClient, path: str) -> str:
    """What a page says, without its scripts and tags."""
    response = client.get(f"{PANEL}{path}")
    assert 200 == response.status_code, response.text
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", response.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def rows(client: TestClient, path: str) -> list[str]:
    """The keys of the rows of a list, from top to bottom."""
    return re.findall(r'data-sa-pk="([^"]*)"', client.get(f"{PANEL}{path}").text)


def act(client: TestClient, view: str, name: str, pk: str | None = None, **headers: str) -> Response:
    """Do what a click on an action does."""
    client.get(f"{PANEL}/{view}/list")
    kind = "action" if pk is None else "row-action"
    return client.post(
        f"{PANEL}/_api/{view}/{kind}",
        params={"name": name, **({} if pk is None else {"pk": pk})},
        headers={"X-CSRFToken": client.cookies[CSRF].strip('"'), **headers},
    )


def ends(client: TestClient, sessions: Sessions, user: str) -> list[tuple[str, str, str]]:
    """The reason of each end of a session of *user*, and whom the audit names."""
    page = ask(client, sessions, sessions.events, user_id=user)
    found = [event for event in page.events if event.name == "SessionRevoked"]
    return [(each.handle, each.details["reason"], each.details["by"]["user_id"]) for each in found]


@pytest.mark.parametrize(
    ("require", "says"),
    [
        (verify_session(), "every user in"),
        (verify_session(Fresh(minutes=5), check_database=True), "every user in"),
        (verify_session, "give what is required"),
        ([ADMINS], "give what is required"),
        (None, "give what is required"),
    ],
)
def test_it_is_not_built_without_a_guard(require: Any, says: str) -> None:
    """What lets every user in is refused where it stands, as by the router."""
    for build in (lambda: SessionAuth(require), lambda: session_panel(require, secret_key="x")):
        with pytest.raises(ConfigurationError, match=says):
            build()


@pytest.mark.parametrize("key", ["", "short", "secret-" * 6, None, b"bytes" * 10, "\ud800" * 40])
def test_a_key_that_is_easy_to_guess(key: Any) -> None:
    """Whoever guesses it could make the token that keeps forged requests away; the error does not repeat it."""
    with pytest.raises(ConfigurationError, match="session_panel: secret_key is easy to guess") as raised:
        session_panel(ADMINS, secret_key=key)
    assert not key or str(key) not in str(raised.value)


def test_a_sign_in_page_is_a_path() -> None:
    """Browsers are sent to no other host."""
    with pytest.raises(ConfigurationError, match="login_url"):
        SessionAuth(ADMINS, login_url="https://evil.example/login")


@pytest.mark.parametrize("path", ["/", *(f"/{name}/list" for name in LISTS), "/session/detail?pk=x", "/static/x"])
def test_who_gets_in(sessions: Sessions, path: str) -> None:
    """Nobody and a user without the role are refused as by a route; whoever has the role is served until the session ends."""
    with opened(sessions, user=None) as client:
        assert 401 == client.get(f"{PANEL}{path}").status_code
        sign_in(client, "ada")
        refused = client.get(f"{PANEL}{path}")
        assert (403, ["roles"]) == (
            refused.status_code,
            [each["id"] for each in refused.json()["claimValidationErrors"]],
        )
        sign_in(client, ADMIN)
        assert client.get(f"{PANEL}{path}").status_code == (404 if "x" in path else 200)
        ask(client, sessions, sessions.store.delete, handles(client, sessions, ADMIN)[0])
        assert 401 == client.get(f"{PANEL}{path}").status_code


def test_a_browser_is_sent_to_sign_in(sessions: Sessions) -> None:
    """With a sign-in page, a browser that is not signed in is sent there; one that is and has no role is not."""
    with opened(sessions, user=None, login_url="/login") as client:
        html = {"accept": "text/html"}
        sent = client.get(f"{PANEL}/session/list?q=ada", headers=html)
        assert (303, f"/login?next={PANEL}/session/list?q=ada") == (sent.status_code, sent.headers["location"])
        sign_in(client, "ada")
        assert 403 == client.get(f"{PANEL}/session/list", headers=html).status_code


def test_signing_out(sessions: Sessions) -> None:
    """Who signs out of the pages has no session of the application any more."""
    with opened(sessions, login_url="/login") as client:
        client.get(f"{PANEL}/")
        token = {"csrftoken": client.cookies[CSRF].strip('"')}
        assert 403 == client.post(f"{PANEL}/logout").status_code
        sent = client.post(f"{PANEL}/logout", data=token)
        assert (303, "/login") == (sent.status_code, sent.headers["location"])
        assert [] == handles(client, sessions, ADMIN)
        assert ACCESS_COOKIE not in client.cookies


@pytest.mark.parametrize(("demands", "status"), [((), 200), ((NotGuest(),), 403)], ids=["any", "no guests"])
def test_guests(clock: HandClock, demands: tuple[NotGuest, ...], status: int) -> None:
    """A guest of whom the claim says that it is an administrator sees the pages, unless the guard wants no guests."""
    sessions = Sessions(config(audit=True), clock=clock, claims=[GenerousRoles])
    app = with_guests(sessions)
    require = verify_session(GenerousRoles.includes("admin"), *demands)
    session_panel(require, secret_key=token_urlsafe(48)).mount_to(app)
    with browser(app) as client:
        client.post("/guest", headers={AUTH_MODE: "cookie"})
        assert [status] * 4 == [client.get(f"{PANEL}/{name}/list").status_code for name in LISTS]


@pytest.mark.parametrize("timezone", [None, TimezoneConfig("Europe/Paris", timezone_cookie_name=None)])
def test_a_time_zone_that_nobody_knows(sessions: Sessions, timezone: TimezoneConfig | None) -> None:
    """An admin of one's own reads no time zone from a cookie if it is told so, and serves whatever one names."""
    app = application(sessions)
    own = BaseAdmin(
        base_url="/own",
        secret_key=token_urlsafe(48),
        auth_provider=SessionAuth(ADMINS),
        timezone_config=timezone,
    )
    for view in session_views():
        own.add_view(view)
    own.mount_to(app)
    with browser(app) as client:
        sign_in(client, ADMIN)
        client.cookies.set("timezone", "../nowhere")
        assert 200 == client.get("/own/session/list").status_code


def test_views_are_closed_behind_another_guard(sessions: Sessions) -> None:
    """In an admin whose guard knows nothing of them, the views are closed, whatever that guard lets in."""
    app = application(sessions)
    other = BaseAdmin(
        base_url="/other", secret_key=token_urlsafe(48), middlewares=[Middleware(guarded, verify_session())]
    )
    for view in session_views():
        other.add_view(view)
    other.mount_to(app)
    with browser(app) as client:
        sign_in(client, ADMIN)
        assert [403] * 4 == [client.get(f"/other/{name}/list").status_code for name in LISTS]
        pk = handles(client, sessions, ADMIN)[0]
        for path in ("session/detail", "_api/session/inline-edit/row", "_api/session/relation-lookup"):
            assert 403 == client.get(f"/other/{path}?pk={pk}").status_code
        answer = client.post(
            "/other/_api/session/row-action",
            params={"name": "revoke_user", "pk": pk},
            headers={"X-CSRFToken": client.cookies[CSRF].strip('"')},
        )
        assert 400 == answer.status_code
        assert 1 == len(handles(client, sessions, ADMIN))


def test_views_in_an_admin_of_ones_own(sessions: Sessions) -> None:
    """The views can be put into an admin that is there already, with its guard."""
    app = application(sessions)
    own = BaseAdmin(base_url="/own", secret_key=token_urlsafe(48), auth_provider=SessionAuth(ADMINS))
    for view in session_views():
        own.add_view(view)
    own.mount_to(app)
    with browser(app) as client:
        sign_in(client, ADMIN)
        assert [200] * 4 == [client.get(f"/own/{name}/list").status_code for name in LISTS]


def test_the_sessions(sessions: Sessions, clock: HandClock) -> None:
    """Each session has a row, that seen last first; a search finds those of a user in every tenant, and columns sort."""
    with opened(sessions) as client:
        first = created(client, sessions, tenant_id="t1")
        clock.advance(timedelta(seconds=1))
        second, phone = created(client, sessions, "bob"), created(client, sessions, agent=SAFARI)
        [grace] = handles(client, sessions, ADMIN)
        assert {first, second, phone, grace} == {*rows(client, "/session/list")}
        assert [phone, first] == rows(client, "/session/list?q=ada")
        assert [first, phone] == rows(client, "/session/list?q=ada&sort=last_seen__asc")
        assert [] == rows(client, "/session/list?q=nobody")
        shown_row = text_of(client, "/session/list?q=bob")
        for part in ("bob", "public", "default", "Firefox on Linux", "203.0.113.7", "Z"):
            assert part in shown_row


def test_a_long_list_has_pages(sessions: Sessions) -> None:
    """A list is shown page by page, and says how many there are."""
    with opened(sessions) as client:
        known = {created(client, sessions, f"user{number}") for number in range(30)}
        known.update(handles(client, sessions, ADMIN))
        pages = [rows(client, f"/session/list?page={number}") for number in (1, 2, 3)]
        assert [25, 6, 0] == [*map(len, pages)]
        assert known == {each for page in pages for each in page}
        assert "31" in text_of(client, "/session/list")


def test_one_session(sessions: Sessions, clock: HandClock) -> None:
    """The page of a session has its factors, the names of its claims, and what happened to it; one that is not there is a 404."""
    with opened(sessions) as client:
        created(client, sessions)
        authentication = Authentication(("pwd", "otp"), acr="aal2")
        handle = created(
            client, sessions, authentication=authentication, access_token_payload={"plan": IN_CLAIMS}, label="Kitchen"
        )
        page = text_of(client, f"/session/detail?pk={handle}")
        for part in (handle, "Kitchen", FIREFOX, "pwd (", "otp (", "level aal2", "plan, roles", "SessionCreated"):
            assert part in page
        assert 1 == page.count("SessionCreated")
        assert IN_CLAIMS not in page
        assert [404, 404] == [
            client.get(f"{PANEL}/session/detail", params={"pk": pk}).status_code for pk in ("0" * 32, "\x00")
        ]


@pytest.mark.parametrize(
    "cookie",
    [
        "timezone=../../etc/passwd",
        f"timezone={'x' * 3_000}",
        "starlette_admin_flash=x.y.z",
        f"{CSRF}=x.y.z",
    ],
    ids=lambda cookie: cookie[:20],
)
@pytest.mark.parametrize(("user", "status"), [(None, 401), (ADMIN, 200)])
def test_cookies_that_another_host_has_set(sessions: Sessions, cookie: str, user: str | None, status: int) -> None:
    """A cookie of a sibling domain, which comes with each request, closes the pages to nobody."""
    with opened(sessions, user=user) as client:
        own = f"{ACCESS_COOKIE}={client.cookies[ACCESS_COOKIE]}; " if user else ""
        assert status == client.get(f"{PANEL}/session/list", headers={"cookie": own + cookie}).status_code


def test_who_acts_as_an_administrator(sessions: Sessions) -> None:
    """Whoever acts as an administrator is told so on each page, and is whom the audit names."""
    with opened(sessions, user=None) as client:

        async def act_as_grace() -> str:
            actor = (await sessions.create("eve")).access_token
            return (await sessions.impersonate(actor, ADMIN, reason="ticket 7")).tokens.access_token

        client.headers["authorization"] = f"Bearer {ask(client, sessions, act_as_grace)}"
        handle = created(client, sessions)
        assert f"eve as {ADMIN}" in text_of(client, "/")
        act(client, "session", "revoke", handle)
        assert [(handle, "by_handle", "eve")] == ends(client, sessions, "ada")


def test_who_acts_in_a_session(sessions: Sessions) -> None:
    """A session in which somebody acts as its user says so, with the reason."""
    with opened(sessions) as client:

        async def act_as_ada() -> None:
            actor = (await sessions.create("eve")).access_token
            await sessions.impersonate(actor, "ada", reason="ticket 7")

        ask(client, sessions, act_as_ada)
        assert "eve: ticket 7" in text_of(client, "/session/list?q=ada")


def test_nothing_secret_is_shown(sessions: Sessions) -> None:
    """No page has a piece of a token, of a hash or of a private key, nor the value of a claim, nor session data."""
    with opened(sessions) as client:
        canaries = {"access_token_payload": {"canary": IN_CLAIMS}, "session_data": {"canary": IN_DATA}}
        issued = ask(client, sessions, sessions.create, "ada", **canaries)
        ask(client, sessions, sessions.refresh, issued.tokens.refresh_token)
        secrets = ask(client, sessions, kept_secrets, sessions)
        tokens = [client.cookies[ACCESS_COOKIE], client.cookies[REFRESH_COOKIE], issued.tokens.refresh_token]
        texts = [part for token in tokens for part in token.split(".")]
        every = [*handles(client, sessions), *handles(client, sessions, ADMIN)]
        paths = ["/", *(f"/{name}/list" for name in LISTS), *(f"/session/detail?pk={handle}" for handle in every)]
        paths += [f"/_api/session/relation-lookup?pks={every[0]}", f"/_api/session/inline-edit/row?pk={every[0]}"]
        pages = {path: client.get(f"{PANEL}{path}").text for path in paths}
        assert {} == {
            path: found for path, page in pages.items() if (found := shown(page, secrets=secrets, texts=texts))
        }
        assert [] == [path for path, page in pages.items() if IN_CLAIMS in page or IN_DATA in page]


@pytest.mark.parametrize(
    "hostile",
    ["<script>owned()</script>", '"><img src=x onerror=owned()>', "\x1b[2J", "\u202eevil", "{{ 7 * 7 }}", "a\nb"],
)
def test_what_others_wrote_is_text(sessions: Sessions, hostile: str) -> None:
    """User agents, claims, reasons and user ids are text on every page, whatever is in them."""
    with opened(sessions) as client:
        handle = created(client, sessions, hostile, agent=hostile, access_token_payload={hostile: 1})
        ask(client, sessions, sessions.revoke, created(client, sessions, hostile, agent=hostile), reason=hostile)
        for path in ("/session/list", "/device/list", "/event/list", f"/session/detail?pk={handle}"):
            page = client.get(f"{PANEL}{path}")
            assert 200 == page.status_code
            assert "<script>owned" not in page.text
            assert "<img src=x" not in page.text
            assert not {"\x1b", "\u202e"} & {*page.text}
            assert 'title="49"' not in page.text


def test_no_page_is_kept(sessions: Sessions) -> None:
    """No cache keeps a page; a script or a style sheet of the pages may be."""
    with opened(sessions) as client:
        pages = [client.get(f"{PANEL}{path}") for path in ("/", "/session/list", "/session/detail?pk=x")]
        assert {"no-store"} == {each.headers["cache-control"] for each in pages}
        script = re.findall(rf'src="[^"]*({PANEL}/static/[^"]*\.js)', pages[0].text)[0]
        assert "private" == client.get(script).headers["cache-control"]


def test_a_session_ends(sessions: Sessions) -> None:
    """Its row ends it, the browser is sent to the list, and the audit names the administrator."""
    with opened(sessions) as client:
        first, second = created(client, sessions), created(client, sessions)
        sent = act(client, "session", "revoke", first)
        assert (303, f"{ORIGIN}{PANEL}/session/list") == (sent.status_code, sent.headers["location"])
        assert "The session has ended." in text_of(client, "/session/list")
        assert [second] == handles(client, sessions)
        assert [(first, "by_handle", ADMIN)] == ends(client, sessions, "ada")
        act(client, "session", "revoke", first)
        assert "There is no such session any more." in text_of(client, "/session/list")


def test_all_sessions_of_a_user_end(sessions: Sessions) -> None:
    """All of the same user and tenant end, and no other."""
    with opened(sessions) as client:
        first, second = created(client, sessions), created(client, sessions)
        elsewhere, bob = created(client, sessions, tenant_id="t1"), created(client, sessions, "bob")
        assert 303 == act(client, "session", "revoke_user", first).status_code
        assert ([elsewhere], [bob]) == (handles(client, sessions), handles(client, sessions, "bob"))
        assert {(first, "all", ADMIN), (second, "all", ADMIN)} == {*ends(client, sessions, "ada")}
        assert 303 == act(client, "session", "revoke_user", first).status_code
        assert [elsewhere] == handles(client, sessions)


def test_a_device_is_signed_out(sessions: Sessions, clock: HandClock) -> None:
    """Sessions of one device are one row, and end together."""
    with opened(sessions) as client:
        created(client, sessions)
        phone = created(client, sessions, agent=SAFARI)
        clock.advance(timedelta(seconds=1))
        newest = created(client, sessions)
        assert [newest, phone] == rows(client, "/device/list?q=ada")
        assert 303 == act(client, "device", "sign_out", newest).status_code
        assert [phone] == handles(client, sessions)
        assert 303 == act(client, "device", "sign_out", newest).status_code
        assert [phone] == handles(client, sessions)


def test_devices_by_how_many_sessions_they_have(sessions: Sessions) -> None:
    """A column of numbers is sorted by number, and what is not known comes before all that is."""

    def users(page: str) -> list[str]:
        return re.findall(r"(\w+) public", page)

    with opened(sessions) as client:
        for count, user in ((2, "bob"), (10, "ada")):
            for _ in range(count):
                created(client, sessions, user)
        listed = [users(text_of(client, f"/device/list?sort=sessions__{each}")) for each in ("desc", "asc")]
        created(client, sessions, "carol", seen=Circumstances())
        listed.append(users(text_of(client, "/device/list?sort=address__asc"))[:1])
    assert [["ada", "bob", ADMIN], [ADMIN, "bob", "ada"], ["carol"]] == listed


def test_keys(sessions: Sessions) -> None:
    """The next key is made once, a key that leaked is deleted, and what it signed is refused."""
    with opened(sessions) as client:
        keys = ask(client, sessions, sessions.administration.keys)
        assert {key.kid for key in keys} == {*rows(client, "/signing-key/list")}
        assert 200 == act(client, "signing-key", "rotate").status_code
        assert "The next key is made" in text_of(client, "/signing-key/list")
        assert 200 == act(client, "signing-key", "rotate").status_code
        assert "There is one already" in text_of(client, "/signing-key/list")
        assert 3 == len(rows(client, "/signing-key/list"))
        gone = act(client, "signing-key", "revoke", "d-none")
        assert (400, {"msg": "There is no such key any more."}) == (gone.status_code, gone.json())
        [signing] = [key.kid for key in keys if key.signs and key.family == "rotating"]
        assert 200 == act(client, "signing-key", "revoke", signing).status_code
        assert 401 == client.get(f"{PANEL}/").status_code


def test_where_there_is_a_search(sessions: Sessions) -> None:
    """A list of what is somebody's has a search, and that of the keys has none; what is not known is a dash."""
    with opened(sessions) as client:
        found = {name: 'type="search"' in client.get(f"{PANEL}/{name}/list").text for name in LISTS}
        assert {"session": True, "device": True, "signing-key": False, "event": True} == found
        page = text_of(client, f"/session/detail?pk={handles(client, sessions, ADMIN)[0]}")
        assert ("null" in page, "Acted in by \u2013" in page) == (False, True)


def test_keys_that_do_not_rotate(clock: HandClock) -> None:
    """Where one key signs for ever, it is said that none can be made before its time."""
    with opened(engine_of(clock, use_dynamic_access_token_signing_key=False)) as client:
        refused = act(client, "signing-key", "rotate")
        assert (400, True) == (refused.status_code, "for ever" in refused.json()["msg"])


def test_events(sessions: Sessions) -> None:
    """The audit is shown, the newest event first, with who ended a session; a search finds those of a user."""
    with opened(sessions) as client:
        handle = created(client, sessions)
        act(client, "session", "revoke", handle)
        assert 3 == len(rows(client, "/event/list"))
        page = text_of(client, "/event/list?q=ada")
        assert page.index("SessionRevoked") < page.index("SessionCreated")
        assert ADMIN in page
        assert 2 == len(rows(client, "/event/list?q=ada"))


def test_without_an_audit(clock: HandClock) -> None:
    """Without an audit there are no events, and the pages work."""
    sessions = engine_of(clock, audit=False)
    with opened(sessions) as client:
        assert [] == rows(client, "/event/list")
        [handle] = handles(client, sessions, ADMIN)
        assert 200 == client.get(f"{PANEL}/session/detail?pk={handle}").status_code
        assert "Audit off" in text_of(client, "/")


def test_the_first_page(sessions: Sessions) -> None:
    """The first page says how the deployment is."""
    with opened(sessions) as client:
        page = text_of(client, "/")
        for part in ("MemoryStore", "seconds ago", "0.000 seconds", "none", "Audit on"):
            assert part in page


@pytest.mark.parametrize("view", LISTS)
def test_nothing_is_written_by_a_form(sessions: Sessions, view: str) -> None:
    """Nothing can be created, edited, deleted, imported or taken away."""
    with opened(sessions) as client:
        handle = created(client, sessions)
        pk = {"session": handle, "device": handle}.get(view) or rows(client, f"/{view}/list")[0]
        before = ask(client, sessions, sessions.information, handle)
        keys = ask(client, sessions, sessions.administration.keys)
        for path in (f"/{view}/create", f"/{view}/edit?pk={pk}"):
            assert {403} == {client.request(method, f"{PANEL}{path}").status_code for method in ("GET", "POST")}
        for name in ("delete", "export"):
            assert 400 == act(client, view, name).status_code
        for name in ("delete", "edit"):
            assert 400 == act(client, view, name, pk).status_code
        assert 400 == act(client, view, "view", pk).status_code
        headers = {"X-CSRFToken": client.cookies[CSRF].strip('"')}
        for path in (f"/_api/{view}/import", f"/_api/{view}/inline-edit", f"/{view}/import"):
            assert client.post(f"{PANEL}{path}", params={"pk": pk}, headers=headers).status_code in {400, 403, 404, 405}
        assert before == ask(client, sessions, sessions.information, handle)
        assert keys == ask(client, sessions, sessions.administration.keys)


def test_a_forged_request(sessions: Sessions) -> None:
    """Without the token of its page nothing ends, whatever cookies the browser sends along."""
    with opened(sessions) as client:
        handle = created(client, sessions)
        client.get(f"{PANEL}/session/list")
        for headers in ({}, {"X-CSRFToken": "forged"}):
            forged = client.post(
                f"{PANEL}/_api/session/row-action", params={"name": "revoke", "pk": handle}, headers=headers
            )
            assert 403 == forged.status_code
        assert [handle] == handles(client, sessions)


def test_an_administrator_between_page_and_form(sessions: Sessions) -> None:
    """Whoever is no administrator any more once a form comes is refused, and nothing ends, though the page was shown."""
    with opened(sessions) as client:
        handle = created(client, sessions)
        client.get(f"{PANEL}/session/list")
        token = {"X-CSRFToken": client.cookies[CSRF].strip('"')}
        [own] = handles(client, sessions, ADMIN)

        def statuses() -> list[int]:
            path, names = f"{PANEL}/_api/session/row-action", ("revoke", "revoke_user")
            return [client.post(path, params={"name": each, "pk": handle}, headers=token).status_code for each in names]

        ask(client, sessions, sessions.set_claim_value, own, Roles, [])
        assert [401, 401] == statuses()  # its token says the role, and has to be refreshed
        client.post(REFRESH_PATH)
        assert [403, 403] == statuses()
        ask(client, sessions, sessions.store.delete, own)
        assert [401, 401] == statuses()
        assert [handle] == handles(client, sessions)


@pytest.mark.parametrize("scope", ["refresh", "all"])
def test_an_administrator_whose_browser_has_a_key(clock: HandClock, scope: str) -> None:
    """With `bound=True` the pages are for browsers that have bound their session, and the others are told so."""
    sessions = engine_of(clock, **BOUND, device_binding_scope=scope)
    app = application(sessions)
    session_panel(verify_session(*ADMINS.validators, bound=True), secret_key=token_urlsafe(48)).mount_to(app)
    with deployed(app, sessions, clock, HTTPS) as deployment:
        browsers = [bound(deployment, ADMIN), signed_in(deployment, ADMIN)]
        found = [deployment.get(f"{PANEL}/session/list", each.held.to_call()) for each in browsers]
    assert [200, 403] == [each.status_code for each in found]
    assert "session not bound" == found[1].json()["message"]


@pytest.mark.parametrize(("checks", "status"), [(None, 401), (False, 303)])
def test_a_custom_header(clock: HandClock, checks: bool | None, status: int) -> None:
    """Forms send no header of their own: where one is asked for, the guard has to leave the check to the pages."""
    sessions = engine_of(clock, anti_csrf="VIA_CUSTOM_HEADER")
    require = verify_session(*ADMINS.validators, anti_csrf_check=checks)
    with opened(sessions, require=require) as client:
        assert status == act(client, "session", "revoke", created(client, sessions)).status_code


READ = {
    "get": ["/", "/session/list", "/session/detail"],
    "session_page": ["/session/list", "/device/list"],
    "sessions_of": ["/session/list?q=ada", "/device/list?q=ada"],
    "events": ["/event/list", "/event/list?q=ada", "/session/detail"],
    "signing_keys": ["/", "/signing-key/list"],
}
WRITTEN = {
    "delete": [("session", "revoke"), ("device", "sign_out")],
    "delete_sessions_of": [("session", "revoke_user")],
    "sessions_of": [("device", "sign_out")],
}
"""What each question to the store is for, once it is known who asks."""


@pytest.mark.parametrize("question", sorted({*READ, *WRITTEN}))
def test_a_store_that_goes_down(clock: HandClock, question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one question fails, in the middle of a page or of an action, that is a 503, and the browser keeps its cookies."""
    store = TroubledStore(clock)
    sessions = engine_of(clock, store=store)
    with opened(sessions) as client:
        handle = created(client, sessions)
        client.get(f"{PANEL}/session/list")

        async def fails(*_: Any, **__: Any) -> Any:
            raise StoreUnavailable("the store is down")

        monkeypatch.setattr(store, question, fails)
        pages = [path.replace("detail", f"detail?pk={handle}") for path in READ.get(question, ())]
        token = {"X-CSRFToken": client.cookies[CSRF].strip('"')}
        failed = [client.get(f"{PANEL}{path}") for path in pages]
        for view, name in WRITTEN.get(question, ()):
            path = f"{PANEL}/_api/{view}/row-action"
            failed.append(client.post(path, params={"name": name, "pk": handle}, headers=token))
        assert {(503, None)} == {(each.status_code, each.headers.get("set-cookie")) for each in failed}
        monkeypatch.undo()
        assert [handle] == handles(client, sessions)


@pytest.mark.parametrize("path", ["/", *(f"/{name}/list" for name in LISTS)])
def test_a_store_that_is_down(clock: HandClock, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store is down each page is a 503, and the browser keeps its cookies."""
    store = TroubledStore(clock)
    sessions = engine_of(clock, store=store)
    with opened(sessions) as client:

        async def fails(*_: Any, **__: Any) -> Any:
            store.down = True
            await store._turn("any")

        monkeypatch.setattr(store, "get", fails)
        failed = client.get(f"{PANEL}{path}")
        assert (503, None) == (failed.status_code, failed.headers.get("set-cookie"))


def test_the_templates_of_the_application(sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template of the application does not take the place of one of the pages because it has the same name."""
    (tmp_path / "templates").mkdir()
    for name in ("index.html", "list.html", "layout.html", "base.html"):
        (tmp_path / "templates" / name).write_text("of the application")
    monkeypatch.chdir(tmp_path)
    with opened(sessions) as client:
        assert "of the application" not in client.get(f"{PANEL}/session/list").text + client.get(f"{PANEL}/").text


def test_nothing_of_it_is_loaded_unasked() -> None:
    """Who does not use the pages does not import starlette-admin."""
    check = "import sys, fastapi_session; raise SystemExit('starlette_admin' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", check], check=False).returncode
