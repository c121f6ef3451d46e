"""The verbs about what was seen of users, as scripts: when sessions were last used, and by which devices users sign in."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi_session.stores.redis import sighting_scripts
from fastapi_session.stores.redis.asking import Asking
from fastapi_session.stores.redis.fields import field

TOUCHED = 100
"""How many sessions one script touches at most: no other command runs on the server meanwhile."""


class SightingVerbs(Asking):
    """Keeps what was seen."""

    async def touch(self, session_ids: Sequence[str], *, idle_timeout: int | None = None) -> int:
        """Note that the sessions *session_ids* are in use, and return how many are there."""
        touched = 0
        for shard in self._keys.shards:
            own = [each for each in session_ids if self._keys.shard_of(each) == shard]
            for place in range(0, len(own), TOUCHED):
                keys = shard.keys(*own[place : place + TOUCHED])
                [count] = await self._run(sighting_scripts.TOUCH, keys, field(idle_timeout))
                touched += count
        return touched

    async def see_device(self, user_id: str, tenant_id: str, device: bytes) -> bool | None:
        """Note that the user has signed in by *device*. False if it was known, true if others were, `None` if none was."""
        keys = [self._keys.devices(user_id, tenant_id)]
        [seen] = await self._run(sighting_scripts.SEE_DEVICE, keys, device.hex())
        return (False, True, None)[seen]

    async def delete_devices(self, *, limit: int) -> int:  # noqa: ARG002 - the server expires them
        """Return 0: the server forgets by itself."""
        return 0
