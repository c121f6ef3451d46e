"""What the theft lab has to say."""

from __future__ import annotations

from example_app.theft_lab import EXPLANATIONS
from fastapi_session.core.rotation import THEFT


def test_every_theft_is_explained() -> None:
    """Whichever verdict calls a replay theft, the lab tells the visitor why."""
    assert THEFT == EXPLANATIONS.keys()
