"""What a test says of a user stands for what the application would fetch."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from fastapi_session import PrimitiveClaim, Sessions
from fastapi_session.testing import HandClock, auto_refresh, sign_in
from tests.testing import shop
from tests.testing.shop import Roles, app


@pytest.mark.parametrize(("roles", "status"), [(["admin"], 200), (["moderator"], 403), ([], 403)])
def test_a_role_is_said(roles: list[str], status: int, sessions: Sessions, clock: HandClock) -> None:
    """A user whom the database does not know has a role by one line, also after it would have been fetched anew."""
    client = auto_refresh(TestClient(app), sessions)
    sign_in(client, sessions, "alice", claims={Roles: roles})
    seen = []
    for passed in (timedelta(0), timedelta(minutes=6), timedelta(days=40)):
        clock.advance(passed)
        seen.append(client.get("/admin").status_code)

    assert [status] * 3 == seen


def test_others_are_fetched_as_ever(sessions: Sessions, clock: HandClock) -> None:
    """What is said of one session is not said of another of the same user: its claim is fetched, and anew when it is due."""
    client, other = (auto_refresh(TestClient(app), sessions) for _ in range(2))
    sign_in(client, sessions, "root", claims={Roles: ["guest"]})
    sign_in(other, sessions, "root")

    assert [403, 200] == [each.get("/admin").status_code for each in (client, other)]
    clock.advance(timedelta(minutes=6))
    assert [403, 200] == [each.get("/admin").status_code for each in (client, other)]
    assert (Roles,) == shop.sessions.claims


def test_a_claim_that_is_not_registered(sessions: Sessions) -> None:
    """A claim that only a route asks for can be said as well, beside a payload of one's own."""

    async def fetch(*_: object) -> str:
        raise AssertionError

    plan = PrimitiveClaim("plan", fetch)
    issued = sign_in(TestClient(app), sessions, "root", claims={plan: "pro"}, access_token_payload={"theme": "dark"})
    payload = issued.access_token.custom

    assert ("pro", ["admin"], "dark") == (plan.value(payload), Roles.value(payload), payload["theme"])
