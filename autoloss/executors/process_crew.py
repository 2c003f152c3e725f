"""Worker processes of this machine: starting them, talking to them, ending them."""

from __future__ import annotations

import json
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from autoloss.core.scratch import Scratch
from autoloss.executors import fork_server
from autoloss.executors.crew import Crew, UnsendableError
from autoloss.executors.fork_server import LOADING, Fork, ForkServer, one_thread
from autoloss.executors.messages import Ready, Setup, read, write
from autoloss.executors.staffing import Staffing, Workers, staff
from autoloss.training import Job

_ENDING_SECONDS = 5.0
# Not `multiprocessing`, whose processes run the user's script again if it has no
# `if __name__ == "__main__"`.
PROGRAM = LOADING + "main()"


class ProcessCrew(Crew):
    """Worker processes, each with a single thread.

    They import torch while the search reads its data. While they live, torch has a single thread
    in this process too: idle threads that wait for each other take the processors of the workers.
    The processes end with `close`, and also if this process dies.
    """

    def __init__(self) -> None:
        self._workers: list[_Process] = []
        self._inbox: queue.SimpleQueue[tuple[_Process, Any]] = queue.SimpleQueue()
        self._files: dict[int, tuple[Path, Sequence[Job]]] = {}
        self._setup: Setup | None = None
        self._server: ForkServer | None = None
        self._scratch: Scratch | None = None
        self._threads = 0

    @property
    def workers(self) -> list[int]:
        """Return the workers."""
        return list(range(len(self._workers)))

    @property
    def remedy(self) -> str:
        """Return the remedy for workers that run out of memory."""
        return "With --workers 1 there is one process."

    def staff(
        self, asked: Workers, *, trials: int, device: torch.device, alone: str = ""
    ) -> Staffing:
        """Return the number of workers of a search; see `staffing.staff`."""
        return staff(asked, trials=trials, device=device, alone=alone)

    def begin(
        self,
        staffing: Staffing,
        *,
        losses: Sequence[Path] = (),
        files: Sequence[Path] = (),
        told: Callable[[str], object] = str,
    ) -> None:
        """Start workers, if there are several; it does not wait for them."""
        if staffing.count == 1:
            fork_server.drop()
            return
        self._scratch = Scratch()
        self._setup = Setup(tuple(path.resolve() for path in losses), self._scratch.folder)
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self._workers = [self._new(self._setup) for _ in range(staffing.count)]

    def close(self) -> None:
        """End the workers, whatever they do."""
        if self._server is not None and not self.wait(0.0):
            # It does not wait for the import of workers that nobody needs.
            self._server.close()
        for worker in self._workers:
            worker.kill()
        self._workers = []
        if self._server is not None:
            self._server.close()
            self._server = None
        self._files.clear()
        if self._scratch is not None:
            self._scratch.remove()
            torch.set_num_threads(self._threads)
            self._scratch = self._setup = None

    def wait(self, seconds: float) -> bool:
        """Wait until all workers have started; return whether they have.

        Args:
            seconds: The longest wait.
        """
        ends = monotonic() + seconds
        return all(one.started.wait(max(0.0, ends - monotonic())) for one in self._workers)

    @property
    def pids(self) -> list[int]:
        """Return the process identifiers of the workers."""
        return [worker.pid for worker in self._workers]

    def data_of(self, jobs: Sequence[Job]) -> Path:
        """Return a file with divisions of the rows, written once.

        Raises:
            UnsendableError: They hold something that another process cannot read.
        """
        assert self._setup is not None
        # The jobs are kept, so that no others get their identity.
        if id(jobs) not in self._files:
            path = self._setup.folder / f"{len(self._files)}.pt"
            try:
                torch.save(jobs, path)
            except (
                pickle.PicklingError,
                AttributeError,
                TypeError,
                OSError,
                RuntimeError,
            ) as error:
                # The last two are a full disk.
                raise UnsendableError(str(error)) from error
            self._files[id(jobs)] = path, jobs
        return self._files[id(jobs)][0]

    def send(self, worker: int, message: object) -> None:
        """Send a message to a worker; if the worker has died, `receive` says so."""
        self._workers[worker].send(message)

    def receive(self) -> tuple[int, Any]:
        """Wait for a message; return its worker and the message, None if the worker has died."""
        while True:
            try:
                # On Windows, Ctrl-C does not end a wait without a limit.
                process, message = self._inbox.get(timeout=0.5)
            except queue.Empty:
                continue
            if process in self._workers:
                return self._workers.index(process), message

    def replace(self, worker: int) -> str:
        """Replace a worker that has died; return how it has died."""
        assert self._setup is not None
        status = self._workers[worker].kill()
        self._workers[worker] = self._new(self._setup)
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def _new(self, setup: Setup) -> _Process:
        """Start a worker."""
        process = self._forked() if fork_server.IS_POSSIBLE else _Spawned()
        return _Process(process, setup, self._inbox)

    def _forked(self) -> Fork:
        if self._server is not None:
            try:
                return self._server.fork()
            except OSError:
                # The server has died.
                self._server.close()
        self._server = fork_server.take()
        return self._server.fork()


class _Spawned:
    """A separate process, where no fork is safe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=one_thread(),
            # On Windows, no further console opens.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.pid, self.stdin, self.stdout = (
            self._process.pid,
            self._process.stdin,
            self._process.stdout,
        )

    def kill(self) -> int:
        """End the process at once, and return its exit status."""
        self._process.kill()
        return self._process.wait(_ENDING_SECONDS)


class _Process:
    """A worker process.

    Args:
        process: The process.
        setup: Its first message.
        inbox: Takes its messages, and None when it has died.

    Attributes:
        started: Set when it has imported all that it needs, or has died.
    """

    def __init__(
        self,
        process: Fork | _Spawned,
        setup: Setup,
        inbox: queue.SimpleQueue[tuple[_Process, Any]],
    ) -> None:
        self._process = process
        self.started = threading.Event()
        self.send(setup)
        threading.Thread(target=self._listen, args=[inbox], daemon=True).start()

    @property
    def pid(self) -> int:
        """Return its process identifier."""
        return self._process.pid

    def send(self, message: object) -> None:
        """Send a message, unless the process has died."""
        try:
            write(self._process.stdin, message)
        except OSError:
            return

    def kill(self) -> int:
        """End the process at once, and return its exit status."""
        status = self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            # A message that the process did not take may still be in the stream.
            with suppress(OSError):
                stream.close()
        return status

    def _listen(self, inbox: queue.SimpleQueue[tuple[_Process, Any]]) -> None:
        try:
            while True:
                message = read(self._process.stdout)
                if isinstance(message, Ready):
                    self.started.set()
                else:
                    inbox.put((self, message))
        except EOFError:
            self.started.set()
            inbox.put((self, None))
