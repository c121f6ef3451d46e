"""What one process knows of sessions, and which notice of a session counts.

| known of it | new | counts |
|---|---|---|
| nothing | any | what is new |
| that it has ended | that its claims were changed | what is known: nothing changes any more |
| that its claims were changed | that it has ended | what is new |
| that it was revoked | that it was superseded, or the other way round | that it was superseded |
| that its claims were changed | the same notice again | what is known |
| that its claims were changed | another such notice, of whatever date | what is new |

The last row ignores dates: a transaction that committed late, or a clock that was set back, gives a new notice an older date.
The row before is needed because readings overlap, so the same notice comes again.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi_session.model import Notice, NoticeKind

ENDED: Mapping[NoticeKind, int] = {"session_revoked": 1, "session_superseded": 2}
"""The notices that end a session, with their rank. The higher one counts: the client may have the tokens of the newer session."""


class KnownNotices:
    """A cache of the feed: of each session the notice that counts, by the session's id."""

    def __init__(self) -> None:
        self._by_session: dict[str, Notice] = {}
        self._changes_read: set[Notice] = set()
        self.about = self._by_session.get  # no function of ours: each request asks
        """Return the notice about a session, by its id, if there is one."""

    def __len__(self) -> int:
        """Return how many sessions have a notice."""
        return len(self._by_session)

    def add_read(self, notice: Notice) -> bool:
        """Take note of what was read from the store, and say whether it is news."""
        if notice.kind not in ENDED:
            if notice in self._changes_read:
                return False
            self._changes_read.add(notice)
        return self.add_own(notice)

    def add_own(self, notice: Notice) -> bool:
        """Take note of what this process did, and say whether it counts."""
        known = self._by_session.get(notice.subject)
        if known is not None and not _counts(notice, known):
            return False
        self._by_session[notice.subject] = notice
        return True

    def forget(self, until: int) -> None:
        """Forget the notices of *until* (milliseconds of the store's clock) and before."""
        for session_id, notice in list(self._by_session.items()):
            if notice.at <= until:
                del self._by_session[session_id]
        self._changes_read -= {notice for notice in self._changes_read if notice.at <= until}


def _counts(new: Notice, known: Notice) -> bool:
    new_rank, known_rank = ENDED.get(new.kind, 0), ENDED.get(known.kind, 0)
    return new_rank > known_rank or (new_rank == known_rank and (not new_rank or new.at > known.at))
