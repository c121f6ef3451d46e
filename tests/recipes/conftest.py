"""A test module of this folder has the recipe that it is named after, as a reader runs it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fastapi.testclient import TestClient

from tests.pages import run_examples
from tests.recipes.running import device, recipe_of


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give an empty folder, and a secret in the environment. A module that needs more there has an autouse fixture too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", secrets.token_urlsafe(48))


@pytest.fixture
def page(request: pytest.FixtureRequest) -> ModuleType:
    """The Python of the recipe, as the one module that a reader makes of it."""
    return run_examples(recipe_of(request.path))


@pytest.fixture
def client(page: ModuleType) -> Iterator[TestClient]:
    """A browser at the recipe's application, which runs."""
    with device(page) as client:
        yield client
