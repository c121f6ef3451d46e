"""What one process has heard of sessions, and which notice of a session counts.

| known of it | heard | counts |
|---|---|---|
| nothing | any | what is heard |
| that it has ended | that its claims were changed | what is known: nothing changes any more |
| that its claims were changed | that it has ended | what is heard |
| that it was revoked | that another took its place, or the other way round | that another took its place |
| that its claims were changed | the same notice again | what is known |
| that its claims were changed | another such notice, of whatever date | what is heard |

The last row does not ask for dates: a transaction that committed late, or a clock that stepped back, brings news with an older
date. The row before has to be there as each reading repeats the notices of some seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi_session.model import Notice, NoticeKind

ENDED: Mapping[NoticeKind, int] = {"session_revoked": 1, "session_superseded": 2}
"""The notices after which a session is over, and which of them counts: a client may have the tokens of a successor."""


class KnownNotices:
    """Notices about sessions, by the session's id."""

    def __init__(self) -> None:
        self._known: dict[str, Notice] = {}
        self._changes: set[Notice] = set()
        self.about = self._known.get  # no function of ours: each request asks
        """Return the notice about a session, by its id, if there is one."""

    def __len__(self) -> int:
        """Return of how many sessions something is known."""
        return len(self._known)

    def hear(self, notice: Notice) -> bool:
        """Take note of what is read from the store, and say whether it is news."""
        if notice.kind not in ENDED:
            if notice in self._changes:
                return False
            self._changes.add(notice)
        return self.keep(notice)

    def keep(self, notice: Notice) -> bool:
        """Take note of what happened here, and say whether it counts."""
        known = self._known.get(notice.subject)
        if known is not None and not _counts(notice, known):
            return False
        self._known[notice.subject] = notice
        return True

    def forget(self, until: int) -> None:
        """Forget the notices of *until* (milliseconds of the store's clock) and before."""
        for subject, notice in list(self._known.items()):
            if notice.at <= until:
                del self._known[subject]
        self._changes -= {notice for notice in self._changes if notice.at <= until}


def _counts(notice: Notice, known: Notice) -> bool:
    ours, theirs = ENDED.get(notice.kind, 0), ENDED.get(known.kind, 0)
    return ours > theirs or (ours == theirs and (not ours or notice.at > known.at))
