"""Debian's nginx in front of an application, with the buffers and caches that it has unless told otherwise."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from httpx2 import Client, HTTPTransport, TransportError

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
    server {{
        listen unix:{folder}/nginx.sock;
        location / {{
            proxy_pass {upstream};
            proxy_set_header Host $host;
            {directives}
        }}
    }}
}}
"""


@contextmanager
def behind_nginx(upstream: str, *directives: str, folder: Path) -> Iterator[Client]:
    """Run nginx before the server at the origin *upstream*, its location with *directives*. Yield a client that asks it.

    Skips the test if nginx is not installed.
    """
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip("nginx is not installed")
    configuration = CONFIGURATION.format(folder=folder, upstream=upstream, directives="\n".join(directives))
    (folder / "nginx.conf").write_text(configuration, "utf-8")
    command = (program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf"))
    with (
        subprocess.Popen(command) as process,
        Client(transport=HTTPTransport(uds=str(folder / "nginx.sock")), base_url="http://testserver") as client,
    ):
        try:
            until(lambda: process.poll() is not None or answers(client))
            assert process.poll() is None, (folder / "error.log").read_text("utf-8")
            yield client
        finally:
            process.terminate()


def answers(client: Client) -> bool:
    try:
        client.get("/")
    except TransportError:
        return False
    return True
