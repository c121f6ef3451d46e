"""The application of the README as a newcomer tries it: in a browser, by plain `fetch`, by `/docs`, by a form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse
from playwright.sync_api import Page, Route, expect

from fastapi_session import CreateSession, Session, SessionConfig, create_session, install, verify_session
from tests.browser.server import Server, serve
from tests.browser.setup import SWAGGER, Missing, npm_package
from tests.pages import run_examples
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, REFRESH_COOKIE, REFRESH_HEADER, REFRESH_PATH, SIGN_OUT_PATH

NO_SESSION = (401, {"message": "unauthorised"})
ADA = {"name": "ada", "password": "lovelace"}
TOKENS = {(ACCESS_COOKIE, "/", True), (REFRESH_COOKIE, REFRESH_PATH, True)}

FETCH = """async ([method, path, body]) => {
  const json = body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, { method, ...json });
  return [response.status, await response.json(), [...response.headers]];
}"""


@pytest.fixture(params=["README.md", "docs/tutorial.md"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The application of a page, word for word, served in an empty folder."""
    monkeypatch.chdir(tmp_path)
    with serve(lambda _: run_examples(request.param).app) as server:
        yield server


def fetch(page: Page, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Call the application by the `fetch` of the page, which says nothing of sessions, and return status and body."""
    status, json, headers = page.evaluate(FETCH, [method, path, body])
    readable = {name for name, value in headers if name in {ACCESS_HEADER, REFRESH_HEADER} and value}
    assert set() == readable, "a script could read a token"
    return status, json


def cookies(page: Page) -> set[tuple[str, str, bool]]:
    """Name, path and HttpOnly of each cookie of the browser."""
    return {(cookie["name"], cookie["path"], cookie["httpOnly"]) for cookie in page.context.cookies()}


def test_plain_fetch(page: Page, server: Server) -> None:
    """A page that knows of no header signs in, is known, refreshes and signs out; no script can read a token."""
    page.goto(f"{server.origin}/me")
    assert NO_SESSION == fetch(page, "GET", "/me")
    assert 403 == fetch(page, "POST", "/login", {"name": "ada", "password": "wrong"})[0]
    assert (200, {"user_id": "ada"}) == fetch(page, "POST", "/login", ADA)
    assert TOKENS == cookies(page)
    assert "ada" == fetch(page, "GET", "/me")[1]["user_id"]
    assert (200, {}) == fetch(page, "POST", REFRESH_PATH)
    assert "ada" == fetch(page, "GET", "/me")[1]["user_id"]
    assert (200, {"status": "OK"}) == fetch(page, "POST", SIGN_OUT_PATH)
    assert set() == cookies(page)
    assert NO_SESSION == fetch(page, "GET", "/me")


def test_try_it_out(page: Page, server: Server) -> None:
    """In `/docs`, "Try it out" of the login signs in, and that of a guarded route is let in."""
    serve_from(page, swagger())
    page.route("https://fastapi.tiangolo.com/**", lambda route: route.abort())
    page.goto(f"{server.origin}/docs")

    assert "200" == try_it_out(page, "post", "/login", '{"name": "ada", "password": "lovelace"}')
    assert TOKENS == cookies(page)
    assert "200" == try_it_out(page, "get", "/me")


def swagger() -> Path:
    """The folder of the npm package that `/docs` asks of a content delivery network. Skips the test if it is not there."""
    try:
        return npm_package(SWAGGER)
    except Missing as missing:
        pytest.skip(str(missing))


def serve_from(page: Page, folder: Path) -> None:
    """Return from *folder* what *page* asks of the content delivery network."""

    def answer(route: Route) -> None:
        route.fulfill(path=folder / route.request.url.rpartition("/")[2])

    page.route("https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/*", answer)


def try_it_out(page: Page, method: str, path: str, body: str | None = None) -> str:
    """Call an operation as a visitor of `/docs` does, and return the status that is shown."""
    operation = page.locator(f".opblock-{method}").filter(has=page.locator(f'[data-path="{path}"]'))
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    if body is not None:
        operation.locator("textarea").fill(body)
    operation.get_by_role("button", name="Execute").click()
    status = operation.locator(".live-responses-table .response-col_status")
    expect(status.last).to_have_text("200")
    return status.last.inner_text()


Creating = Annotated[CreateSession, Depends(create_session())]
FORM = '<form method="post" action="{action}"><button>Go</button></form>'


def forms_app(config: SessionConfig) -> FastAPI:
    """An application whose pages are forms and links, without a script."""
    app = FastAPI()
    install(app, config)

    @app.get("/", response_class=HTMLResponse)
    async def sign_in_page() -> str:
        return FORM.format(action="/sign-in")

    @app.post("/sign-in")
    async def sign_in(create: Creating) -> RedirectResponse:
        await create("ada")
        return RedirectResponse("/me", 303)

    @app.get("/callback")
    async def callback(state: str, create: Creating) -> RedirectResponse:
        assert "told-by-the-application" == state
        await create("ada")
        return RedirectResponse("/me", 303)

    @app.post("/form-post-callback")
    async def form_post_callback(create: Creating) -> RedirectResponse:
        await create("ada", method="cookie")
        return RedirectResponse("/me", 303)

    @app.get("/me")
    async def me(session: Annotated[Session, Depends(verify_session())]) -> str:
        return session.user_id

    return app


def other_site(origin: str) -> FastAPI:
    """Another site: one that users sign in at, and that could be anybody's."""
    app = FastAPI()

    @app.get("/authorize")
    async def authorize() -> RedirectResponse:
        return RedirectResponse(f"{origin}/callback?state=told-by-the-application", 303)

    @app.get("/form/{action}", response_class=HTMLResponse)
    async def form(action: str) -> str:
        return FORM.format(action=f"{origin}/{action}")

    return app


@pytest.fixture
def forms(tmp_path: Path) -> Iterator[Server]:
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with serve(
        lambda origin: forms_app(SessionConfig(api_domain=origin, website_domain=origin, store=store))
    ) as server:
        yield server


@pytest.fixture
def elsewhere(forms: Server) -> Iterator[Server]:
    with serve(lambda _: other_site(forms.origin), host="127.0.0.1") as server:
        yield server


def test_a_form(page: Page, forms: Server) -> None:
    """A form of the application's own page signs in, though the answer is a redirect."""
    page.goto(forms.origin)
    page.get_by_role("button").click()

    expect(page.locator("body")).to_have_text('"ada"')
    assert {ACCESS_COOKIE, REFRESH_COOKIE} == {name for name, _, _ in cookies(page)}


def test_a_form_in_a_local_network(page: Page, tmp_path: Path) -> None:
    """By plain http on an address, of which browsers say less, a form signs in too, whatever the configuration says."""
    config = SessionConfig(store=f"sqlite:///{tmp_path / 'sessions.db'}")
    with serve(lambda _: forms_app(config), host="app.test") as server:
        page.goto(server.origin)
        page.get_by_role("button").click()

        expect(page.locator("body")).to_have_text('"ada"')


def test_a_sign_in_elsewhere(page: Page, forms: Server, elsewhere: Server) -> None:
    """The callback to which a provider of another site sends its users back signs them in."""
    page.goto(f"{elsewhere.origin}/authorize")

    expect(page.locator("body")).to_have_text('"ada"')


def test_a_form_of_another_site(page: Page, forms: Server, elsewhere: Server) -> None:
    """A form of another site signs nobody in: else it could sign its visitors in as somebody else."""
    page.goto(f"{elsewhere.origin}/form/sign-in")
    page.get_by_role("button").click()

    expect(page.locator("body")).to_contain_text("unauthorised")
    assert set() == cookies(page)


def test_a_form_of_another_site_that_is_expected(page: Page, forms: Server, elsewhere: Server) -> None:
    """A route that says cookies gets them: a provider may send its users back by a form."""
    page.goto(f"{elsewhere.origin}/form/form-post-callback")
    page.get_by_role("button").click()

    expect(page.locator("body")).to_have_text('"ada"')
