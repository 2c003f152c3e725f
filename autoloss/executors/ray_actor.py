"""A worker on a node of a Ray cluster: an actor that trains while it talks with its search."""

from __future__ import annotations

import io
import os
import queue
import socket
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

import torch

from autoloss.core.devices import find_device
from autoloss.executors.alike import check_files, check_versions, versions_here
from autoloss.executors.worker import Worker
from autoloss.losses.own import load_losses
from autoloss.training import Job


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a search to a worker.

    Args:
        life: The life of the actor that the search knows; empty if it knows none.
        number: The number of the call; a later call ends the wait of an earlier call.
        first: The number of the first message in `messages`.
        messages: Messages to the worker that the search does not know to have arrived.
        heard: Messages of the worker that have arrived.
        seconds: The longest wait for a message of the worker.
    """

    life: str
    number: int
    first: int
    messages: tuple[Any, ...]
    heard: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Reply:
    """The reply of a worker.

    Args:
        life: The life of the actor, which changes if Ray restarts it.
        pid: The process of the actor.
        place: The node and the device, in words.
        heard: Messages to the worker that have arrived.
        first: The number of the first message in `messages`.
        messages: Messages to the search.
    """

    life: str
    pid: int
    place: str
    heard: int
    first: int
    messages: tuple[Any, ...]


@dataclass(frozen=True)
class Needs:
    """The needs of the node of a worker, also if it joins after the search began.

    Args:
        versions: The versions of Python and packages in the process that asks and tells.
        losses: Files of the custom losses.
        files: Other files that the worker opens.
    """

    versions: Mapping[str, str]
    losses: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()

    def check(self) -> None:
        """Check this machine.

        Raises:
            InputError: A version differs, or a file is missing.
        """
        name = socket.gethostname()
        check_versions(name, versions_here(), self.versions)
        check_files(name, [str(one) for one in (*self.losses, *self.files) if not one.is_file()])


class RayWorker:
    """A worker as an actor.

    A call may be lost with its reply and is then repeated: messages are numbered, so that each
    arrives once.

    Args:
        needs: The needs of this node.
        device: Where to train: ``"cpu"``, with a single thread, or ``"cuda"``.

    Raises:
        InputError: This node lacks something, or a file of losses fails.
    """

    def __init__(self, needs: Needs, device: str) -> None:
        needs.check()
        torch.set_num_threads(1)
        self._life = uuid.uuid4().hex
        self._device = find_device(device)
        self._link = _ActorLink(self._device)
        self._latest = 0
        # The losses must be known before candidates are read, which Ray does with each call.
        for path in needs.losses:
            load_losses(path)
        threading.Thread(target=Worker(self._link).run, daemon=True).start()

    def exchange(self, call: Call) -> Reply:
        """Take the messages of the search, and return the messages for it, once there are some."""
        link = self._link
        if call.life not in ("", self._life):
            return Reply(self._life, os.getpid(), self._place, 0, 0, ())
        with link.changed:
            self._latest = max(self._latest, call.number)
            for message in call.messages[max(0, link.taken - call.first) :]:
                link.taken += 1
                link.inbox.put(message)
            link.forget(call.heard)
            link.changed.notify_all()
            ends = monotonic() + call.seconds
            while not link.outbox and call.number == self._latest:
                if not link.changed.wait(max(0.0, ends - monotonic())):
                    break
            new = tuple(link.outbox)
            return Reply(self._life, os.getpid(), self._place, link.taken, link.first, new)

    @property
    def _place(self) -> str:
        name = socket.gethostname()
        if self._device.type != "cuda":
            return f"{name} (CPU)"
        return f"{name} ({torch.cuda.get_device_name(self._device)})"


class _ActorLink:
    """The connection of the training thread of an actor with its search.

    Args:
        device: Where to train.

    Attributes:
        changed: Guards the other attributes.
        inbox: Messages of the search.
        taken: The number of messages that the search has sent.
        outbox: Messages for the search that may not have arrived.
        first: The number of the first of them.
    """

    def __init__(self, device: torch.device) -> None:
        self.changed = threading.Condition()
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.taken = 0
        self.outbox: list[Any] = []
        self.first = 0
        self._device = device

    def receive(self) -> Any:
        """Wait for the next message of the search; see `Link.receive`."""
        return self.inbox.get()

    def send(self, message: object) -> None:
        """Keep a message for the search; see `Link.send`."""
        with self.changed:
            self.outbox.append(message)
            self.changed.notify_all()

    def forget(self, heard: int) -> None:
        """Remove the messages that have arrived."""
        del self.outbox[: max(0, heard - self.first)]
        self.first = max(self.first, heard)

    def jobs(self, data: Any) -> tuple[Job, ...]:
        """Return the divisions in the object store, on the device of the actor."""
        import ray

        stored = io.BytesIO(memoryview(ray.get(data)))
        jobs = torch.load(stored, map_location=self._device, weights_only=False)
        return tuple(replace(job, device=self._device) for job in jobs)

    def leave(self, status: int) -> NoReturn:
        """End the training thread alone: the search still has to hear why, and ends the actor."""
        raise SystemExit(status)
