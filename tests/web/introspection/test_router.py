"""The endpoints for services: what comes in, where they are, and what is written of them."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.testclient import TestClient

from fastapi_session import Sessions, introspection_router
from fastapi_session.testing import HandClock
from fastapi_session.web.form_body import FORM, LARGEST_BODY, MOST_FIELDS
from tests.engines import engine
from tests.web.asgi import ask
from tests.web.deployment import application
from tests.web.frames import PACKAGE, of_access_token, of_refresh_token, pieces, printed
from tests.web.introspection.service import (
    DONE,
    ID,
    INTROSPECTION,
    REVOCATION,
    SECRET,
    Service,
    asked,
    begun,
)
from tests.web.introspection.test_clients import basic

TOKEN = "never-to-be-seen-again-0123456789"

BODIES: dict[str, tuple[str, str | bytes]] = {
    "nothing": (FORM, b""),
    "another field": (FORM, f"tokens={TOKEN}"),
    "no value": (FORM, f"token=&x={TOKEN}"),
    "no pair": (FORM, f"token&{TOKEN}"),
    "twice": (FORM, f"token={TOKEN}&token={TOKEN}"),
    "another one twice": (FORM, f"token={TOKEN}&token_type_hint=a&token_type_hint=b"),
    "JSON": ("application/json", f'{{"token": "{TOKEN}"}}'),
    "no type": ("", f"token={TOKEN}"),
    "text": ("text/plain", f"token={TOKEN}"),
    "multipart": ("multipart/form-data; boundary=x", f"--x\r\n\r\n{TOKEN}"),
    "no ASCII": (FORM, TOKEN.encode() + b"\xff"),
    "too large": (FORM, f"token={TOKEN}&x=" + "x" * LARGEST_BODY),
    "too many": (FORM, f"token={TOKEN}" + "".join(f"&x{each}=1" for each in range(MOST_FIELDS))),
    "a secret": (FORM, f"token={TOKEN}&client_id={ID}&client_secret={SECRET}"),
    "an assertion": (FORM, f"token={TOKEN}&client_assertion=x"),
    "another client": (FORM, f"token={TOKEN}&client_id=other"),
    "no value and no sign": (FORM, f"token={TOKEN}&client_secret"),
}
"""What is no form with one token, or says who asks in two ways."""


@pytest.mark.parametrize("path", [INTROSPECTION, REVOCATION])
@pytest.mark.parametrize("body", BODIES)
def test_what_is_no_request(body: str, path: str, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever else comes is refused as OAuth refuses, and nothing of it is repeated or logged."""
    caplog.set_level(logging.DEBUG, "fastapi_session")
    media_type, content = BODIES[body]
    response = service.deployment.client.post(
        path, content=content, headers={"content-type": media_type, "authorization": basic(f"{ID}:{SECRET}")}
    )

    assert (400, "no-store") == (response.status_code, response.headers["cache-control"])
    assert {"error", "error_description"} == {*response.json()}
    assert "invalid_request" == response.json()["error"]
    assert not [each for each in (TOKEN, SECRET) if each in response.text + caplog.text]


def test_other_fields(service: Service) -> None:
    """What else a form has, and how its type is written, does not count; the id of the client may be there too."""
    body = f"token={begun(service).tokens.access_token}&state=%C3%A4&client_id={ID}"
    response = service.deployment.client.post(
        INTROSPECTION,
        content=body,
        headers={"content-type": f"{FORM.upper()}; charset=UTF-8", "authorization": basic(f"{ID}:{SECRET}")},
    )

    assert (200, True) == (response.status_code, response.json()["active"])


@pytest.mark.parametrize(
    "beside",
    ["token=", "client_secret=", "client_id=", "client_assertion=", "token_type_hint=&token_type_hint=access_token"],
)
def test_parameters_without_a_value(beside: str, service: Service) -> None:
    """They count as omitted (RFC 6749, section 3.2), so they make no second token, and no second way to say who asks."""
    issued = begun(service)
    token = f"token={issued.tokens.access_token}"
    told = [service.post(INTROSPECTION, body) for body in (f"{token}&{beside}", f"{beside}&{token}")]
    ended = service.post(REVOCATION, f"{beside}&{token}")

    assert [(200, True)] * 2 == [(each.status_code, each.json()["active"]) for each in told]
    assert (*DONE, []) == (ended.status_code, ended.content, service.deployment.users("ada"))


@pytest.mark.parametrize("path", [INTROSPECTION, REVOCATION])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods(method: str, path: str, service: Service) -> None:
    """A token in a URL would be in logs by now; the response says how to send it, and does not repeat it."""
    headers = {"authorization": basic(f"{ID}:{SECRET}")}
    issued = begun(service)
    url = f"{path}?token={issued.tokens.access_token}"
    response = service.deployment.client.request(method, url, headers=headers)

    assert (405, "POST", "no-store") == (
        response.status_code,
        response.headers["allow"],
        response.headers["cache-control"],
    )
    assert ("invalid_request" in response.text) == (method != "HEAD")
    assert 1 == len(service.deployment.users("ada"))


def test_a_token_in_the_url(service: Service) -> None:
    """It does not count, by POST either."""
    token = begun(service).tokens.access_token

    assert [400, 400] == [
        service.post(f"{each}?token={token}", "x=1").status_code for each in (INTROSPECTION, REVOCATION)
    ]
    assert 1 == len(service.deployment.users("ada"))


