"""Ray workers train as this process does, on a real cluster of several nodes on this machine."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import autoloss
from autoloss.cli.app import app
from autoloss.core.errors import InputError
from autoloss.executors import LocalExecutor, Work, alike, crew_of, ray_cluster
from autoloss.training import Candidate, EpochReport, Job
from tests.executors.test_processes import assert_equal, awaited, executor, outcomes
from tests.spaces import SMALL

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")
if sys.platform == "win32":
    pytest.skip("Ray's clusters of several nodes need Linux or macOS", allow_module_level=True)

from autoloss.executors.ray import RayCrew  # noqa: E402

# Ray leaves sockets and files of its processes to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore")

FOLDED = SMALL.replace("folds = 1", "folds = 3").replace("together = 8", "together = 12")
SMALL_STORE = {"object_store_memory": 100 << 20}
CPU = torch.device("cpu")


@contextmanager
def cluster_of(*cpus: int, **more: Any) -> Iterator[Any]:
    """Yield a cluster with a head without processors, and nodes with some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        head = {"num_cpus": 0, "include_dashboard": False, **SMALL_STORE, **more}
        cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        try:
            for count in cpus:
                cluster.add_node(num_cpus=count, **SMALL_STORE)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with cluster_of(1, 1) as two:
        yield two


@contextmanager
def hired(
    cluster: Any, *, told: Callable[[str], object] = str, trials: int = 100
) -> Iterator[RayCrew]:
    crew = RayCrew(cluster.address)
    with crew:
        crew.coordinator("auto")
        crew.begin(crew.staff("auto", trials=trials, device=CPU), told=told)
        yield crew


def longer(job: Job, epochs: int) -> Job:
    return replace(job, config=replace(job.config, max_epochs=epochs, patience=epochs))


@pytest.mark.faults
@pytest.mark.slow
def test_workers_on_two_nodes_train_as_this_process(
    cluster: Any, job: Job, mixed: list[Candidate]
) -> None:
    folds = [replace(candidate, fold=fold) for fold in range(2) for candidate in mixed]
    work = Work((job, replace(job)), tuple(folds))
    bare = replace(work, needs_weights=False)
    with hired(cluster) as crew:
        assert len(crew) == 2
        together, alone = executor(crew, together=4), LocalExecutor(together=6)
        assert_equal(outcomes(together, work), outcomes(alone, work))
        assert all(not one.weights.numel() for one in outcomes(together, bare))
        assert crew.device_kind == "cpu"
        assert all("(CPU)" in hand.place for hand in crew._hands)
        chosen = crew.choose_together(work.jobs, 0, at_most=64)
        assert chosen.candidates == sum(crew.sizes) == 64
        costs = crew.measure_costs(work.jobs, together=8, seconds=60.0)
        assert costs is not None
        assert costs.each > 0
        _stops_early(crew, job, mixed)
        _fails(crew, job, mixed)


def _stops_early(crew: RayCrew, job: Job, mixed: list[Candidate]) -> None:
    def spare(report: EpochReport, alive: Sequence[int]) -> list[int]:
        return [0, 5] if report.epoch < 3 else list(alive)

    work = Work((longer(job, 4000),), tuple(mixed))
    found = outcomes(executor(crew), work, spare=spare)
    assert {one.report.state for one in found} == {"stopped"}
    assert max(one.report.epochs for one in found) < 4000


def _fails(crew: RayCrew, job: Job, mixed: list[Candidate]) -> None:
    # The second division is missing.
    work = Work((job,), tuple(replace(candidate, fold=1) for candidate in mixed))
    with pytest.raises(IndexError):
        outcomes(executor(crew), work)


