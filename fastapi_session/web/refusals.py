"""A `SessionError` that refuses a request is an `HTTPException` too, so that the framework takes it for a refusal.

FastAPI's telemetry, and whatever else looks at what a route raises, takes an `HTTPException` for a response and any other
exception for a failure of the application. The tree of errors itself knows no framework: it is done here, as the error is raised.

Starlette finds handlers of an `HTTPException` by its status first, and each application has one for that class. So an error
becomes one only if the response stays the same:

| the innermost application has | the error |
|---|---|
| a handler for it or a class above it, and none for its status | becomes an `HTTPException` too |
| a handler for its status | stays as it is: that handler would respond in place of ours |
| no handler for it, as a mounted application or a middleware | stays as it is: a handler further out responds |
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fastapi import HTTPException

from fastapi_session.errors import SessionError

Handlers = tuple[Mapping[object, object], Mapping[int, object]]
"""The handlers of an application as Starlette keeps them in the scope: by class, and by status."""

HANDLERS = "starlette.exception_handlers"

NO_HANDLERS: Handlers = ({}, {})


def become_http_exception(error: SessionError, *, status: int, handlers: Handlers) -> None:
    """Let *error*, whose response has *status*, be an `HTTPException` too, as the table says. It stays the same object."""
    by_class, by_status = handlers
    kind = type(error)
    is_ours = any(issubclass(each, SessionError) and each in by_class for each in kind.__mro__)
    if not is_ours or status in by_status or isinstance(error, HTTPException):
        return
    error.__class__ = _mixed(kind)  # type: ignore[arg-type]  # mypy takes classes for unhashable
    vars(error).update(status_code=status, detail=error.message, headers=None)


@cache
def _mixed(kind: type[SessionError]) -> type[SessionError]:
    """Return the subclass of *kind* that is an `HTTPException`, and reads as *kind* wherever it is printed."""
    # Cached, since to make a class costs more than a whole refusal, and each would stay in memory.
    looks = {"__module__": kind.__module__, "__str__": kind.__str__, "__repr__": kind.__repr__}
    return type(kind.__name__, (kind, HTTPException), looks)
