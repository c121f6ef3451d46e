"""Whether a user signs in from a device that this user has not used before.

| `devices` | the device is | its user agent says nothing, or none is given |
|---|---|---|
| `cookie` | what the sign-in gives: the value of a cookie, or an id that an application on a phone has made | not tracked |
| `guess` | what the sign-in gives, else browser and system, as `device` describes the user agent | not tracked |

The store has a digest of device, user and tenant together: a table of devices says neither which they are, nor who
shares one. The digest needs no secret, so that no device becomes new when the secret is replaced: what a cookie has is random,
and browser and system are kept with the session anyway.

It proves nothing: whoever has the cookie, or sends the same user agent, counts as known. So it refuses nobody.
"""

from __future__ import annotations

import asyncio
import json
import logging
from hashlib import sha256

from fastapi_session.config.settings import DeviceTracking
from fastapi_session.core.payload import checked_name
from fastapi_session.device import describe_user_agent
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.model import SessionRecord
from fastapi_session.stores.base import JoinedStore, SightingStore

logger = logging.getLogger("fastapi_session")


class KnownDevices:
    """Says of sign-ins whether their devices are new, by *store*, which is *joined* if it writes in a transaction of the user's."""

    def __init__(self, store: SightingStore, *, joined: JoinedStore | None, tracking: DeviceTracking) -> None:
        self._store = store
        self._joined = joined
        self._tracking = tracking

    def ensure_device(self, device: str | None) -> None:
        """Raise `PayloadError` for a *device* that cannot be, and `ConfigurationError` if none is tracked."""
        if device is None:
            return
        if self._tracking == "off":
            raise ConfigurationError('device: nothing is known of devices; set devices to "cookie" or "guess"')
        checked_name(device, "device")

    async def see(self, record: SessionRecord, device: str | None) -> bool | None:
        """Note the *device* by which the session of *record* has begun, and say whether it is new.

        `None` if it is not tracked, or is the user's first device. A store that is down is logged: the sign-in goes on.
        """
        seen = device if device is not None or self._tracking != "guess" else await _guess(record)
        if seen is None:
            return None
        try:
            return await self._store.see_device(record.user_id, record.tenant_id, _digest(record, seen))
        except StoreUnavailable:
            if self._joined is not None:
                raise  # the user's transaction can only be rolled back
            logger.warning("it could not be found out whether a user has signed in by a new device")
            return None


async def _guess(record: SessionRecord) -> str | None:
    """Return what the user agent of *record* says of the device, `None` if that is nothing."""
    # On a thread: for a user agent that is not remembered it takes a millisecond or two, and much longer the first time.
    described = await asyncio.to_thread(describe_user_agent, record.first_user_agent)
    return None if described.text is None else f"{described.browser or described.type} {described.system}"


def _digest(record: SessionRecord, device: str) -> bytes:
    return sha256(json.dumps([record.user_id, record.tenant_id, device]).encode()).digest()
