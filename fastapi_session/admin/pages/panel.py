"""The pages as a whole: an admin of starlette-admin that has the views, lets administrators in, and begins with how the deployment is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette_admin import BaseAdmin, BaseModelView, CustomView, TableWidget

from fastapi_session.admin.pages.bounded_forms import BoundedForms
from fastapi_session.admin.pages.devices_view import DevicesView
from fastapi_session.admin.pages.events_view import EventsView
from fastapi_session.admin.pages.keys_view import KeysView
from fastapi_session.admin.pages.own_origin import OwnOrigin
from fastapi_session.admin.pages.read_only import sessions_of
from fastapi_session.admin.pages.session_auth import SessionAuth
from fastapi_session.admin.pages.sessions_view import SessionsView
from fastapi_session.errors import ConfigurationError
from fastapi_session.secret_strength import MAKE_A_SECRET, MINIMUM_SECRET_BYTES, weakness
from fastapi_session.web.verifying import SessionProvider

TITLE = "Sessions"
_TEMPLATES = Path(__file__).parent / "templates"


def session_views() -> list[BaseModelView]:
    """Return the views of sessions, devices, signing keys and the audit, for an admin of starlette-admin that you have: `add_view` each.

    They are closed unless its `auth_provider` is a `SessionAuth`. Give it `middlewares=[Middleware(BoundedForms)]` too, so that no
    stranger sends it forms without a bound.
    """
    return [SessionsView(), DevicesView(), KeysView(), EventsView()]


def session_panel(
    require: SessionProvider[Any, Any],
    *,
    secret_key: str,
    base_url: str = "/admin/pages",
    login_url: str | None = None,
    title: str = TITLE,
) -> BaseAdmin:
    """Return pages by which administrators see and end everybody's sessions: `session_panel(...).mount_to(app)`.

    *require* is what a route would depend on, and has to ask for a claim: `verify_session(Roles.includes("admin"))`. *secret_key* is
    random text of at least 32 characters, the same in all processes: by it starlette-admin signs its own cookies, which keep forged
    requests away. The pages are at *base_url*; *title* is what they are called. With *login_url*, the path of a sign-in page on this
    host, browsers that are not signed in are sent there, and so is who signs out.

    Raises `ConfigurationError` if *require* lets every user in, *secret_key* is easy to guess, or *login_url* is no such path.
    """
    auth_provider = SessionAuth(require, login_url=login_url)
    _ensure_strong(secret_key)
    panel = BaseAdmin(
        title=title,
        base_url=base_url,
        route_name="session-panel",
        auth_provider=auth_provider,
        secret_key=secret_key,
        index_view=CustomView(title, path="/", route_name="index", widget=_health, add_to_menu=False),
        # Not the application's own folder, in which an index.html would take the place of theirs.
        templates_dir=str(_TEMPLATES),
        # All times are UTC. Else starlette-admin looks for a zone in a cookie, a stranger's too, and fails at some that name none.
        timezone_config=None,
        middlewares=[Middleware(OwnOrigin), Middleware(BoundedForms)],
    )
    for view in session_views():
        panel.add_view(view)
    return panel


def _ensure_strong(secret_key: object) -> None:
    encoded = secret_key.encode("utf-8", "replace") if isinstance(secret_key, str) else b""
    if len(encoded) < MINIMUM_SECRET_BYTES or weakness(encoded):
        raise ConfigurationError(
            f"session_panel: secret_key is easy to guess; give at least {MINIMUM_SECRET_BYTES} random characters; {MAKE_A_SECRET}"
        )


async def _health(request: Request) -> TableWidget:
    sessions = sessions_of(request)
    health = await sessions.administration.health()
    age = "never" if health.feed_age is None else f"{health.feed_age.total_seconds():.1f} seconds ago"
    signing = ", ".join(key.kid for key in health.keys if key.signs)
    unreadable = [key.kid for key in health.keys if key.state == "unreadable"]
    facts = [
        ["Store", health.store],
        ["Revocations of other processes were read", age],
        ["This process's clock is ahead of the store's by", f"{health.clock_ahead.total_seconds():.3f} seconds"],
        ["Keys that sign", signing],
        ["Keys that no secret opens", ", ".join(unreadable) or "none"],
        ["Audit", "on" if sessions.config.audit else "off"],
    ]

    async def rows(_request: Request) -> list[list[Any]]:
        return [*facts]

    return TableWidget("How it is", ["", ""], rows)
