"""The metrics for OpenTelemetry.

| instrument | kind | unit | attributes |
|---|---|---|---|
| `fastapi_session.verifications` | counter | | `outcome`, `source` |
| `fastapi_session.refreshes` | counter | | `verdict` |
| `fastapi_session.sessions.created` | counter | | `kind` |
| `fastapi_session.sessions.adopted` | counter | | `source` |
| `fastapi_session.revocations` | counter | | `reason` |
| `fastapi_session.thefts` | counter | | `verdict` |
| `fastapi_session.feed.age` | gauge | s | |
| `fastapi_session.signing_key.age` | gauge | s | |
| `fastapi_session.store.duration` | histogram | s | `operation`, `error.type` if it failed |

OpenTelemetry's API is no dependency of ours. FastAPI brings it since 0.165; with an older one it may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Any

from fastapi_session.stores.base import Store
from fastapi_session.telemetry.counts import Counts
from fastapi_session.telemetry.timed_store import time_operations

SCOPE = "fastapi_session"
UNCONFIGURED = {"_ProxyMeterProvider", "NoOpMeterProvider"}
"""What stands for a provider while an application has set none."""

Age = Callable[[], int | None]
"""Returns an age in milliseconds, `None` if there is nothing to be old."""


class Metrics:
    """Observes one engine: its *counts*, the *ages* of its feed and signing key by their instruments, and its *store*.

    *issuer* tells the engines of a process apart. Nothing is observed before `begin`.
    """

    def __init__(self, counts: Counts, *, ages: Mapping[str, Age], store: Store, issuer: str) -> None:
        self._counts = counts
        self._ages = ages
        self._store = store
        self._issuer = issuer
        self._instruments: Any = None
        self._undo: Callable[[], None] | None = None

    def begin(self, provider: object = None) -> None:
        """Begin to observe for *provider*, by default the one that the application has set; do nothing if that is none."""
        found = provider or _provider()
        if found is None or self._undo is not None:
            return
        # OpenTelemetry cannot take an instrument back: those of before go on.
        if self._instruments is None:
            self._instruments = self._made(found)
        self._counts.is_on = True
        self._undo = time_operations(self._store, self._instruments.record)

    def end(self) -> None:
        """Observe nothing any more."""
        self._counts.is_on = False
        if self._undo is not None:
            self._undo()
            self._undo = None

    def _made(self, provider: Any) -> Any:
        """Return the histogram of the store, having made all instruments."""
        meter = provider.get_meter(
            SCOPE, version("fastapi-session-auth"), attributes={"fastapi_session.issuer": self._issuer}
        )
        counts = self._counts
        by: dict[str, tuple[Callable[[], Mapping[Any, int]], tuple[str, ...]]] = {
            "verifications": (lambda: counts.verifications, ("outcome", "source")),
            "refreshes": (lambda: counts.refreshes, ("verdict",)),
            "sessions.created": (lambda: counts.created, ("kind",)),
            "sessions.adopted": (lambda: counts.adopted, ("source",)),
            "revocations": (lambda: counts.revocations, ("reason",)),
            "thefts": (lambda: counts.thefts, ("verdict",)),
        }
        for name, (numbers, attributes) in by.items():
            meter.create_observable_counter(f"{SCOPE}.{name}", [_counted(numbers, attributes)])
        for name, age in self._ages.items():
            meter.create_observable_gauge(f"{SCOPE}.{name}.age", [self._aged(age)], unit="s")
        return meter.create_histogram(f"{SCOPE}.store.duration", unit="s")

    def _aged(self, age: Age) -> Callable[[object], Iterator[Any]]:
        def observe(_options: object) -> Iterator[Any]:
            milliseconds = age() if self._undo is not None else None
            if milliseconds is not None:
                yield _observation(milliseconds / 1000, {})

        return observe


def _counted(numbers: Callable[[], Mapping[Any, int]], names: tuple[str, ...]) -> Callable[[object], Iterator[Any]]:
    def observe(_options: object) -> Iterator[Any]:
        for key, number in [*numbers().items()]:
            values = key if isinstance(key, tuple) else (key,)
            yield _observation(number, dict(zip(names, values, strict=True)))

    return observe


def _observation(value: float, attributes: Mapping[str, str]) -> Any:
    return import_module("opentelemetry.metrics").Observation(value, attributes)


def _provider() -> object:
    """Return the provider that the application has set for the whole process, `None` if it has not, or if there is no API."""
    try:
        provider: object = import_module("opentelemetry.metrics").get_meter_provider()
    except ModuleNotFoundError:
        return None
    return None if type(provider).__name__ in UNCONFIGURED else provider
