"""Debian's nginx in front of an application, with the buffers and caches that it has unless told otherwise."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from httpx2 import Client, HTTPTransport

from tests.browser.waiting import until

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=pages:1m;
    {servers}
}}
"""

SERVER = """
server {{
    listen unix:{folder}/nginx.sock;
    location / {{
        proxy_pass {upstream};
        proxy_set_header Host $host;
        {directives}
    }}
}}
"""


@contextmanager
def behind_nginx(upstream: str, *directives: str, folder: Path) -> Iterator[Client]:
    """Run nginx before the server at the origin *upstream*, its location with *directives*. Yield a client that asks it.

    Skips the test if nginx is not installed.
    """
    servers = SERVER.format(folder=folder, upstream=upstream, directives="\n".join(directives))
    own = str(folder / "nginx.sock")
    with (
        nginx(servers, folder=folder, serves=lambda: listens(own)),
        Client(transport=HTTPTransport(uds=own), base_url="http://testserver") as client,
    ):
        yield client


@contextmanager
def nginx(servers: str, *, folder: Path, serves: Callable[[], bool]) -> Iterator[None]:
    """Run nginx with *servers*, what stands in its configuration's `http`, from when it *serves*. All files lie in *folder*.

    Skips the test if nginx is not installed.
    """
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip("nginx is not installed")
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, servers=servers), "utf-8")
    command = (program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf"))
    with subprocess.Popen(command) as process:
        try:
            until(lambda: process.poll() is not None or serves())
            assert process.poll() is None, (folder / "error.log").read_text("utf-8")
            yield
        finally:
            process.terminate()


def listens(path: str) -> bool:
    """Say whether somebody accepts connections at this socket of the file system."""
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(path) == 0
