"""The configuration of the page, on a real nginx, before the application of the page on a real uvicorn."""

from __future__ import annotations

from pathlib import Path

from tests.authority import Authority
from tests.recipes.proxies import COMMAND, ENVIRONMENT, PAGE, see_all_pass, servers_of_recipe, write_a_page
from tests.recipes.serving import free_port, is_served, serving, write_application
from tests.web.nginx import nginx


def test_everything_passes(tmp_path: Path) -> None:
    """Long tokens, cookies with their path, the address of the client and sockets come through."""
    write_application(PAGE, tmp_path)
    write_a_page(tmp_path)
    authority, own = Authority(tmp_path), free_port()
    certified = authority.certify("127.0.0.1")
    with serving(COMMAND, tmp_path, environment=ENVIRONMENT) as port:
        servers = servers_of_recipe(tmp_path, certified=certified, own=own, application=port)
        with nginx(servers, folder=tmp_path, serves=lambda: is_served(own)):
            see_all_pass(f"https://127.0.0.1:{own}", certificate=authority.file)
