"""Timing what a store is asked, and only while somebody wants to know: a store that nobody times is called as ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from inspect import iscoroutinefunction
from time import perf_counter
from typing import ParamSpec, TypeVar

from fastapi_session.stores.base import Store

P = ParamSpec("P")
T = TypeVar("T")

Record = Callable[[float, Mapping[str, str]], None]
"""Records how long an operation took, in seconds, with its attributes."""

OPERATIONS = frozenset(
    name
    for contract in Store.__mro__
    for name, member in vars(contract).items()
    if iscoroutinefunction(member) and name not in {"open", "close"}
)
"""All that the contract of a store has."""


def time_operations(store: Store, record: Record) -> Callable[[], None]:
    """Let *record* have the duration of each operation of *store*, and return what undoes that.

    A store that others time already, or that takes no attributes, stays as it is. So does one `within` a transaction.
    """
    # On the object, not around it: the parts of the engine have it already, and a wrapper would cost a call when nobody looks.
    own = getattr(store, "__dict__", None)
    timed = set[str]() if own is None else OPERATIONS.difference(own)
    for name in timed:
        setattr(store, name, _timed(getattr(store, name), name, record))

    def undo() -> None:
        for name in timed:
            delattr(store, name)

    return undo


def _timed(operation: Callable[P, Awaitable[T]], name: str, record: Record) -> Callable[P, Awaitable[T]]:
    @wraps(operation)
    async def timed_operation(*args: P.args, **kwargs: P.kwargs) -> T:
        began, attributes = perf_counter(), {"operation": name}
        try:
            return await operation(*args, **kwargs)
        except BaseException as error:
            attributes["error.type"] = type(error).__qualname__
            raise
        finally:
            record(perf_counter() - began, attributes)

    return timed_operation
