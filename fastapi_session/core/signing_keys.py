"""Which key signs now, which still verify, when the next one is due, and the JWKS (RFC 7517).

Everything follows from the moments in the rows, so that all processes agree without communicating:

| state of a rotating key | from | until | signs | verifies, in the JWKS |
|---|---|---|---|---|
| pending | created | `activates_at` | no | yes |
| active | `activates_at` | a successor's `activates_at` | yes | yes |
| retired | a successor's `activates_at` | + its `token_lifetime` + `RELOAD_MARGIN` | no | yes |

Exactly one key signs: the newest active one. While the configured algorithm is being changed, processes with the old one and
with the new one run side by side. Each signs with the newest key of its own algorithm, so that none has to make keys because
of the others. That is why the first key of another algorithm does not retire the one before it. The second one does, a whole
interval later.

A static key verifies for ever. The first is made with the first rotating one, when a deployment opens, so that it is
published before it signs; one of another algorithm is published as long before as a rotating key.

The next rotating key is due `publish_lead` before `rotation_interval` has passed since the newest became active. It is due at
once if there is none of the configured algorithm, or tokens are to live longer than the newest was made for.

A key of another system verifies only, from when it was first known here, for as long as access tokens of that system live.

In an emergency a key is deleted, whatever its state. Its sequence may be used again, because a key is known by its kid
alone, and no kid is used twice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from fastapi_session.core.signatures import PrivateKey, PublicKey
from fastapi_session.json_types import JsonObject
from fastapi_session.model import SigningKeyRecord

Algorithm = Literal["ES256", "RS256"]
Family = Literal["d", "s", "m"]
KeyState = Literal["pending", "active", "retired", "expired"]
"""A state of the table above, and "expired" once a key verifies no more; it is deleted when the next one is made."""

ROTATING: Family = "d"
STATIC: Family = "s"
FOREIGN: Family = "m"
"""Keys of another system whose sessions have moved in: they have no private part here."""

RELOAD_MARGIN = 120_000
"""Milliseconds that a process may lag behind the store and still sign with a key that others see as retired."""

_KID = re.compile("[ds]-[0-9a-f]{32}")
_FOREIGN_KID = re.compile("d-[0-9]{13}|s-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_kid(family: Family, random: bytes) -> str:
    """Return the kid of a new key of *family*, made of 16 *random* bytes."""
    return f"{family}-{random.hex()}"


def is_kid(text: str) -> bool:
    """Say whether *text* has the format of our kids, or of those of another system. The key itself may be gone."""
    return _KID.fullmatch(text) is not None or is_foreign_kid(text)


def is_foreign_kid(text: str) -> bool:
    """Say whether *text* is a kid as a SuperTokens core writes it: `d-` and a moment, or `s-` and a UUID. None of ours is."""
    return _FOREIGN_KID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key that verifies, ready for use: parsed once, and not for each token.

    *kid* is the name that token headers carry, *algorithm* the one that the key is for; both are those of its *record*.
    """

    kid: str
    algorithm: str
    record: SigningKeyRecord
    public: PublicKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class SigningKey(VerifyingKey):
    """A key that can sign too, since its private part is ours."""

    private: PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """What a deployment chose. All durations are milliseconds. *static* says that a key which never rotates signs access tokens."""

    algorithm: Algorithm
    rotation_interval: int
    publish_lead: int
    token_lifetime: int
    static: bool = False


@dataclass(frozen=True, slots=True)
class DueKey:
    """The next key to be made: its place in the family, and when it begins to sign (milliseconds)."""

    family: Family
    sequence: int
    activates_at: int


