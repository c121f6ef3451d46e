"""Pages of administrators, made of starlette-admin: sessions, devices, signing keys and the audit, over any store."""

from __future__ import annotations

try:  # all names need the same extra, so the module is not there without it
    from fastapi_session.admin.pages.bounded_forms import BoundedForms
    from fastapi_session.admin.pages.panel import session_panel, session_views
    from fastapi_session.admin.pages.session_auth import SessionAuth
except ModuleNotFoundError as error:
    raise ImportError(f"these pages need {error.name}: pip install 'fastapi-session-auth[admin]'") from error

__all__ = ["BoundedForms", "SessionAuth", "session_panel", "session_views"]
