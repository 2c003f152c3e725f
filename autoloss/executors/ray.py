"""Workers on the nodes of a Ray cluster, which Ray places and restarts."""

from __future__ import annotations

import io
import pickle
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import torch

from autoloss.core.errors import InputError, TrainingError
from autoloss.executors.alike import versions_here
from autoloss.executors.crew import Crew, UnsendableError
from autoloss.executors.messages import Ready, Sized, Sizing
from autoloss.executors.ray_actor import Needs, Reply
from autoloss.executors.ray_cluster import Node, RayCluster, slots_of, staff_text, waiting_text
from autoloss.executors.ray_errors import first_line, start_error
from autoloss.executors.ray_hand import CALL_SECONDS, Hand
from autoloss.executors.staffing import TRIALS_EACH, Staffing, Workers
from autoloss.training import Job
from autoloss.training.together import Together, choose_together

PAUSE_SECONDS = 0.5
"""Seconds between two calls to a worker that does not answer."""
AWAY_SECONDS, SILENT_SECONDS = 5.0, 30.0
"""Seconds after which a worker counts as lost whose calls fail, or are not answered."""
NOBODY_SECONDS = 600.0
"""Seconds without any worker after which a search ends; a cluster may grow on demand."""
LISTEN_SECONDS = 1.0
"""Seconds between two looks for workers that are lost."""
START_SECONDS = 30.0
"""The longest wait for workers that start."""
LOOK_SECONDS = 5.0
"""Seconds between two looks for nodes that have joined."""
_KEPT = 4
"""The most divisions of rows in the object store: the last used."""


