"""Clients vanish at any byte of a conversation, over slow networks: nobody is answered with what is another's."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random

from tests.conftest import Place
from tests.reliability.load import Browser
from tests.reliability.load_server import Service, serving
from tests.reliability.load_wire import Reply, Wire
from tests.reliability.proxy import Ending, Fate, Proxy, always, proxied, to_address
from tests.reliability.store_proxy import by_port, way_to

SEED = 10
AT_ONCE = 50
PATIENCE = 1.5
"""Seconds after which a client gives up a request."""
IMPATIENCE = 0.4
"""The same for half of the requests: mostly while they are being served."""
KEPT = {"sqlite": 0, "postgresql": 10, "mariadb": 10, "valkey": 50}
"""How many connections to the store a process keeps at most when nobody asks anything."""
ENDINGS: list[Ending] = ["close", "close", "reset", "silence"]
SLOW_STORE = Fate(delay=0.010, piece=700)


def doomed(luck: Random) -> Fate:
    """A slow connection in pieces, which breaks somewhere within the first few requests."""
    piece, cut_after = luck.choice([500, 1_460]), luck.randrange(4_000)
    return Fate(delay=0.100, piece=piece, cut_after=cut_after, ending=luck.choice(ENDINGS))


@asynccontextmanager
async def slow_store(place: Place) -> AsyncIterator[tuple[str, Proxy | None]]:
    """Where a store is asked over a slow network, and that network; a file has none."""
    if place.kind == "sqlite":
        yield place.url, None
    else:
        async with proxied(way_to(place.url), draw=always(SLOW_STORE), seed=SEED) as network:
            yield by_port(place.url, network.port), network


@dataclass
class Crowd:
    """Clients that ask one thing after another, and what came of it; *amiss* is what must not come."""

    browsers: list[Browser]
    outcomes: Counter[str] = field(default_factory=Counter)
    amiss: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._luck = Random(SEED)
        self._places = asyncio.Semaphore(AT_ONCE)
        self.owners = {browser.name: browser.session_id for browser in self.browsers}

    async def ask(self, browser: Browser, *, times: int) -> None:
        """Ask so many times, whatever becomes of it."""
        for _ in range(times):
            async with self._places:
                what = self._luck.choice(["/me", "/checked", "/checked", "refresh"])
                is_patient = self._luck.random() < 0.5
                try:
                    async with asyncio.timeout(PATIENCE if is_patient else self._luck.uniform(0, IMPATIENCE)):
                        await self.ask_once(browser, what)
                except TimeoutError:
                    self.outcomes["given up"] += 1
                except (OSError, EOFError):
                    self.outcomes["cut off"] += 1

    async def ask_once(self, browser: Browser, what: str) -> None:
        """Ask one thing, and see whose the answer is."""
        reply = await (browser.refresh() if what == "refresh" else browser.call(what))
        self.outcomes[str(reply.status)] += 1
        if reply.status != 200 or not self._is_own(browser, what, reply):
            self.amiss.append(f"{browser.name} asked for {what}: {reply}")

    async def take_leave(self, port: int, browser: Browser) -> None:
        """Ask two things more, undisturbed, at *port*."""
        browser.lead_to(port)
        await self.ask_once(browser, "refresh")
        await self.ask_once(browser, "/checked")
        browser.close()

    def _is_own(self, browser: Browser, what: str, reply: Reply) -> bool:
        own = self.owners[browser.name]
        if what == "refresh":
            return own == browser.session_id
        told: dict[str, str] = json.loads(reply.body)
        return {"user_id": browser.name, "handle": own} == told


async def signed_in(port: int, number: int) -> list[Browser]:
    """So many users with a session each."""
    browsers = [Browser(f"user-{each}", port) for each in range(number)]
    await in_groups(browsers, Browser.sign_in)
    for browser in browsers:
        browser.close()
    return browsers


async def in_groups(browsers: Sequence[Browser], do: Callable[[Browser], Awaitable[None]]) -> None:
    """Let twenty at a time do something."""
    for first in range(0, len(browsers), 20):
        await asyncio.gather(*map(do, browsers[first : first + 20]))


async def condition(wire: Wire, network: Proxy | None) -> dict[str, int]:
    """How many requests were cancelled, and how many connections are out of the pool, to the store, and others."""
    told: dict[str, int] = json.loads((await wire.ask("GET", "/condition", {})).body)
    kept = network.open_connections if network else 0
    return {**told, "kept": kept, "others": told["sockets"] - kept}


async def settled(port: int, network: Proxy | None, place: Place, *, others: int | None = None) -> dict[str, int]:
    """The condition of a server as soon as nothing is in use and no more than *others* are connected, or after a while."""
    wire = Wire(port)  # a new one each time: the server hangs up on whoever is silent for as long as a full run takes
    try:
        for _ in range(100):
            seen = await condition(wire, network)
            is_settled = seen["in_use"] == 0 and seen["kept"] <= KEPT[place.kind]
            if is_settled and others in (None, seen["others"]):
                return seen
            await asyncio.sleep(0.1)
        return await condition(wire, network)
    finally:
        wire.close()


async def test_nobody_is_answered_with_another_s_session(
    place: Place, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R10: however clients vanish, each is answered with its own session or not at all, and no connection stays behind."""
    async with slow_store(place) as (url, network):
        service = Service(url, {"refresh_token_rotation_grace_period": 1}, cancels_deserted=True)
        async with serving(service, processes=1) as served:
            before = await settled(
                served.port, network, place
            )  # nobody has come yet whose leaving could be noticed late
            crowd = Crowd(await signed_in(served.port, amount(60, full=2_000)))
            async with proxied(to_address("127.0.0.1", served.port), draw=doomed, seed=SEED) as clients:
                for browser in crowd.browsers:
                    browser.lead_to(clients.port)
                ask = partial(crowd.ask, times=amount(3, full=50))
                await asyncio.gather(*(ask(browser) for browser in crowd.browsers))
                for browser in crowd.browsers:
                    browser.close()
            after = await settled(served.port, network, place, others=before["others"])
            await in_groups(crowd.browsers, partial(crowd.take_leave, served.port))
    figures(requests=crowd.outcomes.total(), outcomes=dict(crowd.outcomes), cut=clients.cut, before=before, after=after)

    assert [] == crowd.amiss
    assert {"200", "cut off", "given up"} == crowd.outcomes.keys()
    assert (0, before["others"]) == (after["in_use"], after["others"])
    assert after["kept"] <= KEPT[place.kind]
    assert clients.cut > len(crowd.browsers) / 4
    assert place.kind == "sqlite" or after["deserted"] > len(crowd.browsers) / 10
