"""The Caddyfile of the page, on a real Caddy, before the application of the page behind nginx."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.pages import examples_of
from tests.recipes.proxies import COMMAND, ENVIRONMENT, see_all_pass, write_a_page
from tests.recipes.proxies import PAGE as APPLICATION
from tests.recipes.serving import PORT, free_port, serving, write_application
from tests.web.caddy import caddy

PAGE = "docs/recipes/behind-caddy.md"


def test_everything_passes(tmp_path: Path) -> None:
    """Long tokens, cookies with their path, the address of the client and sockets come through."""
    write_application(APPLICATION, tmp_path)
    write_a_page(tmp_path)
    own = free_port()
    with serving(COMMAND, tmp_path, environment=ENVIRONMENT) as port:
        sites = examples_of(PAGE, "text")[0]
        for here, there in {"example.com": f"localhost:{own}", "/srv/pages": str(tmp_path), PORT: str(port)}.items():
            assert sites.count(here) == 1
            sites = sites.replace(here, there)
        with caddy(sites, folder=tmp_path, port=own) as certificate:
            see_all_pass(f"https://localhost:{own}", certificate=certificate)


def test_what_traefik_is_told_fits_together() -> None:
    """The part that is not run names what it defines, and takes away the prefix by which it chooses."""
    told = yaml.safe_load(examples_of(PAGE, "yaml")[0])["http"]
    router, (prefix,) = told["routers"]["api"], told["middlewares"]["without-prefix"]["stripPrefix"]["prefixes"]

    assert [[*told["middlewares"]], [*told["services"]]] == [router["middlewares"], [router["service"]]]
    assert router["rule"].endswith(f"PathPrefix(`{prefix}`)")
