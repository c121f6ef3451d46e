"""The discovery document has the endpoints for services that the application has, at the addresses by which others reach them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fastapi_session import Sessions, install, introspection_router, session_router
from fastapi_session.testing import HandClock
from tests.engines import config
from tests.web.deployment import Deployment
from tests.web.introspection.service import ID, SECRET, Service, asked

DISCOVERY = "/auth/.well-known/openid-configuration"


@pytest.fixture
def service(sessions: Sessions, clock: HandClock) -> Iterator[Service]:
    with asked(sessions, clock) as service:
        yield service


def test_what_is_there(service: Service) -> None:
    """The document of the issuer says where the endpoints are, and how a client authenticates (RFC 8414, section 2)."""
    document = service.deployment.get(DISCOVERY).json()

    assert {
        **service.deployment.sessions.discovery(),
        "introspection_endpoint": "http://testserver/auth/introspect",
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "revocation_endpoint": "http://testserver/auth/revoke",
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic"],
    } == document


def test_what_is_not(sessions: Sessions, clock: HandClock, deployment: Deployment) -> None:
    """An endpoint that was left out is not listed, and none is without the router."""
    with asked(sessions, clock, revoke=False) as service:
        document = service.deployment.get(DISCOVERY).json()

    assert ("introspection_endpoint" in document, "revocation_endpoint" in document) == (True, False)
    assert deployment.sessions.discovery() == deployment.get(DISCOVERY).json()


@pytest.mark.parametrize(
    ("api_base_path", "prefix", "own", "listed"),
    [
        ("/auth", "/auth", "/auth", "https://api.example/auth/introspect"),
        ("/v1/auth", "/auth", "/auth", "https://api.example/v1/auth/introspect"),
        ("/v1/auth", "/v1/auth", "/services", "https://api.example/services/introspect"),
        ("/v1/auth", "/auth", "/services", "https://api.example/v1/services/introspect"),
        ("/v1/auth", "/other", "/services", "https://api.example/services/introspect"),
    ],
)
def test_where_it_is(api_base_path: str, prefix: str, own: str, listed: str, clock: HandClock) -> None:
    """As the issuer says it, with what a proxy strips, wherever in the application the routers are."""
    app = FastAPI()
    install(app, Sessions(config(api_domain="https://api.example", api_base_path=api_base_path), clock=clock))
    app.include_router(session_router(prefix))
    app.include_router(introspection_router({ID: SECRET}, prefix=own))
    with TestClient(app) as client:
        document = client.get(f"{prefix}/.well-known/openid-configuration").json()

    assert listed == document["introspection_endpoint"]


def test_two_routers(clock: HandClock) -> None:
    """Of several routers the document has the one that was included first: those that others ask are not in it."""
    app = FastAPI()
    install(app, Sessions(config(), clock=clock))
    app.include_router(session_router())
    app.include_router(introspection_router({ID: SECRET}, prefix="/services", revoke=False))
    app.include_router(introspection_router({ID: SECRET}, prefix="/partners"))
    with TestClient(app) as client:
        document = client.get(DISCOVERY).json()

    assert ("http://testserver/services/introspect", "http://testserver/partners/revoke") == (
        document["introspection_endpoint"],
        document["revocation_endpoint"],
    )
