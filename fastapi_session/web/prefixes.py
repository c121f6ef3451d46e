"""The prefix of a router: a path. Whoever gives the settings there, or nothing but a name, is told what belongs there."""

from __future__ import annotations

from fastapi_session.errors import ConfigurationError


def ensure_prefix(prefix: object, *, of: str) -> None:
    """Raise `ConfigurationError` naming the function *of* if *prefix* is no path without a slash at its end."""
    if isinstance(prefix, str) and (prefix == "" or (prefix.startswith("/") and not prefix.endswith("/"))):
        return
    what = f"{of}: give the prefix as a path without a slash at its end, as in prefix='/auth'"
    raise ConfigurationError(
        what
        if isinstance(prefix, str)
        else f"{what}, and no {type(prefix).__name__}; settings go to install(app, config)"
    )
