"""How a user was authenticated: what an application may say of it, and what is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fastapi_session import Authentication, PayloadError
from fastapi_session.core.authentication import MAX_FACTORS

NOW = 1_700_000_000_500


def test_the_factors_were_checked_now_unless_somebody_says_when() -> None:
    """An identity provider that checked them earlier says when; one whose clock is ahead makes nothing younger than now."""
    earlier, later = (datetime.fromtimestamp(NOW / 1000 + seconds, UTC) for seconds in (-60, 60))
    assert {"pwd": NOW, "otp": NOW} == Authentication(("pwd", "otp")).factors(NOW)
    assert {"pwd": NOW - 60_000} == Authentication("pwd", at=earlier).factors(NOW)
    assert {"pwd": NOW} == Authentication("pwd", at=later).factors(NOW)


@pytest.mark.parametrize(
    "said",
    [
        {"methods": ()},
        {"methods": [f"f{number}" for number in range(MAX_FACTORS + 1)]},
        {"methods": ("one time",)},
        {"methods": ('"otp"',)},
        {"methods": ("back\\slash",)},
        {"methods": ("",)},
        {"methods": ("o" * 256,)},
        {"methods": (1,)},
        {"methods": "pwd", "acr": "two words"},
        {"methods": "pwd", "at": datetime(2024, 1, 1)},  # noqa: DTZ001 - that is what is refused
        {"methods": "pwd", "at": 1_700_000_000},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(said: dict[str, Any]) -> None:
    """Names that could not stand in a challenge, and a moment without a time zone, are refused with a fix."""
    with pytest.raises(PayloadError, match=r"^authentication: "):
        Authentication(**said)
