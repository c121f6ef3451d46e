"""What administrators change of the signing keys, and that the log says who did it."""

from __future__ import annotations

import logging

import pytest

from fastapi_session.admin.key_changes import delete_key, make_next_key
from fastapi_session.model import Actor
from fastapi_session.testing import HandClock
from tests.admin.administered import engine_of

GRACE = Actor("grace\n", "0" * 32)


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "fastapi_session")
    return caplog


async def test_the_next_key(logged: pytest.LogCaptureFixture) -> None:
    """It is made once, and both times the log says who asked for it, in one line."""
    sessions = engine_of(HandClock())
    await sessions.create("ada")
    first, second = [await make_next_key(sessions, by=GRACE) for _ in range(2)]

    assert first is not None
    assert second is not None
    assert (True, False, first.kid, first.signs_from) == (first.made, second.made, second.kid, second.signs_from)
    line = f"signing key {first.kid}: rotation asked for by 'grace\\n'"
    assert 2 == [record.getMessage() for record in logged.records].count(line)


async def test_one_key_for_ever(logged: pytest.LogCaptureFixture) -> None:
    """Where keys do not rotate, none is made."""
    sessions = engine_of(HandClock(), use_dynamic_access_token_signing_key=False)
    await sessions.create("ada")

    assert await make_next_key(sessions, by=GRACE) is None
    assert "rotation" not in logged.text


async def test_a_key_is_deleted(logged: pytest.LogCaptureFixture) -> None:
    """It is gone, the log says who did it, and a second time there is none."""
    sessions = engine_of(HandClock())
    await sessions.create("ada")
    kid = (await sessions.administration.keys())[0].kid
    deleted = [await delete_key(sessions, each, by=GRACE) for each in (kid, kid, "none")]

    assert [True, False, False] == deleted
    assert kid not in {key.kid for key in await sessions.administration.keys()}
    assert 1 == logged.text.count(f"signing key {kid}: deleted by 'grace\\n'")
    assert "none: deleted" not in logged.text
