"""Which key signs, which verify, when the next one is due: the table row by row. And the JWKS."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.core.signing_keys import (
    RELOAD_MARGIN,
    Algorithm,
    DueKey,
    Family,
    KeyPolicy,
    SigningKey,
    SigningKeys,
)
from tests.core.keys import NOW, POLICY, PRIVATE, key, policy
from tests.milliseconds import HOUR, WEEK

LEAD = POLICY.publish_lead
SECOND_AT = NOW + WEEK
RETIRED_UNTIL = SECOND_AT + HOUR + RELOAD_MARGIN

FIRST = key("d-first")
SECOND = key("d-second", sequence=1, activates_at=SECOND_AT)
STATIC = key("s-static", family="s")
KEYS = SigningKeys([SECOND, STATIC, FIRST])


@pytest.mark.parametrize(
    ("state", "kid", "now", "signs", "verifies"),
    [
        ("pending", "d-second", SECOND_AT - LEAD, False, True),
        ("pending", "d-second", SECOND_AT - 1, False, True),
        ("active", "d-first", NOW, True, True),
        ("active", "d-first", SECOND_AT - 1, True, True),
        ("active", "d-second", SECOND_AT, True, True),
        ("active", "d-second", SECOND_AT + 100 * WEEK, True, True),
        ("retired", "d-first", SECOND_AT, False, True),
        ("retired", "d-first", RETIRED_UNTIL - 1, False, True),
        ("dropped", "d-first", RETIRED_UNTIL, False, False),
    ],
)
def test_the_life_of_a_rotating_key(state: str, kid: str, now: int, signs: bool, verifies: bool) -> None:
    """Each state begins and ends at its millisecond; what verifies is in the JWKS, and what does not is to be deleted."""
    signing = KEYS.signing("d", now=now, algorithm="ES256")
    assert signing is not None

    assert (signs, verifies) == (signing.kid == kid, KEYS.verifying(kid, now=now) is not None)
    assert verifies == (kid in [each["kid"] for each in KEYS.jwks(now=now)["keys"]])
    assert {"dropped": "expired"}.get(state, state) == KEYS.state(kid, now=now)
    assert verifies != (kid in KEYS.expired(now=now))


def test_a_key_ahead_of_its_time() -> None:
    """The next key may be made at any time, published as long as ever before it signs, but not while one is pending."""
    keys = SigningKeys([FIRST, STATIC])

    assert DueKey("d", 0, NOW) == SigningKeys().ahead(now=NOW, policy=POLICY)
    assert DueKey("d", 1, NOW + HOUR + LEAD) == keys.ahead(now=NOW + HOUR, policy=POLICY)
    assert KEYS.ahead(now=SECOND_AT - 1, policy=POLICY) is None
    assert DueKey("d", 2, SECOND_AT + LEAD) == KEYS.ahead(now=SECOND_AT, policy=POLICY)
    assert DueKey("d", 2, NOW + LEAD) == KEYS.ahead(now=NOW, policy=policy("RS256"))


def test_a_static_key_lives_for_ever() -> None:
    """The static key signs and verifies at any time, and is never due or expired."""
    for now in (NOW, NOW + 1000 * WEEK):
        assert STATIC is KEYS.signing("s", now=now, algorithm="ES256")
        assert STATIC is KEYS.verifying("s-static", now=now)
        assert KEYS.due("s", now=now, policy=POLICY) is None
        assert "s-static" not in KEYS.expired(now=now)


def test_a_retired_key_outlives_its_longest_token() -> None:
    """How long a retired key verifies is decided by the lifetime in force when it was made."""
    long_lived = SigningKeys([key("d-first", token_lifetime=48 * HOUR), SECOND])

    assert long_lived.verifying("d-first", now=SECOND_AT + 48 * HOUR) is not None
    assert long_lived.verifying("d-first", now=SECOND_AT + 48 * HOUR + RELOAD_MARGIN) is None


@pytest.mark.parametrize(
    ("when", "keys", "family", "now", "expected"),
    [
        ("no key", [], "d", NOW, DueKey("d", 0, NOW)),
        ("no static key", [FIRST], "s", NOW, DueKey("s", 0, NOW)),
        ("no rotating key", [STATIC], "d", NOW, DueKey("d", 0, NOW)),
        ("young", [FIRST], "d", NOW, None),
        ("a moment early", [FIRST], "d", SECOND_AT - LEAD - 1, None),
        ("in time", [FIRST], "d", SECOND_AT - LEAD, DueKey("d", 1, SECOND_AT)),
        ("late", [FIRST], "d", SECOND_AT + WEEK, DueKey("d", 1, SECOND_AT + WEEK + LEAD)),
        ("made already", [FIRST, SECOND], "d", SECOND_AT - LEAD, None),
        ("static", [STATIC], "s", NOW + 1000 * WEEK, None),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) > 1 else "",
)
def test_when_the_next_key_is_due(
    when: str, keys: list[Any], family: Family, now: int, expected: DueKey | None
) -> None:
    """The next key is due a publishing time before the newest retires, at once where there is none, and only once."""
    assert expected == SigningKeys(keys).due(family, now=now, policy=POLICY)


@pytest.mark.parametrize(
    ("chosen", "outgrown"),
    [
        (POLICY, False),
        (policy("RS256"), True),
        (policy(token_lifetime=HOUR + 1), True),
        (policy(token_lifetime=HOUR - 1), False),
        (policy(rotation_interval=2 * WEEK), False),
    ],
)
def test_a_key_that_is_outgrown(chosen: KeyPolicy, outgrown: bool) -> None:
    """Another algorithm or a longer life of tokens asks for a new key at once, published before it signs."""
    expected = DueKey("d", 1, NOW + HOUR + LEAD) if outgrown else None

    assert expected == SigningKeys([FIRST]).due("d", now=NOW + HOUR, policy=chosen)


SIDE_BY_SIDE = SigningKeys([FIRST, key("d-rsa", algorithm="RS256", sequence=1, activates_at=NOW + LEAD)])
"""An ES256 key, and the RS256 key of processes that were configured anew and run beside the others."""


def test_each_algorithm_signs_with_its_own_key() -> None:
    """While two algorithms are asked for side by side, each process signs with its own as soon as that is active."""
    signing = [
        SIDE_BY_SIDE.signing("d", now=now, algorithm=algorithm)
        for algorithm in ("ES256", "RS256")
        for now in (NOW, NOW + LEAD - 1, NOW + LEAD, NOW + WEEK)
    ]

    assert ["d-first"] * 4 + ["d-first"] * 2 + ["d-rsa"] * 2 == [each.kid for each in signing if each]


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_no_algorithm_outgrows_the_other(algorithm: Algorithm) -> None:
    """Neither side has to make a key because of the other's; each of the two has its next one after its own interval."""
    chosen, began = policy(algorithm), NOW + (LEAD if algorithm == "RS256" else 0)

    assert SIDE_BY_SIDE.due("d", now=began + WEEK - LEAD - 1, policy=chosen) is None
    assert DueKey("d", 2, began + WEEK) == SIDE_BY_SIDE.due("d", now=began + WEEK - LEAD, policy=chosen)


