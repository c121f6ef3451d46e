"""Sessions of the doctor's own: what becomes of them, and what is found if there can be none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from fastapi_session import SessionConfig, Sessions, UnauthorisedError
from fastapi_session.clock import system_clock
from fastapi_session.doctor.outside.asking import USER_AGENT
from fastapi_session.doctor.outside.own_session import TENANT, USER
from tests.doctor.outside.deployments import WHOLE, Broken, Edge, Transport, application, behind_nginx, config


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with behind_nginx({"whole": WHOLE}, tmp_path_factory.mktemp("probe")) as edge:
        yield edge


@pytest.fixture
async def sessions(edge: Edge) -> AsyncIterator[Sessions]:
    sessions = Sessions(edge.config)
    yield sessions
    await sessions.close()


async def found(edge: Edge, **options: Any) -> list[str]:
    return [f"{finding.check.id} {finding.seen}" for finding in await edge.findings("whole", **options)]


async def test_they_end(edge: Edge, sessions: Sessions) -> None:
    """Each session of the doctor has ended when it has looked, and the audit says who it was that began and ended it."""
    assert [] == await found(edge, probe=True)
    page = await sessions.events(user_id=USER)
    names = {event.name for event in page.events}
    agents = {
        str(event.details["circumstances"]["user_agent"]) for event in page.events if event.name == "SessionRevoked"
    }

    assert [] == await sessions.of_user(USER)
    assert names >= {"SessionCreated", "SessionRefreshed", "SessionRevoked", "DeviceBound"}
    assert ({TENANT}, {USER_AGENT}) == ({event.tenant_id for event in page.events}, agents)


class Interrupted(Transport):
    """Is interrupted when the first refresh token is sent."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if len(request.headers.get("authorization", "")) > 100 and "x-forwarded-for" in request.headers:
            raise asyncio.CancelledError
        return await super().handle_async_request(request)


async def test_they_end_if_it_is_interrupted(edge: Edge, sessions: Sessions) -> None:
    """A session of the doctor has ended too if somebody interrupts it."""
    with pytest.raises(asyncio.CancelledError):
        await edge.findings("whole", probe=True, transport=edge.transport("whole", kind=Interrupted))

    assert [] == await sessions.of_user(USER)


async def test_another_store(edge: Edge, tmp_path: Path) -> None:
    """If the store is not that of the deployment, its sessions are refreshed in vain, FS231, by each method."""
    other = Sessions(config(tmp_path))
    await other.open()  # so that the file is there
    await other.close()
    said = [each for each in await found(edge, probe=True, settings=config(tmp_path)) if not each.startswith("FS238")]

    assert ["FS231 POST https://api.example.com/auth/session/refresh: 401 application/json 'unauthorised'"] * 2 == said


@pytest.mark.parametrize(
    ("store", "seen"),
    [
        ("memory:", "store: a store in memory is that of one process, so no session in it is known elsewhere"),
        ("postgresql+asyncpg://u:hidden@127.0.0.1:1/app", "postgresql failed: ConnectionRefusedError"),
        ("sqlite:////nowhere/sessions.db", "store: there is no file /nowhere/sessions.db"),
    ],
)
async def test_no_store(store: str, seen: str, edge: Edge) -> None:
    """A store in which no session can be begun is found, FS239, and the rest is looked at all the same."""
    (said,) = await found(edge, probe=True, settings=config(Path(), store=store))

    assert said.startswith(f"FS239 {seen}")


@pytest.mark.parametrize(("off", "seen"), [(20_000, "behind"), (-20_000, "ahead")])
async def test_clocks(off: int, seen: str, edge: Edge) -> None:
    """A deployment whose clock is off by more than a few seconds is found, FS217, by its Date and by the tokens that it issues."""
    said = await found(edge, probe=True, clock=lambda: system_clock() + off)

    assert ["FS217"] * 3 == [each.partition(" ")[0] for each in said]
    assert [True] * 3 == [each.endswith(seen) for each in said]


async def test_clocks_that_are_good_enough(edge: Edge) -> None:
    """A clock may be off by a few seconds, as those of any two machines are."""
    assert [] == await found(edge, clock=lambda: system_clock() + 4_000)


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"api_domain": "https://other.example.com", "website_domain": "https://other.example.com"}, "it is asked at"),
        ({"api_base_path": "/auth2"}, "404"),
    ],
)
async def test_another_configuration(options: dict[str, str], seen: str, edge: Edge, tmp_path: Path) -> None:
    """A configuration of another place is found, FS203; one with another path so that nothing is found there, FS202."""
    said = await found(edge, settings=config(tmp_path, **options))

    assert seen in said[0]
    assert {"FS203", "FS202"} >= {said[0].partition(" ")[0]}


@pytest.mark.parametrize(
    "options",
    [
        {"token_transfer_method": "cookie"},
        {"token_transfer_method": "header", "dpop": "required", "dpop_nonces": True},
        {"device_binding": "required", "device_binding_scope": "all"},
        {"anti_csrf": "VIA_TOKEN"},
        {"cookie_prefix": "__Host-", "older_cookie_prefix": ""},
        {"website_domain": "https://other.example", "anti_csrf": "VIA_CUSTOM_HEADER", "cookie_partitioned": True},
        {"refresh_token_rotation_grace_period": 0},
        {"device_binding": "off", "dpop": "off", "website_domain": "https://api.example.com"},
        {"access_token_signing_algorithm": "RS256", "ip_address_precision": "network", "session_limit": 1},
        {"token_transfer_method": lambda _connection, _for_create: "any"},
        {"session_expired_status_code": 440, "invalid_claim_status_code": 403},
    ],
    ids=[
        "cookies",
        "headers with proofs",
        "bound browsers",
        "anti-CSRF tokens",
        "another prefix",
        "another site",
        "no grace period",
        "nothing bound",
        "RSA",
        "a way for each request",
        "other statuses",
    ],
)
async def test_other_deployments(options: dict[str, Any], tmp_path: Path) -> None:
    """A whole deployment shows nothing, however it is configured, and no session is left."""
    with behind_nginx({"whole": WHOLE}, tmp_path, **options) as edge:
        assert [] == await found(edge, probe=True)


async def test_a_prefix_that_the_server_does_not_know(tmp_path: Path) -> None:
    """A prefix that a proxy strips, and of which the server knows nothing, is found: in redirects, FS215, and in proofs, FS224."""
    stripping = Broken((), locations="location /api/ { PASS rewrite ^/api(/.*)$ $1 break; }")
    with behind_nginx({"whole": stripping}, tmp_path, api_base_path="/api/auth", build=without_prefix) as edge:
        said = await found(edge, probe=True)

    assert ["FS215", "FS224", "FS231"] == [each.partition(" ")[0] for each in said]
    assert "FS224 htu: not https://api.example.com/auth/session/refresh" in said


def without_prefix(settings: SessionConfig) -> FastAPI:
    return application(settings, prefix="/auth")


async def test_refusals_of_the_application(tmp_path: Path) -> None:
    """An application may word its refusals itself: it shows by the tokens that it clears that they are its own.

    But if it loses the challenge for those who prove a key, that is found, FS223.
    """
    with behind_nginx({"whole": WHOLE}, tmp_path, build=with_refusals) as edge:
        said = await found(edge, probe=True)

    assert ["FS223"] == [each.partition(" ")[0] for each in said]


def with_refusals(settings: SessionConfig) -> FastAPI:
    app = application(settings)

    @app.exception_handler(UnauthorisedError)
    async def refuse(_request: Request, _error: Exception) -> Response:
        return Response("sign in", 401)

    return app
