"""Guests: visitors with a session who have not signed in, and what a sign-in takes over from that session.

| *merge* | the data of the new session |
|---|---|
| `"keep"` | the guest's, with what the sign-in gives laid over it |
| `"drop"` | what the sign-in gives |
| a function | what it returns for the guest's data and what the sign-in gives |

Nothing else is taken over: neither the guest's claims nor the guest's tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fastapi_session.core.payload import copied
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import Json

Merge = Literal["keep", "drop"] | Callable[[dict[str, Any], dict[str, Any]], Json]
"""How a guest's session data become those of the user who signs in, as the table says."""


def guest_user_id(random: bytes) -> str:
    """Return the user id of a guest, made from *random*."""
    return f"guest_{random.hex()}"


def merged_data(merge: Merge, guest: Json, new: Json) -> Json:
    """Return what *merge* makes of the data of the *guest* and the *new* ones. A function is given copies.

    Raises `ConfigurationError` for a *merge* that is none.
    """
    if merge == "keep":
        return {**guest, **new}
    if merge == "drop":
        return new
    if not callable(merge):
        raise ConfigurationError(
            'merge: give "keep", "drop", or a function of the guest\'s data and the new data that returns the data to keep'
        )
    return merge(copied(guest), copied(new))
