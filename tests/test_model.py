"""What follows from the fields of the shared values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fastapi_session.model import Lineage, Tokens, moment
from fastapi_session.session_information import SessionInformation
from fastapi_session.testing.records import new_session

NOW = 2_000_000_000_000


def lineage(*, idle: int = 100, absolute: int | None = None) -> Lineage:
    return Lineage.first(b"hash", kid=7, used=b"the first", now=NOW, idle_timeout=idle, absolute_timeout=absolute)


def test_a_moment_is_aware() -> None:
    """Milliseconds become an aware UTC datetime, to the millisecond."""
    assert datetime(2033, 5, 18, 3, 33, 20, 123_000, tzinfo=UTC) == moment(NOW + 123)


def test_a_lineage_begins() -> None:
    """Generation 0 has nothing before it, and counts as used: there is no answer that could have been lost."""
    first = lineage()

    assert (0, b"hash", None, 7, NOW, True) == (
        first.generation,
        first.current,
        first.previous,
        first.current_kid,
        first.window_at,
        first.acknowledged,
    )


@pytest.mark.parametrize(
    ("idle", "absolute", "ends_after"), [(100, None, 100), (100, 200, 100), (100, 50, 50), (100, 100, 100)]
)
def test_the_earlier_deadline_ends_a_session(idle: int, absolute: int | None, ends_after: int) -> None:
    """A session is alive until a millisecond before the earlier of its deadlines."""
    first = lineage(idle=idle, absolute=absolute)

    assert [False, True] == [first.expired(NOW + ends_after - 1), first.expired(NOW + ends_after)]
    assert NOW + ends_after == first.idle_expires_at


def test_the_idle_deadline_never_passes_the_absolute_one() -> None:
    """However long a session may be idle, its absolute deadline stands."""
    assert NOW + 500 == lineage().idle_deadline(NOW, configured=500)
    assert NOW + 300 == lineage(absolute=300).idle_deadline(NOW, configured=500)
    assert NOW + 200 == lineage(absolute=300).idle_deadline(NOW, configured=200)


def test_a_session_goes_by_its_own_idle_timeout() -> None:
    """If a session has one, what is configured does not count; none of it passes the absolute deadline."""
    assert NOW + 250 == replace(lineage(), idle_timeout=250).idle_deadline(NOW, configured=500)
    assert NOW + 300 == replace(lineage(absolute=300), idle_timeout=700).idle_deadline(NOW, configured=100)


def test_information_tells_no_hash() -> None:
    """What is known of a session by its handle has moments that people read, and no token or hash."""
    record = new_session("a", now=NOW)
    information = SessionInformation.of(record)

    assert (record.handle, "user", "recipe-user", "public") == (
        information.handle,
        information.user_id,
        information.recipe_user_id,
        information.tenant_id,
    )
    assert (moment(NOW), moment(record.lineage.idle_expires_at)) == (information.created_at, information.expires_at)
    assert "lineage" not in repr(information)


def test_secrets_are_not_printed() -> None:
    """The text form of records and tokens, which ends in logs, shows neither tokens, nor hashes, nor payloads."""
    record = new_session("a", now=NOW, access_token_payload={"canary": 1}, session_data={"canary": 2})
    tokens = Tokens("canary", 1, {"canary": 1}, "canary", "canary")

    assert "canary" not in repr(record) + repr(tokens)
    assert repr(record.lineage.current) not in repr(record)
