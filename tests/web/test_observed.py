"""What telemetry is told of requests: how tokens were verified, and whose session a request has. No token is in any of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fastapi_session import Sessions, install
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import HOUR, PAST_GRACE
from tests.telemetry.test_metrics import PROVIDER
from tests.web.deployment import Deployment, application, deployed, echo

pytest.importorskip("fastapi.telemetry", reason="this FastAPI has no telemetry of its own")


@dataclass
class Observatory:
    """An application whose spans and metrics are looked at."""

    deployment: Deployment
    sessions: Sessions
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    def spans(self) -> dict[str, ReadableSpan]:
        """Return the spans of the requests since the last call, by name."""
        spans = {span.name: span for span in self.exporter.get_finished_spans()}
        self.exporter.clear()
        return spans


@pytest.fixture(params=["identity"])
def observatory(
    request: pytest.FixtureRequest, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Observatory]:
    """An application of every endpoint; its setting `telemetry` is the parameter."""
    exporter, reader, tracers = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(PROVIDER, MeterProvider([reader], shutdown_on_exit=False))
    options: dict[str, Any] = {"telemetry": {"tracer_provider": tracers}}
    app, sessions = FastAPI(**options), engine(clock, telemetry=request.param)
    install(app, sessions)
    app.router.routes.extend(application(sessions).router.routes)
    app.websocket("/observed")(echo)
    with deployed(app, sessions, clock) as deployment:
        yield Observatory(deployment, sessions, exporter, reader)


def identity(span: ReadableSpan) -> dict[str, Any]:
    return {name: value for name, value in (span.attributes or {}).items() if name in {"session.id", "user.id"}}


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_outcomes(observatory: Observatory, method: str) -> None:
    """Each check of a token is counted, by what became of it and by how the token came; so is a sign-out, which checks one."""
    deployment, counts = observatory.deployment, observatory.sessions.telemetry_counts
    held = deployment.login(method)
    for path in ("/me", "/me", "/checked", "/admin", "/optional"):
        deployment.get(path, held.to_call())
    for path in ("/me", "/optional"):
        deployment.get(path)
    deployment.post("/auth/signout", held.to_call())
    deployment.get("/me", held.to_call())
    deployment.clock.advance(HOUR)
    deployment.get("/me", held.to_call())

    assert {
        ("verified", method): 6,
        ("unauthorised", "none"): 1,
        ("unauthorised", method): 1,
        ("try_refresh_token", method): 1,
    } == counts.verifications
    assert (1, 0) == (counts.revocations["signed_out"], counts.revocations["other"])


@pytest.mark.parametrize("observatory", ["metrics", "identity", "off"], indirect=True)
def test_identity(observatory: Observatory) -> None:
    """Where it is asked for, the span of the server has the handle and the user, and no other span has; else none has."""
    deployment, sessions = observatory.deployment, observatory.sessions
    held = deployment.login()
    observatory.spans()
    deployment.get("/me", held.to_call())
    spans = observatory.spans()
    deployment.get("/me")
    [found] = deployment.ask(sessions.of_user, "ada")
    is_asked_for = sessions.config.telemetry == "identity"

    assert ({"session.id": found.handle, "user.id": "ada"} if is_asked_for else {}) == identity(spans.pop("GET /me"))
    assert [] == [name for name, span in [*spans.items(), *observatory.spans().items()] if identity(span)]


def test_sockets(observatory: Observatory) -> None:
    """The span of a socket has whose it is too, and the socket is watched as ever."""
    held = observatory.deployment.login("header")
    with observatory.deployment.client.websocket_connect("/observed", headers=held.to_call()) as socket:
        assert "ada" == socket.receive_text()
    spans = observatory.spans()

    assert "ada" == identity(spans["WS /observed"])["user.id"]
    assert 1 == observatory.sessions.telemetry_counts.verifications["verified", "header"]


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_no_token_is_told(observatory: Observatory, method: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a session went through, no span, no metric and no line of the log has a token, or what only the user may know."""
    caplog.set_level(logging.DEBUG)
    deployment, exported = observatory.deployment, []
    held = deployment.login(method)
    for path in ("/me", "/admin", "/checked", "/crash"):
        deployment.get(path, held.to_call())
    newer = deployment.refreshed(held)
    deployment.clock.advance(2 * PAST_GRACE)
    newest = deployment.refreshed(newer)
    deployment.clock.advance(2 * PAST_GRACE)
    deployment.refresh(held)  # a theft
    deployment.get("/me", newest.to_call())
    exported = [span.to_json() for span in observatory.exporter.get_finished_spans()]
    data = observatory.reader.get_metrics_data()
    assert data is not None
    said = "\n".join([*exported, data.to_json(), caplog.text, *(repr(vars(record)) for record in caplog.records)])
    tokens = [token for each in (held, newer, newest) for token in (each.access, each.refresh)]

    assert 1 == sum(observatory.sessions.telemetry_counts.thefts.values())
    assert {"GET /me", "POST /auth/session/refresh"} <= {json.loads(each)["name"] for each in exported}
    assert [] == [token for token in tokens if token[-20:] in said or token[:40] in said]


def test_two_engines_of_one_process(observatory: Observatory, clock: HandClock) -> None:
    """Another application of the process counts for itself."""
    other = engine(clock)
    app = application(other)
    with deployed(app, other, clock) as deployment:
        deployment.get("/me", deployment.login().to_call())

    assert {("verified", "cookie"): 1} == other.telemetry_counts.verifications
    assert {} == observatory.sessions.telemetry_counts.verifications
