"""Pages of administrators, made of starlette-admin: sessions, devices, signing keys and the audit, over any store."""

from __future__ import annotations

from fastapi_session.admin.pages.panel import session_panel, session_views
from fastapi_session.admin.pages.session_auth import SessionAuth

__all__ = ["SessionAuth", "session_panel", "session_views"]
