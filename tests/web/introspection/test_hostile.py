"""Forged tokens by the hundred: none is active, and none ends a session."""

from __future__ import annotations

from random import Random

from tests.conftest import Amount
from tests.engines import refresh_token_of
from tests.web.hostility import Forger
from tests.web.introspection.service import INTROSPECTION, REVOCATION, Service, begun
from tests.web.test_hostile import without_fingerprint

SEED = 20_261_130


def test_forged_tokens(service: Service, amount: Amount) -> None:
    """Whatever is made of genuine tokens, or of nothing, is told as what is no token, and the sessions stay."""
    issued = [begun(service) for _ in range(3)]
    # Without what only the client of a session was sent: who has that needs no signature to end it.
    access = [without_fingerprint(each.tokens.access_token) for each in issued]
    forger = Forger(Random(SEED), access=access, refresh=[refresh_token_of(each) for each in issued])
    seen = set()
    for _ in range(amount(400, full=10_000)):
        form = {"token": forger.token()}
        if form["token"]:
            told, ended = service.post(INTROSPECTION, form), service.post(REVOCATION, form)
            seen |= {(told.status_code, told.content), (ended.status_code, ended.content)}

    assert {(200, b'{"active":false}'), (200, b"")} == seen
    assert 3 == len(service.deployment.users("ada"))
