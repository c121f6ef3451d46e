"""DPoP proofs that came with requests (RFC 9449): checked as `core.binding.dpop` says, and good once.

Where it is remembered that a proof was used:

| the proof came | in this process | in the store, for all processes |
|---|---|---|
| with an access token | yes | if the route asks the store anyway (`check_database=True`) |
| with a refresh token, or to begin a session | yes | no: who repeats that gets tokens that are of no use without the key |

So no request needs a round trip for its proof alone: to write each `jti` to the store would cost more than all that sessions cost
otherwise. Between processes, who copies a whole request can repeat that very request, method and URL, for a minute, unless its route
asks the store.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.core.binding import dpop_nonces
from fastapi_session.core.binding.dpop import CheckedProof, Expected, checked_proof
from fastapi_session.core.secret import Secrets
from fastapi_session.engine.binding.replays import Replays
from fastapi_session.errors import DpopError
from fastapi_session.origin import Origin
from fastapi_session.stores.base import OnceStore


class DpopProofs:
    """Checks proofs for one deployment, and remembers those that were used."""

    def __init__(self, config: SessionConfig, store: OnceStore, *, secrets: Secrets, clock: Clock) -> None:
        origin = Origin.parse(config.api_domain)
        assert origin is not None  # as the configuration has ensured
        self._origin, self._base = origin, str(origin)
        self.asks_for_nonces = config.dpop_nonces
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._replays = Replays()
        self._nonces: tuple[int, frozenset[str]] = (-1, frozenset())

    def check(
        self,
        texts: Sequence[str],
        *,
        method: str,
        path: str,
        origin: Origin | None = None,
        access_token: str | None = None,
    ) -> CheckedProof:
        """Return the proof that *texts* are, for a request by *method* to *path*, with *access_token* if that is to be used. Raises `DpopError`.

        *origin* is where the request went, `None` for `api_domain`.
        """
        now = self._clock()
        nonces = self._accepted(now) if self.asks_for_nonces else None
        base = self._base if origin is None else str(origin)
        expected = Expected(method, base + path, origin or self._origin, path, access_token, nonces)
        del access_token  # error reporters send the local variables of this frame
        return checked_proof(texts, expected, now=now)

    def use(self, proof: CheckedProof) -> None:
        """Remember *proof* in this process. Raises `DpopError` if it was used before, `StoreUnavailable` if no more can be remembered."""
        if not self._replays.once(proof.digest, until=proof.until, now=self._clock()):
            raise DpopError("invalid_dpop_proof", "replay")

    async def use_everywhere(self, proof: CheckedProof) -> None:
        """Remember *proof* in the store. Raises `DpopError` if it was used before by a request that did so too, `StoreUnavailable`."""
        if not await self._store.once(proof.digest, until=proof.until):
            raise DpopError("invalid_dpop_proof", "replay")

    def new_nonce(self, proof: CheckedProof | None) -> str | None:
        """Return the nonce that a client needs who has proved by *proof*, or could not: `None` if it has it, or needs none."""
        if not self.asks_for_nonces:
            return None
        newest = dpop_nonces.nonce_at(self._clock(), self._secrets)
        return None if proof is not None and proof.nonce == newest else newest

    def _accepted(self, now: int) -> frozenset[str]:
        step, nonces = self._nonces
        if step != now // dpop_nonces.STEP:
            step, nonces = now // dpop_nonces.STEP, dpop_nonces.nonces_at(now, self._secrets)
            self._nonces = (step, nonces)
        return nonces
