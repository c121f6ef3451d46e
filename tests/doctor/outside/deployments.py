"""One application behind one nginx that has it many times: whole, and broken in each of many ways, each at an address of its own."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpcore
import httpx
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from fastapi_session import SessionConfig, get_all_cors_headers, install, session_router
from fastapi_session.clock import Clock, system_clock
from fastapi_session.doctor.finding import Examination, Finding
from fastapi_session.doctor.outside.calling import calling
from fastapi_session.doctor.outside.findings import look_from_outside
from fastapi_session.doctor.outside.reached import Reached, reaching
from fastapi_session.origin import Origin
from tests.authority import Authority
from tests.browser.server import Server, serve
from tests.engines import SECRET
from tests.recipes.serving import free_port
from tests.web.nginx import nginx

HOST = "api.example.com"
URL = Origin("https", HOST, "")
WEBSITE = "https://www.example.com"
CALLER = "127.0.0.2"
"""From where the doctor asks, so that its address is not that of nginx."""

HTTP = """
limit_req_zone $server_addr zone=refreshes:1m rate=1r/m;
limit_req_zone $server_addr zone=devices:1m rate=1r/m;
limit_req_zone $server_addr zone=all:1m rate=10r/m;
limit_req_status 429;
"""
SERVER = """
server {{
    listen {address}:{https} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    {server}
    {hsts}
    location / {{
        proxy_pass http://127.0.0.1:{upstream};
        {headers}
        {buffers}
        {location}
    }}
    {locations}
}}
server {{
    listen {address}:{http};
    location / {{ {plain} }}
}}
"""
HEADERS: Mapping[str, str] = {"Host": "$host", "X-Forwarded-For": "$remote_addr", "X-Forwarded-Proto": "$scheme"}
BUFFERS = "proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k;"
HSTS = 'add_header Strict-Transport-Security "max-age=31536000" always;'


@dataclass(frozen=True)
class Broken:
    """What is wrong: directives of nginx that a whole deployment has not, or has otherwise. `PASS` stands for the application."""

    finds: tuple[str, ...]
    location: str = ""
    locations: str = ""
    server: str = ""
    plain: str = "return 308 https://$host$request_uri;"
    headers: Mapping[str, str | None] = field(default_factory=dict)
    buffers: str = BUFFERS
    hsts: str = HSTS
    days: float = 60


WHOLE = Broken(())


def config(folder: Path, **options: Any) -> SessionConfig:
    """The configuration of the application, but as *options* say."""
    chosen: dict[str, Any] = {
        "api_domain": str(URL),
        "website_domain": WEBSITE,
        "store": f"sqlite:///{folder}/sessions.db",
        "secret": SECRET,
        "device_binding": "optional",
        "dpop": "optional",
        "audit": "all",
    }
    return SessionConfig(**{**chosen, **options})


def application(settings: SessionConfig, *, prefix: str | None = None) -> FastAPI:
    """An application with sessions, for the pages of another origin; its endpoints are below *prefix*, or where they should be."""
    app = FastAPI()
    install(app, settings)
    app.include_router(session_router(prefix or settings.api_base_path))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[settings.website_domain],
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=get_all_cors_headers(),
    )
    return app


class Routed(httpcore.AsyncNetworkBackend):
    """Connects to *address* whatever host is named, there to the port that stands for the one that is asked for."""

    def __init__(self, address: str, ports: Mapping[int, int]) -> None:
        self._address = address
        self._ports = ports
        self._own = httpcore.AnyIOBackend()

    async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        return await self._own.connect_tcp(self._address, self._ports[port], *args, **kwargs)

    async def sleep(self, seconds: float) -> None:
        await self._own.sleep(seconds)


class Transport(httpx.AsyncHTTPTransport):
    """Counts what is sent, and knows which tokens and proofs went there and came back."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sent = 0
        self.secrets: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        response = await super().handle_async_request(request)
        values = [*request.headers.values(), *response.headers.values()]
        self.secrets |= {text for value in values for text in re.findall(r"[\w.%+/-]{60,}", value)}
        return response


@dataclass
class Edge:
    """nginx before *app*, whose configuration is *config*: each of what is *broken* at an address."""

    app: Server
    config: SessionConfig
    authority: Path
    ports: Mapping[int, int]
    broken: Mapping[str, Broken]

    def transport(self, name: str, *, kind: type[Transport] = Transport) -> Transport:
        """Connections to the deployment that is broken as *name* says."""
        trusted = ssl.create_default_context(cafile=self.authority)
        made = kind(verify=trusted, local_address=CALLER)
        made._pool._network_backend = Routed(address_of(name, self.broken), self.ports)
        return made

    async def findings(
        self,
        name: str,
        *,
        probe: bool = False,
        settings: SessionConfig | None = None,
        clock: Clock = system_clock,
        transport: Transport | None = None,
    ) -> list[Finding]:
        """What the doctor finds at the deployment that is broken so."""
        by = transport or self.transport(name)
        over = partial(calling, transport=by)
        async with reaching(URL, settings or self.config, probe=probe, clock=clock, calling=over) as reached:
            return await seen_from_outside(reached)


async def seen_from_outside(reached: Reached) -> list[Finding]:
    """What is wrong with what *reached* shows."""
    found = Examination()
    await look_from_outside(reached, found)
    return found.findings


def address_of(name: str, broken: Mapping[str, Broken]) -> str:
    return f"127.0.1.{[*broken].index(name) + 1}"


@contextmanager
def behind_nginx(
    broken: Mapping[str, Broken],
    folder: Path,
    *,
    build: Callable[[SessionConfig], FastAPI] = application,
    **options: Any,
) -> Iterator[Edge]:
    """Serve the application behind all that is *broken*. Skips the test if nginx is not installed."""
    settings, authority, ports = config(folder, **options), Authority(folder), {443: free_port(), 80: free_port()}
    with serve(lambda _origin: build(settings)) as app:
        servers = [_server(each, address_of(name, broken), authority, ports, app.port) for name, each in broken.items()]
        first = address_of(next(iter(broken)), broken)
        with nginx("\n".join([HTTP, *servers]), folder=folder, serves=lambda: _listens(first, ports[443])):
            yield Edge(app, settings, authority.file, ports, broken)


def _server(broken: Broken, address: str, authority: Authority, ports: Mapping[int, int], upstream: int) -> str:
    certificate, key = authority.certify(HOST, days=broken.days, since=30)
    headers = {**HEADERS, **broken.headers}
    said = "\n".join(f"proxy_set_header {name} {value};" for name, value in headers.items() if value is not None)
    passed = f"proxy_pass http://127.0.0.1:{upstream}; {said} {broken.buffers}"
    configuration = SERVER.format(
        address=address,
        https=ports[443],
        http=ports[80],
        certificate=certificate,
        key=key,
        upstream=upstream,
        headers=said,
        buffers=broken.buffers,
        location=broken.location,
        locations=broken.locations,
        server=broken.server,
        hsts=broken.hsts,
        plain=broken.plain,
    )
    return configuration.replace("PASS", passed)


def _listens(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port)):
        return True
    return False
