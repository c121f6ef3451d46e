"""Step-up as a client meets it: the challenge, the status that each kind of client understands, and the new session's tokens."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.responses import RedirectResponse, StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from fastapi_session import (
    Acr,
    AnyOf,
    Authentication,
    ConfigurationError,
    CreateSession,
    Factor,
    Fresh,
    PayloadRule,
    Session,
    SessionConfig,
    Sessions,
    StepUpRequired,
    create_session,
    verify_session,
)
from fastapi_session.errors import AuthenticationFailure
from fastapi_session.testing import HandClock, auto_refresh, sign_in
from fastapi_session.web.step_up import challenge_headers
from tests.engines import engine
from tests.moments import MINUTE, PAST_GRACE, SECOND
from tests.web.conftest import Deploy
from tests.web.deployment import CROSS_SITE, Deployment, Verified, deployed
from tests.web.wire import KEPT, NEW, TRY_REFRESH_TOKEN, UNAUTHORISED, Held, change, exposed
from tests.wire import AUTH_MODE

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
CHALLENGE = re.compile(rf"({TOKEN}) +((?:{TOKEN}[ \t]*=[ \t]*(?:{TOKEN}|{QUOTED})(?:[ \t]*,[ \t]*(?=\S)|$))+)")
PARAMETER = re.compile(rf"({TOKEN})[ \t]*=[ \t]*({TOKEN}|{QUOTED})")


def read_challenge(value: str) -> tuple[str, dict[str, str]]:
    """Return the scheme and the parameters of the one challenge in *value*, by RFC 9110, sections 5.6.2, 5.6.4 and 11.3."""
    found = CHALLENGE.fullmatch(value)
    assert found is not None, value
    pairs = PARAMETER.findall(found[2])
    assert len({name.lower() for name, _ in pairs}) == len(pairs), "each parameter once"
    return found[1], {
        name: re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text for name, text in pairs
    }


class Claims(BaseModel):
    plan: str


ROUTES = APIRouter()
"""Made once: what FastAPI finds out of each route takes it longer than a request."""


@ROUTES.post("/sign-in")
async def _sign_in(create: Annotated[CreateSession, Depends(create_session())]) -> None:
    await create(
        "ada",
        access_token_payload={"plan": "pro"},
        session_data={"basket": 1},
        authentication=Authentication(("pwd",), acr="aal1"),
    )


@ROUTES.post("/sudo")
async def _sudo(session: Verified, *, factor: str = "pwd", acr: str | None = None) -> dict[str, Any]:
    await session.elevate(factor, acr=acr)
    return {"handle": session.handle, "data": await session.get_session_data()}


@ROUTES.get("/fresh")
async def _fresh(session: Annotated[Session, Depends(verify_session(Fresh(minutes=5)))]) -> list[str]:
    assert session.authenticated_at is not None
    return [*session.factors, session.acr or "-", session.authenticated_at.isoformat()]


@ROUTES.get("/high")
async def _high(_: Annotated[Session, Depends(verify_session(Acr("aal2"), Fresh(minutes=5)))]) -> None: ...


@ROUTES.get("/typed")
async def _typed(
    session: Annotated[Session[Claims, Any], Depends(verify_session(Factor("otp"), payload=Claims))],
) -> str:
    return session.claims.plan


@ROUTES.get("/asserted")
async def _asserted(session: Verified) -> None:
    await session.assert_claims(AnyOf(Factor("hwk"), Factor("otp", within=MINUTE)))


@ROUTES.get("/with-role")
async def _with_role(
    _: Annotated[
        Session, Depends(verify_session(Fresh(minutes=5), PayloadRule("role", lambda payload: "role" in payload)))
    ],
) -> None: ...


@ROUTES.get("/stream")
async def _stream(session: Annotated[Session, Depends(verify_session(Factor("otp")))]) -> StreamingResponse:
    async def words() -> AsyncIterator[str]:
        yield "hello"

    return StreamingResponse(session.while_alive(words()))


@ROUTES.post("/too-late")
async def _too_late(session: Verified) -> StreamingResponse:
    async def words() -> AsyncIterator[str]:
        try:
            await session.elevate("pwd")
        except ConfigurationError as error:
            yield str(error)

    return StreamingResponse(words())


@ROUTES.websocket("/socket")
async def _socket(websocket: WebSocket, session: Annotated[Session, Depends(verify_session(Fresh(minutes=5)))]) -> None:
    await websocket.accept()
    await websocket.send_text(session.user_id)
    await websocket.receive_text()


@ROUTES.websocket("/asked-later")
async def _asked_later(websocket: WebSocket, session: Verified) -> None:
    await websocket.accept()
    await session.assert_claims(Factor("otp"))


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock)


@pytest.fixture
def app(app: FastAPI) -> FastAPI:
    app.include_router(ROUTES)
    return app


def signed_in(deployment: Deployment, method: str = "header") -> Held:
    return Held.of(deployment.post("/sign-in", {AUTH_MODE: method}), method)


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_sudo(method: str, deployment: Deployment) -> None:
    """A dangerous action asks for the password once it is too old; with that the session goes on under new tokens."""
    held = signed_in(deployment, method)
    assert 200 == deployment.get("/fresh", held.to_call()).status_code
    deployment.clock.advance(5 * MINUTE + SECOND)
    held = deployment.refreshed(held)
    refused = deployment.get("/fresh", held.to_call())
    assert (401, KEPT) == (refused.status_code, change(refused))

    elevated = deployment.post("/sudo", held.to_call())
    assert NEW[method] == change(elevated)
    assert {"basket": 1} == elevated.json()["data"]
    after = Held.of(elevated, method)
    told = deployment.get("/fresh", after.to_call()).json()
    assert ["pwd", "aal1"] == told[:2]

    late = deployment.get("/fresh", held.to_call())
    assert (401, TRY_REFRESH_TOKEN, KEPT) == (late.status_code, late.json(), change(late))
    come_again = deployment.refresh(held)
    assert (503, "1", KEPT) == (come_again.status_code, come_again.headers["retry-after"], change(come_again))
    deployment.clock.advance(PAST_GRACE)
    over = deployment.get("/fresh", held.to_call())
    assert (401, UNAUTHORISED, KEPT) == (over.status_code, over.json(), change(over))
    assert 200 == deployment.get("/fresh", after.to_call()).status_code


def test_the_challenge(deployment: Deployment) -> None:
    """Header and body say the same, and only what is not met; scripts of other origins may read the header."""
    held = signed_in(deployment)
    deployment.clock.advance(400 * SECOND)
    refused = deployment.get("/high", held.to_call())
    scheme, parameters = read_challenge(refused.headers["www-authenticate"])
    assert "Bearer" == scheme
    assert {
        "error": "insufficient_user_authentication",
        "error_description": "The user has to be authenticated again, or better.",
        "acr_values": "aal2 aal3",
        "max_age": "300",
    } == parameters
    assert {
        "message": "invalid claim",
        "error": "insufficient_user_authentication",
        "acr_values": "aal2 aal3",
        "max_age": 300,
        "claimValidationErrors": [
            {
                "id": "st-acr",
                "reason": {
                    "message": "assurance level too low",
                    "expectedToIncludeAtLeastOneOf": ["aal2", "aal3"],
                    "actualValue": "aal1",
                },
            },
            {
                "id": "st-fresh",
                "reason": {"message": "authentication too old", "ageInSeconds": 400, "maxAgeInSeconds": 300},
            },
        ],
    } == refused.json()
    assert "WWW-Authenticate" in exposed(refused)

    after = Held.of(deployment.post("/sudo", held.to_call()), "header")
    refused = deployment.get("/high", after.to_call())
    assert {"error", "error_description", "acr_values"} == read_challenge(refused.headers["www-authenticate"])[1].keys()
    assert "max_age" not in refused.json()
    after = Held.of(deployment.post("/sudo?factor=otp&acr=aal3", after.to_call()), "header")
    assert 200 == deployment.get("/high", after.to_call()).status_code


@pytest.mark.parametrize("text", ['with "quotes"', "back\\slash", 'both \\" of them', "a, b=c", ""])
def test_whatever_a_challenge_says_is_quoted(text: str) -> None:
    """A parameter is read back as it was, whatever is in it: none ends before its time, or begins another one."""
    error = StepUpRequired([AuthenticationFailure("st-acr", None, acr_values=(text, "aal2"), max_age=1)])
    _, parameters = read_challenge(challenge_headers(error)["WWW-Authenticate"])
    assert f"{text} aal2" == parameters["acr_values"]


@pytest.mark.parametrize(
    ("options", "sent", "status"),
    [
        ({}, {}, 401),
        ({}, {"rid": "session"}, 403),
        ({}, {"fdi-version": "4.0"}, 403),
        ({}, {"st-auth-mode": "header"}, 403),
        ({"invalid_claim_status_code": 418}, {"rid": "session"}, 418),
        ({"invalid_claim_status_code": 418}, {}, 401),
        ({"session_expired_status_code": 440}, {}, 401),
        ({"step_up_status": 401}, {"rid": "session"}, 401),
        ({"step_up_status": 403}, {}, 403),
    ],
    ids=str,
)
def test_the_status_is_one_that_the_client_understands(
    options: dict[str, Any], sent: dict[str, str], status: int, deploy: Deploy
) -> None:
    """A client that refreshes at a 401 is told otherwise, else it would refresh in vain and send the request again."""
    deployment = deploy(**options)
    deployment.app.include_router(ROUTES)
    refused = deployment.get("/typed", signed_in(deployment).to_call(), sent)
    assert (status, "invalid claim", KEPT) == (refused.status_code, refused.json()["message"], change(refused))
    assert "Bearer" == read_challenge(refused.headers["www-authenticate"])[0]


def test_in_the_environment_the_status_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """So are the levels, as JSON."""
    monkeypatch.setenv("FASTAPI_SESSION_STEP_UP_STATUS", "403")
    monkeypatch.setenv("FASTAPI_SESSION_ACR_ORDER", '["bronze", "gold"]')
    assert (403, ("bronze", "gold")) == (SessionConfig().step_up_status, SessionConfig().acr_order)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"step_up_status": 402}, "step_up_status"),
        ({"acr_order": ("a", "a")}, "acr_order"),
        ({"acr_order": ("two words",)}, "acr_order"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(options: dict[str, Any], field: str) -> None:
    """They are refused with the field and the fix."""
    with pytest.raises(ConfigurationError, match=f"^{field}: give "):
        SessionConfig(**options)


def test_demands_work_wherever_validators_do(deployment: Deployment) -> None:
    """On a typed session, in the middle of a route and on a stream; and once the factor is there, they hold."""
    held = signed_in(deployment)
    refused = [deployment.get(path, held.to_call()) for path in ("/typed", "/asserted", "/stream")]
    assert ["st-factor", "st-any-of", "st-factor"] == [
        each.json()["claimValidationErrors"][0]["id"] for each in refused
    ]
    after = Held.of(deployment.post("/sudo?factor=otp", held.to_call()), "header")
    answers = [deployment.get(path, after.to_call()) for path in ("/typed", "/asserted", "/stream")]
    assert ['"pro"', "null", "hello"] == [each.text for each in answers]


def test_a_global_demand(clock: HandClock, deploy: Deploy) -> None:
    """A demand on every route holds for every route."""
    deployment = deploy()
    deployment.app.include_router(ROUTES)
    deployment.sessions.validators = (Fresh(minutes=1),)
    held = signed_in(deployment)
    assert 200 == deployment.get("/me", held.to_call()).status_code
    clock.advance(MINUTE + SECOND)
    assert "60" == read_challenge(deployment.get("/me", held.to_call()).headers["www-authenticate"])[1]["max_age"]


def test_no_step_up_is_asked_for_in_vain(deployment: Deployment) -> None:
    """Who lacks the role too would type the password for nothing: that is a plain refusal, with every failure."""
    held = signed_in(deployment)
    deployment.clock.advance(10 * MINUTE)
    refused = deployment.get("/with-role", held.to_call())
    assert 403 == refused.status_code
    assert "www-authenticate" not in refused.headers
    assert ["st-fresh", "role"] == [each["id"] for each in refused.json()["claimValidationErrors"]]


def test_sockets(deployment: Deployment) -> None:
    """A socket is refused by the same response before it is accepted, and closed for the reason after that."""
    held = signed_in(deployment)
    with deployment.client.websocket_connect("/socket", headers=held.to_call()) as socket:
        assert "ada" == socket.receive_text()
        deployment.post("/sudo", held.to_call())
        with pytest.raises(WebSocketDisconnect) as superseded:
            socket.receive_text()
    assert (3000, "try refresh token") == (superseded.value.code, superseded.value.reason)

    held = signed_in(deployment)
    with (
        deployment.client.websocket_connect("/asked-later", headers=held.to_call()) as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_text()
    assert (3000, "invalid claim") == (closed.value.code, closed.value.reason)

    deployment.clock.advance(10 * MINUTE)
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        deployment.client.websocket_connect("/socket", headers=held.to_call()),
    ):
        pass
    assert 401 == refused.value.status_code
    assert "300" == read_challenge(refused.value.headers["www-authenticate"])[1]["max_age"]


def test_a_response_that_has_started_can_carry_no_tokens(deployment: Deployment) -> None:
    """Nothing is written then: the client would be left with tokens of a session that is gone."""
    held = signed_in(deployment)
    assert "no tokens can be sent" in deployment.post("/too-late", held.to_call()).text
    assert 200 == deployment.get("/me", held.to_call()).status_code


def test_an_anti_csrf_token_goes_along(deploy: Deploy) -> None:
    """With anti-CSRF by token the new session has one of its own."""
    deployment = deploy(**CROSS_SITE)
    deployment.app.include_router(ROUTES)
    held = signed_in(deployment, "cookie")
    assert held.anti_csrf is not None
    after = Held.of(deployment.post("/sudo", held.to_call(), {"anti-csrf": held.anti_csrf}), "cookie")
    assert after.anti_csrf is not None
    assert 401 == deployment.post("/me", after.to_call(), {"anti-csrf": held.anti_csrf}).status_code
    assert 200 == deployment.post("/me", after.to_call(), {"anti-csrf": after.anti_csrf}).status_code


def test_a_later_dependency_has_the_new_session(clock: HandClock, deploy: Deploy) -> None:
    """Within one request the session is the elevated one for whoever asks after that."""
    deployment = deploy()
    deployment.app.include_router(ROUTES)

    async def elevated(session: Verified) -> None:
        await session.elevate("otp")

    @deployment.app.post("/both", dependencies=[Depends(elevated)])
    async def both(session: Annotated[Session, Depends(verify_session(Factor("otp")))]) -> str:
        await session.change_session_data(lambda data: {**data, "seen": True})
        return session.handle

    held = signed_in(deployment)
    answer = deployment.post("/both", held.to_call())
    after = Held.of(answer, "header")
    [found] = deployment.ask(deployment.sessions.of_user, "ada")
    assert (answer.json(), {"basket": 1, "seen": True}) == (found.handle, found.session_data)
    assert 200 == deployment.get("/me", after.to_call()).status_code


def test_pages_may_answer_a_step_up_themselves(app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
    """A handler of the application's own sends the browser to the page that asks for the password."""

    @app.exception_handler(StepUpRequired)
    async def ask(_: object, error: StepUpRequired) -> RedirectResponse:
        return RedirectResponse(f"/confirm?max_age={error.max_age}", 303)

    with deployed(app, sessions, clock) as deployment:
        held = signed_in(deployment, "cookie")
        clock.advance(10 * MINUTE)
        answer = deployment.get("/fresh", held.to_call(), {"accept": "text/html"})
        assert (303, "/confirm?max_age=300") == (answer.status_code, answer.headers["location"])


@pytest.mark.parametrize("status", ["auto", 401])
def test_our_own_client_does_not_refresh(status: Any, deploy: Deploy) -> None:
    """The client for programs takes the refusal for the result, whatever the status: its session has not ended."""
    deployment = deploy(step_up_status=status)
    deployment.app.include_router(ROUTES)
    client = auto_refresh(TestClient(deployment.app), deployment.sessions)
    sign_in(client, deployment.sessions, "ada")
    refused = client.get("/fresh")
    assert (403 if status == "auto" else 401, "invalid claim") == (refused.status_code, refused.json()["message"])
    [found] = deployment.ask(deployment.sessions.store.sessions_of, "ada")
    assert 0 == found.lineage.generation


def test_the_document_says_so(deployment: Deployment) -> None:
    """The OpenAPI document has the challenge among the headers of both statuses."""
    responses = deployment.get("/openapi.json").json()["paths"]["/fresh"]["get"]["responses"]
    assert ["WWW-Authenticate"] == [*responses["401"]["headers"]] == [*responses["403"]["headers"]]
    assert "authenticated again" in json.dumps(responses["403"])
