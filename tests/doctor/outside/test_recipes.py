"""Deployments as the recipes have them: behind nginx, behind Caddy, and with nothing in front. Nothing is wrong with them."""

from __future__ import annotations

import secrets
import ssl
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastapi_session import ConfigurationError, SessionConfig
from fastapi_session.doctor.finding import Level
from fastapi_session.doctor.outside.calling import calling
from fastapi_session.doctor.outside.reached import reaching
from fastapi_session.origin import Origin
from tests.authority import Authority
from tests.browser.server import serve
from tests.doctor.outside.deployments import CALLER, Routed, Transport, application, seen_from_outside
from tests.pages import examples_of
from tests.recipes import test_behind_caddy as caddys
from tests.recipes.proxies import COMMAND, ENVIRONMENT, PAGE, servers_of_recipe, write_a_page
from tests.recipes.serving import PORT, free_port, is_served, serving, write_application
from tests.web.caddy import caddy
from tests.web.nginx import nginx

NO_HSTS = "FS214"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", secrets.token_urlsafe(48))


async def found(settings: SessionConfig, *, transport: httpx.AsyncBaseTransport | None = None) -> list[tuple[str, str]]:
    """What the doctor finds with a probe, but for what it remarks on HSTS."""
    url = Origin.parse(settings.api_domain)
    assert url is not None
    async with reaching(url, settings, probe=True, calling=partial(calling, transport=transport)) as reached:
        every = await seen_from_outside(reached)
    assert {NO_HSTS} >= {finding.check.id for finding in every if finding.check.level is Level.INFO}
    return [(finding.check.id, finding.seen) for finding in every if finding.check.id != NO_HSTS]


def as_started(folder: Path, **options: Any) -> SessionConfig:
    """The configuration of the recipe's application."""
    return SessionConfig(
        api_base_path=ENVIRONMENT["FASTAPI_SESSION_API_BASE_PATH"], store=f"sqlite:///{folder}/sessions.db", **options
    )


async def test_nginx(tmp_path: Path) -> None:
    """Nothing is wrong behind nginx as its recipe has it, with the prefix that it strips."""
    write_application(PAGE, tmp_path)
    write_a_page(tmp_path)
    authority, own = Authority(tmp_path), free_port()
    certified = authority.certify("example.com", days=90)
    with serving(COMMAND, tmp_path, environment=ENVIRONMENT) as port:
        servers = servers_of_recipe(tmp_path, certified=certified, own=own, application=port)
        with nginx(servers, folder=tmp_path, serves=lambda: is_served(own)):
            made = Transport(verify=ssl.create_default_context(cafile=authority.file), local_address=CALLER)
            made._pool._network_backend = Routed("127.0.0.1", {443: own, 80: free_port()})
            assert [] == await found(as_started(tmp_path, api_domain="https://example.com"), transport=made)


async def test_caddy(tmp_path: Path) -> None:
    """Nothing is wrong behind Caddy as its recipe has it, nor with the certificate of half a day that it makes by itself."""
    write_application(PAGE, tmp_path)
    write_a_page(tmp_path)
    own = free_port()
    origin = f"https://localhost:{own}"
    with serving(COMMAND, tmp_path, environment={**ENVIRONMENT, "FASTAPI_SESSION_API_DOMAIN": origin}) as port:
        sites = examples_of(caddys.PAGE, "text")[0]
        for here, there in {"example.com": f"localhost:{own}", "/srv/pages": str(tmp_path), PORT: str(port)}.items():
            sites = sites.replace(here, there)
        with caddy(sites, folder=tmp_path, port=own) as certificate:
            made = Transport(verify=ssl.create_default_context(cafile=certificate))
            assert [] == await found(as_started(tmp_path, api_domain=origin), transport=made)


@pytest.mark.parametrize("options", [{}, {"token_transfer_method": "header"}], ids=str)
async def test_nothing_in_front(options: dict[str, Any], tmp_path: Path) -> None:
    """Nothing is wrong with an application on this machine, as somebody starts it to try it out."""
    built: list[SessionConfig] = []

    def build(origin: str) -> Any:
        built.append(
            SessionConfig(
                api_domain=origin, store=f"sqlite:///{tmp_path}/sessions.db", device_binding="optional", **options
            )
        )
        return application(built[0])

    with serve(build):
        assert [] == await found(built[0])


async def test_nothing_known(tmp_path: Path) -> None:
    """Without a configuration, or with an empty one, what needs none is looked at."""
    settings = SessionConfig(api_domain="http://localhost:1", store=f"sqlite:///{tmp_path}/sessions.db")
    with serve(lambda _origin: application(settings)) as app:
        url = Origin.parse(app.origin)
        assert url is not None
        for config in (None, SessionConfig()):
            async with reaching(url, config, probe=True) as reached:
                # It says by its documents that it is at another address, and no session is made.
                assert ["FS203", "FS239"] == [finding.check.id for finding in await seen_from_outside(reached)]


async def test_without_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without httpx it is said how to install it."""
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, calling.__module__)
    with pytest.raises(ConfigurationError, match=r"pip install 'fastapi-session-auth\[cli\]'"):
        async with reaching(Origin("https", "api.example.com", ""), None, probe=False):
            pass
