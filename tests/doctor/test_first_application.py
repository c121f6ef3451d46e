"""The application with which a newcomer begins: nothing is wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fastapi_session.doctor import Level
from fastapi_session.testing import findings_of
from tests.pages import run_examples


@pytest.fixture(params=["README.md", "docs/tutorial.md"])
def app(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    """The application of the page, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return run_examples(request.param).app  # type: ignore[no-any-return]


def test_it_starts_silently(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    """When it starts, and a user signs in, nothing is in the log at the level of warnings."""
    with TestClient(app, base_url="http://localhost:8000") as client:
        assert 200 == client.post("/login", json={"name": "ada", "password": "lovelace"}).status_code

    assert [] == [record.getMessage() for record in caplog.records if record.name.startswith("fastapi_session")]


def test_the_doctor_is_silent(app: FastAPI) -> None:
    """Neither is anything found in it before its first start, nor after it; what is to be done before others use it is a remark."""
    before = asyncio.run(findings_of(app))
    with TestClient(app, base_url="http://localhost:8000"):
        pass

    assert ((), ()) == (before, asyncio.run(findings_of(app)))
    assert {"FS016", "FS085"} <= {found.check.id for found in asyncio.run(findings_of(app, level=Level.INFO))}
