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


@contextmanager
def server() -> Iterator[str]:
    """Run a server in a temporary folder; yield the URL of its database, with a password.

    It refuses to run as root, so that root runs it as the user of Debian's package.
    """
    at = programs()
    assert at is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    is_root = os.geteuid() == 0
    as_user = ["runuser", "-u", "postgres", "--"] if is_root else []

    def run(name: str, *words: str) -> None:
        subprocess.run(
            [*as_user, str(at / name), "-D", str(folder / "data"), *words],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=folder,
            timeout=60,
        )

    # Folders of pytest are closed to other users.
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        folder = Path(name)
        if is_root:
            shutil.chown(folder, "postgres")
        run("initdb", "-U", "me", "-A", "trust", "--no-sync")
        options = f"-p {port} -k {folder} -c fsync=off -c listen_addresses=127.0.0.1"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://me:secret@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
