"""Which deployment a command is about: that of an application, or the one that the environment configures.

| `--app` | the deployment |
|---|---|
| `main:app` | that of the FastAPI application `app` of the module `main`, to which `install` gave sessions |
| `main:sessions` | that `Sessions` |
| `main:create_app()` | that of what the function returns |
| none | `SessionConfig()`: that of the variables `FASTAPI_SESSION_...` |

The module is found as by `python -m`: from the working directory, then wherever packages are installed.
"""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from types import FunctionType, MethodType
from typing import Annotated

import typer

from fastapi_session.config import SessionConfig
from fastapi_session.errors import ConfigurationError
from fastapi_session.sessions import Sessions
from fastapi_session.store_url import StoreUrl
from fastapi_session.web.installed import engine_of

# Not more than Python allows: a URL with a password in it is no such place, and is not taken for the name of a module.
_PLACE = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*(\(\))?")
_NOT_THEIRS = {__file__, "<frozen importlib._bootstrap>", importlib.__file__}

App = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:NAME",
        help="The application whose sessions are meant, as in main:app. Without it, the variables FASTAPI_SESSION_... say it.",
    ),
]
"""The option of each command that is about one deployment."""


def sessions_of(app: str | None) -> Sessions:
    """Return the sessions of the deployment that the option says, not opened yet. Raises `ConfigurationError`."""
    if app is None:
        return Sessions()
    named = named_object(app)
    engine = engine_in(named)
    if engine is None:
        fix = (
            f"to have it called, write --app '{app}()'"
            if isinstance(named, FunctionType | MethodType)
            else "name the FastAPI application that is given to install(), or a Sessions"
        )
        raise ConfigurationError(f"--app: {app} is a {type(named).__name__} without sessions; {fix}")
    return engine


def configuration_of(app: str | None) -> SessionConfig:
    """Return the configuration of the deployment that the option says. Without an application nothing is made, no key file either.

    Raises `ConfigurationError`.
    """
    return SessionConfig() if app is None else sessions_of(app).config


def engine_in(named: object) -> Sessions | None:
    """Return *named* if it is `Sessions`, those of the application that it is, or `None`."""
    return named if isinstance(named, Sessions) else engine_of(named)


def named_object(place: str) -> object:
    """Return what *place* names, as in `main:app`. Raises `ConfigurationError` if there is none, or its module cannot be imported."""
    module_name, _, name = place.partition(":")
    if not _PLACE.fullmatch(place):
        raise ConfigurationError(
            f"{_printed(place)}: give the name of a module, a colon and a name in it, as in main:app"
        )
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: object = importlib.import_module(module_name)
        for attribute in name.removesuffix("()").split("."):
            found = getattr(found, attribute)
        made = found() if name.endswith("()") and callable(found) else found
    except ConfigurationError:
        raise
    except (Exception, SystemExit) as error:  # a program that ends itself may do so as if all were well
        raise ConfigurationError(f"{place}: {_in_one_line(error)}") from error
    if isinstance(made, Coroutine):
        made.close()
        raise ConfigurationError(f"{place}: a function that is async is not called; name one that is not")
    return made


def _printed(place: str) -> str:
    """Return *place* as it may be printed: a URL with a slip in it may have its password anywhere."""
    return StoreUrl(place).printed if "://" in place or not set(place) & {"@", "/"} else "this"


def _in_one_line(error: BaseException) -> str:
    """Say what *error* is and where it was raised. Of errors of others the text is left out: it may have a secret in it."""
    text = f": {error}" if isinstance(error, ImportError | AttributeError) else ""
    # Of the import system and of this file nobody wants to read: then it is the place that is wrong.
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in _NOT_THEIRS]
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{text}{where}"
