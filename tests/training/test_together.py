from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from autoloss.bench.problem import make_setting, plain_network
from autoloss.training import Candidate, Job, memory, together, train
from autoloss.training.together import bytes_each, choose_together, step_seconds

CPU = torch.device("cpu")
PLENTY = 1 << 40


@pytest.fixture
def large() -> Job:
    """A job of enough steps to be timed, whose steps are never taken."""
    return make_setting(together=1, network=plain_network(8), rows=8192, epochs=1).job


def clocked(monkeypatch: pytest.MonkeyPatch, rate: dict[int, float]) -> list[int]:
    """Let steps of K candidates take as long as a rate says; return the K that are timed."""
    tried: list[int] = []

    def seconds(jobs: Sequence[Job], k: int, *rest: object, **more: object) -> float:
        tried.append(k)
        return k / rate[k]

    monkeypatch.setattr(together, "step_seconds", seconds)
    return tried


def test_doubles_until_it_gains_no_tenth(large: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {8: 1e5, 16: 1.8e5, 32: 3e5, 64: 3.5e5, 128: 3.6e5, 256: 9e5}
    tried = clocked(monkeypatch, rates)
    found = choose_together([large], free_bytes=PLENTY)
    assert tried == [8, 16, 32, 64, 128]
    assert found.candidates == 64
    assert found.rates == pytest.approx({k: rates[k] for k in tried})


def test_fewer_are_taken_where_they_are_as_fast(
    large: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocked(monkeypatch, {8: 1e5, 16: 2e5, 32: 2.04e5})
    assert choose_together([large], free_bytes=PLENTY).candidates == 16


def test_no_more_than_there_are_and_than_the_memory_holds(
    large: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = clocked(monkeypatch, {8: 1e5, 16: 2e5, 24: 3e5, 32: 4e5})
    assert choose_together([large], at_most=24, free_bytes=PLENTY).candidates == 24
    assert max(tried) == 24
    tried.clear()
    for_sixteen = int(16.5 * bytes_each([large]) / together.MEMORY_SHARE)
    found = choose_together([large], free_bytes=for_sixteen)
    assert (found.candidates, found.held, max(tried)) == (16, 16, 16)
    assert "memory" in found.reason
    assert choose_together([large], free_bytes=0).candidates == 1


def test_what_is_asked_for_is_taken_and_nothing_timed(
    large: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = clocked(monkeypatch, {})
    assert choose_together([large], 7, free_bytes=0).candidates == 7
    assert tried == []


def test_tiny_data_are_not_timed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = clocked(monkeypatch, {})
    # 700 rows: mini-batches of 32 are an eighth of 256, and eight times as many train at once.
    assert choose_together([job], free_bytes=PLENTY).candidates == 8 * 32
    assert choose_together([job], at_most=20, free_bytes=PLENTY).candidates == 20
    assert tried == []


def test_slow_steps_are_not_waited_for(large: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = clocked(monkeypatch, {8: 10.0})
    found = choose_together([large], free_bytes=PLENTY)
    assert tried == [8]
    assert found.candidates == together.USUAL


def test_steps_are_timed_within_the_time(large: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    whole = together.Population.step

    def slow(self: together.Population, *rest: object, **more: object) -> None:
        steps.append(len(self))
        time.sleep(0.02)
        whole(self, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(together.Population, "step", slow)
    assert step_seconds([large], 3, 4) >= 0.02
    assert steps == [3] * 5
    steps.clear()
    step_seconds([large], 3, 50, seconds=0.0)
    assert len(steps) == together.LEAST_STEPS + 1


def test_timing_leaves_no_trace(job: Job, mixed: list[Candidate]) -> None:
    before = train(job, mixed)
    step_seconds([job, job], 5, 2)
    for one, other in zip(before, train(job, mixed), strict=True):
        assert torch.equal(one.weights, other.weights)


def test_the_memory_of_a_candidate_is_not_less_than_what_it_keeps(large: Job) -> None:
    weights, logits = large.network.layout.size, len(large.valid) * large.network.n_classes
    assert bytes_each([large]) > 4 * (6 * weights + 2 * logits)
    wide = make_setting(together=1, network=plain_network(64), rows=8192, epochs=1).job
    assert bytes_each([wide]) > bytes_each([large])


def test_free_memory_is_less_than_all_of_it() -> None:
    import os

    free = memory.free_memory(CPU)
    assert free > 0
    if hasattr(os, "sysconf"):
        assert free <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_the_limit_of_a_container_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:       4 kB\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("1000\n", encoding="ascii")
    monkeypatch.setattr(memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert memory.free_memory(CPU) == 4096
    (tmp_path / "memory.max").write_text("3000\n", encoding="ascii")
    assert memory.free_memory(CPU) == 2000
    meminfo.unlink()
    (tmp_path / "memory.max").unlink()
    assert memory.free_memory(CPU) == memory._half_of_all()
