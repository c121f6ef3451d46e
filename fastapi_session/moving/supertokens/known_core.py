"""Which core was imported into a store: its sessions must not end because they are not in the database of another one.

| the store remembers | then |
|---|---|
| no core | it remembers this one, which is new: what waits here may be of any core |
| this core | it is known: what waits here and is not there has ended |
| another core | an error: give the database of that one |

An app of a core counts as a core of its own: it has its own key, and the sessions of the others are not to be seen there.
"""

from __future__ import annotations

import hashlib

from fastapi_session.clock import system_clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.moving.supertokens.source import SuperTokens
from fastapi_session.stores.base import Store
from fastapi_session.stores.taking_in import MOVING_KEPT

_ANY = hashlib.sha256(b"fastapi_session/supertokens-core").digest()


async def is_known_core(store: Store, source: SuperTokens, *, remembers: bool) -> bool:
    """Say whether the core of *source* was imported into *store* before; it *remembers* it, or only looks.

    Raises `ConfigurationError` if it was another core, and as `SuperTokens.open`.
    """
    this = hashlib.sha256(_ANY + await source.key_digest()).digest()
    if await store.is_remembered(this):
        return True
    if await store.is_remembered(_ANY):
        raise ConfigurationError(
            "database: sessions of another core, or of another app of it, were imported into this store, and would all be ended:"
            " give its database and app_id"
        )
    if remembers:
        until = system_clock() + MOVING_KEPT
        # In this order: with _ANY alone, if it ends in between, this core itself would be taken for another one.
        for mark in (this, _ANY):
            await store.once(mark, until=until)
    return False