class SigningKeys:
    """All keys of a store at one moment, immutable."""

    def __init__(self, keys: Iterable[VerifyingKey] = ()) -> None:
        # By sequence, which the store keeps unique; two keys can begin to sign at the same moment.
        self._keys = tuple(sorted(keys, key=lambda key: (key.record.family, key.record.sequence)))
        self._by_kid = {key.kid: key for key in self._keys}
        signing = [key for key in self._keys if isinstance(key, SigningKey)]
        self._families = {
            family: [key for key in signing if key.record.family == family] for family in (ROTATING, STATIC)
        }
        self._retires_at = _retirements(self._families[ROTATING])
        self.verifies_until: Mapping[str, float] = {
            key.kid: self._retires_at.get(key.kid, math.inf) + key.record.token_lifetime + RELOAD_MARGIN
            if isinstance(key, SigningKey)
            else key.record.activates_at + key.record.token_lifetime
            for key in self._keys
        }
        """When each key verifies no more, by its kid: milliseconds, infinity while no successor is known."""

    def signing(self, family: Family, *, now: int, algorithm: Algorithm) -> SigningKey | None:
        """Return the key of *family* that signs at *now*: the newest active one of *algorithm*, failing that of any.

        The first key of all signs at once, also on a machine whose clock is a little behind the one that made it.
        """
        keys = self._families[family]
        active = [key for key in keys if key.record.activates_at <= now] or keys[:1]
        return next(reversed(self._lasting(active, algorithm, until=now) or active), None)

    def verifying(self, kid: str, *, now: int) -> VerifyingKey | None:
        """Return the key named *kid* if it still verifies at *now*."""
        return self._by_kid.get(kid) if now < self.verifies_until.get(kid, -math.inf) else None

    def due(self, family: Family, *, now: int, policy: KeyPolicy) -> DueKey | None:
        """Return the key that has to be made at *now*, or `None`."""
        keys = self._families[family]
        if not keys:
            return DueKey(family, 0, now)
        activates_at = now + policy.publish_lead
        lasting = self._lasting(keys, policy.algorithm, until=activates_at)
        if lasting and (family == STATIC or _suffices(lasting[-1].record, policy, until=activates_at)):
            return None
        return DueKey(family, keys[-1].record.sequence + 1, activates_at)

    def ahead(self, *, now: int, policy: KeyPolicy) -> DueKey | None:
        """Return the rotating key to be made at *now* though it is not due, or `None` if one is pending already."""
        keys = self._families[ROTATING]
        if not keys:
            return DueKey(ROTATING, 0, now)
        if any(key.record.activates_at > now and key.algorithm == policy.algorithm for key in keys):
            return None
        return DueKey(ROTATING, keys[-1].record.sequence + 1, now + policy.publish_lead)

    def newest(self, family: Family) -> SigningKey | None:
        """Return the last key of *family*, which may be pending."""
        return next(reversed(self._families[family]), None)

    def state(self, kid: str, *, now: int) -> KeyState | None:
        """Return the state of the key named *kid* at *now*, `None` if there is none. One of another system is retired."""
        key = self._by_kid.get(kid)
        if key is None:
            return None
        if self.verifies_until[kid] <= now:
            return "expired"
        if not isinstance(key, SigningKey) or self._retires_at.get(kid, now + 1) <= now:
            return "retired"
        return "pending" if key.record.activates_at > now else "active"

    def steady_until(self, family: Family, *, now: int, policy: KeyPolicy) -> float:
        """Return until when `signing` and `due` say of *family* what they say at *now*: milliseconds, infinity if for ever."""
        lead, interval = policy.publish_lead, policy.rotation_interval
        moments: list[int] = []
        for key in self._families[family]:
            activates_at, retires_at = key.record.activates_at, self._retires_at.get(key.kid, now)
            moments += [activates_at, activates_at + interval - lead, retires_at, retires_at - lead]
        return min((moment for moment in moments if moment > now), default=math.inf)

    def has(self, due: DueKey) -> bool:
        """Say whether there is a key in the place of *due*."""
        return any(key.record.sequence == due.sequence for key in self._families[due.family])

    def replacement(self, kid: str, *, now: int) -> DueKey | None:
        """Return the key to be made, and to sign at once, before the key named *kid* may go; `None` if none has to be."""
        for family in (ROTATING, STATIC):
            keys = self._families[family]
            active = [key.kid for key in keys if key.record.activates_at <= now]
            if active[-1:] == [kid]:
                return DueKey(family, keys[-1].record.sequence + 1, now)
        return None

    def expired(self, *, now: int) -> list[str]:
        """Return the kids whose last token has expired."""
        return [kid for kid, until in self.verifies_until.items() if until <= now]

    def jwks(self, *, now: int) -> dict[str, list[JsonObject]]:
        """Return the JWK Set of every key that verifies, pending ones included (RFC 7517, section 5)."""
        return {
            "keys": [
                {**key.record.public_jwk, "kid": key.kid, "use": "sig"}
                for key in self._keys
                if self.verifying(key.kid, now=now)
            ]
        }

    def _lasting(self, keys: list[SigningKey], algorithm: Algorithm, *, until: int) -> list[SigningKey]:
        """Return those of *keys* that are of *algorithm* and have not retired at the moment *until*."""
        return [key for key in keys if key.algorithm == algorithm and self._retires_at.get(key.kid, until + 1) > until]


def _retirements(keys: list[SigningKey]) -> dict[str, int]:
    """Return when each of *keys*, rotating ones in order, retires: when the first of its successors becomes active."""
    successors = {key.kid: _successors(key, keys[place:]) for place, key in enumerate(keys, 1)}
    return {kid: min(each.record.activates_at for each in found) for kid, found in successors.items() if found}


def _successors(key: SigningKey, later: list[SigningKey]) -> list[SigningKey]:
    """Return which of the *later* keys take over from *key*: all but the very next if that is of another algorithm."""
    return later if later and later[0].algorithm == key.algorithm else later[1:]


def _suffices(newest: SigningKeyRecord, policy: KeyPolicy, *, until: int) -> bool:
    """Say whether tokens of the rotating key *newest* may live as long as *policy* wants, and no other key is due by *until*."""
    return newest.token_lifetime >= policy.token_lifetime and newest.activates_at + policy.rotation_interval > until
