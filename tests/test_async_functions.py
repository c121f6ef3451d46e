"""Functions that are to be awaited: what surely cannot be is refused when it is given, and all that may be is taken."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from types import coroutine
from typing import Any
from unittest.mock import AsyncMock

import pytest

from fastapi_session import BooleanClaim, ConfigurationError, PrimitiveClaim, Sessions
from fastapi_session.async_functions import ensure_async
from tests.engines import config

NAMES = ("user_id", "tenant_id", "payload")


async def fetch(_user_id: str, _tenant_id: str, _payload: object) -> str:
    """Know one value."""
    return "pro"


def plain(_user_id: str, _tenant_id: str, _payload: object) -> str:
    """Know one value, at once."""
    return "pro"


def generator(_user_id: str, _tenant_id: str, _payload: object) -> Iterator[str]:
    """Yield a value."""
    yield "pro"


async def async_generator(_user_id: str, _tenant_id: str, _payload: object) -> AsyncIterator[str]:
    """Yield a value, later."""
    yield "pro"


async def of_two(_user_id: str, _payload: object) -> str:
    """Know one value, and nothing of tenants."""
    return "pro"


async def of_four(_database: object, _user_id: str, _tenant_id: str, _payload: object) -> str:
    """Know one value, of a database."""
    return "pro"


def returning(_user_id: str, _tenant_id: str, _payload: object) -> Awaitable[str]:
    """Return what can be awaited, and say so."""
    return fetch("", "", {})


def returning_a_coroutine(_user_id: str, _tenant_id: str, _payload: object) -> Coroutine[Any, Any, str]:
    """Return what can be awaited, and say so."""
    return fetch("", "", {})


@coroutine
def old(_user_id: str, _tenant_id: str, _payload: object) -> Iterator[None]:
    """Be a coroutine as they were once."""
    yield


def bare(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap *function*, and do not say so."""
    return lambda *given: function(*given[:3])


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap *function*, which need not take what the wrapper adds."""

    @functools.wraps(function)
    def wrapper(*given: object) -> Any:
        return function("database", *given)

    return wrapper


class Directory:
    """Knows values by a method, and by being called."""

    async def fetch(self, _user_id: str, _tenant_id: str, _payload: object) -> str:
        """Know one value."""
        return "pro"

    def plain(self, _user_id: str, _tenant_id: str, _payload: object) -> str:
        """Know one value, at once."""
        return "pro"

    async def __call__(self, _user_id: str, _tenant_id: str, _payload: object, _more: int = 0) -> str:
        """Know one value."""
        return "pro"


TAKEN: dict[str, Callable[..., Any]] = {
    "a function": fetch,
    "a method": Directory().fetch,
    "an object": Directory(),
    "a partial": functools.partial(of_four, "database"),
    "a partial of a method": functools.partial(Directory().fetch, "ada"),
    "a partial of a partial": functools.partial(functools.partial(of_four), "database"),
    "annotated": returning,
    "annotated as a coroutine": returning_a_coroutine,
    "by types.coroutine": old,
    "wrapped by a lambda": bare(fetch),
    "wrapped, and it says so": wrapped(of_four),
    "a lambda": lambda user_id, _tenant_id, payload: fetch(user_id, "public", payload),
    "a mock": AsyncMock(),
}

REFUSED: dict[str, tuple[Any, str]] = {
    "a function": (plain, "plain is no async function"),
    "a method": (Directory().plain, "Directory.plain is no async function"),
    "a partial": (functools.partial(plain, "ada"), "plain is no async function"),
    "a generator": (generator, "generator is no async function"),
    "an async generator": (async_generator, "async_generator is no async function"),
    "too few parameters": (of_two, "of_two takes other arguments"),
    "too many parameters": (of_four, "of_four takes other arguments"),
    "a partial with too many": (functools.partial(fetch, "ada"), "fetch takes other arguments"),
    "a lambda": (lambda _user_id: fetch("", "", {}), "takes other arguments"),
    "a value": (["admin"], "a list is no function"),
    "nothing": (None, "a NoneType is no function"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_can_be_awaited(name: str) -> None:
    """Functions, methods, objects, wrappers and partials that may return something awaitable are taken."""
    takes = NAMES[1:] if name == "a partial of a method" else NAMES
    ensure_async(TAKEN[name], "fetch", takes=takes)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot(name: str) -> None:
    """Anything else is refused, with its name and what belongs there."""
    given, why = REFUSED[name]
    fix = r"give an async function of \(user_id, tenant_id, payload\)$"
    with pytest.raises(ConfigurationError, match=rf"^fetch of the claim 'plan': .*{why}.*; {fix}"):
        PrimitiveClaim("plan", given)


def test_a_subscriber() -> None:
    """A subscriber that cannot be awaited is refused before the first event."""

    def count(_event: object) -> None:
        """Count an event."""

    with pytest.raises(ConfigurationError, match=r"^subscribers: .*count is no async function, .* of \(event\)$"):
        Sessions(config(), subscribers=[count])  # type: ignore[list-item]


async def test_a_lambda_that_returns_a_value() -> None:
    """What only the call shows is told then, with the name of the claim and the fix."""
    verified = BooleanClaim("verified", lambda _user, _tenant, _payload: True)  # type: ignore[arg-type, return-value]
    sessions = Sessions(config(), claims=[verified])
    await sessions.open()

    with pytest.raises(ConfigurationError, match=r"^fetch of the claim 'verified': it returns a value; give an async"):
        await sessions.create("ada")
    await sessions.close()
