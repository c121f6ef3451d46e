"""Nodes whose clocks differ: whose word counts for how long, and that nobody is called a thief for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest

from fastapi_session.clock import Clock
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import SessionError, TokenTheftError, TryRefreshTokenError, UnauthorisedError
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.engines import engine, refresh_token_of
from tests.moments import GRACE, SECOND

OFFSETS = (-120, -5, 0, 5, 120)
"""Seconds by which the clocks of the nodes are wrong. The store's own is right."""
SLIGHT = (-5, 0, 5)
LIFE = 3_600
"""Seconds that an access token lives."""
HEARD = timedelta(seconds=2)
"""Within which every node has heard of a revocation."""


def skewed(clock: HandClock, seconds: int) -> Clock:
    """Return *clock*, wrong by *seconds*."""
    return lambda: clock() + seconds * 1000


Nodes = dict[int, Sessions]


def nodes_of(store: Store, clock: HandClock, offsets: tuple[int, ...]) -> Nodes:
    """A node for each of *offsets*, all on one store."""
    return {
        offset: engine(skewed(clock, offset), store=store, access_token_validity=timedelta(seconds=LIFE))
        for offset in offsets
    }


async def verdict(node: Sessions, issued: IssuedSession) -> str:
    """What *node* says to the access token."""
    try:
        await node.verify(issued.tokens.access_token)
    except SessionError as error:
        return error.code
    return "BELIEVED"


@dataclass(frozen=True, order=True)
class Look:
    """A moment, in seconds since all tokens were made, at which a verifier looks at the token of an issuer."""

    at: int
    issuer: int
    verifier: int
    expected: str


def looks() -> Iterator[Look]:
    """The law: a token lives as long as its issuer's clock is ahead of its verifier's longer, or shorter where behind."""
    for issuer in OFFSETS:
        for verifier in OFFSETS:
            end = LIFE + issuer - verifier
            yield Look(0, issuer, verifier, "BELIEVED")
            yield Look(end - 1, issuer, verifier, "BELIEVED")
            yield Look(end, issuer, verifier, "TRY_REFRESH_TOKEN")


async def test_how_long_a_token_is_believed(store: Store, clock: HandClock) -> None:
    """R13: between two nodes, a token lives longer or shorter by just as much as their clocks differ."""
    nodes = nodes_of(store, clock, OFFSETS)
    tokens = {offset: await node.create("alice") for offset, node in nodes.items()}
    seen, passed = [], 0
    for look in sorted(looks()):
        clock.advance((look.at - passed) * SECOND)
        passed = look.at
        said = await verdict(nodes[look.verifier], tokens[look.issuer])
        seen.append(Look(look.at, look.issuer, look.verifier, said))

    assert sorted(looks()) == seen


async def test_a_revocation_is_heard_by_skewed_clocks(store: Store, clock: HandClock) -> None:
    """R13: two seconds after any node revoked a session no node believes its token, now or ever."""
    nodes = nodes_of(store, clock, OFFSETS)
    tokens = {offset: await node.create("alice") for offset, node in nodes.items()}
    for node, issued in zip(reversed(nodes.values()), tokens.values(), strict=True):
        assert await node.revoke(issued.access_token.session_handle)
    clock.advance(HEARD)
    seen: Counter[str] = Counter()
    for _ in range((LIFE + 300) // 60):
        seen.update([await verdict(node, issued) for node in nodes.values() for issued in tokens.values()])
        clock.advance(60 * SECOND)

    assert {"UNAUTHORISED", "TRY_REFRESH_TOKEN"} == seen.keys()


@dataclass
class Wanderer:
    """A client whose requests come to any node, each time to another."""

    held: IssuedSession
    made_at: int
    before: str = ""

    def age(self, clock: HandClock) -> int:
        """Seconds since the access token was made."""
        return (clock() - self.made_at) // 1000

    async def refresh(self, node: Sessions, clock: HandClock) -> None:
        """Exchange the tokens."""
        presented = refresh_token_of(self.held)
        self.held, self.made_at = await node.refresh(presented), clock()
        if refresh_token_of(self.held) != presented:
            self.before = presented


@pytest.mark.parametrize("offsets", [SLIGHT, OFFSETS], ids=["slight", "great"])
async def test_clients_between_nodes(
    store: Store,
    clock: HandClock,
    offsets: tuple[int, ...],
    amount: Callable[..., int],
    figures: Callable[..., None],
) -> None:
    """R13: clients that come to any node are refused early by the difference of two clocks at most, and are never thieves.

    Meanwhile the signing keys change, made by whichever node finds one due. A real replay is found by every node.
    """
    luck = Random(13)
    nodes = nodes_of(store, clock, offsets)
    everywhere = list(nodes.values())
    wanderers = [Wanderer(await luck.choice(everywhere).create("alice"), clock()) for _ in range(10)]
    spread = max(offsets) - min(offsets)
    seen: Counter[str] = Counter()
    for _ in range(amount(60, full=10_000)):
        clock.advance(luck.randrange(1, 600) * SECOND)
        wanderer = luck.choice(wanderers)
        said = await verdict(luck.choice(everywhere), wanderer.held)
        seen[said if said == "BELIEVED" or wanderer.age(clock) >= LIFE else f"{said} too early"] += 1
        if said != "BELIEVED":
            assert wanderer.age(clock) >= LIFE - spread
        if said != "BELIEVED" or luck.random() < 0.3:
            await wanderer.refresh(luck.choice(everywhere), clock)
            seen["refreshed"] += 1
    figures(offsets=offsets, seen=dict(seen))
    clock.advance(GRACE)
    for wanderer, node in zip(wanderers, everywhere * 4, strict=False):
        await is_caught(wanderer, node, everywhere, clock)

    assert seen.keys() <= {"BELIEVED", "refreshed", "TRY_REFRESH_TOKEN", "TRY_REFRESH_TOKEN too early"}
    assert seen["refreshed"] > 0


async def is_caught(wanderer: Wanderer, node: Sessions, everywhere: list[Sessions], clock: HandClock) -> None:
    """See that *node* calls it theft where a token of two generations ago comes, and that the session is over everywhere."""
    clock.advance(5 * GRACE)
    await wanderer.refresh(node, clock)
    stolen = wanderer.before
    clock.advance(5 * GRACE)
    await wanderer.refresh(node, clock)
    assert stolen != wanderer.before
    with pytest.raises(TokenTheftError):
        await node.refresh(stolen)
    for each in everywhere:
        with pytest.raises(UnauthorisedError):
            await each.refresh(refresh_token_of(wanderer.held))
        with pytest.raises((UnauthorisedError, TryRefreshTokenError)):
            await each.verify(wanderer.held.tokens.access_token, check_database=True)
