"""Whether the endpoints of sessions are where browsers look for them, and what becomes of sessions in mounted applications.

| id | looks at | level |
|---|---|---|
| FS071 | whether sessions that begin here are refreshed anywhere | warning |
| FS072 | whether `session_router()` is served at `api_base_path` | warning |
| FS073 | whether it is served at one path alone | warning |
| FS074 | the path in a DPoP proof, if a proxy strips a part of it | info |
| FS075 | whether errors of sessions have a handler | error |
| FS076 | sessions of a mounted application, whose lifespan only the outer one can run | info |

A proxy may strip a prefix, of which the application knows nothing: so a path is right if that of the browser ends with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastapi_session.config import SessionConfig
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.application.routes import Route, routes_of
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.sessions import Sessions
from fastapi_session.web.dependencies import CreateSessionProvider, RefreshSessionProvider
from fastapi_session.web.installed import engine_of
from fastapi_session.web.router import REFRESH_ENDPOINT
from fastapi_session.web.uncaught_errors import RESPONDED

NO_REFRESH = Check(
    "FS071",
    Level.WARNING,
    "sessions begin here, and no route refreshes them, so they end with their first access token",
    "add app.include_router(session_router())",
)
ELSEWHERE = Check(
    "FS072",
    Level.WARNING,
    "session_router() is not served at api_base_path, to whose refresh endpoint browsers send the refresh cookie",
    "give session_router() and api_base_path the same path, as browsers see it",
)
TWICE = Check(
    "FS073",
    Level.WARNING,
    "session_router() is served at several paths, and browsers send the refresh cookie to one of them",
    "include it once, at api_base_path",
)
STRIPPED = Check(
    "FS074",
    Level.INFO,
    "a DPoP proof is for the path that its client sees, and the server has to be told the prefix that a proxy strips",
    "start the server with --root-path, as in uvicorn --root-path /api",
)
UNHANDLED = Check(
    "FS075",
    Level.ERROR,
    "errors of sessions have no handler, so they become 500 in the place of 401, 403 and 503",
    "add handlers by app.add_exception_handler, and leave those in app.exception_handlers",
)
NO_LIFESPAN = Check(
    "FS076",
    Level.INFO,
    "a mounted application has sessions of its own, and nobody opens and closes them unless the outer one runs its lifespan",
    "give both applications the same Sessions, or enter the mounted one's lifespan in that of the outer one",
)

CHECKS = (NO_REFRESH, ELSEWHERE, TWICE, STRIPPED, UNHANDLED, NO_LIFESPAN)


def mounted_findings(installed: Installed) -> Iterator[Finding]:
    """Yield what is wrong with the routes of *installed*."""
    config, app = installed.config, installed.app
    if app is None:
        return
    routes = [*routes_of(app)]
    refreshes = sorted({route.path for route in routes if route.endpoint is REFRESH_ENDPOINT})
    if not refreshes:
        yield from _not_refreshed(routes, config)
    elif config.token_transfer_method != "header":
        yield from _misplaced(refreshes, config)
    stripped = [path for path in refreshes if path != config.refresh_path and config.refresh_path.endswith(path)]
    if stripped and config.dpop != "off":
        yield STRIPPED.found(f"browsers see {config.refresh_path}, and the application {stripped[0]}")
    missing = [each.__name__ for each in RESPONDED if each not in app.exception_handlers]
    if missing:
        yield UNHANDLED.found(", ".join(missing))
    yield from _mounted(routes, engine_of(app))


def _not_refreshed(routes: Sequence[Route], config: SessionConfig) -> Iterator[Finding]:
    """Yield that none of *routes* refreshes, unless the application has an endpoint of its own for it, or begins no sessions."""
    begins = [route.path for route in routes if route.has(CreateSessionProvider)]
    own = any(
        route.has(RefreshSessionProvider) or ("POST" in route.methods and config.refresh_path.endswith(route.path))
        for route in routes
    )
    if begins and not own:
        yield NO_REFRESH.found(f"a session begins at {begins[0]}, and nothing is served at {config.refresh_path}")


def _misplaced(refreshes: Sequence[str], config: SessionConfig) -> Iterator[Finding]:
    """Yield why browsers send the refresh cookie to none of *refreshes*, or not to all of them."""
    if len(refreshes) > 1:
        yield TWICE.found(" and ".join(refreshes))
    elif not config.refresh_path.endswith(refreshes[0]):
        yield ELSEWHERE.found(f"{refreshes[0]} is served, and the cookie is for {config.refresh_path}")


def _mounted(routes: Sequence[Route], outer: Sessions | None) -> Iterator[Finding]:
    for route in routes:
        if engine_of(route.application) not in {None, outer}:
            yield NO_LIFESPAN.found(f"it is mounted at {route.path}")
