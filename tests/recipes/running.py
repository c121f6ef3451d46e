"""Recipes, and what drives them: `docs/recipes/sign-up.md` is tested by `test_sign_up.py`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from fastapi.testclient import TestClient

from tests.pages import DOCS
from tests.wire import AUTH_MODE

RECIPES = DOCS / "recipes"
INDEX = RECIPES / "index.md"
TESTS = Path(__file__).parent


def recipe_of(module: Path) -> str:
    """Return the name of the page, as `tests.pages` knows it, that a test *module* is named after."""
    return f"docs/recipes/{module.stem.removeprefix('test_').replace('_', '-')}.md"


def device(page: ModuleType) -> TestClient:
    """A client of the recipe's application with cookies of its own, as a browser has them.

    In a `with` it starts the application too, and ends it.
    """
    return TestClient(page.app, headers={AUTH_MODE: "cookie", "rid": "anti-csrf"})
