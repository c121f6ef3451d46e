"""Where the secret comes from, and who else has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.deployments import settings_found
from tests.engines import NEW_SECRET, SECRET

LOCAL = "http://localhost:8000"


def test_a_key_file(tmp_path: Path) -> None:
    """The file that has the secret if nobody chose one is FS081; on this machine alone a remark, FS085. Looking does not make it."""
    backend = "http://backend:8000"
    options = {"store": f"sqlite:///{tmp_path}/x.db", "api_domain": backend, "website_domain": backend}
    local = {**options, "api_domain": LOCAL, "website_domain": LOCAL}

    assert [("FS081", f"{tmp_path}/x.db.secret")] == settings_found(**options, secret=None)
    assert [("FS085", f"{tmp_path}/x.db.secret")] == settings_found(**local, secret=None)
    assert [] == settings_found(**options)
    assert [] == settings_found(**{**options, "store": "memory:"}, secret=None)
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["DJANGO_SECRET_KEY", "FLASK_SECRET_KEY"])
def test_the_secret_of_something_else(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is another system's by its name, and has the same secret, is FS082."""
    monkeypatch.setenv(name, SECRET)
    assert [("FS082", f"the variable {name}")] == settings_found()

    monkeypatch.setenv(name, NEW_SECRET)
    assert [] == settings_found()


def test_a_variable_of_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """`SECRET_KEY` may be where the application reads its secret, unless there is a variable for that beside it."""
    monkeypatch.setenv("SECRET_KEY", SECRET)
    assert [] == settings_found()

    monkeypatch.setenv("FASTAPI_SESSION_SECRET", SECRET)
    assert [("FS082", "the variable SECRET_KEY")] == settings_found()


def test_an_earlier_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier secret, which still reads tokens, counts as well; an empty variable is no secret."""
    monkeypatch.setenv("DJANGO_SECRET_KEY", "")
    monkeypatch.setenv("FLASK_SECRET_KEY", SECRET)

    assert [("FS082", "the variable FLASK_SECRET_KEY")] == settings_found(secret=[NEW_SECRET, SECRET])
