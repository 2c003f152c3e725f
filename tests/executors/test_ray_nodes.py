"""Nodes of a real Ray cluster that cannot train, and GPUs that a node claims to have."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.executors import Work, ray_cluster
from autoloss.executors.ray import RayCrew
from autoloss.executors.ray_actor import Needs, RayWorker
from autoloss.training import Candidate, Job
from tests.executors.test_processes import executor
from tests.executors.test_ray import CPU, SMALL_STORE, cluster_of, hired
from tests.executors.test_ray_faults import assert_each_ended_once

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
PATIENCE_SECONDS = 120.0
OTHER_PYTHON = "import platform\nplatform.python_version = lambda: '3.99.0'\n"
# A file of losses that is sound in this process alone.
BROKEN = "import os\nif os.getpid() != {pid}:\n    raise ValueError('first\\nsecond')\n"

# The losses end the process of each worker.
CRASHES = """
import sys
from pathlib import Path
import torch
from autoloss.core.errors import TrainingError
from autoloss.executors import ray
ray.START_SECONDS, ray.NOBODY_SECONDS = 5.0, 10.0
with ray.RayCrew() as crew:
    crew.coordinator("cpu")
    staffing = crew.staff(2, trials=100, device=torch.device("cpu"))
    crew.begin(staffing, losses=[Path(sys.argv[1])], told=print)
    try:
        crew.gather()
    except TrainingError as error:
        print(error)
"""


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a node whose Python reads a folder before all others."""
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path}


def other_autoloss(folder: Path) -> Path:
    """Write the description of another version of autoloss."""
    info = folder / "autoloss-0.0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: autoloss\nVersion: 0.0.1\n")
    return folder


def test_a_node_with_another_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(OTHER_PYTHON, encoding="utf-8")
    with cluster_of(1) as cluster:
        cluster.add_node(num_cpus=1, env_vars=environment(tmp_path), **SMALL_STORE)
        with RayCrew(cluster.address) as crew:
            staffing = crew.staff("auto", trials=100, device=CPU)
            with pytest.raises(InputError, match=r"must have Python 3\.\d+\.\d+, as .* 3\.99\.0"):
                crew.begin(staffing)


def test_the_error_of_a_worker_that_starts_is_one_line(tmp_path: Path) -> None:
    losses = tmp_path / "mine.py"
    losses.write_text(BROKEN.format(pid=os.getpid()), encoding="utf-8")
    with cluster_of(1) as cluster, RayCrew(cluster.address) as crew:
        crew.begin(crew.staff(1, trials=100, device=CPU), losses=[losses])
        with pytest.raises(InputError) as told:
            crew.gather()
    assert str(told.value) == (
        f"A worker must start on each node of the Ray cluster, but one failed: {losses} must be "
        "imported without an error, but got line 3: ValueError: first."
    )


def test_a_worker_that_crashes_when_it_starts_is_waited_for_with_a_line(tmp_path: Path) -> None:
    losses = tmp_path / "mine.py"
    losses.write_text("import os\nos._exit(7)\n", encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-c", CRASHES, str(losses)], capture_output=True, text=True
    )
    # Ray may write its own lines between them.
    assert (
        "0 of 2 Ray workers have started, and the search waits for the first, at most ten "
        "minutes: see 'ray status'."
    ) in found.stdout.splitlines()
    assert "none has (see 'ray status' and the logs" in found.stdout


def test_a_node_of_another_version_that_joins_is_left_out(
    tmp_path: Path, job: Job, mixed: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoloss.executors.ray.LOOK_SECONDS", 0.0)
    work, told = Work((job,), tuple(mixed)), list[str]()
    with cluster_of(1) as cluster, hired(cluster, told=told.append) as crew:
        assert_each_ended_once(list(executor(crew).submit(work)), work)
        node = environment(other_autoloss(tmp_path))
        cluster.add_node(num_cpus=1, env_vars=node, **SMALL_STORE)
        crew.gather()
        assert crew.wait(PATIENCE_SECONDS)
        assert crew.workers == [0]
        assert_each_ended_once(list(executor(crew).submit(work)), work)
        assert len(crew._hands) == 2
    [joined] = [one for one in told if "joined" in one]
    [left] = [one for one in told if "left out" in one]
    assert joined == "1 more Ray worker starts: nodes have joined the cluster."
    assert left.startswith("A Ray worker is left out, because it did not start: Every node of")
    assert "0.0.1: install the same version there" in left


class OnProcessor(RayWorker):
    """A worker that is given a GPU, writes which, and trains on the processor."""

    def __init__(self, needs: Needs, device: str) -> None:
        assert device == "cuda"
        seen = needs.losses[0].parent / str(os.getpid())
        seen.write_text(os.environ["CUDA_VISIBLE_DEVICES"], encoding="ascii")
        super().__init__(replace(needs, losses=()), "cpu")


def test_each_worker_has_a_gpu_of_its_own(
    tmp_path: Path, job: Job, mixed: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "RayWorker", OnProcessor)
    losses = tmp_path / "mine.py"
    losses.touch()
    work = Work((job,), tuple(mixed))
    with cluster_of() as cluster:
        # Ray believes the GPUs that a node reports; it has processors for one worker alone.
        cluster.add_node(num_cpus=1, num_gpus=2, **SMALL_STORE)
        with RayCrew(cluster.address) as crew:
            assert crew.coordinator("auto") == torch.device("cpu")
            staffing = crew.staff("auto", trials=100, device=CPU)
            assert staffing.count == 2
            assert "Ray trains in 2 workers, each on a GPU; nodes: " in staffing.text
            assert "(2 GPU)" in staffing.text
            assert crew.device_kind == "cuda"
            crew.begin(staffing, losses=[losses])
            assert crew.wait(PATIENCE_SECONDS)
            assert_each_ended_once(list(executor(crew).submit(work)), work)
            free = free_of(crew)
    seen = {file.read_text(encoding="ascii") for file in tmp_path.iterdir() if file != losses}
    assert seen == {"0", "1"}
    assert free.get("GPU", 0.0) == 0.0
    assert free["CPU"] == 1.0


def free_of(crew: RayCrew) -> dict[str, Any]:
    """Return the resources that Ray could still give to actors."""
    assert crew._cluster is not None
    found: dict[str, Any] = crew._cluster.ray.available_resources()
    return found