def test_an_algorithm_that_nobody_asks_for_any_more() -> None:
    """The last key of an algorithm retires with the first one of the other, which proves that its own interval is over."""
    second = key("d-rsa-2", algorithm="RS256", sequence=2, activates_at=SECOND_AT)
    keys = SigningKeys([FIRST, key("d-rsa", algorithm="RS256", sequence=1, activates_at=NOW + LEAD), second])
    signing = keys.signing("d", now=SECOND_AT, algorithm="ES256")
    assert signing is not None

    assert "d-rsa-2" == signing.kid
    assert DueKey("d", 3, SECOND_AT + LEAD) == keys.due("d", now=SECOND_AT, policy=POLICY)
    assert [True, False] == [
        keys.verifying("d-first", now=now) is not None for now in (RETIRED_UNTIL - 1, RETIRED_UNTIL)
    ]


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_retired_key_never_comes_back(algorithm: Algorithm) -> None:
    """A key retires with the first of its successors, whichever keys are made later on."""
    third = key("d-third", algorithm=algorithm, sequence=3, activates_at=SECOND_AT + WEEK)
    for between in ([SECOND], [key("d-1", algorithm="RS256", sequence=1), key("d-2", algorithm="RS256", sequence=2)]):
        retires_at = between[-1].record.activates_at
        keys = SigningKeys([FIRST, *between, third])

        assert keys.verifying("d-first", now=retires_at + HOUR + RELOAD_MARGIN) is None


class Deployment:
    """Processes that ask for different algorithms, all of which see the same keys at once."""

    def __init__(self) -> None:
        self.now = NOW
        self.keys: dict[str, SigningKey] = {}
        self.in_use: dict[str, int] = {}

    def serve(self, algorithm: Algorithm, lifetime: int) -> None:
        """Let one process sign a token of this *lifetime*, and make a key where one is due."""
        chosen = policy(algorithm, token_lifetime=lifetime)
        due = SigningKeys(self.keys.values()).due("d", now=self.now, policy=chosen)
        if due is not None:
            for kid in SigningKeys(self.keys.values()).expired(now=self.now):
                del self.keys[kid]
            self._insert(algorithm, due, lifetime)
        signing = SigningKeys(self.keys.values()).signing("d", now=self.now, algorithm=algorithm)
        assert signing is not None
        self.in_use[signing.kid] = self.now + min(lifetime, signing.record.token_lifetime)

    def _insert(self, algorithm: Algorithm, due: DueKey, lifetime: int) -> None:
        record = replace(
            READY[algorithm].record,
            kid=f"d-{self.now}-{due.sequence}",
            sequence=due.sequence,
            activates_at=due.activates_at,
            token_lifetime=lifetime,
        )
        self.keys[record.kid] = replace(READY[algorithm], record=record)

    def verified(self) -> list[bool]:
        """Return of every key whose tokens are alive whether it verifies."""
        keys = SigningKeys(self.keys.values())
        return [keys.verifying(kid, now=self.now) is not None for kid, until in self.in_use.items() if until > self.now]


