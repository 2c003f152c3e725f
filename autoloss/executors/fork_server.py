"""A process that imports a worker's program once, and forks for each worker.

The import of torch takes most of a worker's start. The fork server imports it once, beside the
search, and its forks share the memory of its imports. A fork after the import is safe only on
Linux.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, NoReturn

IS_POSSIBLE = sys.platform == "linux"
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LOADING = (
    # The search ends its workers itself.
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from autoloss.executors.worker import main; "
)
"""The program of a process that loads the program of a worker, `main`."""
PROGRAM = LOADING + (
    "from autoloss.executors.fork_server import serve; serve(int(sys.argv[2]), main)"
)
_NUMBER = struct.Struct("<q")
_MOST_BYTES = 1 << 17
_EARLY: list[ForkServer] = []


def one_thread() -> dict[str, str]:
    """Return the environment of a worker, which has a single thread."""
    return {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}


@contextmanager
def begun_early(wanted: bool) -> Iterator[None]:
    """Let a server import while this process does, for `take` to find.

    Args:
        wanted: Whether workers are likely. A machine of a single core or with a GPU has none.
    """
    if wanted and IS_POSSIBLE and len(os.sched_getaffinity(0)) > 1 and not _has_gpu():
        with suppress(OSError):
            _EARLY.append(ForkServer())
    try:
        yield
    finally:
        drop()


def take() -> ForkServer:
    """Return the server that began early, or a new server.

    Raises:
        OSError: No further process can start.
    """
    return _EARLY.pop() if _EARLY else ForkServer()


def drop() -> None:
    """End a server that began early and is not needed."""
    while _EARLY:
        _EARLY.pop().close()


def _has_gpu() -> bool:
    return os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/kfd")


class ForkServer:
    """The fork server, as the search sees it."""

    def __init__(self) -> None:
        self._link, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._pids: list[int] = []
        self._asked = 0
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, json.dumps(sys.path), str(other.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=one_thread(),
                pass_fds=[other.fileno()],
            )

    def fork(self) -> Fork:
        """Ask for a worker, without waiting for it.

        Raises:
            OSError: The server has died.
        """
        (stdin, to_fork), (from_fork, stdout) = os.pipe(), os.pipe()
        own = os.fdopen(to_fork, "wb"), os.fdopen(from_fork, "rb")
        try:
            with self._lock:
                # Modules of the user may have joined the path after the start of the server.
                path = json.dumps(sys.path).encode()
                socket.send_fds(self._link, [path], [stdin, stdout])
                self._asked += 1
                return Fork(self, self._asked - 1, *own)
        except OSError:
            for stream in own:
                stream.close()
            raise
        finally:
            os.close(stdin)
            os.close(stdout)

    def pid(self, place: int) -> int:
        """Return the process identifier of a worker, after the import.

        Args:
            place: The number of the worker, from 0.

        Raises:
            OSError: The server has died.
        """
        with self._lock:
            self._know(place + 1)
            return self._pids[place]

    def kill(self, place: int) -> int:
        """End a worker at once; return its exit status, or minus the signal that ended it.

        Args:
            place: The number of the worker, from 0.

        Raises:
            OSError: The server has died.
        """
        with self._lock:
            # The replies to earlier requests come first.
            self._know(self._asked)
            self._link.sendall(_NUMBER.pack(self._pids[place]))
            return self._number()

    def close(self) -> None:
        """End the server; its workers go on."""
        self._process.kill()
        self._process.wait()
        self._link.close()

    def _know(self, count: int) -> None:
        """Wait for the process identifiers of the first workers."""
        while len(self._pids) < count:
            self._pids.append(self._number())

    def _number(self) -> int:
        if not (found := self._link.recv(_NUMBER.size)):
            raise ConnectionError("the fork server has died")
        number: int = _NUMBER.unpack(found)[0]
        return number


class Fork:
    """A worker that a fork server has forked, or will.

    Args:
        server: The server.
        place: The number of the worker, from 0.
        stdin: Writes to its standard input.
        stdout: Reads from its standard output.
    """

    def __init__(self, server: ForkServer, place: int, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.stdin, self.stdout = stdin, stdout
        self._server, self._place = server, place

    @property
    def pid(self) -> int:
        """Return the process identifier, after the import.

        Raises:
            OSError: The server has died.
        """
        return self._server.pid(self._place)

    def kill(self) -> int:
        """End the process at once; return its exit status, or minus the signal that ended it."""
        try:
            return self._server.kill(self._place)
        except OSError:
            # The server has died. The worker, if there is one, ends with its standard input.
            return -signal.SIGKILL


def serve(descriptor: int, main: Callable[[], object]) -> NoReturn:
    """Start and end workers on request, until the search has ended.

    Args:
        descriptor: The file descriptor of the socket of requests.
        main: Runs in each worker.
    """
    link = socket.socket(fileno=descriptor)
    while True:
        try:
            request, descriptors, _, _ = socket.recv_fds(link, _MOST_BYTES, 2)
            if not request:
                os._exit(0)
            if not descriptors:
                [pid] = _NUMBER.unpack(request)
                # No other process can have its identifier until its parent has waited for it.
                os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                link.sendall(_NUMBER.pack(os.waitstatus_to_exitcode(status)))
                continue
            if not (pid := os.fork()):
                link.close()
                _run(main, json.loads(request), descriptors)
            link.sendall(_NUMBER.pack(pid))
        except OSError:
            # The search has died.
            os._exit(0)
        for one in descriptors:
            os.close(one)


def _run(main: Callable[[], object], path: list[str], streams: list[int]) -> NoReturn:
    """Run a program on two streams, and end this process."""
    status = 1
    try:
        sys.path[:] = path
        for place, one in enumerate(streams):
            os.dup2(one, place)
            os.close(one)
        main()
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)