def test_a_killed_worker_is_restarted_and_no_candidate_is_reported_twice(
    cluster: Any, job: Job, mixed: list[Candidate]
) -> None:
    work = Work((longer(job, 40),), tuple(mixed))
    here, told, killed = outcomes(LocalExecutor(together=6), work), [], []
    with hired(cluster, told=told.append) as crew:
        crew.gather()
        own = [hand.pid for hand in crew._hands]

        def kill(report: EpochReport) -> None:
            if not killed:
                killed.append(own[1])
                os.kill(own[1], signal.SIGKILL)

        reports = list(executor(crew, on_epoch=kill).submit(work))
        assert killed
        assert sorted(one.place for one in reports) == list(range(len(mixed)))
        by_place = {one.place: one.outcome for one in reports}
        assert_equal([by_place[place] for place in sorted(by_place)], here)
        assert_equal(outcomes(executor(crew), work), here)
    assert sum("was lost" in one for one in told) == 1


def facts(result: autoloss.SearchResult) -> list[Any]:
    """Return the results that must not depend on the executor."""
    return [
        (trial.number, trial.loss, trial.nuisance, trial.state, len(trial.curve))
        for trial in result.summary.trials
    ]


def search(folder: Path, name: str, **more: Any) -> autoloss.SearchResult:
    (folder / "space.toml").write_text(FOLDED, encoding="utf-8")
    return autoloss.search(
        "sklearn:iris",
        space=folder / "space.toml",
        name=name,
        out=folder,
        **{"track": "off", "trials": 12, **more},
    )


def test_a_seed_gives_the_same_trials_whichever_executor_trains_them(
    cluster: Any, tmp_path: Path
) -> None:
    here = search(tmp_path, "here", workers=1)
    two = search(tmp_path, "two", workers=2)
    there = search(tmp_path, "there", executor="ray", address=cluster.address)
    for other in (two, there):
        assert facts(other) == facts(here)
        assert other.verdict.decision == here.verdict.decision
        assert other.summary.recommended == here.summary.recommended
        for trial, same in zip(other.summary.trials, here.summary.trials, strict=True):
            assert trial.metrics == pytest.approx(same.metrics, rel=1e-6, abs=1e-9)
    assert not ray.is_initialized()
    command = autoloss.Study.open("there", out=tmp_path).config.origin["command"]
    assert f"--executor ray --address {cluster.address}" in command


