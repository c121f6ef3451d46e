"""The pages of administrators in a browser: signing in, looking, ending a session that another process serves, and nothing leaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, Form
from fastapi.responses import HTMLResponse, RedirectResponse
from playwright.sync_api import BrowserContext, Page, expect
from starlette.types import ASGIApp

from fastapi_session import (
    Circumstances,
    CreateSession,
    Session,
    SessionConfig,
    Sessions,
    create_session,
    install,
    safe_next,
    session_router,
    verify_session,
)
from tests.admin.administered import ADMIN, ADMINS, IN_CLAIMS, IN_DATA, Roles, kept_secrets, shown
from tests.browser.server import Server, serve
from tests.browser.waiting import until
from tests.engines import SECRET
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, AUTH_MODE, REFRESH_COOKIE, REFRESH_HEADER

pytest.importorskip("starlette_admin")

from fastapi_session.admin.pages import session_panel

PANEL = "/admin/pages"
SIGN_IN = """<!DOCTYPE html><title>Sign in</title><form method="post">
<input name="user_id" aria-label="Name"><button>Sign in</button></form>"""
HOSTILE = '"><img src=x onerror="window.owned = 1"><script>window.owned = 1</script>\x1b[2J\u202e'
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def administered(folder: Path) -> Callable[[str], ASGIApp]:
    """An application with the pages of administrators, over the store in *folder*."""

    def build(origin: str) -> ASGIApp:
        store = f"sqlite:///{folder / 'sessions.db'}"
        app = FastAPI()
        install(app, SessionConfig(api_domain=origin, store=store, secret=SECRET, audit=True), claims=[Roles])
        app.include_router(session_router(pages=True))
        session_panel(ADMINS, secret_key=SECRET, login_url="/login").mount_to(app)

        @app.get("/login")
        async def ask() -> HTMLResponse:
            return HTMLResponse(SIGN_IN)

        @app.post("/login")
        async def sign_in(
            user_id: Annotated[str, Form()],
            create: Annotated[CreateSession, Depends(create_session())],
            next: str | None = None,  # noqa: A002 - as the address says it
        ) -> RedirectResponse:
            await create(user_id, access_token_payload={"canary": IN_CLAIMS}, session_data={"canary": IN_DATA})
            return RedirectResponse(safe_next(next, "/"), 303)

        @app.get("/me")
        async def me(session: Annotated[Session, Depends(verify_session())]) -> str:
            return session.user_id

        return app

    return build


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Sign in").click()


@dataclass(frozen=True)
class Program:
    """A program in which somebody has signed in at *server*, and its tokens."""

    server: Server
    access: str
    refresh: str

    def status(self) -> int:
        """The status of a request for what only the user is told."""
        headers = {"authorization": f"Bearer {self.access}"}
        return httpx2.get(f"{self.server.origin}/me", headers=headers).status_code


def signed_in(server: Server, user: str) -> Program:
    headers = {AUTH_MODE: "header", "user-agent": FIREFOX}
    response = httpx2.post(f"{server.origin}/login", data={"user_id": user}, headers=headers)
    return Program(server, response.headers[ACCESS_HEADER], response.headers[REFRESH_HEADER])


def of_store(folder: Path, work: Callable[[Sessions], Any]) -> Any:
    """What *work* returns, of an engine of its own over the store."""

    async def run() -> Any:
        sessions = Sessions(SessionConfig(store=f"sqlite:///{folder / 'sessions.db'}", secret=SECRET, audit=True))
        await sessions.open()
        try:
            return await work(sessions)
        finally:
            await sessions.close()

    with ThreadPoolExecutor(1) as beside:  # in this thread Playwright runs an event loop
        return beside.submit(lambda: asyncio.run(run())).result()


def test_an_administrator_at_work(context: BrowserContext, tmp_path: Path) -> None:
    """An administrator signs in, finds a user, and ends a session; the other process refuses it then, and no page says a secret."""
    build = administered(tmp_path)
    with serve(build) as here, serve(build) as there:
        ada = signed_in(there, "ada")
        assert 200 == ada.status()
        page, seen = context.new_page(), list[str]()
        page.on("response", lambda response: seen.append(response.url))
        page.goto(f"{here.origin}{PANEL}/session/list?q=ada")
        expect(page).to_have_title("Sign in")
        sign_in(page, ADMIN)
        expect(page.get_by_role("row").filter(has_text="ada")).to_contain_text("Firefox on Linux")
        sources = [page.content()]
        page.get_by_role("row").filter(has_text="ada").locator('[data-sa-name="view"]').click()
        expect(page.get_by_text("canary, roles")).to_be_visible()
        expect(page.get_by_text("SessionCreated")).to_be_visible()
        sources.append(page.content())
        for path in ("/", "/session/list", "/device/list", "/signing-key/list", "/event/list"):
            page.goto(f"{here.origin}{PANEL}{path}")
            sources.append(page.content())
        hidden = secrets_in(context, ada, tmp_path)
        assert [] == [found for source in sources for found in shown(source, secrets=hidden[0], texts=hidden[1])]
        assert [] == [source for source in sources if IN_CLAIMS in source or IN_DATA in source]
        assert [] == [url for url in seen if not url.startswith(here.origin)]
        page.goto(f"{here.origin}{PANEL}/session/list?q=ada")
        page.get_by_role("row").filter(has_text="ada").locator('[data-sa-name="revoke"]').click()
        page.get_by_role("button", name="End it").click()
        expect(page.get_by_text("The session has ended.")).to_be_visible()
        until(lambda: 401 == ada.status())
        page.goto(f"{here.origin}{PANEL}/event/list?q=ada")
        expect(page.get_by_role("row").filter(has_text="SessionRevoked")).to_contain_text(ADMIN)


def secrets_in(context: BrowserContext, ada: Program, folder: Path) -> tuple[list[bytes], list[str]]:
    """What the store keeps that verifies or signs, and the parts of all tokens that are around."""
    cookies = {cookie.get("name"): str(cookie.get("value")) for cookie in context.cookies()}
    tokens = [cookies[ACCESS_COOKIE], cookies[REFRESH_COOKIE], ada.access, ada.refresh]
    return of_store(folder, kept_secrets), [part for token in tokens for part in token.split(".")]


def test_a_user_without_the_role(context: BrowserContext, tmp_path: Path) -> None:
    """Whoever is signed in without the role is refused, and sees no page."""
    with serve(administered(tmp_path)) as server:
        page = context.new_page()
        page.goto(f"{server.origin}{PANEL}/")
        sign_in(page, "ada")
        page.wait_for_load_state()
        response = page.goto(f"{server.origin}{PANEL}/session/list")
        assert response is not None
        assert (403, "invalid claim") == (response.status, response.json()["message"])


def test_what_others_wrote_does_nothing(context: BrowserContext, tmp_path: Path) -> None:
    """HTML in a user agent, in a user id, in a claim and in a reason is shown as text, also in what appears beside the mouse."""

    async def write(sessions: Sessions) -> None:
        options: dict[str, Any] = {
            "circumstances": Circumstances(HOSTILE, HOSTILE),
            "access_token_payload": {HOSTILE: HOSTILE},
        }
        await sessions.create(HOSTILE, **options)
        ended = await sessions.create(HOSTILE, **options)
        await sessions.revoke(ended.access_token.session_handle, reason=HOSTILE[:60])

    with serve(administered(tmp_path)) as server:
        of_store(tmp_path, write)
        page = context.new_page()
        page.goto(f"{server.origin}{PANEL}/session/list")
        sign_in(page, ADMIN)
        for path in ("/session/list", "/device/list", "/event/list"):
            page.goto(f"{server.origin}{PANEL}{path}")
            cell = page.get_by_text("<img src=x").first
            expect(cell).to_be_visible()
            cell.hover()
            assert page.evaluate("window.owned") is None
            assert not {"\x1b", "\u202e"} & {*page.content()}
        page.goto(f"{server.origin}{PANEL}/session/list")
        page.get_by_role("row").filter(has_text="<img").get_by_text("<img src=x").nth(1).click()
        expect(page.get_by_text("Names of claims")).to_be_visible()
        assert page.evaluate("window.owned") is None


def test_signing_out(context: BrowserContext, tmp_path: Path) -> None:
    """Who signs out of the pages is sent to sign in, and is signed out of the application."""
    with serve(administered(tmp_path)) as server:
        page = context.new_page()
        page.goto(f"{server.origin}{PANEL}/")
        sign_in(page, ADMIN)
        expect(page.get_by_text("How it is")).to_be_visible()
        page.locator("header").get_by_text(ADMIN).click()
        page.get_by_role("button", name="Logout").locator("visible=true").click()
        expect(page).to_have_title("Sign in")
        page.goto(f"{server.origin}{PANEL}/")
        expect(page).to_have_title("Sign in")
