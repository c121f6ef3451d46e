"""Debian's Caddy in front of an application, kept to the folder of a test."""

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

from tests.browser.waiting import until

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
