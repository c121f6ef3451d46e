"""The way to a store, laid through a proxy."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url

from tests.reliability.proxy import Connect, to_address, to_socket

PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "redis": 6379}


def way_to(url: str) -> Connect:
    """Return the way to the server that *url* names, by a socket in a folder or by an address."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    folder, path = parsed.query.get("host"), parsed.query.get("unix_socket")
    if folder is not None:
        return to_socket(Path(str(folder)) / f".s.PGSQL.{parsed.port or PORTS[backend]}")
    if path is not None:
        return to_socket(Path(str(path)))
    return to_address(parsed.host or "127.0.0.1", parsed.port or PORTS[backend])


def by_port(url: str, port: int) -> str:
    """Return *url* with *port* of this machine in the place of the server that it names."""
    parsed = make_url(url).difference_update_query(["host", "unix_socket"]).set(host="127.0.0.1", port=port)
    return parsed.render_as_string(hide_password=False)
