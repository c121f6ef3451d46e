"""The JavaScript of the documentation, run in a real browser against the Python of the same page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.server import Server, serve
from tests.pages import examples_of, run_examples

PAGE = "docs/browser-client.md"
FIRST, ENDING, STEPPING_UP = examples_of(PAGE, "js")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.chdir(tmp_path)
    with serve(lambda _: run_examples(PAGE).app) as server:
        yield server


def run(page: Page, server: Server, example: str) -> list[str]:
    """Run *example* in the application's page, and return what it has told the console."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "log" else None)
    page.on("dialog", lambda dialog: dialog.accept("1234"))
    page.goto(server.origin)
    page.evaluate(f"async () => {{ {example} }}")
    return said


def test_a_call(page: Page, server: Server) -> None:
    """The page learns who is signed in."""
    assert "ada ada" == run(page, server, FIRST)[0].rpartition(" ")[0]


def test_an_end(page: Page, server: Server) -> None:
    """The page goes where its example says when the session is over."""
    with page.expect_navigation(url=f"{server.origin}/"):
        page.goto(f"{server.origin}/me")
        page.evaluate(f"async () => {{ {ENDING} }}")

    assert [] == page.context.cookies()


def test_more_proof(page: Page, server: Server) -> None:
    """The user is asked for a PIN, and the vault opens."""
    assert ["ada may see this"] == run(page, server, STEPPING_UP)


def test_the_tutorial(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script of the tutorial knows who has signed in by plain `fetch`."""
    monkeypatch.chdir(tmp_path)
    (example,) = examples_of("docs/tutorial.md", "js")
    sign_in = """fetch("/login", { method: "POST", headers: { "content-type": "application/json" },
                   body: JSON.stringify({ name: "ada", password: "lovelace" }) })"""
    with serve(lambda _: run_examples("docs/tutorial.md").app) as server:
        page.goto(server.origin)
        page.evaluate(sign_in)
        assert "ada" == page.evaluate(f"async () => {{ {example} return me.json(); }}")["user_id"]
