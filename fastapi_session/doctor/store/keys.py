"""The signing keys in the store, and the secrets that encrypt them.

| id | looks at | level |
|---|---|---|
| FS111 | a store that has no keys yet | info |
| FS112 | keys that none of the secrets opens | error |
| FS113 | keys that an earlier secret encrypts | info |
| FS114 | earlier secrets that no key and no session needs | info |
| FS115 | a rotating key that is older than two update intervals | warning |
| FS116 | a next key that is due, and not made yet | info |
| FS117 | keys without one that stays | warning |
| FS118 | an algorithm that is not the configured one, without a key that is about to change that | warning |

If no secret opens a key, nothing more is said of the keys: which one signs is not known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta

from fastapi_session.core.secret import Secrets
from fastapi_session.core.signing_keys import ROTATING, STATIC, KeyPolicy, SigningKeys
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.store.opened import Opened
from fastapi_session.engine.from_config import key_policy
from fastapi_session.engine.keys.known_keys import known_keys
from fastapi_session.engine.keys.reencryption import under_earlier_secrets
from fastapi_session.model import SigningKeyRecord
from fastapi_session.plain_text import lasting
from fastapi_session.stores.base import MovableStore, Store

NO_KEYS = Check(
    "FS111",
    Level.INFO,
    "there are no signing keys yet",
    "start the application: its first process makes them",
)
NOT_OPENED = Check(
    "FS112",
    Level.ERROR,
    "a signing key is encrypted under a secret that is not configured, so no process starts",
    'give that secret too, in a list after the newest one, as in FASTAPI_SESSION_SECRET=\'["new", "old"]\'',
)
UNDER_EARLIER = Check(
    "FS113",
    Level.INFO,
    "a signing key is still encrypted under an earlier secret, which has to stay until that has changed",
    "wait a day, or run fastapi-session keys reencrypt",
)
SPARE_SECRET = Check(
    "FS114",
    Level.INFO,
    "an earlier secret is configured that no signing key and no session needs any more",
    "once all processes have the newest first, leave the earlier one out",
)
OLD = Check(
    "FS115",
    Level.WARNING,
    "the signing key is older than two update intervals, so nobody makes new ones",
    "look in the log of the application for signing keys that could not be made, and see that its processes reach the store",
)
LATE = Check(
    "FS116",
    Level.INFO,
    "the next signing key is due and has not been made",
    "nothing, if the application is idle: a process makes it with its next sign-in or refresh",
)
NO_STATIC = Check(
    "FS117",
    Level.WARNING,
    "there is no signing key that stays, so the first tokens of one will not be known to other services",
    "restart a process of the application, which makes it and publishes it",
)
OTHER_ALGORITHM = Check(
    "FS118",
    Level.WARNING,
    "tokens are signed by another algorithm than the configured one, and no key of that one is about to take over",
    "restart the application, so that its processes have the setting",
)

CHECKS = (NO_KEYS, NOT_OPENED, UNDER_EARLIER, SPARE_SECRET, OLD, LATE, NO_STATIC, OTHER_ALGORITHM)

MOST_SESSIONS = 20_000
"""Up to how many sessions are read to see which secret they need."""
_PAGE = 500


async def key_findings(opened: Opened) -> AsyncIterator[Finding]:
    """Yield what is wrong with the keys and secrets of *opened*."""
    engine, records = opened.engine, await opened.engine.store.signing_keys()
    own = [record for record in records if record.private_key]
    for finding in _keys(own, engine.secrets, policy=key_policy(opened.config), now=opened.clock()):
        yield finding
    if own and not under_earlier_secrets(own, engine.secrets):
        spare = await _spare_secrets(engine.store, engine.secrets, now=opened.clock())
        if spare:
            yield SPARE_SECRET.found(", ".join(f"secret {place} of {len([*engine.secrets])}" for place in spare))


def _keys(records: Sequence[SigningKeyRecord], secrets: Secrets, *, policy: KeyPolicy, now: int) -> Iterator[Finding]:
    if not records:
        yield NO_KEYS.found("it is a new store")
        return
    keys = known_keys(records, secrets)
    unknown = [record for record in records if record.kid not in keys.verifies_until]
    if unknown:
        yield from (NOT_OPENED.found(f"key {each.kid}") for each in unknown)
        return
    if earlier := under_earlier_secrets(records, secrets):
        yield UNDER_EARLIER.found(_kids(earlier))
    if keys.newest(STATIC) is None:
        yield NO_STATIC.found(_kids(records))
    if not policy.static:
        yield from _rotation(keys, policy, now=now)
    yield from _algorithm(keys, policy, now=now)


def _rotation(keys: SigningKeys, policy: KeyPolicy, *, now: int) -> Iterator[Finding]:
    """Yield what is late. A pending key begins to sign later than now, and so is never late."""
    newest = keys.newest(ROTATING)
    if newest is None:
        return  # none was ever needed
    age = now - newest.record.activates_at
    if age > 2 * policy.rotation_interval:
        yield OLD.found(f"key {newest.kid} has signed for {_hours(age)}, each for {_hours(policy.rotation_interval)}")
    elif age > policy.rotation_interval - policy.publish_lead:
        yield LATE.found(f"key {newest.kid} has signed for {_hours(age)}")


def _algorithm(keys: SigningKeys, policy: KeyPolicy, *, now: int) -> Iterator[Finding]:
    family = STATIC if policy.static else ROTATING
    signing, newest = keys.signing(family, now=now, algorithm=policy.algorithm), keys.newest(family)
    if signing is not None and newest is not None and policy.algorithm not in {signing.algorithm, newest.algorithm}:
        yield OTHER_ALGORITHM.found(f"key {signing.kid} is for {signing.algorithm}, configured is {policy.algorithm}")


async def _spare_secrets(store: Store, secrets: Secrets, *, now: int) -> list[int]:
    """Return the places, from 2 on, of earlier *secrets* that no session needs; none if there are too many sessions to look."""
    places = {secret.kid: place for place, secret in enumerate(secrets, 1) if place > 1}
    if not places or not isinstance(store, MovableStore):
        return []
    read = 0
    async for page in store.every_session(batch=_PAGE):
        for record in page:
            if not record.lineage.expired(now):
                places.pop(record.lineage.current_kid, None)
        read += len(page)
        if not places or read > MOST_SESSIONS:
            return []
    return sorted(places.values())


def _kids(records: Sequence[SigningKeyRecord]) -> str:
    return ", ".join(f"key {record.kid}" for record in records)


def _hours(milliseconds: int) -> str:
    return lasting(timedelta(hours=round(milliseconds / 3_600_000)))
