"""What a stranger sends as a form: it is bounded, and a damaged one is no error of the server."""

from __future__ import annotations

import pytest
from starlette.types import Message, Receive, Scope, Send

pytest.importorskip("starlette_admin")

from fastapi_session.admin.pages.small_forms import SmallForms
from fastapi_session.testing import HandClock
from tests.admin.administered import ADMIN, engine_of
from tests.admin.pages.test_panel import PANEL, opened

URLENCODED = "application/x-www-form-urlencoded"
NAMELESS = b"--x\r\nContent-Disposition: form-data\r\n\r\nab\r\n--x--\r\n"

FORMS: dict[str, tuple[bytes, str, int]] = {
    "small": (b"a=b", URLENCODED, 403),
    "none": (b"", URLENCODED, 403),
    "as large as may be": (b"a=" + b"b" * 65_534, URLENCODED, 403),
    "a byte too large": (b"a=" + b"b" * 65_535, URLENCODED, 413),
    "many fields": (b"&".join(b"a%d=1" % number for number in range(2_000)), URLENCODED, 400),
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
    await SmallForms(pages)(scope, receive, send)

    assert 413 == sent[0]["status"]
    assert 5 == len(read)
