"""Hostile headers at the endpoints of device binding: never a 500, nothing that ends a binding by mistake, and no cookie."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from fastapi import FastAPI

from fastapi_session.core import base64url
from fastapi_session.testing import HandClock
from tests.conftest import Amount, Figures
from tests.engines import engine
from tests.web.binding.browsers import (
    BOUND,
    CHALLENGE,
    DEVICE_PATH,
    DEVICE_REFRESH_PATH,
    IDENTIFIER,
    PROOF,
    RENEWAL_PATH,
    SKIPPED,
    Browser,
    bound,
    payload_of,
    renew,
)
from tests.web.deployment import Deployment, application, deployed
from tests.web.hostility import ALGORITHMS, EXTREME_BYTES, MEMBERS
from tests.wire import ACCESS_COOKIE, REFRESH_PATH

SEED = 20_261_130
PATHS = (DEVICE_PATH, RENEWAL_PATH, DEVICE_REFRESH_PATH)
BORNE = {200, 400, 403}
"""What these endpoints respond with, but for a store that is down."""
VALUES: list[Any] = [None, True, 0, -1, 1e308, "", "\x00", "ü" * 9, [], {}, [[]] * 50, {"a": {"b": {}}}, "A" * 3_000]


def segment(value: Any) -> str:
    return base64url.encode(json.dumps(value).encode())


async def posted(app: FastAPI, path: str, headers: list[tuple[bytes, bytes]]) -> tuple[int, list[bytes]]:
    """The status and the cookies of the response to a request with raw *headers*, which no client would send."""
    scope = {"type": "http", "scheme": "https", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], [value for name, value in sent[0]["headers"] if name == b"set-cookie"]


class Forger:
    """Makes proofs and identifiers of *browser* that are none."""

    def __init__(self, browser: Browser) -> None:
        self.random = Random(SEED)
        self.browser = browser

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of one request, one of them at least altered."""
        draw = self.random
        proof = draw.choice([self.altered, self.retold, self.junk])(
            draw.choice([self.browser.renewing(), self.browser.proof()])
        )
        identifier = draw.choice([self.browser.identifier, self.altered(self.browser.identifier), self.junk("")])
        said = [(PROOF, draw.choice(['"%s"', "%s", '"%s', '%s"', '"%s";a="b"', '("%s")']) % proof)]
        said += [(IDENTIFIER, draw.choice(['"%s"', "%s"]) % identifier)]
        said += draw.choices(
            [(PROOF, ""), (IDENTIFIER, ""), (SKIPPED, self.junk("")), (CHALLENGE, "x")], k=draw.randrange(3)
        )
        said += [("cookie", f"{ACCESS_COOKIE}={draw.choice([self.browser.held.access, self.junk('')])}")]
        draw.shuffle(said)
        return [(name.encode(), value.encode("utf-8", "surrogatepass")) for name, value in said]

    def altered(self, text: str) -> str:
        """*text* with one character another one, or one more, or one less."""
        place, draw = self.random.randrange(len(text)), self.random
        changed = text[:place] + draw.choice(["", ".", "A", "AA", '"', "ü", "\x7f"]) + text[place + draw.randrange(2) :]
        return changed if changed != text else f"{text}A"

    def retold(self, proof: str) -> str:
        """*proof* with another header or other claims, and its signature."""
        draw, (header, claims, signature) = self.random, proof.split(".")
        said = {
            **json.loads(base64url.decode(header) or b""),
            draw.choice(["alg", "typ", "jwk", "kid"]): draw.choice(VALUES),
        }
        said |= draw.choice([{}, {"alg": draw.choice(ALGORITHMS)}, dict([draw.choice(list(MEMBERS.items()))])])
        told = {**payload_of(proof), draw.choice(["jti", "aud", "iat"]): draw.choice(VALUES)}
        return f"{segment(said)}.{draw.choice([claims, segment(told), segment(VALUES)])}.{signature}"

    def junk(self, _: str) -> str:
        draw = self.random
        return draw.choice(
            [
                "",
                ".",
                "..",
                "a.b.c",
                "." * 500,
                "A" * 20_000,
                EXTREME_BYTES.decode("latin-1")[: draw.randrange(60)],
                "{}",
            ]
        )


@pytest.fixture
def deployment(clock: HandClock) -> Iterator[Deployment]:
    sessions = engine(clock, **BOUND, device_binding_scope="all")
    with deployed(application(sessions), sessions, clock, BOUND["api_domain"]) as deployment:
        yield deployment


def test_nothing_is_believed_and_nothing_breaks(deployment: Deployment, amount: Amount, figures: Figures) -> None:
    """Whatever is sent, the response is one that a browser bears, without a cookie; and the browser it was made of goes on."""
    browser, seen = bound(deployment), Counter[tuple[str, int]]()
    forger = Forger(browser)
    for _ in range(amount(2_000, full=20_000)):
        path = forger.random.choice(PATHS)
        status, cookies = deployment.ask(posted, deployment.app, path, forger.headers())
        seen[path, status] += 1

        assert (status in BORNE, []) == (True, cookies)
    figures(requests=seen.total(), outcomes=len(seen))

    assert {403} == {status for path, status in seen if path == DEVICE_PATH}
    assert 200 == renew(deployment, browser).status_code
    assert 200 == deployment.post(REFRESH_PATH, browser.to_refresh()).status_code


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_another_method(path: str, method: str, deployment: Deployment) -> None:
    """Browsers post; anything else is not served, and does nothing."""
    assert 405 == deployment.request(method, path).status_code


def test_a_body_is_not_read(deployment: Deployment) -> None:
    """Whatever is in the body of a registration, it is not looked at."""
    browser = bound(deployment)
    response = deployment.client.post(
        RENEWAL_PATH, content=b"{" * 100_000, headers={IDENTIFIER: browser.identifier, PROOF: browser.renewing()}
    )

    assert 200 == response.status_code
