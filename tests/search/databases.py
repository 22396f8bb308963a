"""A PostgreSQL server of the tests' own: in a temporary folder, on a free port of this machine, as an ordinary user."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

USER, PASSWORD = "searcher", "not-to-be-shown-7"
ORDINARY = 65534
"""Who runs the server where the tests run as root, which PostgreSQL refuses: nobody."""


def program(name: str) -> str | None:
    """Find one of PostgreSQL's programs, which Debian keeps out of PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name) or next((str(at / name) for at in places if (at / name).is_file()), None)


class Server:
    """A server that can be stopped and started again. address: of its database, with the password.

    durable: whether it waits for the disk, as others do, and which tests do not need.
    """

    def __init__(self, folder: Path, durable: bool = False):
        self.folder, self.durable = folder, durable
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.shown = f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"
        self.address = self.shown.replace("@", f":{PASSWORD}@")
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            os.chown(folder, ORDINARY, ORDINARY)
            os.chown(secret, ORDINARY, ORDINARY)
        self.run("initdb", "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "-N")
        secret.unlink()

    def run(self, name: str, *flags: str) -> None:
        """Run one of the server's programs, as an ordinary user."""
        found = program(name)
        assert found is not None
        who: dict[str, Any] = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []} if os.geteuid() == 0 else {}
        subprocess.run(
            [found, *flags, "-D", str(self.folder / "data")], check=True, cwd=self.folder, timeout=60,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"}, **who,
        )  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        settings += f" -c fsync={'on' if self.durable else 'off'} -c shared_buffers=8MB"
        self.run("pg_ctl", "start", "-w", "-l", str(self.folder / "log"), "-o", settings)

    def stop(self) -> None:
        """Stop it at once, whoever is connected."""
        self.run("pg_ctl", "stop", "-m", "immediate")

    def ask(self, question: str, *values: Any) -> Sequence[Any]:
        """Return the rows that a question in SQL has for an answer."""
        import psycopg

        with psycopg.connect(self.address) as connection:
            found = connection.execute(question, values or None)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []


@contextmanager
def running(durable: bool = False) -> Iterator[Server]:
    """Run a server for the time of the block; the test is left out where there is none to run."""
    if program("initdb") is None or program("pg_ctl") is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg")
    folder = Path(mkdtemp(prefix="cuello-postgres-", dir="/tmp" if os.path.isdir("/tmp") else None))
    try:
        server = Server(folder, durable)
        server.start()
        try:
            yield server
        finally:
            if (folder / "data" / "postmaster.pid").is_file():
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
