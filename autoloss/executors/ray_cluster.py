"""A Ray cluster: connecting to it, its nodes, their checks, and the actors on them."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import signal
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoloss.core.errors import InputError
from autoloss.executors.alike import SAME, check_files, check_versions, versions_here
from autoloss.executors.ray_actor import Needs, RayWorker
from autoloss.executors.ray_errors import first_line
from autoloss.executors.staffing import free_cores

_STORE_BYTES = 200 << 20
"""Object store of a cluster on this machine; Ray writes larger data to its folder on the disk."""
_REACHED_SECONDS, _PROBED_SECONDS = 10.0, 90.0
_CALLS = 4
"""Calls that an actor answers at once: the latest, and earlier calls, which it ends."""
_AUTH = "RAY_AUTH_MODE"
_SHOWN = 8
"""Nodes that the sentence on the workers names."""


@dataclass(frozen=True)
class Node:
    """A node of a cluster that can train.

    Args:
        name: Its name.
        key: Its identifier.
        cpus: Its processors for Ray.
        gpus: Its GPUs for Ray.
    """

    name: str
    key: str
    cpus: int
    gpus: int


class RayCluster:
    """A connection to a Ray cluster.

    Args:
        address: ``"auto"``, ``"HOST:PORT"`` or ``"ray://HOST:PORT"``; None for a cluster on this
            machine, which ends with the connection, unless this process has a connection already.
        workers: Workers that a cluster on this machine has a processor for; 0 for one on each
            free core.

    Attributes:
        is_fixed: Whether no node can join: the cluster was started here.

    Raises:
        InputError: Ray is not installed, or there is no cluster that can be used at the address.
    """

    def __init__(self, address: str | None, *, workers: int = 0) -> None:
        self.ray = _import_ray()
        self._is_own = address is not None or not self.ray.is_initialized()
        self.is_fixed = self._is_own and address is None
        self._auth = os.environ.get(_AUTH)
        if self._is_own:
            self._connect(address, workers or free_cores())

    def _connect(self, address: str | None, cpus: int) -> None:
        if address is not None and address != "auto":
            _check_reached(address)
        options: dict[str, Any] = {"address": address}
        if address is None:
            # Ray reads it when its processes start.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            options = {
                "address": "local",
                "num_cpus": cpus,
                "object_store_memory": _STORE_BYTES,
                "include_dashboard": False,
            }
        before = _sigterm()
        logging.getLogger("ray").setLevel(logging.ERROR)
        try:
            self.ray.init(
                **options, log_to_driver=False, configure_logging=False, ignore_reinit_error=True
            )
        except Exception as error:
            raise InputError(_refusal(address, error)) from error
        finally:
            # Ray takes SIGTERM, which the search handles itself.
            if before is not None:
                signal.signal(signal.SIGTERM, before)

    def close(self) -> None:
        """End the connection, and the cluster if it is on this machine alone."""
        if self._is_own:
            self.ray.shutdown()
        if self.is_fixed:
            _set_auth(self._auth)

    def nodes(self) -> list[Node]:
        """Return the nodes that live and have processors or GPUs."""
        found = []
        for one in self.ray.nodes():
            cpus, gpus = (int(one.get("Resources", {}).get(key, 0)) for key in ("CPU", "GPU"))
            if one.get("Alive", one.get("alive")) and (cpus or gpus):
                found.append(Node(one["NodeManagerHostname"], one["NodeID"], cpus, gpus))
        return found

    def hire(self, count: int, needs: Needs, *, has_gpus: bool) -> list[Any]:
        """Return further actors, which Ray places on the nodes, each with a GPU or a processor.

        Args:
            count: Their number.
            needs: The needs of their nodes.
            has_gpus: Whether each has its own GPU.
        """
        actor = self.ray.remote(RayWorker).options(
            num_cpus=0 if has_gpus else 1,
            num_gpus=1 if has_gpus else 0,
            max_restarts=-1,
            max_concurrency=_CALLS,
            scheduling_strategy="SPREAD",
        )
        device = "cuda" if has_gpus else "cpu"
        return [actor.remote(needs, device) for _ in range(count)]

    def check(self, nodes: Sequence[Node], files: Sequence[Path]) -> None:
        """Check that nodes have this version of autoloss and the user's files.

        Args:
            nodes: The nodes.
            files: Files that workers open.

        Raises:
            InputError: A node differs; one line names it and the remedy.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        probe = self.ray.remote(_probe())
        asked = []
        for node in nodes:
            there = NodeAffinitySchedulingStrategy(node.key, soft=False)
            strategy = {"num_cpus": 0, "max_retries": 1, "scheduling_strategy": there}
            asked.append(probe.options(**strategy).remote(SAME, list(map(str, files))))
        for node, answer in zip(nodes, asked, strict=True):
            try:
                found, missing = self.ray.get(answer, timeout=_PROBED_SECONDS)
            except Exception as error:
                raise InputError(
                    f"Every node of the Ray cluster must run a task, but {node.name} did not: "
                    f"{first_line(error)}"
                ) from error
            check_versions(node.name, found, versions_here())
            check_files(node.name, missing)


