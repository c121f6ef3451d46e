"""Which DPoP proofs this process has seen: each is good once (RFC 9449, section 11.1). In bounded memory, with no task that tidies up.

What is kept are digests, in sets by the time at which they may be forgotten: a set goes as a whole. If there are as many as there
may be, further proofs are refused, and none is forgotten: else a flood would let a copied proof in. So that only clients
of the deployment can fill the memory, a proof comes here last, when its session is known.
"""

from __future__ import annotations

from threading import Lock

from fastapi_session.errors import StoreUnavailable

CAPACITY = 524_288
"""Digests, of about 100 bytes each: more than a process can verify while it has to remember them (`benchmarks.dpop`)."""

_STEP = 30_000
"""Milliseconds for which digests are in one set."""
_KEPT_BYTES = 16
"""Of a digest. To find two of one key that are alike in these is not feasible, and would be to nobody's harm but one's own."""


class Replays:
    """The digests of proofs that were used, in this process."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._by_end: dict[int, set[bytes]] = {}
        self._count = 0
        self._lock = Lock()  # an application may be served by event loops on several threads

    def __len__(self) -> int:
        """Return how many digests are kept."""
        return self._count

    def once(self, digest: bytes, *, until: int, now: int) -> bool:
        """Remember *digest* at least until the moment *until*, and say whether it was not remembered yet. Raises `StoreUnavailable` if all is full.

        *now* is what time it is (milliseconds).
        """
        end, kept = until // _STEP, digest[:_KEPT_BYTES]
        with self._lock:
            seen = self._by_end.get(end)
            if seen is None:
                self._forget(now // _STEP)
                seen = self._by_end[end] = set()
            if kept in seen:
                return False
            if self._count >= self._capacity:
                self._forget(now // _STEP)
            if self._count >= self._capacity:
                raise StoreUnavailable("dpop: more proofs came than can be remembered until they expire")
            seen.add(kept)
            self._count += 1
            return True

    def _forget(self, step: int) -> None:
        for end in [end for end in self._by_end if end < step]:
            self._count -= len(self._by_end.pop(end))
