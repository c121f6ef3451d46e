"""A session that takes another's place has all of it but its id and its refresh tokens."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from fastapi_session import Lifetime, SessionConfig, SessionKind
from fastapi_session.engine.tokens.new_sessions import NewSessions
from fastapi_session.model import Circumstances, SessionRecord
from tests.engines import SECRET, secrets
from tests.moments import DAY, HOUR, MINUTE

NOW = 2_000_000_000_000
LATER = NOW + 3 * 3_600_000
KINDS = {"bank": SessionKind(idle_timeout=HOUR, absolute_timeout=DAY)}


def new_sessions(**options: Any) -> NewSessions:
    config = SessionConfig(secret=SECRET, access_token_validity=MINUTE, **options)
    return NewSessions(config, secrets=secrets(SECRET), random=os.urandom)


def begun(made: NewSessions, lifetime: Lifetime) -> SessionRecord:
    """Return the record of a session that began at NOW, with a value in each field that need not have one."""
    record = made.record(
        made.refresh_token(),
        user_id="ada",
        recipe_user_id="ada@example.com",
        tenant_id="acme",
        payload={"theme": "dark"},
        session_data={"basket": [1]},
        circumstances=Circumstances("192.0.2.1", "Firefox"),
        lifetime=lifetime,
        authentication=None,
        label="at work",
        external=None,
        now=NOW,
    )
    return replace(
        record,
        version=7,
        factors={"pwd": NOW},
        acr="aal1",
        external_session=b"e" * 32,
        external_subject=b"s" * 32,
    )


@pytest.mark.parametrize("restarts", [True, False])
def test_a_copy_has_all_but_the_id_the_tokens_and_the_version(*, restarts: bool) -> None:
    """Whatever a session has besides goes with it, also what is added to records later."""
    made = new_sessions(kinds=KINDS)
    record, token = begun(made, Lifetime("bank", remember=False)), made.refresh_token()
    copy = made.copied_record(token, record, now=LATER, restarts=restarts)
    differing = {name for name, value in asdict(copy).items() if value != asdict(record)[name]}
    assert {"session_id", "version", "lineage"} | ({"created_at"} if restarts else set()) == differing
    assert (token.session_id, 0, 0) == (copy.session_id, copy.version, copy.lineage.generation)
    assert copy.lineage.current != record.lineage.current
    assert copy.lineage.previous is None


@pytest.mark.parametrize(
    ("lifetime", "kinds", "idle", "absolute"),
    [
        (Lifetime("bank"), KINDS, HOUR, DAY),
        (Lifetime("bank", idle=10 * MINUTE, absolute=2 * HOUR), KINDS, 10 * MINUTE, 2 * HOUR),
        (
            Lifetime("bank"),
            {"bank": SessionKind(idle_timeout=30 * MINUTE, absolute_timeout=2 * HOUR)},
            30 * MINUTE,
            2 * HOUR,
        ),
        (Lifetime("bank"), {"bank": SessionKind(idle_timeout=2 * DAY, absolute_timeout=9 * DAY)}, HOUR, DAY),
        (Lifetime("bank"), {}, HOUR, DAY),
        (Lifetime(), {}, 5 * DAY, None),
    ],
    ids=[
        "its kind",
        "shortened at sign-in",
        "a kind made shorter",
        "a kind made longer",
        "a kind that is gone",
        "no kind",
    ],
)
def test_a_session_that_restarts_lives_as_long_as_its_kind_says_and_no_longer_than_before(
    lifetime: Lifetime, kinds: dict[str, SessionKind], idle: timedelta, absolute: timedelta | None
) -> None:
    """Its deadlines count from then on, by the kind as it is configured now, but never more than the sign-in gave it."""
    record = begun(new_sessions(kinds=KINDS, idle_timeout=5 * DAY), lifetime)
    made = new_sessions(kinds=kinds, idle_timeout=5 * DAY)
    for _ in range(2):  # the second time as the first: what it had is not counted from the first sign-in
        record = made.copied_record(made.refresh_token(), record, now=LATER, restarts=True)
        ends = record.lineage.absolute_expires_at
        assert idle == timedelta(milliseconds=record.lineage.idle_expires_at - LATER)
        assert absolute == (None if ends is None else timedelta(milliseconds=ends - LATER))


def test_a_session_that_does_not_restart_keeps_its_deadlines() -> None:
    """So whoever comes back to a session does not lengthen it."""
    made = new_sessions(kinds=KINDS)
    record = begun(made, Lifetime("bank"))
    kept = made.copied_record(made.refresh_token(), record, now=LATER, restarts=False)
    for name in ("idle_timeout", "idle_expires_at", "absolute_expires_at"):
        assert getattr(record.lineage, name) == getattr(kept.lineage, name)
    assert record.created_at == kept.created_at
