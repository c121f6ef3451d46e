"""What every store must do, as tests that a store's own test class inherits."""

from __future__ import annotations

from fastapi_session.testing.binding_contract import BindingContract
from fastapi_session.testing.changing_contract import ChangingContract
from fastapi_session.testing.external_contract import ExternalContract
from fastapi_session.testing.keeping_contract import KeepingContract
from fastapi_session.testing.key_contract import KeyContract
from fastapi_session.testing.notice_contract import NoticeContract
from fastapi_session.testing.rotation_contract import RotationContract
from fastapi_session.testing.sighting_contract import SightingContract
from fastapi_session.testing.user_contract import UserContract


class StoreContract(
    KeepingContract,
    ChangingContract,
    RotationContract,
    BindingContract,
    UserContract,
    SightingContract,
    ExternalContract,
    KeyContract,
    NoticeContract,
):
    """The tests of everything that `fastapi_session.stores.base` promises.

    Inherit it, and give it two fixtures: *store*, an empty store that has been opened, and *clock*, a `HandClock`
    that this store goes by. The tests are coroutines, for pytest-asyncio in its auto mode. If its `keeps_limits` is true,
    inherit `LimitContract` too.

        class TestMyStore(StoreContract):
            @pytest.fixture
            def clock(self) -> HandClock:
                return HandClock()

            @pytest.fixture
            async def store(self, clock: HandClock) -> AsyncIterator[Store]:
                store = MyStore(clock=clock)
                await store.open()
                yield store
                await store.close()
    """
