"""Runs MLflow's own server over a local store, with one worker and no job runners."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autoloss.core.errors import AutolossError, InputError
from autoloss.core.secrets import redacted
from autoloss.tracking.database import BrokenStore, create_tables, database_lock, database_remedy
from autoloss.tracking.failures import Away
from autoloss.tracking.uri import sqlite_file

HOST = "127.0.0.1"
_PORTS = 50
# Ports of other protocols, which browsers refuse.
_REFUSED = frozenset({5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6697})
_PATIENCE = 90.0
_END = 10.0
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Jobs are for traces of language models, and take 15 processes and 2 GB.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def is_local(host: str) -> bool:
    """Return whether only programs of this machine reach an address.

    Examples:
        >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
        (True, True, False)
    """
    return host in ("localhost", "::1") or host.startswith("127.")


def reached_at(host: str) -> str:
    """Return the address at which this machine reaches its own server, as URLs have it.

    Examples:
        >>> reached_at("0.0.0.0"), reached_at("::1"), reached_at("192.168.1.7")
        ('127.0.0.1', '[::1]', '192.168.1.7')
    """
    place = {"0.0.0.0": HOST, "::": "::1"}.get(host, host)
    return f"[{place}]" if ":" in place else place


def free_port(wanted: int | None, *, usual: int, host: str = HOST) -> int:
    """Return the wanted port, else the first free port from `usual` on.

    Args:
        wanted: The port; None for any.
        usual: The first of any.
        host: The address of this machine that listens.

    Raises:
        InputError: If the wanted port is taken, no port is free, or the machine has no such
            address.
    """
    if not _is_free(0, host):
        raise InputError(
            f"--host must be an address of this machine, but got host={host!r}: 127.0.0.1 serves "
            "this machine alone, 0.0.0.0 every machine that reaches it."
        )
    if wanted is not None:
        if wanted in _REFUSED:
            raise InputError(f"--port must be one that browsers open, but got port={wanted}.")
        if not _is_free(wanted, host):
            raise InputError(
                f"--port must be free, but got port={wanted}, on which another program listens; "
                "leave it out for the next free port."
            )
        return wanted
    ports = [port for port in range(usual, usual + _PORTS) if port not in _REFUSED]
    found = next((port for port in ports if _is_free(port, host)), None)
    if found is None:
        raise InputError(
            f"A port from {usual} to {usual + _PORTS - 1} must be free, but got none: choose "
            "another with --port."
        )
    return found


def _is_free(port: int, host: str) -> bool:
    """Return whether no program listens on a port of an address of this machine."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        return False
    with socket.socket(family) as probe:
        # A server that has just ended leaves its port in a state that allows reuse.
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


@contextlib.contextmanager
def local_server(uri: str, port: int, host: str = HOST) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server while the context lasts; it answers from the beginning.

    Args:
        uri: The tracking URI of a local store or a database.
        port: The port.
        host: The address of this machine that listens.

    Raises:
        BrokenStore: If MLflow cannot open the database.
        AutolossError: If the server does not start for another reason.
    """
    environment = {**_ENVIRONMENT, **os.environ}
    # Not on the command line, where all users see a password.
    environment["MLFLOW_BACKEND_STORE_URI"] = uri
    words = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    words += ["--host", host, "--port", str(port)]
    # A process group of its own: Ctrl-C reaches this process alone, which then ends the group.
    group: dict[str, Any] = (
        {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        if os.name == "nt"
        else {"start_new_session": True}
    )
    handle, name = tempfile.mkstemp(prefix="autoloss-ui-", suffix=".log")
    log = Path(name)
    with contextlib.ExitStack() as stack, os.fdopen(handle, "wb") as file:
        stack.callback(log.unlink, missing_ok=True)
        # The server creates or upgrades the tables before it answers.
        try:
            with database_lock(uri):
                create_tables(uri)
                process = subprocess.Popen(
                    words, env=environment, stdout=file, stderr=file, **group
                )
                stack.callback(_end, process)
                _wait(process, f"http://{reached_at(host)}:{port}/health", log, uri)
        except Away as error:
            raise AutolossError(str(error)) from error
        yield process


def _wait(process: subprocess.Popen[bytes], health: str, log: Path, uri: str) -> None:
    """Wait until the server answers.

    Raises:
        AutolossError: If it ends, or takes too long.
    """
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(health, timeout=2.0),
        ):
            return
        time.sleep(0.1)
    text, path = log.read_text(errors="replace"), sqlite_file(uri)
    if path is not None and (trouble := database_remedy(path, text)) is not None:
        raise BrokenStore(trouble)
    lines = [line for line in text.splitlines() if line.strip()]
    reason = redacted(lines[-1].strip()) if lines else "it printed no reason"
    raise AutolossError(f"MLflow's server over {redacted(uri)} did not start: {reason}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and all of its processes."""
    for name in ("SIGTERM", "SIGKILL"):
        if os.name == "nt":
            process.terminate()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, getattr(signal, name))
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            continue
        if name == "SIGTERM" and os.name != "nt":
            # Workers that outlive their parent.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        return
