"""Sessions of a SuperTokens core: its tokens are opened here, and its tables are read. Nothing is ever written there."""

from __future__ import annotations

from fastapi_session.moving.supertokens.names import SuperTokensTables
from fastapi_session.moving.supertokens.source import SuperTokens

__all__ = ["SuperTokens", "SuperTokensTables"]
