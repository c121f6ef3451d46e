"""What the checks from outside look at: a deployment at its address, and what is known of its configuration.

| of the configuration | then |
|---|---|
| `api_domain` is set, or is the address that is asked | what is seen is compared with it |
| it is not set, and another address is asked | the configuration is that of another place, such as an empty environment: nothing is compared |
| it is not known at all | nothing is compared, and the endpoints are looked for below `/auth` |
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from fastapi_session import endpoint_paths
from fastapi_session.clock import Clock, system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.doctor.outside.asking import Caller, Response
from fastapi_session.errors import ConfigurationError
from fastapi_session.origin import Origin
from fastapi_session.web.transport import FDI_VERSION_HEADER, METHODS, RID_HEADER, Method

FROM_A_CLIENT: Mapping[str, str] = {RID_HEADER: "session", FDI_VERSION_HEADER: "1.18"}
"""What every refresh has that a client of the protocol sends."""
Calling = Callable[[Clock], AbstractAsyncContextManager[Caller]]
"""What gives a caller, who goes by the clock."""
UNAUTHORISED = "unauthorised"
"""The message of the refusal that all these requests meet."""


@dataclass(frozen=True, slots=True)
class Reached:
    """The deployment at *url*. What is seen is compared with its *config*, as the table says; with *probe* sessions are made."""

    url: Origin
    config: SessionConfig | None
    probe: bool
    caller: Caller = field(repr=False)
    clock: Clock = field(repr=False, default=system_clock)

    @property
    def known(self) -> SessionConfig | None:
        """The configuration, if what is seen can be compared with it."""
        config = self.config
        if config is None or "api_domain" in config.model_fields_set or Origin.parse(config.api_domain) == self.url:
            return config
        return None

    @property
    def is_https(self) -> bool:
        """Whether it is asked by https."""
        return self.url.scheme == "https"

    @property
    def methods(self) -> tuple[Method, ...]:
        """By which methods tokens travel for certain: none if that is not known, or decided by a function."""
        configured = None if self.known is None else self.known.token_transfer_method
        return tuple(method for method in METHODS if configured in (method, "any"))

    @property
    def refused_status(self) -> int:
        """The status of a refusal."""
        return 401 if self.config is None else self.config.session_expired_status_code

    def path(self, endpoint: str) -> str:
        """Return the path of an *endpoint* of `endpoint_paths`, as a browser sees it."""
        return f"{'/auth' if self.config is None else self.config.api_base_path}{endpoint}"

    def at(self, endpoint: str) -> str:
        """Return the URL of an *endpoint*."""
        return f"{self.url}{self.path(endpoint)}"

    async def get(self, endpoint: str) -> Response:
        """Return what comes back to a GET. Raises `Unreached`."""
        return await self.caller.ask("GET", self.at(endpoint))

    async def post(self, endpoint: str, headers: Mapping[str, str] = {}) -> Response:
        """Return what comes back to a POST without a body. Raises `Unreached`."""
        return await self.caller.ask("POST", self.at(endpoint), headers)

    async def refresh(self, headers: Mapping[str, str] = {}) -> Response:
        """Return what comes back to a refresh. Raises `Unreached`."""
        return await self.post(endpoint_paths.REFRESH, {**FROM_A_CLIENT, **headers})

    def is_refusal(self, response: Response) -> bool:
        """Say whether *response* is the refusal that the application gives, and nobody in front of it."""
        return response.status == self.refused_status and response.member("message") == UNAUTHORISED


@asynccontextmanager
async def reaching(
    url: Origin,
    config: SessionConfig | None,
    *,
    probe: bool,
    clock: Clock = system_clock,
    calling: Calling | None = None,
) -> AsyncIterator[Reached]:
    """Give what is at *url*, asked by what *calling* gives, by default over HTTP.

    Raises `ConfigurationError` if httpx is not installed.
    """
    async with (calling or _over_http())(clock) as caller:
        yield Reached(url, config, probe, caller, clock)


def _over_http() -> Calling:
    """Return what asks over HTTP. Raises `ConfigurationError` if httpx is not installed."""
    try:
        module = import_module("fastapi_session.doctor.outside.calling")
    except ImportError:
        raise ConfigurationError("--url: this takes httpx, pip install 'fastapi-session-auth[cli]'") from None
    return cast("Calling", module.calling)
