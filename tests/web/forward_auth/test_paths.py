"""Which paths a rule can be about, and what is below what."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.web.forward_auth.paths import is_below, read_path


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/a?x=/../b&y=%2f", "/a"),
        ("/a?x#/../b", "/a"),
        ("/%61dmin", "/admin"),
        ("/gr%C3%BC%C3%9Fe", "/gr\u00fc\u00dfe"),
        ("/a.b/..c/d..", "/a.b/..c/d.."),
        ("/a%20b+c@d:e", "/a b+c@d:e"),
    ],
)
def test_read(target: str, path: str) -> None:
    """A path is decoded once, without its query."""
    assert path == read_path(target)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "a",
        "*",
        "//a",
        "/a//b",
        "/a/../b",
        "/a/./b",
        "/..",
        "/a/..?x",
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a/..%2fb",
        "/a/%252e%252e/b",
        "/a%252fb",
        "/a%25",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a#",
        "/a#/../b",
        "/a#?/../b",
        "/a;b",
        "/public/..;/admin",
        "/a%3bb",
        "/a%00",
        "/a%0a",
        "/a%7f",
        "/a%ff",
        "/a b",
        "/a\n",
        "/\u00fc",
        "http://a/b",
    ],
)
def test_refused(target: str) -> None:
    """What two servers may read differently is refused."""
    assert read_path(target) is None


@given(st.text())
def test_what_is_read_is_read_once(text: str) -> None:
    """Whatever is read has nothing left that could be read again."""
    path = read_path(f"/{quote(text, safe='/%;.', errors='replace')}")

    assert path is None or ("%" not in path and "//" not in path and not {".", ".."} & {*path.split("/")})


@pytest.mark.parametrize(
    ("path", "prefix", "below"),
    [
        ("/app", "/app", True),
        ("/app/", "/app", True),
        ("/app/x", "/app", True),
        ("/apple", "/app", False),
        ("/", "/app", False),
        ("/App", "/app", False),
        ("/app", "/app/", True),
        ("/app/x", "/app/", True),
        ("/apple", "/app/", False),
        ("/x", "/", True),
        ("/", "/", True),
    ],
)
def test_below(path: str, prefix: str, below: bool) -> None:
    """A path is below a prefix by whole segments."""
    assert below == is_below(path, prefix)
