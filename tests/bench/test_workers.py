"""The page of workers: ratios of one repeat, a log that a further call continues."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import workers
from benchmarks.workers import ACTIVE, PASSIVE, WORKERS


def run(way: workers.Way, situation: str, repeat: int, seconds: float, **more: float) -> Any:
    place = {"way": way.name, "situation": situation, "repeat": repeat}
    return {**place, "seconds": seconds, "first": 1.0, "mb": 100.0, "load": 0.0, **more}


def test_a_figure_is_the_median_of_the_ratios_of_one_repeat() -> None:
    runs = [
        run(WORKERS, "alone", 0, 10.0, first=4.0, mb=900.0),
        run(ACTIVE, "alone", 0, 20.0, first=3.0, mb=400.0),
        run(WORKERS, "alone", 1, 40.0),
        run(ACTIVE, "alone", 1, 60.0),
        # Without a partner.
        run(ACTIVE, "alone", 2, 1.0),
        run(WORKERS, "two at once", 1, 44.0),
    ]
    found = workers.figures(runs)
    assert found["faster"] == pytest.approx(1.75)
    assert found["faster_words"] == "1.75 (1.50 to 2.00)×; 2 pairs"
    assert found["at_once_words"] == "1.10 (1.10 to 1.10)×; 1 pair"
    assert found["later"] == pytest.approx(0.5)
    assert found["memory_words"] == "250 (0 to 500) MB; 2 pairs"
    assert not {"busy", "passive", "threads_at_once"} & found.keys()


def test_a_further_call_continues_and_the_report_has_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []

    def measured(way: workers.Way, situation: str, options: Any) -> Any:
        done.append((way.name, situation))
        return {"seconds": 2.0, "first": 1.0, "mb": 100.0, "load": 0.5}

    def call(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["workers", "--out", str(tmp_path), *words])
        workers.main()

    monkeypatch.setattr(workers, "run_of", measured)
    monkeypatch.setattr(workers, "ending_here", lambda: "_avx2")
    call("--repeats", "2", "--seconds", "0")
    assert done == []
    call("--repeats", "1")
    assert len(done) == sum(len(ways) for _, _, ways in workers.SITUATIONS.values())
    log = tmp_path / "workers_avx2.jsonl"
    log.write_text("".join(log.read_text(encoding="utf-8").splitlines(True)[1:]), encoding="utf-8")
    done.clear()
    call("--repeats", "1", "--report")
    assert done == [(WORKERS.name, "alone")]
    known = json.loads((tmp_path / "workers_avx2.json").read_text(encoding="utf-8"))
    assert known["faster"] == known["passive"] == 1.0
    assert known["load"] == "0.5 (0.5 to 0.5)"
    # Runs of another budget are others.
    call("--repeats", "1", "--trials", "4")
    assert (PASSIVE.name, "alone") in done


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs /proc")
def test_memory_counts_the_processes_below() -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    child = "x = bytearray(64 << 20); import time; time.sleep(3)"
    process = subprocess.Popen([sys.executable, "-c", program, child])
    with workers.Memory(process.pid) as memory:
        assert process.wait() == 0
    assert 64 << 20 < memory.most < 256 << 20
