"""The guard of a socket, between an application and a server whose every message the test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest
from starlette.types import Message

from fastapi_session import Session, Sessions
from fastapi_session.model import FeedReading
from fastapi_session.testing import HandClock
from fastapi_session.web import sockets
from fastapi_session.web.client_addresses import ClientAddresses
from fastapi_session.web.exchange import Exchange
from fastapi_session.web.session_types import SessionTypes
from fastapi_session.web.sockets import GuardedSocket
from fastapi_session.web.transport import Transport
from tests.engines import engine

ACCEPT = {"type": "websocket.accept"}
CLOSED = {"type": "websocket.close", "code": 3000, "reason": "unauthorised"}
GONE = {"type": "websocket.disconnect", "code": 3000, "reason": "unauthorised"}


class Socket:
    """A socket whose session is known, the server on its one side, the guard on the other."""

    def __init__(self, sessions: Sessions) -> None:
        self.coming: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        self.writable = asyncio.Event()
        self.writable.set()
        self.sessions = sessions
        self.exchange = Exchange(sessions, Transport(sessions.config), ClientAddresses(sessions.config))
        self.guard = GuardedSocket(self.exchange, {"type": "websocket"}, self.coming.get, self._send)

    async def _send(self, message: Message) -> None:
        await self.writable.wait()
        self.sent.append(message)

    async def prove(self) -> None:
        """Do what a provider of sessions does."""
        issued = await self.sessions.create("ada")
        given: Session = Session(
            issued.access_token,
            issued.tokens.access_token,
            exchange=self.exchange,
            method="header",
            types=SessionTypes(),
        )
        self.guard.add(given)

    async def end(self) -> None:
        """Revoke the session, and let everybody notice."""
        await self.sessions.revoke_all("ada")
        for _ in range(10):
            await asyncio.sleep(0)

    def come(self, *texts: str) -> None:
        for text in texts:
            self.coming.put_nowait({"type": "websocket.receive", "text": text})


@pytest.fixture
async def bare(clock: HandClock) -> AsyncIterator[Socket]:
    """A socket that was neither proved nor accepted; in the end nobody waits for its session."""
    sessions = engine(clock)
    socket = Socket(sessions)
    yield socket
    socket.guard.stop()
    await sessions.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert 0 == len(sessions._parts.listeners)
    assert {asyncio.current_task()} == asyncio.all_tasks()


@pytest.fixture
async def socket(bare: Socket) -> Socket:
    """A socket that is open."""
    await bare.prove()
    await bare.guard.send(ACCEPT)
    return bare


async def test_no_message_is_lost_to_an_impatient_endpoint(socket: Socket) -> None:
    """An endpoint that gives up receiving after a moment, again and again, is given every message, in order."""
    texts = [str(number) for number in range(300)]
    received: list[str] = []

    async def client() -> None:
        for text in texts:
            socket.come(text)
            await asyncio.sleep(0.0005)

    sending = asyncio.ensure_future(client())
    async with asyncio.timeout(30):
        while len(received) < len(texts):
            with suppress(TimeoutError):
                received.append((await asyncio.wait_for(socket.guard.receive(), 0.0005))["text"])
    await sending

    assert texts == received


async def test_a_message_that_arrives_with_the_cancellation_is_kept(socket: Socket) -> None:
    """A receive that is cancelled in the very turn in which a message arrives leaves it for the next."""
    for locks in range(6):
        receiving = asyncio.ensure_future(socket.guard.receive())
        await asyncio.sleep(0)
        socket.come(str(locks))
        for _ in range(locks):
            await asyncio.sleep(0)
        receiving.cancel()
        with suppress(asyncio.CancelledError):
            socket.coming.put_nowait(await receiving)  # it came before the cancellation

        assert str(locks) == (await socket.guard.receive())["text"]


async def test_each_message_is_given_to_one_of_two_receivers(socket: Socket) -> None:
    """Two tasks that receive share what comes, as they do without a guard."""
    receiving = [asyncio.ensure_future(socket.guard.receive()) for _ in range(2)]
    await asyncio.sleep(0)
    socket.come("first", "second")

    assert ["first", "second"] == [message["text"] for message in await asyncio.gather(*receiving)]


async def test_nothing_comes_through_after_the_end(socket: Socket) -> None:
    """What a client sends while its close is on the way reaches nobody, and the application is told once it is out."""
    socket.writable.clear()
    receiving = asyncio.ensure_future(socket.guard.receive())
    await socket.end()
    socket.come("transfer everything")
    await asyncio.sleep(0.01)
    assert not receiving.done()
    socket.writable.set()

    assert [GONE, GONE] == [await receiving, await socket.guard.receive()]
    assert [ACCEPT, CLOSED] == socket.sent


async def test_what_came_before_and_was_not_read_is_dropped_too(socket: Socket) -> None:
    """A revoked session does nothing more, not even what was on its way already."""
    socket.come("transfer everything")
    await socket.end()

    assert GONE == await socket.guard.receive()


async def test_sending_after_the_end_fails(socket: Socket) -> None:
    """An endpoint that sends on learns of the end as of a client that has gone, and nothing of it is sent."""
    await socket.end()
    with pytest.raises(OSError, match="the session has ended: unauthorised"):
        await socket.guard.send({"type": "websocket.send", "text": "secret"})

    assert [ACCEPT, CLOSED] == socket.sent


async def test_a_client_that_reads_nothing_keeps_no_endpoint(socket: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that waits for a client to read is freed by the end, after the patience for the close."""
    monkeypatch.setattr(sockets, "LONGEST_CLOSE", 0.05)
    socket.writable.clear()
    sending = asyncio.ensure_future(socket.guard.send({"type": "websocket.send", "text": "secret"}))
    await socket.end()
    with pytest.raises(OSError, match="the session has ended"):
        await asyncio.wait_for(sending, 10)

    assert [ACCEPT] == socket.sent