async def test_a_sender_that_hangs_up(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Half a form is no form."""
    half = {"type": "http.request", "body": b"token=", "more_body": True}
    coming: list[dict[str, Any]] = [half, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    headers = {"content-type": FORM, "authorization": basic(f"{ID}:{SECRET}")}
    response = await ask(service.deployment.app, "POST", REVOCATION, headers, receive=receive)

    assert (400, []) == (response.status_code, [each for each in caplog.records if each.levelno > logging.DEBUG])


async def test_nobody_makes_it_read(service: Service) -> None:
    """The body of who is no client is not read."""

    async def receive() -> Any:
        raise AssertionError("it was read")

    response = await ask(service.deployment.app, "POST", REVOCATION, {"content-type": FORM}, receive=receive)

    assert 401 == response.status_code


def test_no_page_sends_it(sessions: Sessions, clock: HandClock) -> None:
    """A page of another site is told nothing of it, and its browser's cookies are nothing here."""
    with asked(sessions, clock) as service:
        held = service.deployment.login()
        page = {"origin": "https://elsewhere.example", "sec-fetch-site": "cross-site", **held.to_refresh()}
        response = service.post(REVOCATION, {"token": held.refresh}, authorization="", **page)
        assert 401 == response.status_code
        assert "access-control-allow-origin" not in response.headers
        assert 200 == service.deployment.get("/me", held.to_call()).status_code


@pytest.mark.parametrize("left_out", ["introspect", "revoke"])
def test_one_endpoint(left_out: str, sessions: Sessions, clock: HandClock) -> None:
    """Who only asks need not be able to end anything, and each endpoint can be for clients of its own."""
    with asked(sessions, clock, **{left_out: False}) as service:
        seen = [service.deployment.client.post(each).status_code for each in (INTROSPECTION, REVOCATION)]

    assert [401, 404] == (seen if left_out == "revoke" else seen[::-1])


def test_it_is_in_the_document(service: Service) -> None:
    """The OpenAPI document has the form, how a client authenticates, and what is returned."""
    document = service.deployment.get("/openapi.json").json()
    operations = [document["paths"][each]["post"] for each in (INTROSPECTION, REVOCATION)]

    for operation in operations:
        assert [FORM] == [*operation["requestBody"]["content"]]
        assert {"200", "400", "401", "503"} == {*operation["responses"]}
        assert [{"ServiceClient": []}] == operation["security"]
    assert ["post"] == [*document["paths"][INTROSPECTION]]
    assert "basic" == document["components"]["securitySchemes"]["ServiceClient"]["scheme"]
    schema = operations[0]["responses"]["200"]["content"]["application/json"]["schema"]
    assert {"active", "sub", "sid", "cnf", "act"} <= {*schema["properties"]}


def test_beside_other_middleware(sessions: Sessions) -> None:
    """Behind CORS for the pages of the application, and in an application that is mounted: it is where it was included."""
    inner, outer = application(sessions), FastAPI()
    inner.include_router(introspection_router({ID: SECRET}))
    inner.add_middleware(CORSMiddleware, allow_origins=["https://page.example"], allow_credentials=True)
    outer.mount("/v1", inner)
    with ExitStack() as stack:
        client = stack.enter_context(TestClient(outer))
        responses = [
            client.post(f"/v1{INTROSPECTION}", data={"token": "x"}, auth=(ID, SECRET)),
            client.post(INTROSPECTION, data={"token": "x"}, auth=(ID, SECRET)),
        ]

    assert [200, 404] == [each.status_code for each in responses]


@pytest.mark.parametrize(("path", "kind"), [(INTROSPECTION, "access"), (REVOCATION, "access"), (REVOCATION, "refresh")])
def test_what_an_error_reporter_sees(kind: str, path: str, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame of this package has the token or the secret in a variable, when something fails that nobody designed."""
    issued = begun(service)
    token = issued.tokens.access_token if kind == "access" else str(issued.tokens.refresh_token)
    secrets = pieces(SECRET) | (of_access_token(token) if kind == "access" else of_refresh_token(token))
    seen: list[tuple[str, str]] = []

    async def mishap(*_: Any, **__: Any) -> None:
        frame = sys._getframe(1)
        while frame is not None:
            if str(PACKAGE) in frame.f_code.co_filename:
                for name, value in frame.f_locals.items():
                    seen.append((f"{frame.f_code.co_qualname} {name}", "\n".join(printed(value))))
            frame = frame.f_back  # type: ignore[assignment]
        raise RuntimeError("a mishap")

    monkeypatch.setattr(service.deployment.sessions.store, "get", mishap)
    response = service.deployment.client.post(path, data={"token": token}, auth=(ID, SECRET))
    leaks = {place for place, text in seen if any(piece in text for piece in secrets)}

    assert (500, set()) == (response.status_code, leaks)
    assert {"told text", "end text"} & {place for place, _ in seen}


def test_the_store_is_asked_once(clock: HandClock) -> None:
    """To ask about an access token costs one reading of its session, and a made-up one none."""
    sessions = engine(clock)
    with asked(sessions, clock) as service:
        issued, reads = begun(service), list[str]()
        store, get = sessions.store, sessions.store.get

        async def counting(session_id: str) -> Any:
            reads.append(session_id)
            return await get(session_id)

        store.get = counting  # type: ignore[method-assign]
        service.told(issued.tokens.access_token)
        service.told("x.y.z")

    assert [issued.access_token.session_id] == reads
