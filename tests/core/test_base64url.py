"""base64url has one text for each sequence of bytes, and accepts no other."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.core import base64url


@given(st.binary())
def test_round_trip(data: bytes) -> None:
    """What is encoded is decoded, and is what the standard library writes, without padding."""
    text = base64url.encode(data)

    assert base64.urlsafe_b64encode(data).decode().rstrip("=") == text
    assert data == base64url.decode(text)


@given(st.text(string.ascii_letters + string.digits + "-_+/=. \n", max_size=12))
def test_one_text_for_one_value(text: str) -> None:
    """Of all texts exactly the canonical one is decoded."""
    data = base64url.decode(text)

    assert data is None or text == base64url.encode(data)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    """Whatever arrives is decoded or refused."""
    base64url.decode(text)


@pytest.mark.parametrize(
    "text", ["A", "AB", "AAB", "AA==", "AA=", "+/8", "A A", " AAAA", "AAAA\n", "AA*A", "ÄÄÄÄ", "\ud800AAA", "AAAAA"]
)
def test_other_spellings_are_refused(text: str) -> None:
    """Trailing bits, padding, the other alphabet, blanks and junk: what common decoders let through is refused."""
    assert base64url.decode(text) is None
