"""Nonces follow from the time and the secret: every process knows them, and nobody else does before their time."""

from __future__ import annotations

import pytest

from fastapi_session.core.binding.dpop_nonces import STEP, nonce_at, nonces_at
from tests.engines import NEW_SECRET, SECRET, WRONG_SECRET, secrets

NOW = 2_000_000_000_000 // STEP * STEP


@pytest.mark.parametrize(
    ("age", "is_accepted"),
    [(-2 * STEP, False), (-1, True), (0, True), (STEP, True), (2 * STEP - 1, True), (2 * STEP, False)],
)
def test_a_nonce_is_good_for_a_while(age: int, is_accepted: bool) -> None:
    """A nonce is accepted in its own step of time and in the two beside it, as processes' clocks may differ."""
    ring = secrets(SECRET)

    assert is_accepted == (nonce_at(NOW, ring) in nonces_at(NOW + age, ring))


def test_a_new_secret() -> None:
    """A nonce of the secret before is accepted, those given out are of the new one, and those of other secrets are none."""
    ring = secrets(NEW_SECRET, SECRET)

    assert nonce_at(NOW, secrets(SECRET)) in nonces_at(NOW, ring)
    assert nonce_at(NOW, secrets(NEW_SECRET)) == nonce_at(NOW, ring)
    assert nonce_at(NOW, secrets(WRONG_SECRET)) not in nonces_at(NOW, ring)


def test_each_step_has_its_own() -> None:
    """A nonce stays the same within a step, and no two steps have the same one."""
    ring = secrets(SECRET)

    assert nonce_at(NOW, ring) == nonce_at(NOW + STEP - 1, ring)
    assert 100 == len({nonce_at(NOW + step * STEP, ring) for step in range(100)})
    assert 22 == len(nonce_at(NOW, ring))
