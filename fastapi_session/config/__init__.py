"""What a deployment chooses: the settings, how each is read, and what does not go together."""

from __future__ import annotations

from fastapi_session.config.session_config import SessionConfig
from fastapi_session.config.settings import TokenTransferMethod

__all__ = ["SessionConfig", "TokenTransferMethod"]
