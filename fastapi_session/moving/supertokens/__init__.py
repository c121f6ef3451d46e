"""Sessions of a SuperTokens core: its tokens are opened here, and its tables are read. Nothing is ever written there."""

from __future__ import annotations

from fastapi_session.moving.supertokens.importing import ImportProgress, ImportReport, import_sessions
from fastapi_session.moving.supertokens.names import SuperTokensTables
from fastapi_session.moving.supertokens.rows import Remark
from fastapi_session.moving.supertokens.source import SuperTokens

__all__ = ["ImportProgress", "ImportReport", "Remark", "SuperTokens", "SuperTokensTables", "import_sessions"]