class RayCrew(Crew):
    """Workers on the nodes of a Ray cluster: one on each GPU, or one on each processor.

    Args:
        address: The address of the cluster, as in `RayCluster`.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._cluster: RayCluster | None = None
        self._device = "auto"
        self._most = 0
        self._needs = Needs({})
        self._told: Callable[[str], object] = str
        self._hands: list[Hand] = []
        self._inbox: deque[tuple[int, Any]] = deque()
        self._data: dict[int, tuple[Any, Sequence[Job]]] = {}
        self._looked = 0.0
        self._listened = monotonic()
        self._alone = 0.0
        self._has_waited = False

    @property
    def workers(self) -> list[int]:
        """Return the workers that can train now."""
        return [key for key, hand in enumerate(self._hands) if hand.is_ready]

    def __len__(self) -> int:
        """Return the number of workers, with starting and lost workers."""
        return sum(not hand.is_gone for hand in self._hands)

    @property
    def sizes(self) -> list[int]:
        """Return the candidates that each worker trains together, as a measure of its speed."""
        known = [hand.size for hand in self._hands if hand.size]
        usual = sorted(known)[len(known) // 2] if known else 1
        return [self._hands[key].size or usual for key in self.workers]

    @property
    def lives(self) -> int:
        """Return the number of workers that may die with the same candidates."""
        return 5

    @property
    def remedy(self) -> str:
        """Return the remedy for workers that run out of memory."""
        return "'ray status' and the logs of Ray on that node tell more."

    @property
    def device_kind(self) -> str:
        """Return the kind of device that candidates train on."""
        return "cuda" if self._has_gpus(self._nodes()) else "cpu"

    @property
    def is_elsewhere(self) -> bool:
        """Return True: the machines of workers may differ from this machine."""
        return True

    def coordinator(self, device: str) -> torch.device:
        """Return the device of the process that asks and tells, which is the processor.

        Raises:
            InputError: The device is unknown, or Ray would choose another GPU.
        """
        if device not in ("auto", "cpu", "cuda"):
            raise InputError(
                "device must be auto, cpu or cuda on Ray, which gives each worker its own "
                f"GPU, but got device={device!r}."
            )
        self._device = device
        return torch.device("cpu")

    def staff(
        self, asked: Workers, *, trials: int, device: torch.device, alone: str = ""
    ) -> Staffing:
        """Return the number of workers: one for each GPU, or for each processor.

        Raises:
            InputError: Ray cannot train the search.
        """
        if alone:
            raise InputError(
                f"executor must be local here, but got executor='ray': {alone}. Write it to a "
                "file, and give FILE.py:NAME."
            )
        if self._cluster is None:
            self._cluster = RayCluster(self._address, workers=0 if asked == "auto" else asked)
        nodes = self._nodes()
        if self._device == "cuda" and not self._has_gpus(nodes):
            raise InputError(
                "device cuda must be on a node of the Ray cluster, but none has a GPU: use "
                "--device cpu."
            )
        slots = slots_of(nodes, has_gpus=self._has_gpus(nodes))
        if not slots and asked == "auto":
            raise InputError(
                "A node of the Ray cluster must have a processor, but none has: start one with "
                "'ray start --address=HOST:PORT', or ask for --workers N of a cluster that grows."
            )
        if asked != "auto" and asked > slots and self._cluster.is_fixed:
            raise InputError(
                "workers must be at most 1 for each GPU of this machine with executor='ray', but "
                f"got workers={asked} and {slots} GPUs: use --device cpu, or leave --workers out."
            )
        self._most = max(1, trials // TRIALS_EACH) if asked == "auto" else 0
        count = min(slots, self._most) if asked == "auto" else asked
        return Staffing(
            count, "", sentence=staff_text(count, nodes, has_gpus=self._has_gpus(nodes))
        )

    def begin(
        self,
        staffing: Staffing,
        *,
        losses: Sequence[Path] = (),
        files: Sequence[Path] = (),
        told: Callable[[str], object] = str,
    ) -> None:
        """Start workers; it does not wait for them.

        Raises:
            InputError: A node has another version, or lacks a file.
        """
        assert self._cluster is not None
        own = tuple(path.resolve() for path in losses)
        self._needs = Needs(versions_here(), own, tuple(files))
        self._cluster.check(self._nodes(), [*own, *files])
        self._told = told
        self._hire(staffing.count)

    def close(self) -> None:
        """End the workers, whatever they do, and the connection."""
        if self._cluster is None:
            return
        for hand in self._hands:
            # The connection may be lost.
            with suppress(Exception):
                self._cluster.ray.kill(hand.actor)
        self._hands = []
        self._data.clear()
        self._inbox.clear()
        self._cluster.close()
        self._cluster = None

    def wait(self, seconds: float) -> bool:
        """Wait until all workers have started; return whether they have."""
        ends = monotonic() + seconds
        while len(self.workers) < len(self) and (left := ends - monotonic()) > 0:
            self._pump(min(left, LISTEN_SECONDS))
        return len(self.workers) == len(self)

    def gather(self) -> list[int]:
        """Return the workers that train the next candidates; nodes may have joined."""
        if not self._has_waited:
            if not self.wait(START_SECONDS):
                self._told(waiting_text(len(self.workers), len(self)))
            self._has_waited = True
        self._pump(0.0)
        if self._most and monotonic() - self._looked > LOOK_SECONDS:
            self._looked = monotonic()
            slots = slots_of(nodes := self._nodes(), has_gpus=self._has_gpus(nodes))
            more = min(slots, self._most) - len(self._hands)
            if more > 0:
                who = "worker starts" if more == 1 else "workers start"
                self._told(f"{more} more Ray {who}: nodes have joined the cluster.")
                self._hire(more)
        while not self.workers:
            self._pump(LISTEN_SECONDS)
        return self.workers

    def data_of(self, jobs: Sequence[Job]) -> Any:
        """Return a reference to divisions of the rows in the object store, written once."""
        assert self._cluster is not None
        kept = self._data.pop(id(jobs), None)
        if kept is None:
            stored = io.BytesIO()
            try:
                torch.save(jobs, stored)
            except (pickle.PicklingError, AttributeError, TypeError, RuntimeError) as error:
                raise UnsendableError(str(error)) from error
            kept = self._cluster.ray.put(stored.getvalue()), jobs
        while len(self._data) >= _KEPT:
            # The least recently used.
            self._data.pop(next(iter(self._data)))
        self._data[id(jobs)] = kept
        return kept[0]

    def send(self, worker: int, message: object) -> None:
        """Send a message to a worker; if the worker has died, `receive` says so."""
        hand = self._hands[worker]
        if hand.is_ready:
            hand.messages.append(message)
            hand.call()

    def receive(self) -> tuple[int, Any]:
        """Wait for a message; see `Crew.receive`.

        Raises:
            TrainingError: All workers are lost.
        """
        while not self._inbox:
            self._pump(LISTEN_SECONDS)
        return self._inbox.popleft()

    def replace(self, worker: int) -> str:
        """Return how a worker has died; Ray replaces it."""
        return self._hands[worker].why

    def choose_together(self, jobs: Sequence[Job], asked: int, *, at_most: int) -> Together:
        """Return the number of candidates to train together, which each worker chooses there."""
        if asked:
            return choose_together(jobs, asked)
        each = -(-at_most // max(1, len(self)))
        answers = self._ask(jobs, lambda data: Sizing(data, each), START_SECONDS)
        found = {key: one.together for key, one in answers.items() if isinstance(one, Sized)}
        if not found:
            return super().choose_together(jobs, asked, at_most=at_most)
        for key, one in found.items():
            self._hands[key].size = one.candidates
        [first, *_] = found.values()
        total = sum(one.candidates for one in found.values())
        held = sum(one.held for one in found.values())
        reason = f"{first.candidates} in each of {len(found)} workers, {first.reason}"
        return Together(total, first.rates, held, reason)

    def _pump(self, seconds: float) -> None:
        """Take the replies of workers; wait for the first.

        Raises:
            TrainingError: The connection with the cluster is lost, or all workers are.
        """
        try:
            self._listen(seconds)
        except ConnectionError as error:
            raise TrainingError(
                "The Ray cluster must stay connected, but the connection was lost "
                f"({first_line(error)}): continue with autoloss resume."
            ) from error
        self._miss()

    def _listen(self, seconds: float) -> None:
        assert self._cluster is not None
        wait, now = self._cluster.ray.wait, monotonic()
        for hand in self._hands:
            if hand.reply is None and not hand.is_gone and now - hand.asked > PAUSE_SECONDS:
                hand.call()
        awaited = {
            hand.reply: key for key, hand in enumerate(self._hands) if hand.reply is not None
        }
        if awaited:
            ready, rest = wait([*awaited], timeout=seconds)
            if ready and rest:
                ready += wait(rest, num_returns=len(rest), timeout=0)[0]
            for reply in ready:
                self._take(awaited[reply], reply)
        else:
            sleep(min(seconds, PAUSE_SECONDS))

    def _take(self, key: int, awaited: Any) -> None:
        """Take the reply of a worker, or the error of the call."""
        assert self._cluster is not None
        ray, hand = self._cluster.ray, self._hands[key]
        hand.reply = None
        try:
            reply: Reply = ray.get(awaited)
        except ray.exceptions.RayActorError as error:
            hand.why = start_error(error) if error.actor_init_failed else first_line(error)
            hand.failures += 1
            died = isinstance(error, ray.exceptions.ActorDiedError) and not hand.life
            if died or error.actor_init_failed:
                self._leave_out(key)
            return
        hand.failures = 0
        if hand.life and reply.life != hand.life:
            self._lose(key, hand.why or "Ray restarted it")
            hand.begin(reply.life)
        elif hand.is_lost:
            # It may train candidates that others have now.
            ray.kill(hand.actor, no_restart=False)
            return
        else:
            for message in hand.take(reply):
                hand.is_ready = hand.is_ready or isinstance(message, Ready)
                self._inbox.append((key, message))
        hand.call()

    def _miss(self) -> None:
        """Notice workers that are lost.

        Raises:
            TrainingError: All are, for a long time.
        """
        now = monotonic()
        # A program that was stopped, or slept with its machine, has not listened.
        listened = min(now - self._listened, 2 * LISTEN_SECONDS)
        self._listened = now
        self._alone += listened
        for hand in self._hands:
            hand.silent = 0.0 if hand.reply is None else hand.silent + listened
        for key in self.workers:
            hand = self._hands[key]
            if hand.failures * PAUSE_SECONDS >= AWAY_SECONDS:
                self._lose(key, hand.why)
            elif hand.silent > CALL_SECONDS + SILENT_SECONDS:
                self._lose(key, "its node does not answer")
        if self.workers:
            self._alone = 0.0
        elif self._alone > NOBODY_SECONDS:
            raise TrainingError(
                "A worker of the Ray cluster must answer, but for ten minutes none has (see 'ray "
                "status' and the logs of Ray): continue later with autoloss resume."
            )

    def _lose(self, key: int, why: str) -> None:
        """Note that a worker has lost all that it was sent."""
        hand = self._hands[key]
        if hand.is_ready:
            self._inbox.append((key, None))
            self._told(
                f"The Ray worker on {hand.place}, process {hand.pid}, was lost ({why}); its "
                "candidates train again."
            )
        hand.is_ready, hand.is_lost, hand.why = False, True, why

    def _leave_out(self, key: int) -> None:
        """Go on without a worker that failed to begin, and that Ray does not start again.

        Raises:
            InputError: The search has not begun, or there is no other worker.
        """
        self._hands[key].is_gone, why = True, self._hands[key].why
        if not self._has_waited or not len(self):
            raise InputError(
                f"A worker must start on each node of the Ray cluster, but one failed: {why}."
            )
        self._lose(key, why)
        self._told(f"A Ray worker is left out, because it did not start: {why}.")

    def _nodes(self) -> list[Node]:
        assert self._cluster is not None
        return self._cluster.nodes()

    def _has_gpus(self, nodes: Sequence[Node]) -> bool:
        """Return whether candidates train on GPUs."""
        return self._device != "cpu" and any(node.gpus for node in nodes)

    def _hire(self, count: int) -> None:
        """Start further workers."""
        assert self._cluster is not None
        has_gpus = self._has_gpus(self._nodes())
        for actor in self._cluster.hire(count, self._needs, has_gpus=has_gpus):
            hand = Hand(actor)
            hand.call()
            self._hands.append(hand)
