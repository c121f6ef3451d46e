"""The name of a session: read back as it was written, here or elsewhere."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.handles import own_handle, session_handle, split_handle
from fastapi_session.testing.records import new_session


@pytest.mark.parametrize(
    ("tenant", "handle"), [("public", "0" * 32), ("acme", f"{'0' * 32}_acme"), ("a_b", f"{'0' * 32}_a_b")]
)
def test_handles(tenant: str, handle: str) -> None:
    """A handle names the tenant, unless it is the public one, and is read back."""
    assert handle == session_handle("0" * 32, tenant)
    assert ("0" * 32, tenant) == split_handle(handle)
    assert handle == new_session("a", now=0, session_id="0" * 32, tenant_id=tenant).handle


@given(st.text())
def test_no_text_is_too_odd_for_a_handle(text: str) -> None:
    """Whatever is given as a handle is taken apart without an error."""
    assert 2 == len(split_handle(text))


@given(st.uuids())
def test_an_id_may_be_written_as_a_uuid(uuid: UUID) -> None:
    """With dashes it names the session that it names without."""
    assert (uuid.hex, "public") == split_handle(str(uuid))
    assert (uuid.hex, "my-tenant_1") == split_handle(f"{uuid}_my-tenant_1")
    assert [uuid.hex, f"{uuid.hex}_acme"] == [own_handle(str(uuid)), own_handle(f"{uuid}_acme")]


@pytest.mark.parametrize(
    "odd", ["-" * 36, "0-" * 18, f"{'0' * 32}----", str(UUID(int=0)).upper() + "-", "0" * 31 + "-0"]
)
def test_dashes_anywhere_else_stay(odd: str) -> None:
    """No other text is taken for an id by leaving dashes out."""
    assert (odd, "public") == split_handle(odd)
