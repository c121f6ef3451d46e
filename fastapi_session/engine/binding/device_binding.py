"""Binding a session to a key of its browser (Device Bound Session Credentials), and renewing the credential that says so.

A proof registers a key:

| the first row that matches | outcome |
|---|---|
| it is no proof, or by an algorithm that was not offered | refused |
| its `jti` is no challenge to register, or an old one | refused |
| no access token of the challenge's session came in a cookie | refused |
| the session is over, or bound to another key | refused |
| the session is bound to this key already | registered, without a credential: the proof may be a copy, and the browser renews before it refreshes |
| else | bound, with a credential |

A proof renews the credential of a session identifier:

| the first row that matches | outcome |
|---|---|
| an access token of another session came in a cookie: a later sign-in | ended: the credential of that one stays |
| no proof came, it is none, or by another key than the identifier's | challenged |
| its `jti` is no challenge to renew this session, or an old one | challenged |
| the session is over, or not bound to this key | ended |
| the challenge was used before | challenged |
| else | renewed |

Nothing is written but the key, once, and a digest of each challenge that was used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Literal

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.core.binding import device_values
from fastapi_session.core.binding.bound_keys import Possession, device_key
from fastapi_session.core.binding.device_values import SessionIdentifier
from fastapi_session.core.binding.proof_keys import ProofKey
from fastapi_session.core.binding.proofs import read_proof
from fastapi_session.core.secret import Secrets
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.from_config import access_token_validities
from fastapi_session.events import DeviceBound
from fastapi_session.model import Circumstances, SessionRecord
from fastapi_session.randomness import Random
from fastapi_session.stores.base import Store

PROOF_TYPE = "dbsc+jwt"


@dataclass(frozen=True, slots=True)
class Bound:
    """What a browser is told of its session, which is bound to its key.

    It names the session by the *identifier*, keeps the *credential*, `None` for none, and makes its next proof with the *challenge*.
    """

    record: SessionRecord
    identifier: str
    credential: str | None = field(repr=False)
    challenge: str = field(repr=False)

    @property
    def bound_key(self) -> str:
        """The key that was proved."""
        return self.record.bound_key or ""


@dataclass(frozen=True, slots=True)
class Challenged:
    """The browser has to prove its key, with this *challenge*."""

    challenge: str = field(repr=False)


Ended = Literal["ended"]
"""The browser has nothing to renew any more."""


class DeviceBinding:
    """Binds the sessions of a store, and renews their credentials."""

    def __init__(
        self,
        config: SessionConfig,
        store: Store,
        *,
        secrets: Secrets,
        announcements: Announcements,
        clock: Clock,
        random: Random,
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._announcements = announcements
        # No browser binds a session whose cookies are partitioned: it would find out once the server has bound it.
        self._is_offered = config.device_binding != "off" and not config.cookie_partitioned
        longest = max(access_token_validities(config).values())
        self._challenge_lives = {
            device_values.REGISTER: device_values.OFFER_LIFE,
            device_values.RENEW: device_values.renewal_life(longest),
        }
        self._life = device_values.CREDENTIAL_LIVES[config.device_binding_scope]
        self._clock = clock
        self._random = random

    def offer(self, session_id: str) -> str | None:
        """Return the challenge with which a browser may bind *session_id*, which has just begun; `None` if none is to be bound."""
        return self._challenge(device_values.REGISTER, session_id) if self._is_offered else None

    async def register(self, proof: str, *, came_with: Collection[str], by: Circumstances) -> Bound | None:
        """Bind a session by the text *proof*, as the table says; `None` if it is refused. Raises `StoreUnavailable`.

        *came_with* are the ids of the sessions whose access tokens came in cookies, *by* a request of such circumstances.
        """
        read = read_proof(proof, typ=PROOF_TYPE, allowed=device_values.ALGORITHMS)
        if read is None:
            return None
        challenge = read.claims.get("jti")
        session_id = device_values.read_challenge(challenge, device_values.REGISTER, self._secrets, now=self._clock())
        if session_id is None or session_id not in came_with:
            return None
        return await self._bind(session_id, read.key, by)

    async def renew(
        self, identifier: SessionIdentifier, proof: str | None, *, came_with: Collection[str]
    ) -> Bound | Challenged | Ended:
        """Renew the credential of *identifier* by the text *proof*, as the table says. Raises `StoreUnavailable`."""
        session_id, key = identifier.session_id, identifier.key
        if came_with and session_id not in came_with:
            return "ended"
        challenge = self._answered(proof, identifier)
        if challenge is None:
            return Challenged(self._challenge(device_values.RENEW, session_id))
        record = await self._live(session_id)
        if record is None or record.bound_key != device_key(key.thumbprint):
            return "ended"
        # Last: what is refused above may be sent again.
        until = self._clock() + device_values.CHALLENGE_KEPT
        if not await self._store.once(sha256(challenge.encode()).digest(), until=until):
            return Challenged(self._challenge(device_values.RENEW, session_id))
        return self._bound(record, key, credential=self._credential(session_id, key))

    def possession(self, credentials: Iterable[str], *, is_of: Callable[[str], bool]) -> Possession | None:
        """Return what the first of *credentials* proves that is good, and whose session *is_of* is true of; `None` if none is."""
        now = self._clock()
        for text in credentials:
            said = device_values.read_credential(text, self._secrets, now=now)
            if said is not None and is_of(said.session_id):
                return Possession(device_key(said.thumbprint), said.session_id)
        return None

    def _answered(self, proof: str | None, identifier: SessionIdentifier) -> str | None:
        """Return the challenge that *proof* responds to for *identifier*, `None` if to none."""
        read = None
        if proof is not None:
            read = read_proof(proof, typ=PROOF_TYPE, allowed=device_values.ALGORITHMS, key=identifier.key)
        challenge = None if read is None else read.claims.get("jti")
        if not isinstance(challenge, str):
            return None
        of = device_values.read_challenge(challenge, device_values.RENEW, self._secrets, now=self._clock())
        return challenge if of == identifier.session_id else None

    async def _bind(self, session_id: str, key: ProofKey, by: Circumstances) -> Bound | None:
        bound_key, record = device_key(key.thumbprint), await self._live(session_id)
        if record is None:
            return None
        audit = self._announcements.audit_of(DeviceBound, circumstances=by)
        if record.bound_key is None and await self._store.bind(session_id, bound_key, audit=audit):
            record = replace(record, bound_key=bound_key)
            self._announcements.bound(record, by=by, audit=audit)
            return self._bound(record, key, credential=self._credential(session_id, key))
        # Another request may have come first, also with the same proof.
        record = await self._live(session_id)
        if record is None or record.bound_key != bound_key:
            return None
        return self._bound(record, key, credential=None)

    async def _live(self, session_id: str) -> SessionRecord | None:
        reading = await self._store.get(session_id)
        record = reading.record
        return None if record is None or record.lineage.expired(reading.now) else record

    def _bound(self, record: SessionRecord, key: ProofKey, *, credential: str | None) -> Bound:
        identifier = device_values.session_identifier(record.session_id, key)
        return Bound(record, identifier, credential, self._challenge(device_values.RENEW, record.session_id))

    def _challenge(self, purpose: bytes, session_id: str) -> str:
        return device_values.challenge(
            purpose,
            session_id,
            self._secrets.newest,
            end=self._clock() + self._challenge_lives[purpose],
            nonce=self._random(device_values.NONCE_BYTES),
        )

    def _credential(self, session_id: str, key: ProofKey) -> str:
        end = self._clock() + self._life + device_values.CREDENTIAL_LEEWAY
        return device_values.credential(session_id, key.thumbprint, self._secrets.newest, end=end)
