"""The documentation tells the truth: its examples run, its lists are complete, its links lead somewhere."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from fastapi.testclient import TestClient

import fastapi_session
from fastapi_session import SessionConfig, errors
from fastapi_session.core.rotation import Verdict

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")

Run = Callable[[Path], ModuleType]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the Python examples of a page one after the other, as one module, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run_page(page: Path) -> ModuleType:
        module = ModuleType(page.stem.replace("-", "_"))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        text = page.read_text("utf-8")
        for example in EXAMPLE.finditer(text):
            source = "\n" * text.count("\n", 0, example.start(1)) + example[1]
            exec(compile(source, str(page), "exec", dont_inherit=True), vars(module))
        return module

    return run_page


def mentions(page: str, names: set[str]) -> set[str]:
    """Which of *names* stand on the *page* as code."""
    code = set(
        re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`|^::: .*$", (DOCS / page).read_text("utf-8"), re.MULTILINE)))
    )
    return names & code


@pytest.mark.parametrize(
    "page", [page for page in PAGES if EXAMPLE.search(page.read_text("utf-8"))], ids=lambda page: page.stem
)
def test_examples_run(page: Path, run: Run) -> None:
    """The Python examples of every page run from top to bottom."""
    run(page)


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "tutorial.md"], ids=lambda page: page.stem)
def test_the_application_works(page: Path, run: Run) -> None:
    """The application that a newcomer copies signs in, recognises its user, refreshes and signs out."""
    with TestClient(run(page).app, headers={"st-auth-mode": "cookie", "rid": "anti-csrf"}) as client:
        assert 401 == client.get("/me").status_code
        assert 401 == client.post("/login", json={"name": "ada", "password": "wrong"}).status_code
        assert 200 == client.post("/login", json={"name": "ada", "password": "lovelace"}).status_code
        assert "ada" == client.get("/me").json()["user_id"]
        assert 200 == client.post("/auth/session/refresh").status_code
        assert "ada" == client.get("/me").json()["user_id"]
        assert {"status": "OK"} == client.post("/auth/signout").json()
        assert 401 == client.get("/me").status_code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of every page leads to a file."""
    links = LINK.findall(page.read_text("utf-8"))

    assert [] == [link for link in links if not (page.parent / link).exists()]


def test_every_setting_is_documented() -> None:
    """The page on configuration tells of every setting, and of no other."""
    headings = re.findall(r"^### `(\w+)`$", (DOCS / "configuration.md").read_text("utf-8"), re.MULTILINE)

    assert sorted(SessionConfig.model_fields) == sorted(headings)


def test_defaults_are_documented() -> None:
    """Where a setting's default is a text or a number, the page on configuration gives it."""
    defaults = {
        name: json.dumps(field.default)
        for name, field in SessionConfig.model_fields.items()
        if type(field.default) in {str, int, float}
    }
    told = dict(
        re.findall(r"^### `(\w+)`\n\nDefault: `(.+?)`", (DOCS / "configuration.md").read_text("utf-8"), re.MULTILINE)
    )

    assert defaults == {name: told.get(name) for name in defaults}


def test_every_public_name_is_documented() -> None:
    """The reference shows every public name."""
    names = set(fastapi_session.__all__)

    assert names == mentions("reference.md", names)


def test_every_error_is_documented() -> None:
    """The page on errors tells of every error, with its code."""
    known = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)}
    names = {each.__name__ for each in known} | {each.code for each in known if hasattr(each, "code")}

    assert names == mentions("errors.md", names)


def test_every_verdict_is_documented() -> None:
    """The page on theft detection tells of every row of the rotation table."""
    verdicts = {verdict.value for verdict in Verdict}

    assert verdicts == mentions("theft-detection.md", verdicts)


def test_every_decision_is_listed() -> None:
    """The list of decisions links each of them."""
    decisions = {page.name for page in (DOCS / "decisions").glob("[0-9]*.md")}

    assert decisions == set(LINK.findall((DOCS / "decisions" / "index.md").read_text("utf-8")))
