"""How the client of a page is served; what it does is tried in a browser, by tests/browser/test_client_script.py."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fastapi_session import session_router
from fastapi_session.web.client_script import FOLDER, client_file

LARGEST = 2_048


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(session_router(client=True))
    with TestClient(app) as client:
        yield client


def test_it_is_small() -> None:
    """The script costs a page two kilobytes at most, as a server sends it."""
    assert len(gzip.compress(client_file("client.js"), 9)) <= LARGEST


def test_it_is_readable_as_served() -> None:
    """The script is served line for line as it stands in the package; comments alone are left out."""
    served = client_file("client.js").decode().splitlines()
    source = iter((FOLDER / "client.js").read_text("utf-8").splitlines())

    assert all(line in source for line in served)
    assert not [line for line in served if line.lstrip().startswith(("/*", "*"))]


def members(interface: str) -> set[str]:
    """What the types say that an *interface* has."""
    declared = re.search(
        rf"interface {interface} \{{\n(.*?)^\}}", client_file("client.d.ts").decode(), re.DOTALL | re.MULTILINE
    )
    assert declared is not None
    return set(re.findall(r"^  (?:readonly )?(\w+)[?:(]", declared[1], re.MULTILINE))


def test_types_are_those_of_the_script() -> None:
    """The types name every option that the script takes and everything that it gives, and nothing else."""
    script = client_file("client.js").decode()
    options, given = (
        re.search(r"createSession\(\{ (.*) \} = \{\}\)", script),
        re.search(r"  return \{\n(.*?)^  \};", script, re.DOTALL | re.MULTILINE),
    )
    assert options is not None
    assert given is not None

    assert members("SessionOptions") == {option.split(" ")[0] for option in options[1].split(", ")}
    assert members("Session") == set(re.findall(r"^    (?:get )?(\w+)", given[1], re.MULTILINE))


def test_types_keep_their_words() -> None:
    """What the types say of each option is for an editor to show, and stays."""
    assert (FOLDER / "client.d.ts").read_bytes() == client_file("client.d.ts")


@pytest.mark.parametrize(("name", "media_type"), [("client.js", "text/javascript"), ("client.d.ts", "text/plain")])
def test_it_is_served_to_any_page(name: str, media_type: str, client: TestClient) -> None:
    """Script and types may be imported by pages of any origin."""
    response = client.get(f"/auth/{name}")

    assert (200, client_file(name)) == (response.status_code, response.content)
    assert f"{media_type}; charset=utf-8" == response.headers["content-type"]
    assert "*" == response.headers["access-control-allow-origin"]


def test_it_is_asked_for_again_only_when_it_changed(client: TestClient) -> None:
    """A browser that has the script is told so by an empty answer, through a proxy that compresses too."""
    first = client.get("/auth/client.js")
    known = [first.headers["etag"], f"W/{first.headers['etag']}", '"another"']
    answers = [client.get("/auth/client.js", headers={"if-none-match": each}) for each in known]

    assert "public, no-cache" == first.headers["cache-control"]
    assert [(304, b""), (304, b""), (200, first.content)] == [(each.status_code, each.content) for each in answers]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (version("fastapi-session-auth"), "public, max-age=31536000, immutable"),
        ("0.0.0", "public, no-cache"),
        ("", "public, no-cache"),
    ],
)
def test_its_version_is_kept_for_good(asked: str, expected: str, client: TestClient) -> None:
    """Who names the installed version is given it for good; of another, nothing is kept under its name."""
    assert expected == client.get(f"/auth/client.js?v={asked}").headers["cache-control"]


def test_it_is_served_on_demand_alone() -> None:
    """An application that did not ask for the client serves none, and no document mentions it."""
    app = FastAPI()
    app.include_router(session_router())

    assert 404 == TestClient(app).get("/auth/client.js").status_code
    assert not [path for path in app.openapi()["paths"] if "client" in path]
