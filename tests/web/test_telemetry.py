"""A refusal is an answer and no failure of the application, to FastAPI's own telemetry too."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI

from fastapi_session import PrimitiveClaim, RefreshSession, Session, install, refresh_session, verify_session
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.web.deployment import application, deployed

pytest.importorskip("fastapi.telemetry", reason="this FastAPI has no telemetry of its own")
sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="OpenTelemetry's SDK is not installed")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
in_memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")


async def no_role(_user_id: str, _tenant_id: str, _payload: object) -> None:
    """Know of no role."""


ADMIN = PrimitiveClaim[str]("st-role", no_role).has_value("admin")


async def admins(_session: Annotated[Session, Depends(verify_session(ADMIN))]) -> None: ...


async def asserting(session: Annotated[Session, Depends(verify_session())]) -> None:
    await session.assert_claims(ADMIN)


async def refresh(again: Annotated[RefreshSession, Depends(refresh_session())]) -> None:
    await again()


async def crash(_session: Annotated[Session, Depends(verify_session())]) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("path", "is_signed_in", "status", "failed"),
    [
        ("/me", False, 401, set()),
        ("/admins", True, 403, set()),
        ("/asserting", True, 403, set()),
        ("/refresh", True, 401, set()),
        ("/crash", True, 500, {"GET /crash", "fastapi.endpoint"}),
    ],
)
def test_spans(path: str, is_signed_in: bool, status: int, failed: set[str], clock: HandClock) -> None:
    """No span of a refusal is an error, wherever it was raised; those of a crash are."""
    exporter = in_memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    options: dict[str, Any] = {"telemetry": {"tracer_provider": provider}}
    app, sessions = FastAPI(**options), engine(clock)
    install(app, sessions)
    app.router.routes.extend(application(sessions).router.routes)
    for route in (admins, asserting, refresh, crash):
        app.get(f"/{route.__name__}")(route)
    with deployed(app, sessions, clock) as deployment:
        headers = deployment.login().to_call() if is_signed_in else {}
        exporter.clear()
        response = deployment.get(path, headers)

    spans = exporter.get_finished_spans()
    assert status == response.status_code
    assert {f"GET {path}", "fastapi.dependencies"} <= {span.name for span in spans}
    assert failed == {span.name for span in spans if span.status.status_code.name == "ERROR"}
