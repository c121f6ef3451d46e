"""What a store says of how its server, or its file, is set up: for who looks whether that suits sessions.

Nothing here judges. What could not be learnt is `None`: a server may keep its settings to itself, and that alone is no fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

MOST_COUNTED = 10_000
"""Up to how many rows are counted: to say that there are many, it does not matter how many more there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """One server of Redis or Valkey; of a cluster, each primary. *snapshots* is its setting `save`, empty if it makes none."""

    address: str
    version: tuple[int, ...] | None = None
    role: str | None = None
    evicted: int | None = None
    policy: str | None = None
    keeps_log: bool | None = None
    snapshots: str | None = None
    replicas: int | None = None
    replicas_to_write: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts:
    """Redis or Valkey. *refused* are the commands that scripts need and its user may not run.

    *in_the_open* are public addresses to which a password goes without TLS.
    """

    servers: tuple[RedisServer, ...]
    shards: int
    refused: tuple[str, ...] | None = None
    in_the_open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlFacts:
    """A database behind SQLAlchemy, called *name*.

    *missing* are tables and columns that this version needs, *pending* the migrations that have not run, *newer* the one that this
    version does not know. *unindexed* are indexes that are not there, *perishable* tables that a crash may empty or spoil.
    *is_own_engine* says that the store made the engine, *pool* is how many connections it opens at most, *room* how many the
    server accepts, as far as either is bounded.
    """

    name: str
    version: tuple[int, ...]
    is_mariadb: bool = False
    missing: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    newer: str | None = None
    is_read_only: bool = False
    isolation: str | None = None
    unindexed: tuple[str, ...] = ()
    perishable: tuple[str, ...] = ()
    is_own_engine: bool = True
    pool: int | None = None
    room: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteFacts:
    """A SQLite file at *path*, which has *size* bytes. *is_current* says that its tables are those of this version.

    *damage* is what SQLite says is wrong with it, `None` if that is nothing, or if it is too large to look.
    """

    path: Path
    size: int
    is_current: bool
    journal: str
    damage: str | None = None


Facts = RedisFacts | SqlFacts | SqliteFacts
StoreKind = Literal["redis", "sql", "sqlite"]
"""Which of them a store returns."""


class Overdue(NamedTuple):
    """How much is kept that nobody needs any more, by what it is; none is counted further than `MOST_COUNTED`."""

    sessions: int
    notices: int
    events: int
    digests: int = 0
    devices: int = 0


@runtime_checkable
class ExaminableStore(Protocol):
    """A store that says how it is set up. Nothing is written, and it need not be open: what is wrong may keep it from opening."""

    @property
    def kind(self) -> StoreKind:
        """Which facts it returns."""

    async def facts(self) -> Facts:
        """Return how it is set up. Raises `StoreUnavailable`, and `ConfigurationError` for a connection that must not be used."""

    async def overdue(self, *, sessions: int, notices: int, events: int, digests: int = 0, devices: int = 0) -> Overdue:
        """Count what is kept though its time was over at these moments: deadlines of sessions and digests, dates of the rest.

        Moments are milliseconds of the store's clock. What the server forgets by itself is never counted. Raises `StoreUnavailable`.
        """
