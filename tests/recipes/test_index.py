"""The list of recipes: complete, and found by the words that people look for."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.pages import LINK, ROOT, TEXTS
from tests.recipes.running import INDEX, RECIPES, TESTS, recipe_of

PAGES = sorted(page.name for page in RECIPES.glob("*.md") if page != INDEX)
WORDS = {
    "logout": "sign-out",
    "log out": "index",
    "sign out": "sign-out",
    "sign out everywhere": "sign-out",
    "remember me": "index",
    "password": "password-change",
    "other devices": "index",
    "sudo": "sudo-mode",
    "step up": "sudo-mode",
    "re authentication": "sudo-mode",
    "sign up": "sign-up",
    "transaction": "sign-up",
    "roles database": "roles",
    "sqlalchemy": "roles",
    "role change": "change-roles",
    "background": "background-tasks",
    "httpx": "httpx",
    "google": "oauth",
    "openid connect": "oauth",
    "single sign on": "oauth",
    "github": "oauth",
    "fastapi users": "fastapi-users",
    "taskiq worker": "taskiq",
    "queue": "taskiq",
    "arq worker": "arq",
    "alembic autogenerate": "alembic",
    "sentry": "sentry",
    "fakeredis": "fakeredis",
    "tests": "index",
    "nginx root_path": "behind-nginx",
    "proxy_buffer_size": "behind-nginx",
    "caddy": "behind-caddy",
    "traefik": "behind-caddy",
    "docker compose": "docker",
    "gunicorn workers": "gunicorn",
    "hypercorn": "servers",
    "granian": "servers",
    "daphne": "servers",
    "sub domain cors": "api-on-a-sub-domain",
    "kubernetes probe": "kubernetes",
    "replicas": "kubernetes",
    "serverless lambda": "serverless",
    "aws": "serverless",
    "mcp agent": "mcp",
    "socket.io": "socketio",
    "graphql": "strawberry",
    "sqladmin": "admin-pages",
    "starlette admin": "admin-pages",
}
"""What somebody types into the search field, and the recipe that it must find."""


def test_every_recipe_is_tested() -> None:
    """Every recipe has a test module, and every test module its recipe."""
    modules = [recipe_of(path).removeprefix("docs/recipes/") for path in TESTS.glob("test_*.py")]

    assert sorted([*PAGES, INDEX.name]) == sorted(modules)


def test_every_recipe_is_listed() -> None:
    """The list of recipes leads to each of them, and so does the navigation, in the same order."""
    listed = [link for link in LINK.findall(TEXTS["docs/recipes/index.md"]) if "/" not in link]
    navigation = re.findall(r"recipes/(\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)

    assert sorted(PAGES) == sorted(listed)
    assert [INDEX.name, *listed] == navigation


SEPARATOR = re.compile(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["plugins"][0]["search"]["separator"])
MARKUP = re.compile(r"[`*|#]")


@pytest.mark.parametrize(("words", "recipe"), WORDS.items())
def test_search_finds_it(words: str, recipe: str) -> None:
    """The search field finds a recipe by what it is called elsewhere: each word begins one that stands on the page.

    The index of the built pages is these texts without their markup, cut into words where the settings say, as what is typed is.
    """
    found = {each.lower() for each in SEPARATOR.split(MARKUP.sub("", TEXTS[f"docs/recipes/{recipe}.md"]))}

    assert [] == [word for word in SEPARATOR.split(words) if not any(each.startswith(word) for each in found)]
