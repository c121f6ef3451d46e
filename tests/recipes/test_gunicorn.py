"""Several workers are one application: whoever is signed in or out at one of them is so at all."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from httpx2 import Client

from tests.browser.waiting import until
from tests.conftest import place_of
from tests.recipes.serving import caller, commands_of, serving, write_application
from tests.wire import ACCESS_HEADER, AUTH_MODE, SIGN_OUT_PATH

PAGE = "docs/recipes/gunicorn.md"
GUNICORN, UVICORN = commands_of(PAGE)


@pytest.mark.parametrize(
    ("command", "kind"),
    [(f"{GUNICORN} --preload", "postgresql"), (UVICORN, "sqlite")],
    ids=["gunicorn", "uvicorn"],
)
def test_a_sign_out_is_heard_by_every_worker(
    command: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Two workers know the session, and after a sign-out at one of them both refuse it."""
    if "gunicorn" in command:
        pytest.importorskip("uvicorn_worker")
    store = place_of(kind, request).url
    write_application(PAGE, tmp_path)
    two = command.replace("--workers 4", "--workers 2")
    with serving(two, tmp_path, environment={"FASTAPI_SESSION_STORE": store}) as port, ExitStack() as opened:
        workers: dict[int, Client] = {}
        headers: dict[str, str] = {}

        def both_are_found() -> bool:
            """Ask on a connection of its own, which stays with the worker that took it."""
            client = opened.enter_context(caller(port))
            if not headers:
                token = client.post("/login", headers={AUTH_MODE: "header"}).headers[ACCESS_HEADER]
                headers["authorization"] = f"Bearer {token}"
            workers[client.get("/me", headers=headers).json()] = client
            return len(workers) == 2

        until(both_are_found)
        here, elsewhere = workers.values()
        assert 200 == here.post(SIGN_OUT_PATH, headers=headers).status_code
        assert 401 == here.get("/me", headers=headers).status_code
        until(lambda: elsewhere.get("/me", headers=headers).status_code == 401)
