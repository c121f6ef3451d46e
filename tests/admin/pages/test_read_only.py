"""What the lists of the pages have in common."""

from __future__ import annotations

from threading import get_ident

import pytest

pytest.importorskip("starlette_admin")

from fastapi_session.admin.pages.read_only import as_rows, columns


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
