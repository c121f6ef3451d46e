"""A row is looked at before anybody relies on it."""

from __future__ import annotations

import pytest

from fastapi_session.stores.rows import session_record, session_row
from fastapi_session.testing.records import new_session


def test_any_number_of_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of more combinations of types than are known at once are read all the same."""
    monkeypatch.setattr("fastapi_session.stores.columns._MOST_TYPES", 2)
    records = [
        new_session("a", now=1, label=label, external_session=session)
        for label in (None, "mine")
        for session in (None, b"0" * 32)
    ] * 2

    assert records == [session_record(session_row(record)) for record in records]