def _probe() -> Any:
    def probe(packages: tuple[str, ...], files: list[str]) -> tuple[dict[str, str], list[str]]:
        # Ray sends this function itself, because autoloss may be missing there.
        import os
        import platform
        from importlib.metadata import PackageNotFoundError, version

        found = {"Python": platform.python_version()}
        for name in packages:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "none"
        return found, [file for file in files if not os.path.isfile(file)]

    return probe


def _import_ray() -> Any:
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            "executor ray must have Ray installed, but it is not: pip install 'autoloss[ray]'."
        )
    import ray

    return ray


def _check_reached(address: str) -> None:
    """Refuse an address that is not one, or where nothing listens."""
    place = address.removeprefix("ray://")
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise InputError(
            f"address must be auto, HOST:PORT or ray://HOST:PORT, but got address={address!r}."
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _REACHED_SECONDS):
            return
    except (OSError, OverflowError) as error:
        raise InputError(
            f"A Ray cluster must listen at address={address!r}, but nothing answers there "
            f"({first_line(error)}): start it with 'ray start --head' on its first machine."
        ) from error


def _refusal(address: str | None, error: Exception) -> str:
    where = "on this machine" if address is None else f"at address={address!r}"
    text = first_line(error)
    if isinstance(error, ImportError):
        return (
            f"Ray must have its client installed for address={address!r}, but it has not ({text}):"
            " pip install 'autoloss[ray]'."
        )
    if address == "auto" and isinstance(error, ConnectionError):
        return (
            "A Ray cluster must run on this machine for address='auto', but there is none: start "
            "it with 'ray start --head', or leave --address out."
        )
    if "Python:" in str(error):
        text = " ".join(str(error).split())
        return f"The Ray cluster {where} must have this version of Ray and Python: {text}"
    return f"Ray must start or be found {where}, but it failed: {text}"


def slots_of(nodes: Sequence[Node], *, has_gpus: bool) -> int:
    """Return the number of workers that nodes hold."""
    return sum(node.gpus if has_gpus else node.cpus for node in nodes)


def waiting_text(started: int, asked: int) -> str:
    """Return a sentence that not all workers have started.

    Examples:
        >>> waiting_text(1, 2)
        "1 of 2 Ray workers has started, and the search begins with it: see 'ray status'."
    """
    thens = ("waits for the first, at most ten minutes", "begins with it", "begins with them")
    then = thens[min(started, 2)]
    has = "has" if started == 1 else "have"
    workers = "worker" if asked == 1 else "workers"
    did = f"{started} of {asked} Ray {workers} {has} started"
    return f"{did}, and the search {then}: see 'ray status'."


def staff_text(count: int, nodes: Sequence[Node], *, has_gpus: bool) -> str:
    """Return a number of workers, their nodes and devices in sentences."""
    kind = "GPU" if has_gpus else "CPU"
    numbers = {node.name: 0 for node in nodes}
    for node in nodes:
        numbers[node.name] += node.gpus if has_gpus else node.cpus
    parts = [f"{name} ({number} {kind})" for name, number in numbers.items() if number]
    shown = ", ".join(parts[:_SHOWN])
    if (more := len(parts) - _SHOWN) > 0:
        shown += f" and {more} more"
    workers = "1 worker" if count == 1 else f"{count} workers, each"
    told = f"Ray trains in {workers} on a {kind}; nodes: {shown or 'none yet'}."
    if (later := count - slots_of(nodes, has_gpus=has_gpus)) > 0:
        who = "of them waits" if later == 1 else "of them wait"
        told += f" {later} {who} for a node that joins."
    return told


def _set_auth(mode: str | None) -> None:
    """Set Ray's authentication in this process as it was before Ray started a cluster here.

    Ray turns tokens on for the process, which then would not hear a cluster that has none.

    Args:
        mode: The value of the environment variable; None for none.
    """
    if os.environ.get(_AUTH) == mode:
        return
    os.environ.pop(_AUTH)
    if mode is not None:
        os.environ[_AUTH] = mode
    # Ray has read the variable and the token; earlier versions know none.
    with suppress(ImportError, AttributeError):
        inner = importlib.import_module("ray._raylet")
        inner.Config.initialize("")
        inner.AuthenticationTokenLoader.instance().reset_cache()


def _sigterm() -> Any:
    """Return the handler of SIGTERM if this thread can set it again, else None."""
    if threading.current_thread() is not threading.main_thread():
        return None
    with suppress(ValueError, AttributeError):
        return signal.getsignal(signal.SIGTERM)
    return None
