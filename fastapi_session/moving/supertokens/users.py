"""Whose a session is. Its row has the id with which the user signed in; its tokens, and we, have that of the primary user.

| step | table |
|---|---|
| the id in the row; if it is external, the core's id of that user | `userid_mapping` |
| that user's primary user | `app_id_to_user_id` |
| the primary user's external id, if there is one | `userid_mapping` |

An id that is the external one of one user and the core's id of another could be either's: it is nobody's here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Users:
    """What the two tables say of some users: *core_ids* by external id, *primaries* by core id, *externals* by core id."""

    core_ids: Mapping[str, str] = field(repr=False)
    primaries: Mapping[str, str] = field(repr=False)
    externals: Mapping[str, str] = field(repr=False)

    def user_of(self, row_id: str) -> str | None:
        """Return the user of a session whose row has *row_id*, `None` if that id is mapped twice."""
        core_id = self.core_ids.get(row_id, row_id)
        if core_id != row_id and row_id in self.primaries:
            return None
        primary = self.primaries.get(core_id)
        # Sessions of users that the core does not know: an application may have begun them with ids of its own.
        return row_id if primary is None else self.externals.get(primary, primary)
