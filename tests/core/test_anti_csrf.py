"""When a request proves that no other site forged it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfMode, AntiCsrfProof


@pytest.mark.parametrize(
    ("mode", "token", "custom_header", "expected", "holds"),
    [
        ("NONE", None, False, None, True),
        ("NONE", None, False, "t", True),
        ("NONE", "x", False, "t", True),
        ("VIA_CUSTOM_HEADER", None, True, None, True),
        ("VIA_CUSTOM_HEADER", None, False, None, False),
        ("VIA_CUSTOM_HEADER", "t", False, "t", False),
        ("VIA_TOKEN", "t", False, "t", True),
        ("VIA_TOKEN", "x", True, "t", False),
        ("VIA_TOKEN", "T", True, "t", False),
        ("VIA_TOKEN", "", True, "t", False),
        ("VIA_TOKEN", None, True, "t", False),
        ("VIA_TOKEN", "t", True, None, False),
        ("VIA_TOKEN", None, True, None, False),
        ("VIA_TOKEN", "", True, None, False),
    ],
)
def test_what_proves_it(
    mode: AntiCsrfMode, token: str | None, custom_header: bool, expected: str | None, holds: bool
) -> None:
    """Each mode asks for its own proof, and no other one will do."""
    assert holds == AntiCsrfProof(mode, token, custom_header=custom_header).holds(expected)


@given(st.text(), st.text())
def test_any_text_can_be_compared(token: str, expected: str) -> None:
    """Whatever a header says is compared: equal texts prove it, others do not."""
    assert (token == expected) == AntiCsrfProof("VIA_TOKEN", token).holds(expected)


@pytest.mark.parametrize(
    ("mode", "token", "accepted", "holds"),
    [
        ("NONE", None, [], True),
        ("VIA_CUSTOM_HEADER", None, [], True),
        ("VIA_TOKEN", "t", ["t", "u"], True),
        ("VIA_TOKEN", "u", ["t", "u"], True),
        ("VIA_TOKEN", "x", ["t", "u"], False),
        ("VIA_TOKEN", None, ["t", "u"], False),
        ("VIA_TOKEN", "t", [], False),
    ],
)
def test_one_of_several(mode: AntiCsrfMode, token: str | None, accepted: list[str], holds: bool) -> None:
    """Where several tokens are accepted, any of them proves it; where none is, no token does."""
    assert holds == AntiCsrfProof(mode, token, custom_header=True).holds_for_any(accepted)


def test_not_asked() -> None:
    """Who cannot have been tricked need prove nothing."""
    assert NOT_ASKED.holds("t")


def test_the_token_is_not_printed() -> None:
    """The text form of a proof does not tell the token."""
    assert "canary" not in repr(AntiCsrfProof("VIA_TOKEN", "canary"))
