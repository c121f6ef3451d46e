"""The routes of an application, with the paths at which browsers find them so far as the application knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, routing
from starlette.routing import BaseRoute, Host, Mount

from fastapi_session.sessions import Sessions
from fastapi_session.web.installed import engine_of


@dataclass(frozen=True, slots=True)
class Route:
    """What is served at *path*, which begins with the `root_path` of the application: a route's *endpoint*, a mounted *application*."""

    path: str
    endpoint: object
    methods: frozenset[str]
    calls: tuple[object, ...]
    """What its dependencies call."""
    application: object = None

    def has(self, provider: type) -> bool:
        """Say whether it depends on a *provider*."""
        return any(isinstance(call, provider) for call in self.calls)


def routes_of(app: FastAPI) -> Iterator[Route]:
    """Yield the routes of *app* and of what is mounted in it, unless that has sessions of its own."""
    return _routes(app.routes, app.root_path.rstrip("/"), engine_of(app))


def _routes(routes: Sequence[BaseRoute], prefix: str, sessions: Sessions | None) -> Iterator[Route]:
    for route in _single(routes):
        path = f"{prefix}{getattr(route, 'path', '') or ''}"
        # Their own `root_path` is not added: it is that of a server which would serve them alone.
        yield Route(
            path,
            getattr(route, "endpoint", None),
            frozenset(getattr(route, "methods", None) or ()),
            tuple(_calls(getattr(route, "dependant", None))),
            route.app if isinstance(route, Mount | Host) else None,
        )
        if isinstance(route, Mount | Host) and engine_of(route.app) in {None, sessions}:
            yield from _routes(route.routes, path, sessions)


def _single(routes: Sequence[BaseRoute]) -> Iterator[Any]:
    """Yield *routes*, and in the place of a router that was included those of it."""
    # Newer versions of FastAPI keep such a router whole, older ones copy its routes.
    single: Callable[[Sequence[BaseRoute]], Iterator[Any]] = getattr(routing, "iter_route_contexts", iter)
    for each in single(routes):
        route = getattr(each, "route", each)
        yield route if isinstance(route, Mount | Host) else each


def _calls(dependant: Any) -> Iterator[object]:
    """Yield what *dependant* and those that it depends on call."""
    for each in () if dependant is None else dependant.dependencies:
        yield each.call
        yield from _calls(each)
