"""What the tests of an application or of a store of one's own need.

A failing `StoreContract` says more where pytest rewrites its assertions; put this into conftest.py, first of all:

    pytest.register_assert_rewrite("fastapi_session.testing")
"""

from __future__ import annotations

from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.store_contract import StoreContract

__all__ = ["HandClock", "StoreContract"]
