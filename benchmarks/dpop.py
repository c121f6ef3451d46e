"""What a DPoP proof costs in process: ASGI calls without a server, as CPU time, beyond a bearer token and the proof's signature.

    python -m benchmarks.dpop [rounds]

Each request has a proof of its own, made before. The signature is verified by cryptography alone, over as many bytes as a proof has,
as the only work of a dependency: in a request it takes longer than in a loop. What is left is ours: to read the proof, to check what
it says, and to remember it. The last line is what remembering takes of memory.
"""

from __future__ import annotations

import asyncio
import secrets
import tracemalloc
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi import Depends, FastAPI

from benchmarks.applications import application, bare, by_header, engine, verified
from benchmarks.in_process import CALLS, Measure, microseconds, request, warm
from benchmarks.measuring import interleaved, print_costs, rounds
from fastapi_session import Sessions
from fastapi_session.client.dpop import DpopKey
from fastapi_session.core import base64url
from fastapi_session.core.binding.proof_keys import ProofKey, proof_key
from fastapi_session.core.jws import read_segment
from fastapi_session.engine.binding.replays import Replays

BARE, BEARER = "bare FastAPI", "verify_session(), warm, header"
URL = "http://localhost/"
KEYS = {
    "ES256": DpopKey(ec.generate_private_key(ec.SECP256R1())),
    "Ed25519": DpopKey(ed25519.Ed25519PrivateKey.generate()),
    "PS256": DpopKey(rsa.generate_private_key(65_537, 2048)),
    "RS256": DpopKey(rsa.generate_private_key(65_537, 2048), algorithm="RS256"),
}
REMEMBERED = 100_000


class RawVerify:
    """Verifies the signature of one proof by cryptography alone."""

    def __init__(self, proof: str) -> None:
        signed, _, signature = proof.rpartition(".")
        self._message, self._signature = signed.encode(), base64url.decode(signature) or b""
        self._key = _public_key(proof)

    async def __call__(self) -> None:
        """Verify it once."""
        self._key.is_signature(self._signature, self._message)


def _public_key(proof: str) -> ProofKey:
    header = read_segment(proof.partition(".")[0]) or {}
    known = proof_key(header["jwk"], header["alg"], allowed=KEYS)
    assert known is not None
    return known


def proved(app: FastAPI, key: DpopKey, token: str) -> Measure:
    """Measure requests with a proof each."""

    async def measure() -> float:
        proofs = [key.proof("GET", URL, access_token=token) for _ in range(CALLS)]
        scopes = [request({"authorization": f"DPoP {token}", "dpop": proof}) for proof in proofs]
        return await microseconds(app, scopes)

    return measure


def raw_verifying(raw: RawVerify) -> FastAPI:
    """Return an application whose dependency is *raw*."""
    app = FastAPI()
    app.get("/", dependencies=[Depends(raw)])(bare)
    return app


async def candidates(sessions: Sessions) -> dict[str, Measure]:
    """Return what is measured, by its name in the table."""
    app = application(verified, sessions=sessions)
    bearer = (await sessions.create("alice")).tokens.access_token
    measures = {BARE: warm(application(bare), {}), BEARER: warm(app, by_header(bearer))}
    for algorithm, key in KEYS.items():
        token = (await sessions.create("alice", bound_key=key.bound_key)).tokens.access_token
        raw = RawVerify(key.proof("GET", URL, access_token=token))
        measures[f"with a proof, {algorithm}"] = proved(app, key, token)
        measures[f"dependency with a raw verify, {algorithm}"] = warm(raw_verifying(raw), {})
    return measures


def print_ours(figures: Mapping[str, Sequence[float]]) -> None:
    """Print what a proof costs beyond a bearer token and its signature, by algorithm."""
    for algorithm in KEYS:
        columns: list[Any] = [figures[f"with a proof, {algorithm}"], figures[BEARER]]
        columns += [figures[f"dependency with a raw verify, {algorithm}"], figures[BARE]]
        ours = median(map(_ours, *columns))
        print(f"{algorithm}: a proof, beyond its signature: {ours:.1f}, least {_ours(*map(min, columns)):.1f}")


def _ours(proof: float, bearer: float, raw: float, nothing: float) -> float:
    return (proof - bearer) - (raw - nothing)


def print_memory() -> None:
    """Print how much memory a proof takes that is remembered."""
    replays, digests = Replays(), [secrets.token_bytes(32) for _ in range(REMEMBERED)]
    tracemalloc.start()
    for number, digest in enumerate(digests):
        replays.once(digest, until=60_000 + number, now=0)
    print(f"bytes that a proof takes which is remembered: {tracemalloc.get_traced_memory()[0] / REMEMBERED:.0f}")
    tracemalloc.stop()


async def main() -> None:
    """Measure every candidate, and print the table."""
    figures = await interleaved(await candidates(engine()), rounds=rounds(30))
    print_costs("CPU microseconds a request, in process", figures, base=BARE)
    print_ours(figures)
    print_memory()


if __name__ == "__main__":
    asyncio.run(main())
