"""Pipelines: scripts that go to the server over one connection in one write. Each has its own reply, and its own error.

A pipeline is no transaction, and its replies come in the order of its scripts. Each carries a ticket with which its reply has to
begin, so that no caller gets the reply of another.

| reply | then |
|---|---|
| begins with the ticket of its request | it belongs to it |
| is an error | it belongs to it |
| is an error, since the server has not run the script before | the script is sent in full, unless replies were mixed up, or missing |
| is anything else | nobody gets it: its request has failed, and the connection is closed |
| does not come, or too late | its request and those after it have failed, and the connection is closed |
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, ResponseError

from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.redis.connections import CheckedPool
from fastapi_session.stores.redis.script import Script

Reply = Sequence[Any]
"""What a script returns: strings, numbers and lists of them, as its author knows."""


FEW_KEYS = 10
"""How many keys a short call has at most: those of a shard, and of some sessions."""
FEW_CHARACTERS = 16_384
"""How many characters a short call is given at most."""


class MixedUp(Exception):
    """A reply belongs to another request."""


@dataclass(frozen=True, slots=True)
class Call:
    """A script, its keys, and what it is given after the ticket."""

    script: Script
    keys: Sequence[str]
    arguments: Sequence[str]

    @property
    def is_short(self) -> bool:
        """Whether it takes the server and the network about as little time as any other short one."""
        return self.script.is_short and len(self.keys) <= FEW_KEYS and sum(map(len, self.arguments)) <= FEW_CHARACTERS

    def command(self, ticket: str, *, in_full: bool = False) -> list[str]:
        """Return the command that runs the script: by its name, or *in_full*."""
        named = ["EVAL", self.script.text] if in_full else ["EVALSHA", self.script.sha]
        return [*named, str(len(self.keys)), *self.keys, ticket, *self.arguments]


async def replies_to(calls: Sequence[Call], pool: CheckedPool) -> list[Reply | Exception]:
    """Return the reply to each of *calls*, over one connection of *pool*: what its script returns, or StoreUnavailable."""
    replies = await _exchange(calls, pool)
    if all(isinstance(reply, list | ResponseError) for reply in replies):
        unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        again = await _exchange([calls[place] for place in unknown], pool, in_full=True) if unknown else []
        for place, reply in zip(unknown, again, strict=True):
            replies[place] = reply
    for reply in replies:
        if isinstance(reply, ResponseError):
            pool.heed(reply)
    return [unavailable(reply) if isinstance(reply, Exception) else reply for reply in replies]


def unavailable(error: Exception) -> StoreUnavailable:
    """Return what *error*, of whatever kind, is to a caller."""
    # The name alone, since a server may quote what it complains about.
    what = "the reply belongs to another request" if isinstance(error, MixedUp) else type(error).__name__
    failure = StoreUnavailable(f"Redis failed: {what}")
    failure.__cause__ = error
    return failure


def own(reply: Any, ticket: str) -> Reply:
    """Return *reply* without its ticket. Raises MixedUp if that is not *ticket*."""
    if not isinstance(reply, list) or not reply or as_text(reply[0]) != ticket:
        raise MixedUp
    return reply[1:]


def as_text(value: object) -> str:
    """Return a string of a reply, whether or not the client decodes replies."""
    return value.decode() if isinstance(value, bytes) else str(value)


async def _exchange(calls: Sequence[Call], pool: CheckedPool, *, in_full: bool = False) -> list[Reply | Exception]:
    """Return the reply to each of *calls*, or the error that it ended in."""
    token = token_hex(8)
    tickets = [f"{token}-{place}" for place in range(len(calls))]
    commands = [call.command(ticket, in_full=in_full) for call, ticket in zip(calls, tickets, strict=True)]
    replies: list[Reply | Exception] = []
    loop, of_one = asyncio.get_running_loop(), pool.patience_of_one.total_seconds()
    try:
        # Each reply that comes may take as long as any: so many of them have to end too.
        async with asyncio.timeout(pool.patience.total_seconds()), pool.lent() as connection:
            async with asyncio.timeout(of_one) as timeout:
                await connection.send_packed_command(packed(commands, connection))
                for ticket in tickets:
                    timeout.reschedule(loop.time() + of_one)
                    replies.append(await _reply(connection, ticket))  # those that came are kept if the next does not
            if any(isinstance(reply, MixedUp) for reply in replies):
                await connection.disconnect(nowait=True)
    except Exception as error:  # noqa: BLE001 - of whatever kind, it is the outcome of those that have no reply
        replies += [error] * (len(calls) - len(replies))
    return replies


async def _reply(connection: AbstractConnection, ticket: str) -> Reply | Exception:
    try:
        return own(await connection.read_response(), ticket)
    except (ResponseError, MixedUp) as error:
        return error


def packed(commands: Sequence[Sequence[str]], connection: AbstractConnection) -> bytes:
    """Return *commands* as they are sent. What is ASCII, as nearly all is, takes a fraction of the time of redis-py's own way."""
    text = "".join([_packed(command) for command in commands])
    return text.encode() if text.isascii() else b"".join(connection.pack_commands(commands))


def _packed(command: Sequence[str]) -> str:
    """https://valkey.io/topics/protocol/: an array of bulk strings, each after its length in bytes."""
    return f"*{len(command)}\r\n" + "".join([f"${len(each)}\r\n{each}\r\n" for each in command])
