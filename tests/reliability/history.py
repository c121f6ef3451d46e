"""What clients saw, written down answer by answer, and the promises checked over it afterwards.

| | promise |
|---|---|
| I1 | one successor for each session and generation |
| I2 | the generation never decreases |
| I3 | no theft unless a token older than the window was presented |
| I4 | who presents a token two generations old gets nothing for it |
| I5 | after a revocation returned, no refresh succeeds |
| I7 | every honest client ends with a working session |
| I10 | the session answered is the session asked for |

Of the others the tests of changes see to I8 (no update is lost), those of revocation to I6 (what was revoked never comes
back), and those of races to I9 (what one process has signed, every other believes).
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

OK = "OK"
THEFT = "TOKEN_THEFT_DETECTED"
UNAUTHORISED = "UNAUTHORISED"


@dataclass(frozen=True)
class Answer:
    """One refresh as its client saw it; moments are milliseconds of the deployment's clock.

    *presented* is the generation of the token that was sent. Of what came back, *generation*, *session*, *digest*
    (of the refresh token, but for its issue id) and the access token are there only where the *outcome* is OK.
    """

    client: str
    asked: str
    presented: int
    began: int
    ended: int
    outcome: str
    session: str = ""
    generation: int = -1
    digest: str = ""
    access_token: str = field(default="", repr=False)


def violations(
    history: Sequence[Answer], *, grace: int, revoked: Mapping[str, int] | None = None
) -> Iterator[tuple[str, Answer]]:
    """Yield each promise that *history* breaks, with the answer that broke it.

    *grace* is milliseconds, *revoked* says when revoking a session had returned.
    """
    for promise in (one_successor, never_back, no_false_theft, no_missed_replay, own_session):
        for broken in promise(by_session(history), grace):
            yield promise.__name__, broken
    for answer in history:
        if answer.outcome == OK and answer.began > (revoked or {}).get(answer.asked, answer.began):
            yield "final_revocation", answer


Sessions = Mapping[str, Sequence[Answer]]


def by_session(history: Iterable[Answer]) -> Sessions:
    sessions: dict[str, list[Answer]] = defaultdict(list)
    for answer in history:
        sessions[answer.asked].append(answer)
    return sessions


def succeeded(answers: Iterable[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.outcome == OK]


def one_successor(sessions: Sessions, _grace: int) -> Iterator[Answer]:
    """I1."""
    for answers in sessions.values():
        digests: dict[int, str] = {}
        for answer in succeeded(answers):
            if digests.setdefault(answer.generation, answer.digest) != answer.digest:
                yield answer
            if answer.generation not in {answer.presented, answer.presented + 1}:
                yield answer


def never_back(sessions: Sessions, _grace: int) -> Iterator[Answer]:
    """I2: who asked after another was answered, sees the same generation or a later one."""
    for answers in sessions.values():
        yield from (answer for answer, reached in with_reached(succeeded(answers)) if answer.generation < reached)


def with_reached(answers: Sequence[Answer]) -> Iterator[tuple[Answer, int]]:
    """Each answer, and the highest generation that had been handed out before it was asked for; -1 where none had."""
    in_order = sorted(answers, key=lambda answer: answer.ended)
    ends = [answer.ended for answer in in_order]
    reached = [-1, *itertools.accumulate((answer.generation for answer in in_order), max)]
    return ((answer, reached[bisect_left(ends, answer.began)]) for answer in in_order)


def no_false_theft(sessions: Sessions, grace: int) -> Iterator[Answer]:
    """I3: by the end of the answer, the window of a later generation was over, or that of one later still had begun."""
    for answers in sessions.values():
        for theft in (answer for answer in answers if answer.outcome == THEFT):
            if not any(
                later.generation >= theft.presented + 2
                or (later.generation == theft.presented + 1 and later.began + grace <= theft.ended)
                for later in succeeded(answers)
            ):
                yield theft


def no_missed_replay(sessions: Sessions, _grace: int) -> Iterator[Answer]:
    """I4: nobody who asked after generation n + 2 had been answered got anything for generation n."""
    for answers in sessions.values():
        reached_before = with_reached(succeeded(answers))
        yield from (answer for answer, reached in reached_before if reached >= answer.presented + 2)


def own_session(sessions: Sessions, _grace: int) -> Iterator[Answer]:
    """I10."""
    for asked, answers in sessions.items():
        yield from (answer for answer in succeeded(answers) if answer.session != asked)


def lost_clients(history: Iterable[Answer]) -> list[str]:
    """I7: the clients whose last answer was a refusal."""
    last: dict[str, Answer] = {}
    for answer in history:
        if answer.client not in last or last[answer.client].ended <= answer.ended:
            last[answer.client] = answer
    return sorted(client for client, answer in last.items() if answer.outcome != OK)
