"""The example app started as a visitor starts it."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from example_app.certificate import pin_of

ROOT = Path(__file__).parents[2]


@contextmanager
def example_app(port: int, folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m example_app` on *port*, its files in *folder*."""
    command = [sys.executable, "-m", "example_app", "--port", str(port), *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.terminate()


def listening() -> socket.socket:
    listener = socket.create_server(("localhost", 0))
    listener.listen()
    return listener


def test_the_page_is_served_when_the_visitor_is_told_to_open_it(tmp_path: Path) -> None:
    """The address is told once it can be opened."""
    with listening() as listener:
        port = listener.getsockname()[1]
    with example_app(port, tmp_path) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        with urllib.request.urlopen(f"http://localhost:{port}/") as answer:
            status = answer.status

    assert f"Open http://localhost:{port} and sign in as alice, password wonderland. Ctrl+C ends it.\n" == told
    assert 200 == status


def test_over_https(tmp_path: Path) -> None:
    """With `--https` the app is served by a certificate that the browser trusts which is told beside the address."""
    with listening() as listener:
        port = listener.getsockname()[1]
    with example_app(port, tmp_path, "--https") as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(4)]
        with socket.create_connection(("localhost", port)) as connection:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(connection) as encrypted:
                certificate = x509.load_der_x509_certificate(encrypted.getpeercert(binary_form=True) or b"")
    key = certificate.public_key()
    assert isinstance(key, EllipticCurvePublicKey)

    assert told[0] == f"Open https://localhost:{port} and sign in as alice, password wonderland. Ctrl+C ends it.\n"
    assert f" --ignore-certificate-errors-spki-list={pin_of(key)} " in told[3]
    assert told[3].endswith(f" https://localhost:{port}\n")
    assert [] == [*tmp_path.iterdir()]


def test_a_taken_port(tmp_path: Path) -> None:
    """Whoever cannot be served is told why, and not to open a page of another application."""
    with listening() as listener, example_app(listener.getsockname()[1], tmp_path) as process:
        told, failed = process.communicate()

    assert "" == told
    assert "address already in use" in failed
    assert 0 != process.returncode


def test_make_demo_takes_a_port() -> None:
    """`make demo PORT=8111` serves on that port."""
    plan = subprocess.run(
        ["make", "--dry-run", "demo", "PORT=8111"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "python -m example_app --port 8111" in plan.stdout
