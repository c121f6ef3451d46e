"""What OpenTelemetry is told of an engine, through its real SDK, and that nobody pays for it who does not look."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from fastapi_session import SessionError, Sessions, StoreUnavailable
from fastapi_session.stores.base import NoticeStore, OnceStore, SessionStore, SightingStore, SigningKeyStore
from fastapi_session.telemetry.timed_store import OPERATIONS
from fastapi_session.testing import HandClock
from tests.engines import TroubledStore, created, engine, refreshed
from tests.moments import MINUTE, PAST_GRACE

PROVIDER = "opentelemetry.metrics._internal._METER_PROVIDER"
"""Where OpenTelemetry keeps the provider of the process, which can be set once alone."""


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    yield reader
    reader.shutdown()


@pytest.fixture
def provider(reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch) -> MeterProvider:
    """The provider of the process, for one test."""
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr(PROVIDER, provider)
    return provider


@pytest.fixture
async def sessions(provider: MeterProvider, clock: HandClock) -> AsyncIterator[Sessions]:
    sessions = engine(clock, store=TroubledStore(clock))
    await sessions.open()
    yield sessions
    await sessions.close()


def told(reader: InMemoryMetricReader) -> dict[str, dict[tuple[Any, ...], Any]]:
    """Return the metrics by name, without ours before it, and in each the values by those of their attributes."""
    data = reader.get_metrics_data()
    found: dict[str, dict[tuple[Any, ...], Any]] = {}
    for scope in data.resource_metrics[0].scope_metrics if data else ():
        for metric in scope.metrics:
            assert metric.name.startswith("fastapi_session.")
            points = found.setdefault(metric.name.removeprefix("fastapi_session."), {})
            for point in metric.data.data_points:
                points[tuple((point.attributes or {}).values())] = getattr(
                    point, "value", getattr(point, "count", None)
                )
    return found


async def test_what_happens_to_sessions(sessions: Sessions, reader: InMemoryMetricReader, clock: HandClock) -> None:
    """Sign-ins are counted by kind, refreshes and thefts by the row that decided, ends by reason, an application's own as one."""
    _, first = await created(sessions)
    second = await refreshed(sessions, first)
    await refreshed(sessions, first)
    clock.advance(PAST_GRACE)
    third = await refreshed(sessions, second)
    clock.advance(PAST_GRACE)
    await refreshed(sessions, third)
    with pytest.raises(SessionError):
        await sessions.refresh(first)
    for reason in ("by_handle", "a whim", "another whim"):
        handle, _ = await created(sessions)
        await sessions.revoke(handle, reason=reason)
    metrics = told(reader)

    assert {("default",): 4} == metrics["sessions.created"]
    assert {("by_handle",): 1, ("other",): 2} == metrics["revocations"]
    assert 1 == sum(metrics["thefts"].values())
    assert 5 == sum(metrics["refreshes"].values())
    assert set(metrics["thefts"]) < set(metrics["refreshes"])


async def test_ages(sessions: Sessions, reader: InMemoryMetricReader, clock: HandClock) -> None:
    """How long ago the feed was read, and since when the key signs, in seconds."""
    before = told(reader)
    clock.advance(MINUTE)
    after = told(reader)

    assert [{(): 0.0}, {(): 0.0}] == [before[name] for name in ("feed.age", "signing_key.age")]
    assert 60.0 == after["signing_key.age"][()]
    assert after["feed.age"][()] in (0.0, 60.0)  # it may have been read again meanwhile


async def test_how_long_the_store_takes(sessions: Sessions, reader: InMemoryMetricReader) -> None:
    """Each operation is timed by its name, and one that failed by its error too."""
    store = sessions.store
    assert isinstance(store, TroubledStore)
    await created(sessions)
    store.down = True
    with pytest.raises(StoreUnavailable):
        await store.delete_expired(limit=1)
    durations = told(reader)["store.duration"]

    assert 1 == durations["insert",]
    assert 1 == durations["delete_expired", "StoreUnavailable"]


def test_every_operation_of_the_contract_is_timed() -> None:
    """All but opening and closing, and what asks nothing of a database."""
    contracts = (SessionStore, SigningKeyStore, NoticeStore, OnceStore, SightingStore)
    names = {name for contract in contracts for name in vars(contract) if not name.startswith("_")}

    assert {"open", "close", "keeps_limits"} == names - OPERATIONS
    assert OPERATIONS <= names


async def test_closed(provider: MeterProvider, reader: InMemoryMetricReader, clock: HandClock) -> None:
    """An engine that is closed has its store as it was, and counts nothing; opened again, it goes on."""
    sessions = engine(clock)
    untouched = set(vars(sessions.store))
    await sessions.open()
    assert set(vars(sessions.store)) > untouched
    await created(sessions)
    await sessions.close()
    await created(sessions)
    closed = told(reader)
    kept = set(vars(sessions.store))
    await sessions.open()
    await created(sessions)
    await sessions.close()

    assert untouched == kept
    assert {("default",): 1} == closed["sessions.created"]
    assert "feed.age" not in closed
    assert {("default",): 2} == told(reader)["sessions.created"]


async def test_two_engines_on_one_store(
    provider: MeterProvider, reader: InMemoryMetricReader, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each has its own numbers, by its issuer, the store is timed once, and OpenTelemetry warns of nothing."""
    store = TroubledStore(clock)
    engines = [engine(clock, store=store, api_domain=f"https://{name}.example") for name in ("one", "two")]
    for each in engines:
        await each.open()
    for each in engines:
        await created(each)
    data = reader.get_metrics_data()
    for each in engines:
        await each.close()

    assert data is not None
    issuers = {
        (scope.scope.attributes or {})["fastapi_session.issuer"] for scope in data.resource_metrics[0].scope_metrics
    }
    assert {"https://one.example/auth", "https://two.example/auth"} == issuers
    assert 2 == told(reader)["store.duration"]["insert",]
    assert [] == caplog.records


@pytest.mark.parametrize("setting", ["off", "no provider", "no OpenTelemetry"])
async def test_nobody_looks(setting: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched off, without a provider or without the package nothing is counted, and the store is as it was."""
    if setting == "off":
        monkeypatch.setattr(PROVIDER, MeterProvider(shutdown_on_exit=False))
    if setting == "no OpenTelemetry":
        monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)  # importing it raises ModuleNotFoundError
    sessions = engine(clock, telemetry="off" if setting == "off" else "metrics")
    untouched = set(vars(sessions.store))
    await sessions.open()
    await created(sessions)
    kept = set(vars(sessions.store))
    await sessions.close()

    assert untouched == kept
    assert {} == sessions.telemetry_counts.created
