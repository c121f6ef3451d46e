"""What the OpenAPI document says of sessions, to people and to generators of clients."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Security
from fastapi.openapi.models import OpenAPI
from fastapi.security import APIKeyHeader

from fastapi_session import verify_session
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment, application
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE, REFRESH_PATH, SIGN_OUT_PATH

EITHER: list[dict[str, list[str]]] = [{"SessionCookie": []}, {"SessionBearer": []}]
KEY = APIKeyHeader(name="x-key", auto_error=False)


@pytest.fixture
def document(deployment: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = deployment.get("/openapi.json").json()
    return found


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """The document is what OpenAPI calls one, and every scheme that an operation names is there."""
    OpenAPI.model_validate(document)
    schemes = set(document["components"]["securitySchemes"])
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    named = {name for operation in operations for requirement in operation.get("security", ()) for name in requirement}

    assert schemes == named


@pytest.mark.parametrize(
    ("method", "path", "security"),
    [
        ("get", "/me", EITHER),
        ("post", "/me", EITHER),
        ("get", "/checked", EITHER),
        ("get", "/guarded", EITHER),
        ("post", SIGN_OUT_PATH, EITHER),
        ("get", "/optional", [*EITHER, {}]),
        ("post", "/login", None),
        ("post", REFRESH_PATH, [{"SessionRefreshCookie": []}, {"SessionRefreshBearer": []}]),
        ("get", "/auth/jwt/jwks.json", None),
    ],
)
def test_how_a_session_is_brought(method: str, path: str, security: Any, document: dict[str, Any]) -> None:
    """A protected operation takes the cookie or the bearer token; an optional one takes neither as well."""
    assert security == document["paths"][path][method].get("security")


def test_the_schemes(document: dict[str, Any]) -> None:
    """Both schemes are such that "Authorize" can use them."""
    schemes = document["components"]["securitySchemes"]
    cookie, bearer = schemes["SessionCookie"], schemes["SessionBearer"]

    assert {"SessionCookie", "SessionBearer", "SessionRefreshCookie", "SessionRefreshBearer"} == set(schemes)
    assert REFRESH_COOKIE == schemes["SessionRefreshCookie"]["name"]
    assert ("apiKey", "cookie", ACCESS_COOKIE) == (cookie["type"], cookie["in"], cookie["name"])
    assert ("http", "bearer", "JWT") == (bearer["type"], bearer["scheme"], bearer["bearerFormat"])


def test_dpop(deploy: Deploy) -> None:
    """Where sessions can be bound by DPoP, a token may come by that scheme too, and a 401 has a challenge and a nonce."""
    document = deploy(dpop="optional", session_expired_status_code=440).get("/openapi.json").json()
    schemes, paths = document["components"]["securitySchemes"], document["paths"]
    refusals = [paths[path][method]["responses"]["401"] for path, method in (("/me", "get"), (REFRESH_PATH, "post"))]

    OpenAPI.model_validate(document)
    assert [*EITHER, {"SessionDpop": []}] == paths["/me"]["get"]["security"]
    assert {"SessionRefreshDpop": []} in paths[REFRESH_PATH]["post"]["security"]
    assert ("http", "DPoP") == (schemes["SessionDpop"]["type"], schemes["SessionDpop"]["scheme"])
    assert [{"WWW-Authenticate", "DPoP-Nonce"}] * 2 == [set(refusal["headers"]) for refusal in refusals]


def test_the_names_of_the_cookies(deploy: Deploy) -> None:
    """Each scheme has the name that its cookie has on the wire."""
    document = deploy(api_domain="https://testserver", cookie_prefix="__Host-").get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]

    assert "__Host-sAccessToken" == schemes["SessionCookie"]["name"]
    assert "__Secure-sRefreshToken" == schemes["SessionRefreshCookie"]["name"]


@pytest.mark.parametrize(
    ("options", "statuses"),
    [({}, ("401", "403")), ({"session_expired_status_code": 440, "invalid_claim_status_code": 422}, ("440", "422"))],
)
def test_refusals_are_documented(options: dict[str, Any], statuses: tuple[str, str], deploy: Deploy) -> None:
    """Each protected operation says what the answers without a session are, with the statuses of the configuration."""
    document = deploy(**options).get("/openapi.json").json()

    for path, method in (("/me", "get"), (SIGN_OUT_PATH, "post"), ("/optional", "get")):
        responses = document["paths"][path][method]["responses"]
        schemas = [responses[status]["content"]["application/json"]["schema"] for status in statuses]

        assert ["message"] == schemas[0]["required"]
        assert {"type": "string"} == schemas[1]["properties"]["message"]
        assert {"200", *statuses, "503"} == set(responses)
        assert ["message"] == schemas[1]["required"]
        assert {"id", "reason"} == set(schemas[1]["properties"]["claimValidationErrors"]["items"]["properties"])
        assert "Retry-After" in responses["503"]["headers"]
    assert {"200", statuses[0], "503"} == set(document["paths"][REFRESH_PATH]["post"]["responses"])
    assert not {"401", "440"} & set(document["paths"]["/login"]["post"]["responses"])


def test_asking_again(deployment: Deployment) -> None:
    """However often it is asked for, the document is the same."""
    first = deployment.get("/openapi.json").text

    assert {first} == {deployment.get("/openapi.json").text for _ in range(3)}


def test_authorize(deployment: Deployment) -> None:
    """The interactive documentation is served, and the bearer token that "Authorize" sends is believed."""
    held = deployment.login("header")

    assert "swagger-ui" in deployment.get("/docs").text
    assert 200 == deployment.get("/me", {"authorization": f"Bearer {held.access}"}).status_code


def test_beside_a_scheme_of_the_application(clock: HandClock) -> None:
    """A security scheme of the application's own stands beside ours, and its own refusals stay as it wrote them."""
    app = application(engine(clock))

    @app.get("/both", responses={401: {"description": "mine"}})
    async def both(
        _key: Annotated[str, Security(KEY)], _session: Annotated[object, Depends(verify_session())]
    ) -> None: ...

    @app.get("/own")
    async def own(_key: Annotated[str, Security(KEY)]) -> None: ...

    document = app.openapi()

    assert [*EITHER, {"APIKeyHeader": []}] == document["paths"]["/both"]["get"]["security"]
    assert [{"APIKeyHeader": []}] == document["paths"]["/own"]["get"]["security"]
    assert "mine" == document["paths"]["/both"]["get"]["responses"]["401"]["description"]


def test_required_and_optional_at_once(clock: HandClock) -> None:
    """If one dependency needs a session, and for another it is optional, the operation needs it."""
    app = application(engine(clock))

    @app.get("/both", dependencies=[Depends(verify_session(session_required=False)), Depends(verify_session())])
    async def both() -> None: ...

    assert EITHER == app.openapi()["paths"]["/both"]["get"]["security"]


def test_without_a_protected_operation() -> None:
    """An application that protects nothing has a document without our schemes."""
    app = FastAPI()
    app.get("/")(lambda: None)
    before = app.openapi()

    assert "components" not in before