READY = {algorithm: key(algorithm=algorithm) for algorithm in PRIVATE}


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(sorted(PRIVATE)),
            st.sampled_from([HOUR, 40 * HOUR]),
            st.integers(0, 100 * HOUR) | st.just(LEAD),
        ),
        max_size=60,
    )
)
def test_what_was_signed_verifies_until_it_expires(steps: list[tuple[Algorithm, int, int]]) -> None:
    """Whichever algorithms and lifetimes are asked for side by side, and whenever, every token is verified as long as it lives."""
    deployment = Deployment()
    for algorithm, lifetime, pause in steps:
        deployment.serve(algorithm, lifetime)
        assert all(deployment.verified())
        deployment.now += pause
        assert all(deployment.verified())


def test_a_static_key_is_not_outgrown_by_longer_lives() -> None:
    """It verifies for ever anyway; another algorithm asks for another one."""
    keys = SigningKeys([STATIC])

    assert keys.due("s", now=NOW, policy=policy(token_lifetime=2 * HOUR)) is None
    assert DueKey("s", 1, NOW + LEAD) == keys.due("s", now=NOW, policy=policy("RS256"))


@pytest.mark.parametrize(
    ("state", "kid", "now", "expected"),
    [
        ("pending", "d-second", SECOND_AT - 1, None),
        ("active", "d-first", SECOND_AT - 1, DueKey("d", 2, SECOND_AT - 1)),
        ("active", "d-second", SECOND_AT, DueKey("d", 2, SECOND_AT)),
        ("retired", "d-first", SECOND_AT, None),
        ("static", "s-static", SECOND_AT, DueKey("s", 1, SECOND_AT)),
        ("unknown", "d-unknown", SECOND_AT, None),
    ],
)
def test_what_takes_the_place_of_a_revoked_key(state: str, kid: str, now: int, expected: DueKey | None) -> None:
    """Only where the key signs another one has to be made before it goes, which comes after all others and signs at once."""
    assert expected == KEYS.replacement(kid, now=now)


def test_a_clock_before_the_first_key() -> None:
    """A machine whose clock is behind the one that made the first key signs with it all the same."""
    signing = SigningKeys([FIRST]).signing("d", now=NOW - HOUR, algorithm="ES256")
    assert signing is not None

    assert "d-first" == signing.kid


def test_an_unknown_kid_and_no_keys() -> None:
    """What is not there neither signs nor verifies."""
    assert KEYS.verifying("d-unknown", now=NOW) is None
    assert SigningKeys().signing("d", now=NOW, algorithm="ES256") is None
    assert {"keys": []} == SigningKeys().jwks(now=NOW)


def test_the_jwks_tells_public_parts_alone() -> None:
    """Each key is told with name, use and algorithm, and nothing private."""
    keys = SigningKeys([key("d-e"), key("s-r", family="s", algorithm="RS256")]).jwks(now=NOW)["keys"]

    assert [
        {"alg": "ES256", "crv": "P-256", "kid": "d-e", "kty": "EC", "use": "sig"},
        {"alg": "RS256", "e": "AQAB", "kid": "s-r", "kty": "RSA", "use": "sig"},
    ] == [{name: value for name, value in each.items() if name not in {"x", "y", "n"}} for each in keys]


@given(
    activations=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["ES256", "RS256"])), max_size=4),
    family=st.sampled_from(["d", "s"]),
    halves=st.integers(-1, 7),
    beyond=st.sampled_from([-2 * LEAD, -LEAD, -1, 0, 1]),
)
def test_how_long_a_choice_lasts(
    activations: list[tuple[int, Algorithm]], family: Family, halves: int, beyond: int
) -> None:
    """Which key signs and which is due stays the same until the moment that is said, to the last millisecond."""
    half = POLICY.rotation_interval // 2
    now = NOW + halves * half + beyond
    keys = SigningKeys(
        key(f"{family}-{place}", family=family, sequence=place, activates_at=NOW + at * half, algorithm=algorithm)
        for place, (at, algorithm) in enumerate(sorted(activations))
    )

    def chosen(moment: int) -> tuple[str | None, bool]:
        due = keys.due(family, now=moment, policy=POLICY)
        signing = keys.signing(family, now=moment, algorithm=POLICY.algorithm)
        return None if signing is None else signing.kid, due is None

    until = keys.steady_until(family, now=now, policy=POLICY)
    last = NOW + 20 * POLICY.rotation_interval if until == math.inf else int(until) - 1
    between = [now + (last - now) * part // 7 for part in range(8)]

    assert until > now
    assert {chosen(now)} == {chosen(moment) for moment in between}
