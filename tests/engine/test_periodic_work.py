"""Work is repeated for as long as somebody on the event loop wants it."""

from __future__ import annotations

import asyncio

from fastapi_session.engine.periodic_work import PeriodicWork


class Work:
    """Counts how often it was done."""

    def __init__(self) -> None:
        self.done = 0

    async def __call__(self) -> None:
        self.done += 1

    async def twice_more(self) -> None:
        """Wait until it was done twice more."""
        wanted = self.done + 2
        async with asyncio.timeout(10):
            while self.done < wanted:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)


async def test_it_goes_on_until_the_last_one_wants_it_no_more() -> None:
    """Who wants it twice wants it once; it stops with the last who wants it, and begins again for the next."""
    work = Work()
    following = PeriodicWork(work, interval=0.001)
    for _ in range(2):
        assert not following
        for who in ("a", "b", "b"):
            following.begin(who)
        await work.twice_more()
        assert (None, True) == (following.end("a"), bool(following))
        await work.twice_more()
        stopping = following.end("b")
        assert stopping is not None
        await asyncio.wait([stopping])
        assert (True, None, False) == (stopping.cancelled(), following.end("b"), bool(following))


def test_each_event_loop_has_its_own() -> None:
    """A loop that ended without a word is not taken for one that goes on, and hinders no other."""
    work = Work()
    following = PeriodicWork(work, interval=0.001)

    async def wanted() -> None:
        following.begin("a")
        await work.twice_more()

    for _ in range(2):
        asyncio.run(wanted())
        assert not following
