"""The page on command lines and services does what it says, against the application of the README."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.browser.server import serve
from tests.pages import run_examples
from tests.wire import SIGN_OUT_PATH


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run of the command line goes on with the tokens of the first, which nobody else can read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    page = run_examples("docs/python-client.md")
    with serve(lambda _: run_examples("README.md").app) as server:
        assert ["ada", "ada"] == [page.main(server.origin) for _ in range(2)]
        assert 1 == len([line for line in server.answers if "/login" in line])
        assert "0o600" == oct(page.FILE.stat().st_mode & 0o777)
        with page.client(server.origin) as api:
            api.post(SIGN_OUT_PATH)
        assert not page.FILE.exists()
        assert ["ada"] * 20 == asyncio.run(page.serve(server.origin))
