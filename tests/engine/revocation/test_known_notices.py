"""Which notice of a session counts: the rows of the table."""

from __future__ import annotations

import pytest

from fastapi_session.engine.revocation.known_notices import KnownNotices
from fastapi_session.model import Notice, NoticeKind

REVOKED: NoticeKind = "session_revoked"
SUPERSEDED: NoticeKind = "session_superseded"
STALE: NoticeKind = "session_stale"


@pytest.mark.parametrize(
    ("known", "heard", "counts"),
    [
        (None, (REVOKED, 1), (REVOKED, 1)),
        (None, (STALE, 1), (STALE, 1)),
        ((REVOKED, 1), (STALE, 2), (REVOKED, 1)),
        ((SUPERSEDED, 1), (STALE, 2), (SUPERSEDED, 1)),
        ((STALE, 2), (REVOKED, 1), (REVOKED, 1)),
        ((STALE, 2), (SUPERSEDED, 1), (SUPERSEDED, 1)),
        ((REVOKED, 2), (SUPERSEDED, 1), (SUPERSEDED, 1)),
        ((SUPERSEDED, 1), (REVOKED, 2), (SUPERSEDED, 1)),
        ((REVOKED, 1), (REVOKED, 2), (REVOKED, 2)),
        ((REVOKED, 2), (REVOKED, 1), (REVOKED, 2)),
        ((STALE, 1), (STALE, 2), (STALE, 2)),
        ((STALE, 2), (STALE, 1), (STALE, 1)),
    ],
)
def test_which_counts(known: tuple[NoticeKind, int] | None, heard: tuple[NoticeKind, int], counts: object) -> None:
    """What has ended does not change; of two changes the one that is heard last counts, whatever its date."""
    notices = KnownNotices()
    if known is not None:
        notices.add_read(Notice("a", *known))
    is_news = notices.add_read(Notice("a", *heard))

    notice = notices.about("a")
    assert notice is not None
    assert (counts, counts == heard) == ((notice.kind, notice.at), is_news)


def test_the_same_change_is_news_once() -> None:
    """A notice that is read again is the one that was read before, also where another was read in between."""
    notices = KnownNotices()
    one, other = (Notice("a", STALE, at) for at in (2, 1))

    assert [True, True, False, False] == [notices.add_read(each) for each in (one, other, one, other)]
    assert other is notices.about("a")


def test_what_is_forgotten_is_news_again() -> None:
    """Nothing is kept of what is old enough, and what is younger stays."""
    notices, heard = KnownNotices(), [Notice("a", STALE, 0), Notice("b", REVOKED, 1), Notice("c", STALE, 2)]
    for each in heard:
        notices.add_read(each)
    notices.forget(1)

    assert (1, [True, True, False]) == (len(notices), [notices.add_read(each) for each in heard])
