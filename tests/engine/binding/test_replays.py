"""A digest is remembered until its end, in bounded memory, and none is forgotten before."""

from __future__ import annotations

from hashlib import sha256
from threading import Thread

import pytest

from fastapi_session.engine.binding.replays import Replays
from fastapi_session.errors import StoreUnavailable
from tests.milliseconds import MINUTE, SECOND

NOW = 2_000_000_000_000


def digest(number: int) -> bytes:
    return sha256(bytes([number % 256, number // 256])).digest()


def test_once() -> None:
    """The first who comes with a digest is told so, and nobody after."""
    replays = Replays()

    assert [True, False, False] == [replays.once(digest(1), until=NOW + MINUTE, now=NOW) for _ in range(3)]
    assert replays.once(digest(2), until=NOW + MINUTE, now=NOW)


@pytest.mark.parametrize("ahead", [0, 1, 29 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE])
def test_until_its_end(ahead: int) -> None:
    """Whatever comes in between, a digest is remembered as long as its proof could come again."""
    replays, end = Replays(), NOW + ahead
    replays.once(digest(1), until=end, now=NOW)
    for moment in range(NOW, end, SECOND):
        replays.once(digest(2), until=moment + MINUTE, now=moment)

    assert not replays.once(digest(1), until=end, now=end)


def test_it_forgets() -> None:
    """What is past is forgotten when new proofs come: no more is kept than comes in two minutes or so."""
    replays = Replays()
    for second in range(600):
        moment = NOW + second * SECOND
        replays.once(digest(second), until=moment + MINUTE, now=moment)

    assert 60 <= len(replays) <= 100


def test_a_full_memory() -> None:
    """If it is full, no more proofs are let in and none is forgotten; once some have expired, there is room again."""
    replays = Replays(capacity=3)
    for number in range(3):
        replays.once(digest(number), until=NOW + MINUTE, now=NOW)

    with pytest.raises(StoreUnavailable):
        replays.once(digest(3), until=NOW + MINUTE, now=NOW)
    assert [False] * 3 == [replays.once(digest(number), until=NOW + MINUTE, now=NOW) for number in range(3)]
    later = NOW + 2 * MINUTE
    assert replays.once(digest(3), until=later + MINUTE, now=later)


def test_a_full_memory_of_what_has_expired() -> None:
    """Proofs from clocks that are ahead do not keep those in the memory that have expired."""
    replays = Replays(capacity=3)
    for number, ahead in enumerate([MINUTE, MINUTE, 2 * MINUTE]):
        replays.once(digest(number), until=NOW + ahead, now=NOW)
    later = NOW + 119 * SECOND

    assert replays.once(digest(3), until=NOW + 2 * MINUTE, now=later)
    assert not replays.once(digest(2), until=NOW + 2 * MINUTE, now=later)
    assert 2 == len(replays)


def test_many_threads() -> None:
    """Of many threads that come with one digest at once, one is told that it is the first."""
    replays, told = Replays(), list[bool]()

    def come() -> None:
        told.extend(replays.once(digest(number), until=NOW + MINUTE, now=NOW) for number in range(500))

    threads = [Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 500 == sum(told)