async def test_a_socket_that_is_being_closed_is_not_closed_again(socket: Socket) -> None:
    """When the session ends while the endpoint closes, the endpoint's close is the only one."""
    socket.writable.clear()
    closing = asyncio.ensure_future(socket.guard.send({"type": "websocket.close", "code": 1000}))
    await asyncio.sleep(0)
    await socket.end()
    socket.writable.set()
    await closing

    assert [ACCEPT, {"type": "websocket.close", "code": 1000}] == socket.sent


async def test_a_socket_whose_client_has_left_is_not_closed(socket: Socket) -> None:
    """When the session ends after the endpoint was told that its client has gone, nothing is sent."""
    socket.coming.put_nowait({"type": "websocket.disconnect", "code": 1001})
    await socket.guard.receive()
    await socket.end()

    assert [ACCEPT] == socket.sent


async def test_a_session_revoked_before_the_acceptance_ends_its_socket(bare: Socket) -> None:
    """A session that ends between its proof and the acceptance is not missed."""
    await bare.prove()
    await bare.end()
    await bare.guard.send(ACCEPT)
    message = await bare.guard.receive()

    assert (GONE, [ACCEPT, CLOSED]) == (message, bare.sent)


async def test_a_session_proved_after_the_acceptance_is_guarded(bare: Socket) -> None:
    """An endpoint may accept first and ask for the session later."""
    await bare.guard.send(ACCEPT)
    await bare.prove()
    receiving = asyncio.ensure_future(bare.guard.receive())
    await asyncio.sleep(0)
    await bare.end()

    assert (GONE, [ACCEPT, CLOSED]) == (await receiving, bare.sent)


async def test_a_client_that_left_unnoticed_is_no_error(socket: Socket) -> None:
    """A close that cannot be sent any more is not missed by anybody."""

    async def gone(_message: Message) -> None:
        raise OSError

    socket.guard._send = gone
    await socket.end()

    assert GONE == await socket.guard.receive()


async def test_nothing_passes_after_a_pause_before_the_feed_is_read(socket: Socket, clock: HandClock) -> None:
    """A process that was paused while another one revoked the session neither delivers what came nor sends anything."""
    elsewhere = engine(clock, store=socket.sessions.store)
    await elsewhere.revoke_all("ada")
    clock.advance(timedelta(seconds=6))
    socket.come("transfer everything")

    assert GONE == await socket.guard.receive()
    with pytest.raises(OSError, match="unauthorised"):
        await socket.guard.send({"type": "websocket.send", "text": "secret"})
    assert [ACCEPT, CLOSED] == socket.sent


async def test_a_message_that_waits_for_the_feed_is_not_lost(
    socket: Socket, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint that gives up while the feed is read is given the message when it comes again."""
    ask, may_answer = socket.sessions.store.notices, asyncio.Event()

    async def notices(**span: int) -> FeedReading:
        await may_answer.wait()
        return await ask(**span)

    monkeypatch.setattr(socket.sessions.store, "notices", notices)
    clock.advance(timedelta(seconds=6))
    socket.come("one", "two")
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.guard.receive(), 0.01)
    may_answer.set()

    assert ["one", "two"] == [(await socket.guard.receive())["text"] for _ in range(2)]
