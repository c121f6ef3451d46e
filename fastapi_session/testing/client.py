"""What the kit needs of an HTTP client, whichever library it is of."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import Any, Protocol

from fastapi_session.client.flow import SessionFlow
from fastapi_session.config import SessionConfig
from fastapi_session.errors import ConfigurationError
from fastapi_session.origin import Origin


class Client(Protocol):
    """What the kit needs of an HTTP client. Those of httpx and httpx2, sync and async, and Starlette's TestClient have it."""

    auth: Any
    """What prepares its requests and sees their responses."""

    @property
    def headers(self) -> MutableMapping[str, str]:
        """Headers of every request."""

    @property
    def cookies(self) -> Any:
        """The cookie jar."""

    @property
    def base_url(self) -> Any:
        """Where requests go, with its `scheme` and `host`."""

    def build_request(self, method: str, url: str) -> object:
        """Return a request as the client would send it."""


def session_auth_for(client: Client) -> type[SessionFlow]:
    """Return the `SessionAuth` for the library that *client* is of: httpx takes none of httpx2, and it none of httpx."""
    libraries = {base.__module__.partition(".")[0] for base in type(client).__mro__}
    name = "httpx2" if "httpx2" in libraries else "httpx"
    # Only the one that is of use, since the other need not be installed.
    found: type[SessionFlow] = import_module(f"fastapi_session.client.{name}").SessionAuth
    return found


def ensure_keeps_cookies(client: Client, config: SessionConfig) -> None:
    """Raise `ConfigurationError` if *client* drops the cookies of *config*: a test would see nothing but a 401.

    The cookie jar of Python sends Secure cookies by https alone, also to this machine.
    """
    scheme, host = client.base_url.scheme, client.base_url.host
    domain = (config.cookie_domain or host).removeprefix(".")
    if config.cookie_secure and scheme != "https":
        why = f"are Secure, and it speaks http to {host}"
    elif host != domain and not host.endswith(f".{domain}"):
        why = f"are for {domain}, and it speaks to {host}"
    else:
        return
    origin = str(Origin.parse(config.api_domain))
    url = origin.replace("http:", "https:") if config.cookie_secure else origin
    raise ConfigurationError(
        f'method="cookie": this client drops the cookies of sessions, which {why}: give it base_url="{url}"'
    )
