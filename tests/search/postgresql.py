"""A PostgreSQL server for tests, started from Debian's package."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """Return the folder of the server's programs; None where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    known = shutil.which("pg_ctl")
    return found[-1].parent if found else Path(known).parent if known else None


class Server:
    """A server in a folder, with the URL of its database, which has a password.

    It refuses to run as root, so that root runs it as the user of Debian's package.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._folder = folder
        self._options = f"-p {port} -k {folder} -c fsync=off -c listen_addresses=127.0.0.1"
        self.url = f"postgresql+psycopg://me:secret@127.0.0.1:{port}/postgres"
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-U", "me", "-A", "trust", "--no-sync")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        log = str(self._folder / "log")
        self._run("pg_ctl", "-w", "-l", log, "-o", self._options, "start")

    def stop(self) -> None:
        """Stop the server at once, as when its machine fails."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def _run(self, name: str, *words: str) -> None:
        at = programs()
        assert at is not None
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run(
            [*as_user, str(at / name), "-D", str(self._folder / "data"), *words],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            timeout=60,
        )


@contextmanager
def running() -> Iterator[Server]:
    """Run a server in a temporary folder."""
    # Folders of pytest are closed to other users.
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        server = Server(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def server() -> Iterator[str]:
    """Run a server in a temporary folder; yield the URL of its database, with a password."""
    with running() as one:
        yield one.url
