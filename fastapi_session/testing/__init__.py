"""What the tests of an application need, or of a store of one's own."""

from __future__ import annotations

from fastapi_session.testing.device_browser import bind_device
from fastapi_session.testing.diagnosis import findings_of
from fastapi_session.testing.event_contract import EventContract
from fastapi_session.testing.fresh_engine import fresh_sessions
from fastapi_session.testing.given_session import session_of
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.limit_contract import LimitContract
from fastapi_session.testing.movable_contract import MovableContract
from fastapi_session.testing.paging_contract import PagingContract
from fastapi_session.testing.refreshing import auto_refresh
from fastapi_session.testing.signing_in import sign_in, sign_in_async
from fastapi_session.testing.store_contract import StoreContract

__all__ = [
    "EventContract",
    "HandClock",
    "LimitContract",
    "MovableContract",
    "PagingContract",
    "StoreContract",
    "auto_refresh",
    "bind_device",
    "findings_of",
    "fresh_sessions",
    "session_of",
    "sign_in",
    "sign_in_async",
]
