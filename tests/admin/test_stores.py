"""What administrators ask, of every store: whatever is in an address, the response is one that was designed."""

from __future__ import annotations

from urllib.parse import quote

from fastapi_session import admin_router
from fastapi_session.testing import HandClock
from tests.admin.administered import ADMINS, application, engine_of
from tests.admin.test_router import admin, do, ends, handles, read, signed_in
from tests.conftest import Place
from tests.web.deployment import Deployment, deployed
from tests.web.wire import Held

HOSTILE = [
    "",
    "\x00",
    "\x1b[2J\u202e",
    "ü" * 1_000,
    "x" * 50_000,
    "9" * 40,
    "-1",
    "0" * 32,
    "'; --",
    "\ufffd",
    "_",
    "{a}",
    "1.5",
]
"""What no user, no session, no key and no page has as its name."""


def test_hostile_texts(any_place: Place) -> None:
    """Nothing is found, nothing ends, and nothing is an error of the server."""
    clock = HandClock()
    sessions = engine_of(clock, store=any_place.store(clock))
    app = application(sessions)
    app.include_router(admin_router(require=[ADMINS]))
    with deployed(app, sessions, clock) as deployment:
        grace = admin(deployment)
        signed_in(deployment)
        for text in HOSTILE:
            ensure_harmless(deployment, grace, quote(text, safe=""))
        assert (1, []) == (len(handles(deployment)), ends(deployment, "ada"))


def ensure_harmless(deployment: Deployment, grace: Held, text: str) -> None:
    """Ask for *text* wherever something is asked for, and see what comes."""
    for parameter in ("user_id", "user_id=ada&tenant_id"):
        assert 0 == read(deployment, grace, f"/admin/sessions?{parameter}={text}")["total"]
        assert [] == read(deployment, grace, f"/admin/devices?{parameter}={text}")["devices"]
        assert [] == read(deployment, grace, f"/admin/events?{parameter}={text}")["events"]
        assert [] == do(deployment, grace, "POST", f"/admin/sessions/revoke-user?{parameter}={text}").json()["ended"]
    for path in ("sessions", "events"):
        assert do(deployment, grace, "GET", f"/admin/{path}?after={text}").status_code in {200, 400}
    assert 400 == do(deployment, grace, "POST", f"/admin/sessions/revoke-user?user_id=ada&keep={text}").status_code
    for path in ("sessions", "keys") if text else ():
        assert 404 == do(deployment, grace, "DELETE", f"/admin/{path}/{text}").status_code
