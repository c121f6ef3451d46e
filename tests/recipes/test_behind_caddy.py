"""The Caddyfile of the page, on a real Caddy, before the application of the page behind nginx."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from tests.browser.waiting import until
from tests.pages import examples_of
from tests.recipes.proxies import COMMAND, ENVIRONMENT, see_all_pass, write_a_page
from tests.recipes.proxies import PAGE as APPLICATION
from tests.recipes.serving import PORT, free_port, serving, write_application

PAGE = "docs/recipes/behind-caddy.md"
GLOBAL = """
{{
    admin off
    skip_install_trust
    auto_https disable_redirects
    storage file_system {folder}/caddy
}}
"""
"""What keeps a Caddy of a test to its folder."""


@contextmanager
def caddy(sites: str, *, folder: Path, port: int) -> Iterator[Path]:
    """Run Caddy with *sites*, of which one is localhost on *port*. Yield the certificate of its own authority.

    Skips the test if Caddy is not installed.
    """
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("Caddy is not installed")
    file = folder / "Caddyfile"
    file.write_text(GLOBAL.format(folder=folder) + sites, "utf-8")
    home = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "caddy.log").open("wb") as log:
        command = (program, "run", "--adapter", "caddyfile", "--config", str(file))
        process = subprocess.Popen(command, env=home, stdout=log, stderr=log)
    try:
        certificate = folder / "caddy/pki/authorities/local/root.crt"
        until(lambda: process.poll() is not None or is_trusted(port, certificate))
        assert process.poll() is None, (folder / "caddy.log").read_text("utf-8")
        yield certificate
    finally:
        process.terminate()
        process.wait()


def is_trusted(port: int, certificate: Path) -> bool:
    """Say whether localhost answers there, certified by the authority of *certificate*, which comes after it listens."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as caller:
        trusted = ssl.create_default_context(cafile=certificate)
        with trusted.wrap_socket(caller, server_hostname="localhost"):
            return True
    return False


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
