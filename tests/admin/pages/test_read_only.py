"""What the lists of the pages have in common."""

from __future__ import annotations

from threading import get_ident

import pytest

pytest.importorskip("starlette_admin")

from fastapi_session import MemoryStore
from fastapi_session.admin.pages.read_only import as_rows, columns, known_sessions
from fastapi_session.stores.base import SessionPage
from fastapi_session.testing import HandClock
from tests.engines import engine


class SparsePages(MemoryStore):
    """Has a page for each session, as Redis has pages of names of which most have expired."""

    async def session_page(self, *, after: str | None, limit: int) -> SessionPage:
        """Return the next one."""
        del limit
        return await super().session_page(after=after, limit=1)


async def test_rows_are_made_on_a_thread() -> None:
    """The event loop goes on while a thousand user agents are read."""
    [where] = await as_rows(lambda _: get_ident(), [None])

    assert get_ident() != where


def test_columns() -> None:
    """A column has the label that it is given, else the common one, else its name; one of a single row is in no list."""
    found = [*columns("user_id", "at", "kind", at="When"), *columns("handle", in_list=False)]

    assert [("user_id", "User"), ("at", "When"), ("kind", "Kind"), ("handle", "Handle")] == [
        (each.name, each.label) for each in found
    ]
    assert [False, False, False, True] == [each.exclude_from_list for each in found]


async def test_a_list_without_a_user() -> None:
    """It goes on behind a page that has few sessions or none, as one is whose sessions have expired."""
    clock = HandClock()
    sessions = engine(clock, store=SparsePages(clock=clock))
    await sessions.open()
    try:
        for number in range(3):
            await sessions.create(f"user{number}")

        assert {"user0", "user1", "user2"} == {each.user_id for each in await known_sessions(sessions, None)}
    finally:
        await sessions.close()
