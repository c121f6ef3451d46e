"""What a stranger sends as a form: it is bounded, and a damaged one is no error of the server."""

from __future__ import annotations

from secrets import token_urlsafe

import pytest
from starlette.middleware import Middleware
from starlette.types import Message, Receive, Scope, Send

pytest.importorskip("starlette_admin")

from starlette_admin import BaseAdmin

from fastapi_session.admin.pages import BoundedForms, SessionAuth, session_views
from fastapi_session.testing import HandClock
from tests.admin.administered import ADMIN, ADMINS, application, engine_of
from tests.admin.pages.test_panel import PANEL, browser, opened

URLENCODED = "application/x-www-form-urlencoded"
NAMELESS = b"--x\r\nContent-Disposition: form-data\r\n\r\nab\r\n--x--\r\n"
FIELD = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n"

FORMS: dict[str, tuple[bytes, str, int]] = {
    "small": (b"a=b", URLENCODED, 403),
    "none": (b"", URLENCODED, 403),
    "as large as may be": (b"a=" + b"b" * 65_534, URLENCODED, 403),
    "a byte too large": (b"a=" + b"b" * 65_535, URLENCODED, 413),
    "many fields": (FIELD * 1_001 + b"--x--\r\n", "multipart/form-data; boundary=x", 400),
    "no text": (b"csrftoken=\xff\xfe", URLENCODED, 403),
    "no boundary": (b"x", "multipart/form-data", 400),
    "no parts": (b"garbage", "multipart/form-data; boundary=x", 400),
    "a part without a name": (NAMELESS, "multipart/form-data; boundary=x", 400),
}


@pytest.mark.parametrize("user", [None, ADMIN])
@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str, user: str | None) -> None:
    """Whoever sends it, signed in or not, gets a refusal that says nothing of what came."""
    body, kind, status = FORMS[form]
    with opened(engine_of(HandClock()), user=user) as client:
        response = client.post(f"{PANEL}/", content=body, headers={"content-type": kind})

    assert status == response.status_code
    assert "csrftoken=" not in response.text


def test_an_admin_of_ones_own() -> None:
    """An admin that has the views can have the bound too, a wider one if files are uploaded there."""
    app = application(engine_of(HandClock()))
    own = BaseAdmin(
        base_url="/own",
        secret_key=token_urlsafe(48),
        auth_provider=SessionAuth(ADMINS),
        middlewares=[Middleware(BoundedForms, largest=100_000)],
    )
    for view in session_views():
        own.add_view(view)
    own.mount_to(app)
    with browser(app) as client:
        headers = {"content-type": URLENCODED}
        found = [client.post("/own/", content=bytes(size), headers=headers).status_code for size in (100_000, 100_001)]

    assert [403, 413] == found


async def test_a_body_without_end() -> None:
    """No more of it is read than a form has, and the pages see nothing of it."""
    read, sent = [], []

    async def receive() -> Message:
        read.append(bytes(16_384))
        return {"type": "http.request", "body": read[-1], "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    async def pages(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    await BoundedForms(pages)(scope, receive, send)

    assert 413 == sent[0]["status"]
    assert 5 == len(read)
