"""The key that a session is bound to, as one text."""

from __future__ import annotations

from typing import Any

import pytest

from fastapi_session.core.binding.bound_keys import (
    Possession,
    Standing,
    carried_key,
    checked_key,
    device_key,
    dpop_key,
    is_device_key,
    jkt_of,
    proved_key,
    standing,
)
from fastapi_session.errors import ConfigurationError

THUMBPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
OTHER = "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"


def test_the_standard_stands_in_front() -> None:
    """Of the same key, what a browser proves is another text than what a client proves with each request."""
    assert (f"dbsc:{THUMBPRINT}", f"dpop:{THUMBPRINT}") == (device_key(THUMBPRINT), dpop_key(THUMBPRINT))


@pytest.mark.parametrize(
    ("bound_key", "is_of_a_device", "jkt"),
    [
        (device_key(THUMBPRINT), True, None),
        (dpop_key(THUMBPRINT), False, THUMBPRINT),
        (THUMBPRINT, False, None),
        (f"later:{THUMBPRINT}", False, None),
        ("", False, None),
        (None, False, None),
    ],
)
def test_a_key_is_of_one_standard(bound_key: str | None, is_of_a_device: bool, jkt: str | None) -> None:
    """A text is a key of a browser or one of DPoP, never both; any other is neither."""
    assert (is_of_a_device, jkt) == (is_device_key(bound_key), jkt_of(bound_key))


@pytest.mark.parametrize("key", [device_key(THUMBPRINT), dpop_key(THUMBPRINT)])
def test_a_key_that_can_be_proved(key: str) -> None:
    """What is written so is taken."""
    assert key == checked_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        THUMBPRINT,
        f"later:{THUMBPRINT}",
        f"DPOP:{THUMBPRINT}",
        dpop_key(""),
        dpop_key(THUMBPRINT[:-1]),
        dpop_key(f"{THUMBPRINT}="),
        dpop_key(f"{THUMBPRINT}\n"),
        THUMBPRINT.encode(),
    ],
    ids=repr,
)
def test_a_key_that_nobody_could_prove(key: Any) -> None:
    """A session that is bound to it could never be refreshed, so it is refused at once."""
    with pytest.raises(ConfigurationError, match="bound_key"):
        checked_key(key)


@pytest.mark.parametrize(
    ("possession", "proved"),
    [
        (None, None),
        (Possession(dpop_key(THUMBPRINT)), dpop_key(THUMBPRINT)),
        (Possession(device_key(THUMBPRINT), "mine"), device_key(THUMBPRINT)),
        (Possession(device_key(THUMBPRINT), "another"), None),
        (Possession(device_key(THUMBPRINT), ""), None),
    ],
)
def test_a_possession_counts_for_the_session_that_it_names(possession: Possession | None, proved: str | None) -> None:
    """What names a session counts for that one alone, what names none for any."""
    assert proved == proved_key(possession, "mine")


@pytest.mark.parametrize(
    ("bound_key", "proved", "is_overdue", "expected"),
    [
        (None, None, False, Standing.UNBOUND),
        (None, dpop_key(OTHER), False, Standing.UNBOUND),
        (None, None, True, Standing.OVERDUE),
        (None, dpop_key(OTHER), True, Standing.OVERDUE),
        *(
            (bound, proved, is_overdue, Standing.UNPROVED)
            for is_overdue in (False, True)
            for bound, proved in (
                (device_key(THUMBPRINT), None),
                (device_key(THUMBPRINT), device_key(OTHER)),
                (device_key(THUMBPRINT), dpop_key(THUMBPRINT)),
                (dpop_key(THUMBPRINT), None),
                (dpop_key(THUMBPRINT), dpop_key(OTHER)),
                (dpop_key(THUMBPRINT), device_key(THUMBPRINT)),
            )
        ),
        (device_key(THUMBPRINT), device_key(THUMBPRINT), True, Standing.CREDITED),
        (dpop_key(THUMBPRINT), dpop_key(THUMBPRINT), True, Standing.PROVED),
    ],
)
def test_how_a_refresh_stands(bound_key: str | None, proved: str | None, is_overdue: bool, expected: Standing) -> None:
    """Only the very key of the session, by its own standard, counts, and a session that has one is never overdue."""
    assert expected == standing(bound_key, proved, is_overdue=is_overdue)


@pytest.mark.parametrize(
    ("bound_key", "carried"),
    [(None, None), (device_key(THUMBPRINT), None), (dpop_key(THUMBPRINT), dpop_key(THUMBPRINT))],
)
def test_which_key_goes_along(bound_key: str | None, carried: str | None) -> None:
    """A session that takes the place of another one is bound to its DPoP key, and by a browser it is bound anew."""
    assert carried == carried_key(bound_key)
