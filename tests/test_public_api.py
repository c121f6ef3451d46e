"""The public names: exactly those of `fastapi_session.__all__`."""

from __future__ import annotations

import inspect
from types import ModuleType

import fastapi_session


def test_all_is_sorted() -> None:
    """The public names are listed in order, so that a reader finds them and a change shows as one line."""
    assert sorted(fastapi_session.__all__) == fastapi_session.__all__


def test_all_is_complete() -> None:
    """What the package offers and what it says that it offers are the same."""
    names = {
        name
        for name, value in vars(fastapi_session).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert names - {"annotations"} == set(fastapi_session.__all__)


def test_public_names_are_explained() -> None:
    """Every public class and function has a docstring of its own."""
    public = {name: getattr(fastapi_session, name) for name in fastapi_session.__all__}
    explained = {name for name, value in public.items() if inspect.isclass(value) or inspect.isroutine(value)}

    assert {"Session", "install"} <= explained
    assert {} == {name: public[name] for name in explained if not public[name].__doc__}
