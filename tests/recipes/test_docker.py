"""What can be tried of an image without building it: its files fit together, and its commands run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml

from fastapi_session import SessionConfig
from tests.pages import examples_of
from tests.recipes.serving import PORT, caller, serving, write_application
from tests.wire import AUTH_MODE

PAGE = "docs/recipes/docker.md"
(REQUIREMENTS,) = examples_of(PAGE, "text")
INSTRUCTIONS = [line.split(" ", 1) for line in examples_of(PAGE, "dockerfile")[0].splitlines()]
COMPOSE: dict[str, Any] = yaml.safe_load(examples_of(PAGE, "yaml")[0])
SERVICE = COMPOSE["services"]["app"]


def all_of(name: str) -> list[str]:
    """Return the arguments of each instruction *name* of the Dockerfile."""
    return [arguments for instruction, arguments in INSTRUCTIONS if instruction == name]


def environment() -> dict[str, str]:
    """The settings of the container, which image and compose file give it together."""
    of_image = dict(each.split("=", 1) for each in all_of("ENV"))
    return {**of_image, **SERVICE["environment"], "FASTAPI_SESSION_SECRET": os.environ["FASTAPI_SESSION_SECRET"]}


def test_the_commands_run(tmp_path: Path) -> None:
    """The server that the container starts signs in, its health check passes, and both use the port that is exposed."""
    write_application(PAGE, tmp_path)
    (start,), (check,) = all_of("CMD"), all_of("HEALTHCHECK")
    settings = {name: value.replace("/data", str(tmp_path)) for name, value in environment().items()}
    with serving(shlex.join(json.loads(start)), tmp_path, environment=settings) as port:
        python, *arguments = json.loads(check.removeprefix("CMD ").replace(PORT, str(port)))
        assert "python" == python
        healthy = subprocess.run([sys.executable, *arguments], check=False)
        with caller(port) as client:
            cookies = client.post("/login", headers={AUTH_MODE: "cookie"}).headers.get_list("set-cookie")

    assert 0 == healthy.returncode
    assert [True, True] == ["Secure" in cookie for cookie in cookies]
    assert (tmp_path / "sessions.db").exists()


def is_there(package: str, extra: str | None) -> bool:
    """Return whether there is such a *package*, with the *extra* if one is named."""
    found = distribution(package)
    return bool(found.files) and extra in {None, *found.metadata.get_all("Provides-Extra", [])}


def test_the_files_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are settings, the port is published, the file of the sessions lies in the volume, every package is one."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    (port,) = all_of("EXPOSE")
    (volume,) = [each.split(":") for each in SERVICE["volumes"]]

    assert ("https://example.com", "sqlite:////data/sessions.db") == (
        (config := SessionConfig()).api_domain,
        config.store,
    )
    assert [f"127.0.0.1:{port}:{port}"] == SERVICE["ports"]
    assert [*COMPOSE["volumes"], "/data"] == volume
    assert ["requirements.txt .", "main.py ."] == all_of("COPY")
    wanted = [re.fullmatch(r"([\w-]+)(?:\[(\w+)\])?", each) for each in REQUIREMENTS.split()]
    assert [] == [each for each in wanted if not (each and is_there(each[1], each[2]))]
    assert PORT == port
