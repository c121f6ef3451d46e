"""An application on an old store, the same one on a new store, and a copy between them. One clock, driven by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from fastapi_session import MemoryStore, Sessions
from fastapi_session.moving.copying.copied_sessions import NotCopied
from fastapi_session.moving.copying.places import Places
from fastapi_session.moving.copying.store_copy import Pass, StoreCopy, Which
from fastapi_session.testing import HandClock
from tests.engines import engine

Stores = tuple[MemoryStore, MemoryStore]


@dataclass
class Move:
    """The application as it runs on the *old* store and on the *new* one, and the copy."""

    clock: HandClock
    stores: Stores
    old: Sessions
    new: Sessions
    not_copied: list[NotCopied] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.copy = self.another_run()

    def another_run(self, *, back: bool = False) -> StoreCopy:
        """A run that begins anew, or one in the other direction."""
        stores = self.stores[::-1] if back else self.stores
        return StoreCopy(Places(*stores), tell=self.not_copied.append)

    async def begin(self) -> Pass:
        """The beginning of the run, and its first pass."""
        await self.copy.begin()
        return await self.copy.run("first")

    async def another_pass(self, which: Which = "middle") -> Pass:
        """A later pass of the run."""
        return await self.copy.run(which)


@pytest.fixture
async def move() -> AsyncIterator[Move]:
    """Both applications are there, and nothing has been copied. The new one is not opened: it would make keys."""
    clock = HandClock()
    stores = MemoryStore(clock=clock), MemoryStore(clock=clock)
    move = Move(clock, stores, engine(clock, store=stores[0]), engine(clock, store=stores[1]))
    await move.old.open()
    try:
        yield move
    finally:
        await move.old.close()
        await move.new.close()
