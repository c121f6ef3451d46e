"""Functions that an application gives us to await: one that cannot be awaited is refused when it is given, not when it is called.

| given | |
|---|---|
| what cannot be called | refused |
| a function by `def`, with named parameters | refused, unless it is annotated to return something awaitable |
| a generator by `def`, or by `async def` | refused |
| what does not take as many arguments | refused, where its own signature tells |
| a function by `async def`, also bound or in a `functools.partial` | taken |
| a lambda, a wrapper (`*args`, or `functools.wraps`), an object that can be called | taken: it may return something awaitable |
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from fastapi_session.errors import ConfigurationError

_AWAITABLE = ("Awaitable", "Coroutine", "Future", "Task")


def ensure_async(given: Callable[..., Any], what: str, *, takes: tuple[str, ...]) -> None:
    """Raise `ConfigurationError` naming *what* if *given* is surely no async function that *takes* so many arguments, by position."""
    if why := _unfit(given, takes):
        raise ConfigurationError(f"{what}: {why}; give an async function of ({', '.join(takes)})")


def _unfit(given: object, takes: tuple[str, ...]) -> str | None:
    """Return why *given* cannot be called with what it *takes* and awaited, `None` if it can or nobody knows."""
    if not callable(given):
        return f"a {type(given).__name__} is no function"
    if _is_plain(_innermost(given)):
        return f"{_name(given)} is no async function, write it as async def"
    if not _can_take(given, len(takes)):
        return f"{_name(given)} takes other arguments"
    return None


def _innermost(given: object) -> object:
    while isinstance(given, partial | MethodType):
        given = given.func if isinstance(given, partial) else given.__func__
    return given


def _is_plain(given: object) -> bool:
    if not isinstance(given, FunctionType) or inspect.iscoroutinefunction(given):
        return False
    flags = given.__code__.co_flags
    if flags & inspect.CO_ITERABLE_COROUTINE:  # by `types.coroutine`
        return False
    if flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
        return True
    # A wrapper may return what it wraps, called, and so may whatever says nothing of its parameters.
    is_wrapper = hasattr(given, "__wrapped__") or flags & inspect.CO_VARARGS or given.__name__ == "<lambda>"
    returned = str(given.__annotations__.get("return", ""))
    return not is_wrapper and not any(name in returned for name in _AWAITABLE)


def _can_take(given: Callable[..., Any], number: int) -> bool:
    """Say whether *given* can be called with *number* arguments, so far as its own signature tells."""
    if hasattr(_innermost(given), "__signature__"):  # which somebody wrote: it may be that of what is wrapped
        return True
    try:
        signature = inspect.signature(given, follow_wrapped=False)
    except (TypeError, ValueError):  # as of some functions written in C
        return True
    try:
        signature.bind(*[None] * number)
    except TypeError:
        return False
    return True


def _name(given: object) -> str:
    return str(getattr(_innermost(given), "__qualname__", type(given).__name__))
