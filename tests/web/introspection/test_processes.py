"""What another process ended a moment ago is over for a service at once, while a route may believe its token for two seconds."""

from __future__ import annotations

import asyncio

from fastapi_session.clock import system_clock
from fastapi_session.testing import HandClock
from tests.conftest import Place
from tests.engines import engine
from tests.moments import MINUTE
from tests.reliability.processes import PROCESSES
from tests.web.introspection.service import INACTIVE, asked, begun


def revoke_there(place: Place, handle: str) -> None:
    """Revoke, as another process of the deployment does."""
    asyncio.run(_revoke(place, handle))


async def _revoke(place: Place, handle: str) -> None:
    sessions = engine(system_clock, store=place.store())
    try:
        assert await sessions.revoke(handle)
    finally:
        await sessions.close()


def test_revoked_by_another_process(place: Place) -> None:
    """Nothing is read of what others did but the session itself, and that is enough."""
    sessions = engine(system_clock, store=place.store(), revocation_feed_interval=MINUTE)
    with asked(sessions, HandClock()) as service:
        issued = begun(service)
        token, headers = issued.tokens.access_token, {"authorization": f"Bearer {issued.tokens.access_token}"}
        before = service.told(token)[1]["active"]
        process = PROCESSES.Process(target=revoke_there, args=(place, issued.access_token.session_handle))
        process.start()
        process.join(60)

        assert (True, 0) == (before, process.exitcode)
        assert 200 == service.deployment.get("/me", headers).status_code
        assert INACTIVE == service.told(token)