@pytest.mark.faults
@pytest.mark.slow
def test_a_cluster_of_its_own_leaves_no_process_and_no_variable(
    job: Job, mixed: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    before, others = signal.getsignal(signal.SIGTERM), children_of(os.getpid())
    work = Work((job,), tuple(mixed))
    with crew_of("ray", None) as crew:
        device = crew.coordinator("cpu")
        staffing = crew.staff(1, trials=100, device=device)
        assert "Ray trains in 1 worker on a CPU; nodes: " in staffing.text
        crew.begin(staffing)
        assert signal.getsignal(signal.SIGTERM) is before
        found = outcomes(executor(crew), work)
        assert_equal(found, outcomes(LocalExecutor(together=6), work))
        started = children_of(os.getpid()) - others
        assert started
    assert "RAY_AUTH_MODE" not in os.environ
    assert awaited(lambda: not started & children_of(os.getpid()))


@pytest.mark.faults
@pytest.mark.slow
def test_a_cluster_of_its_own_keeps_no_later_cluster_away(
    job: Job, mixed: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ray turns tokens on in a cluster of this machine; a cluster may have none.
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with crew_of("ray", None) as crew:
        crew.staff(1, trials=100, device=crew.coordinator("cpu"))
    work = Work((job,), tuple(mixed))
    with cluster_of(1) as other, hired(other) as crew:
        assert_equal(outcomes(executor(crew), work), outcomes(LocalExecutor(together=6), work))


def children_of(pid: int) -> set[int]:
    """Return the processes that a process has started and that live."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,stat=", "--ppid", str(pid)], capture_output=True, text=True
    )
    lines = [line.split() for line in listed.stdout.splitlines()]
    return {int(number) for number, state in lines if not state.startswith("Z")}


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", r"Ray cluster must listen at address='127.0.0.1:1'.*ray start --head"),
        ("ray://127.0.0.1:1", r"must listen at address='ray://127.0.0.1:1'"),
        ("nowhere", r"address must be auto, HOST:PORT or ray://HOST:PORT"),
        ("ray://host/path:1", r"address must be auto, HOST:PORT or ray://HOST:PORT"),
    ],
)
def test_an_address_without_a_cluster_is_refused(address: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as told:
        RayCrew(address).staff("auto", trials=8, device=CPU)
    assert len(str(told.value).splitlines()) == 1


def test_ray_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"must have Ray installed.*autoloss\[ray\]"):
        RayCrew().staff("auto", trials=8, device=CPU)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"executor": "moon"}, "executor must be local or ray, but got executor='moon'"),
        ({"address": "auto"}, "address must be that of a Ray cluster"),
        ({"executor": "ray", "device": "cuda:1"}, "device must be auto, cpu or cuda on Ray"),
        ({"executor": "ray", "model": torch.nn.Linear}, "executor must be local here"),
    ],
)
def test_what_ray_cannot_train_is_refused_before_it_starts(
    how: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        autoloss.search("sklearn:iris", out=tmp_path, track="off", **how)
    assert list(tmp_path.iterdir()) == []
    assert not ray.is_initialized()


def test_nodes_are_checked_before_the_search(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = alike.version

    def version(name: str) -> str:
        return "9.9" if name == "autoloss" else here(name)

    with RayCrew(cluster.address) as crew:
        staffing = crew.staff("auto", trials=100, device=CPU)
        with pytest.raises(InputError, match=r"must have the same path .* has no .*mine\.py"):
            crew.begin(staffing, files=[tmp_path / "mine.py"])
        monkeypatch.setattr(alike, "version", version)
        with pytest.raises(InputError, match=r"must have autoloss 9\.9, as here, but .* has 0"):
            crew.begin(staffing)
        crew.coordinator("cuda")
        with pytest.raises(InputError, match="none has a GPU"):
            crew.staff("auto", trials=100, device=CPU)


class OfThisMachine:
    """Ray as it answers on this machine alone.

    Args:
        gpus: The GPUs that it finds.
    """

    def __init__(self, gpus: int = 0) -> None:
        self._gpus, self._cpus = gpus, 0

    def is_initialized(self) -> bool:
        return False

    def init(self, *, num_cpus: int, **options: Any) -> None:
        self._cpus = num_cpus

    def nodes(self) -> list[dict[str, Any]]:
        resources = {"CPU": self._cpus, "GPU": self._gpus}
        return [{"NodeManagerHostname": "a", "NodeID": "1", "Alive": 1, "Resources": resources}]

    def shutdown(self) -> None: ...


def test_a_cluster_of_this_machine_has_a_processor_for_each_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_cluster, "_import_ray", OfThisMachine)
    count = (os.cpu_count() or 1) + 1
    with RayCrew() as crew:
        text = crew.staff(count, trials=100, device=CPU).text
    assert text == f"Ray trains in {count} workers, each on a CPU; nodes: a ({count} CPU)."


def test_workers_are_no_more_than_the_gpus_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_cluster, "_import_ray", lambda: OfThisMachine(gpus=2))
    with RayCrew() as crew:
        assert crew.staff(2, trials=100, device=CPU).count == 2
        with pytest.raises(InputError, match=r"got workers=3 and 2 GPUs: use --device cpu"):
            crew.staff(3, trials=100, device=CPU)
        crew.coordinator("cpu")
        assert crew.staff(2, trials=100, device=CPU).text.endswith("nodes: a (2 CPU).")


@pytest.mark.parametrize("other", ["Ray", "Python"])
def test_a_cluster_of_another_version_is_refused_in_one_line(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    own = platform.python_version()
    found = (ray.__version__, "3.99.0") if other == "Python" else ("9.9.9", own)
    monkeypatch.setattr("ray._private.utils.compute_version_info", lambda: found)
    words = ["search", "sklearn:iris", "--executor", "ray", "--address", cluster.address]
    told = CliRunner().invoke(app, [*words, "--out", str(tmp_path), "--track", "off"])
    assert told.exit_code == 2
    [line] = told.stderr.splitlines()
    assert "must have this version of Ray and Python: " in line
    assert f"Ray: {ray.__version__} Python: {own} This process" in line
    assert f"was started with: Ray: {found[0]} Python: {found[1]}" in line
    assert list(tmp_path.iterdir()) == []
    assert not ray.is_initialized()
