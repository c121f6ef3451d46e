"""Verifiers of other services, as they were published, over an ordinary rotation and a revocation of signing keys."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from jose import jwt as jose_jwt
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from fastapi_session import MemoryStore, Sessions
from fastapi_session.testing import HandClock
from tests.consumers.packages import node
from tests.engines import engine
from tests.moments import HOUR, MINUTE

REGISTRY = JWSRegistry(algorithms=["ES256"], strict_check_header=False)
"""It refuses the header `version` otherwise, which SuperTokens' tokens have too."""


@dataclass
class Story:
    """Access tokens of three keys, and the JWK Set before and after the second key is revoked."""

    tokens: dict[str, str] = field(default_factory=dict)
    sets: list[Any] = field(default_factory=list)


async def told() -> Story:
    """One key, ten minutes ahead of its time the next, and another in its place. All moments are before now."""
    clock, story = HandClock(), Story()
    clock.advance(timedelta(milliseconds=int(time.time() * 1000) - clock()) - 70 * MINUTE)
    sessions: Sessions = engine(
        clock, store=MemoryStore(clock=clock), access_token_dynamic_signing_key_update_interval=HOUR
    )
    await sessions.open()
    clock.advance(51 * MINUTE)
    story.tokens["first"] = (await sessions.create("ada")).tokens.access_token
    # The next one is made in the background; the third does not rotate.
    while len((await sessions.jwks())["keys"]) < 3:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0.01)
    story.sets.append(await sessions.jwks())
    clock.advance(18 * MINUTE)
    story.tokens["next"] = (await sessions.create("ada")).tokens.access_token
    await sessions.revoke_signing_key(jwt.get_unverified_header(story.tokens["next"])["kid"])
    story.tokens["last"] = (await sessions.create("ada")).tokens.access_token
    story.sets.append(await sessions.jwks())
    await sessions.close()
    return story


@contextmanager
def published(story: Story, *, readings: int) -> Iterator[str]:
    """Serve the first set for so many *readings*, and the second from then on."""
    sets = iter([story.sets[0]] * readings)

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(next(sets, story.sets[-1])).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def pyjwt(address: str, tokens: list[str]) -> list[bool]:
    client = jwt.PyJWKClient(address)

    def said(token: str) -> bool:
        try:
            jwt.decode(token, client.get_signing_key_from_jwt(token), algorithms=["ES256"])
        except jwt.PyJWKClientError:
            return False
        return True

    return [said(token) for token in tokens]


def in_javascript(name: str) -> Callable[[str, list[str], list[str]], Any]:
    def ask(address: str, tokens: list[str], after_restart: list[str]) -> Any:
        return node("jwks.mjs", name, address, json.dumps(tokens), json.dumps(after_restart), package=name)

    return ask


def in_python(address: str, tokens: list[str], after_restart: list[str]) -> list[list[bool]]:
    return [pyjwt(address, tokens), pyjwt(address, after_restart)]


@pytest.mark.parametrize(
    ("ask", "readings", "knows_the_last"),
    # jwks-rsa keeps one key a reading, the others the whole set.
    [(in_javascript("jose"), 1, False), (in_javascript("jwks-rsa"), 2, True), (in_python, 1, False)],
    ids=["jose", "jwks-rsa", "PyJWT"],
)
async def test_a_verifier_that_reads(ask: Callable[..., Any], readings: int, knows_the_last: bool) -> None:
    """A rotation passes unnoticed, whatever is read when, and a revoked key is believed until a restart.

    Its successor, which signs at once, is refused for a while by those that pause between readings.
    """
    story = await told()
    first, second, last = (story.tokens[name] for name in ("first", "next", "last"))
    with published(story, readings=readings) as address:
        running, restarted = ask(address, [first, second, second, last], [first, second, last])

    assert [True, True, True, knows_the_last] == running
    assert [True, False, True] == restarted


def joserfc(token: str, keys: Any) -> bool:
    try:
        joserfc_jwt.decode(token, KeySet.import_key_set(keys), registry=REGISTRY)
    except (JoseError, ValueError):
        return False
    return True


def python_jose(token: str, keys: Any) -> bool:
    """Give it the one key that the token names, as the page of signing keys advises."""
    kid = jose_jwt.get_unverified_header(token)["kid"]
    key = next((key for key in keys["keys"] if key["kid"] == kid), None)
    return key is not None and "sub" in jose_jwt.decode(token, key, algorithms=["ES256"])


@pytest.mark.parametrize("said", [joserfc, python_jose], ids=["Authlib's joserfc", "python-jose"])
async def test_a_verifier_that_is_given_the_set(said: Callable[[str, Any], bool]) -> None:
    """The key is known by its kid: from the first set that of the next token, from the second no revoked one."""
    story = await told()

    assert [True, True, False] == [said(story.tokens[name], story.sets[0]) for name in ("first", "next", "last")]
    assert [True, False, True] == [said(story.tokens[name], story.sets[1]) for name in ("first", "next", "last")]
