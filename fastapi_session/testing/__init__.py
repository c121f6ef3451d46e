"""What the tests of an application or of a store of one's own need. Installed, pytest finds `fastapi_session.testing.plugin`."""

from __future__ import annotations

from fastapi_session.testing.clients import session_of, sign_in, sign_in_async
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.store_contract import StoreContract

__all__ = ["HandClock", "StoreContract", "session_of", "sign_in", "sign_in_async"]
