"""An application moves from server to server while its clients refresh, sign in and sign out, and nobody notices.

Real servers of the application and of the stores; the clients are those of `fastapi_session.client`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from fastapi_session.client.httpx import SessionAuth
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.moving.copying.copied_sessions import NotCopied
from fastapi_session.moving.copying.places import CopyStore, Places
from fastapi_session.moving.copying.store_copy import StoreCopy
from fastapi_session.stores.base import MovableStore
from tests.conftest import Amount, Figures, Place
from tests.moving.copying.served import API, SECRET, serve
from tests.reliability.processes import PROCESSES
from tests.wire import SIGN_OUT_PATH


class Balancer:
    """Sends each user to one of the *ports*, and to another one in the next round."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.round = 0


class Way(httpx.AsyncBaseTransport):
    """How the requests of the user *number* come to a server."""

    def __init__(self, balancer: Balancer, number: int) -> None:
        self._balancer = balancer
        self._number = number
        self._transport = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        ports = self._balancer.ports
        port = ports[(self._number + self._balancer.round) % len(ports)]
        sent = httpx.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1", port=port),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self._transport.handle_async_request(sent)

    async def aclose(self) -> None:
        await self._transport.aclose()


class User:
    """A user with one client, which keeps its session as a program does."""

    def __init__(self, number: int, balancer: Balancer) -> None:
        self.name = f"user{number}"
        self.auth = SessionAuth(API)
        self._balancer, self._number = balancer, number
        self.http = self._client(self.auth)
        self.steps = 0

    async def sign_in(self) -> None:
        await self.http.post("/login", params={"user_id": self.name})
        await self.is_signed_in()

    async def step(self) -> None:
        """Have the claims changed, and with the next call refresh: the client does so by itself."""
        before = self.auth.tokens
        self.steps += 1
        response = await self.http.post("/step", params={"number": self.steps})
        assert (200, True) == (response.status_code, response.json()), (
            f"{self.name}, step {self.steps}: {response.text}"
        )
        await self.is_signed_in()
        assert before != self.auth.tokens

    async def is_signed_in(self) -> None:
        response = await self.http.get("/me")
        assert (200, {"user_id": self.name, "step": self.steps}) == (response.status_code, response.json())

    async def sign_out(self) -> httpx.AsyncClient:
        """Sign out, and return a client that has the tokens of before, as a thief may."""
        tokens = self.auth.tokens
        async with aclosing(self.http):
            assert 200 == (await self.http.post(SIGN_OUT_PATH)).status_code
        return self._client(SessionAuth(API, tokens=tokens))

    def _client(self, auth: SessionAuth) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=API, transport=Way(self._balancer, self._number), auth=auth, timeout=60)


@contextmanager
def server(place: Place) -> Iterator[int]:
    """The application on the store at *place*, in a process of its own. Yields its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        process = PROCESSES.Process(target=serve, args=(listener, place), daemon=True)
        process.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            process.terminate()
            process.join(30)
            process.kill()
            process.join()


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[CopyStore]:
    """The store at *place*, as the copy has it."""
    store = place.store()
    assert isinstance(store, MovableStore)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def told(session: NotCopied) -> None:
    """Every session of the test can be copied."""
    pytest.fail(f"{session}")


async def alarms(port: int) -> list[str]:
    """The theft alarms that the server there has raised."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        found: list[str] = (await client.get(f"http://127.0.0.1:{port}/alarms")).json()
        return found


async def all_of(users: list[User], act: str) -> None:
    await asyncio.gather(*(getattr(user, act)() for user in users))


class Population:
    """Users that come and go, and those that have gone."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self.users: list[User] = []
        self.gone: list[httpx.AsyncClient] = []
        self.count = 0

    async def aclose(self) -> None:
        """Let their connections go."""
        for client in [*(user.http for user in self.users), *self.gone]:
            await client.aclose()

    async def come(self, number: int) -> None:
        new = [User(self.count + n, self._balancer) for n in range(number)]
        self.count += number
        await all_of(new, "sign_in")
        self.users += new

    async def go(self) -> None:
        self.gone.append(await self.users.pop(0).sign_out())

    async def step(self) -> None:
        self._balancer.round += 1
        await all_of(self.users, "step")

    async def stay_gone(self) -> None:
        """Whoever signed out is out, whatever tokens he has kept."""
        assert {401} == {(await client.get("/me")).status_code for client in self.gone}


async def move(old: Place, new: Place, people: Population, balancer: Balancer, old_port: int, new_port: int) -> None:
    """Move from *old* to *new*: with the old server alone, with both, with the new one alone."""
    secrets = Secrets([Secret.from_material(SECRET.encode())])
    async with opened(old) as before, opened(new) as after:
        copy, back = (StoreCopy(places, tell=told) for places in (Places(before, after), Places(after, before)))
        await people.come(2)
        await copy.ensure_opened_by(secrets)
        await copy.begin()
        await copy.run("first")
        await people.step()
        await people.go()
        await people.come(1)
        await copy.run("middle")
        await back.begin()
        balancer.ports = [old_port, new_port]
        for _ in range(2):
            await people.step()
            await back.run("middle")
            await copy.run("middle")
        await people.come(2)  # one on each
        await back.run("middle")
        await copy.run("middle")
        await people.go()
        balancer.ports = [new_port]
        await copy.run("last")
        await people.step()
        await people.step()
        await people.stay_gone()


@pytest.mark.timeout(300)
async def test_from_store_to_store(
    postgresql_store_url: str, valkey_store_url: str, tmp_path: Path, amount: Amount, figures: Figures
) -> None:
    """The application moves from a file to PostgreSQL, to Valkey and back to PostgreSQL, in full to another file too."""
    file, another = (Place("sqlite", f"sqlite:///{tmp_path}/{name}.db") for name in ("first", "second"))
    postgresql, valkey = Place("postgresql", postgresql_store_url), Place("valkey", valkey_store_url)
    balancer = Balancer()
    people = Population(balancer)
    async with aclosing(people):
        way = [file, postgresql, valkey, postgresql, another][: amount(4, full=5)]
        for old, new in pairwise(way):
            with server(old) as old_port:
                balancer.ports = [old_port]
                await people.come(1)
                async with opened(old) as before, opened(new) as after:
                    await StoreCopy(Places(before, after), tell=told).run("first")
                with server(new) as new_port:
                    await move(old, new, people, balancer, old_port, new_port)
                    assert [] == await alarms(old_port) + await alarms(new_port)
    figures(switches=len(way) - 1, users=people.count, signed_out=len(people.gone), alarms=0)
