"""Where routers are put: at a path, and whatever else is given there is refused with the fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fastapi_session import (
    ConfigurationError,
    PrimitiveArrayClaim,
    Rule,
    SessionConfig,
    admin_router,
    devices_router,
    forward_auth_router,
    introspection_router,
    session_router,
    verify_session,
)
from tests.web.forward_auth.shapes import SECRET


async def _roles(*_: object) -> list[str]:
    return []


_ADMIN = verify_session(PrimitiveArrayClaim[str]("roles", _roles).includes("admin"))

ROUTERS: dict[str, Callable[[Any], object]] = {
    "session_router": session_router,
    "devices_router": devices_router,
    "introspection_router": lambda prefix: introspection_router({"reports": SECRET}, prefix=prefix),
    "forward_auth_router": lambda prefix: forward_auth_router(
        [Rule("/", verify_session())], proxy="nginx", proxy_secret=SECRET, prefix=prefix
    ),
    "admin_router": lambda prefix: admin_router(prefix, require=[_ADMIN]),
}


@pytest.mark.parametrize("name", ROUTERS)
@pytest.mark.parametrize("prefix", [SessionConfig(), None, 7, b"/auth", "auth", "/auth/", "/"], ids=str)
def test_what_is_no_prefix(name: str, prefix: object) -> None:
    """A router whose prefix is no path is not built, and the error names the function and what it takes."""
    with pytest.raises(ConfigurationError, match=rf"^{name}: give the prefix as a path .* prefix='/auth'"):
        ROUTERS[name](prefix)


def test_where_settings_go() -> None:
    """Whoever gives the settings to the router is told where they belong."""
    with pytest.raises(ConfigurationError, match=r"no SessionConfig; settings go to install\(app, config\)$"):
        session_router(SessionConfig())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ROUTERS)
@pytest.mark.parametrize("prefix", ["", "/v1", "/{tenant}/auth"])
def test_what_is_one(name: str, prefix: str) -> None:
    """A path is taken, and so is nothing."""
    assert ROUTERS[name](prefix)
