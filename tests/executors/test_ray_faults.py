"""Ray workers, nodes and heads that die, join or fall silent: every candidate ends once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import autoloss
from autoloss.core.errors import InputError
from autoloss.executors import LocalExecutor, Work
from autoloss.executors.work import Report
from autoloss.training import Candidate, EpochReport, Job
from tests.executors.test_processes import assert_equal, executor, outcomes
from tests.executors.test_ray import CPU, cluster_of, hired, longer, ray
from tests.spaces import SMALL

from autoloss.executors.ray import RayCrew  # isort: skip

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
PATIENCE_SECONDS = 120.0


def assert_each_ended_once(reports: list[Report], work: Work) -> None:
    """Compare the reports of all candidates with those of this process."""
    assert sorted(one.place for one in reports) == list(range(len(work.candidates)))
    found = {one.place: one.outcome for one in reports}
    here = outcomes(LocalExecutor(together=len(work.candidates)), work)
    assert_equal([found[place] for place in sorted(found)], here)


def test_a_killed_node_leaves_its_candidates_to_others(job: Job, mixed: list[Candidate]) -> None:
    work, told = Work((longer(job, 60),), tuple(mixed)), list[str]()
    with cluster_of(1) as cluster:
        other = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
        with hired(cluster, told=told.append) as crew:
            assert crew.gather() == [0, 1]
            killed: list[float] = []

            def kill(report: EpochReport) -> None:
                if not killed:
                    killed.append(time.monotonic())
                    cluster.remove_node(other, allow_graceful=False)

            reports = list(executor(crew, on_epoch=kill).submit(work))
            assert time.monotonic() - killed[0] < PATIENCE_SECONDS
            assert_each_ended_once(reports, work)
            assert len(crew.workers) == 1
            # A node in its place gets the worker that Ray could not place.
            cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
            assert crew.wait(PATIENCE_SECONDS)
            assert_each_ended_once(list(executor(crew).submit(work)), work)
    assert any("was lost" in one for one in told)


def test_a_node_that_joins_gets_a_worker(
    job: Job, mixed: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoloss.executors.ray.LOOK_SECONDS", 0.0)
    work, told = Work((job,), tuple(mixed)), list[str]()
    with cluster_of(1) as cluster, hired(cluster, told=told.append) as crew:
        assert_each_ended_once(list(executor(crew).submit(work)), work)
        assert len(crew) == 1
        cluster.add_node(num_cpus=2, object_store_memory=100 << 20)
        assert_each_ended_once(list(executor(crew).submit(work)), work)
        assert len(crew) == 3
        assert crew.wait(PATIENCE_SECONDS)
        assert crew.workers == [0, 1, 2]
        assert_each_ended_once(list(executor(crew).submit(work)), work)
    assert any("nodes have joined" in one for one in told)


def test_a_head_that_is_silent_for_a_while_loses_nothing(job: Job, mixed: list[Candidate]) -> None:
    work = Work((longer(job, 40),), tuple(mixed))
    with cluster_of(1, 1) as cluster, hired(cluster) as crew:
        crew.gather()
        [head] = cluster.head_node.all_processes["gcs_server"]
        stopped: list[float] = []

        def stop(report: EpochReport) -> None:
            if not stopped:
                stopped.append(time.monotonic())
                os.kill(head.process.pid, signal.SIGSTOP)
            elif time.monotonic() - stopped[0] > 8.0:
                os.kill(head.process.pid, signal.SIGCONT)

        try:
            reports = list(executor(crew, on_epoch=stop).submit(work))
        finally:
            os.kill(head.process.pid, signal.SIGCONT)
        assert stopped
        assert_each_ended_once(reports, work)
        assert_each_ended_once(list(executor(crew).submit(work)), work)


def test_a_study_goes_on_after_its_head_has_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By default Ray waits a minute before it ends the processes of a lost head.
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "5")
    space = SMALL.replace("max_epochs = 4", "max_epochs = 60").replace(
        "patience = 2", "patience = 60"
    )
    (tmp_path / "space.toml").write_text(space, encoding="utf-8")
    words = ["search", "sklearn:digits", "--space", "space.toml", "--trials", "24", "--name", "s"]
    with cluster_of(1, 1) as cluster:
        words += ["--executor", "ray", "--address", cluster.address, "--track", "off"]
        with subprocess.Popen(
            [sys.executable, "-m", "autoloss", *words],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as program:
            journal = tmp_path / "reports" / "s" / "study.journal"
            ends = time.monotonic() + PATIENCE_SECONDS
            while not ended_trials(journal) and time.monotonic() < ends:
                time.sleep(0.2)
            before = ended_trials(journal)
            cluster.head_node.kill_gcs_server()
            assert program.wait(PATIENCE_SECONDS) != 0
    assert before
    result = autoloss.resume("s", out=tmp_path / "reports", executor="local")
    numbers = [trial.number for trial in result.summary.trials]
    assert len(numbers) == len(set(numbers)) >= 24
    assert ended_trials(journal) >= before


def ended_trials(journal: Path) -> int:
    """Return the number of states that a journal file has written."""
    return journal.read_text(encoding="utf-8").count('"state"') if journal.is_file() else 0


def test_a_node_with_another_version_is_named(tmp_path: Path) -> None:
    info = tmp_path / "autoloss-0.0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: autoloss\nVersion: 0.0.1\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with cluster_of(1) as cluster:
        store = {"object_store_memory": 100 << 20}
        cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": path}, **store)
        with RayCrew(cluster.address) as crew:
            staffing = crew.staff("auto", trials=100, device=CPU)
            with pytest.raises(InputError, match=r"must have autoloss .* as here, but .* 0\.0\.1"):
                crew.begin(staffing)


def test_a_client_trains_on_a_cluster_that_it_is_no_part_of(
    job: Job, mixed: list[Candidate]
) -> None:
    pytest.importorskip("grpc")
    work = Work((replace(job),), tuple(mixed))
    with cluster_of(1, 1, ray_client_server_port=25_001) as cluster:
        host = cluster.address.rpartition(":")[0]
        with hired(Address(f"ray://{host}:25001")) as crew:
            assert_each_ended_once(list(executor(crew).submit(work)), work)
        assert not ray.is_initialized()


class Address:
    """A cluster of which the address alone is known."""

    def __init__(self, address: Any) -> None:
        self.address = address
