"""What was seen of users, as statements: when a session was last used, and by which devices its user signs in."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from fastapi_session.stores.sql import results, statements
from fastapi_session.stores.sql.asking import Asking
from fastapi_session.stores.sql.statements import Parameters


class SightingVerbs(Asking):
    """Keeps what was seen."""

    async def touch(self, session_ids: Sequence[str], *, idle_timeout: int | None = None) -> int:
        """Note that the sessions *session_ids* are in use, and return how many are there."""
        if not session_ids:
            return 0
        parameters: Parameters = {"session_ids": session_ids, **self._now()}
        statement = self._timed.sightings.touch
        if idle_timeout is not None:
            statement, parameters = (
                self._timed.sightings.prolong,
                {**parameters, "configured_idle_timeout": idle_timeout},
            )
        return await self._connections.run(
            lambda connection: results.at_most(len(session_ids), connection.execute(statement, parameters)), alone=True
        )

    async def see_device(self, user_id: str, tenant_id: str, device: bytes) -> bool | None:
        """Note that the user has signed in by *device*. False if it was known, true if others were, `None` if none was."""
        user: Parameters = {"given_user_id": user_id, "given_tenant_id": tenant_id}
        row: Parameters = {"user_id": user_id, "tenant_id": tenant_id, "device": device, **self._now()}

        def work(connection: Connection) -> bool | None:
            seen = connection.execute(self._timed.sightings.see_device, {**user, "given_device": device, **self._now()})
            if results.changed_one(seen):
                return False
            has_others = bool(results.rows_of(connection.execute(statements.A_DEVICE, user)))
            try:
                with self._connections.savepoint(connection):
                    results.ensure_kept(connection.execute(self._timed.sightings.insert_device, row))
            except IntegrityError:  # another sign-in by the same device came first
                return False
            return True if has_others else None

        return await self._connections.run(work)

    async def delete_devices(self, *, limit: int) -> int:
        """Delete at most *limit* devices that were not seen for long, and return how many. Rows that another transaction holds are skipped."""

        def work(connection: Connection) -> int:
            found = results.rows_of(
                connection.execute(self._timed.sightings.lock_devices, {"limit": limit, **self._now()})
            )
            deleted = connection.execute(statements.DELETE_DEVICES, {"devices": [tuple(row) for row in found]})
            return results.at_most(len(found), deleted)

        return await self._connections.run(work)
