"""The benchmark beside other packages: fair rows and clocks, right figures, no run made twice."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from benchmarks import peer_models, peers, peers_page

N_CLASSES = 3


def line(set_: str, peer: str, loss: float, **changes: Any) -> dict[str, Any]:
    """Return a line of the log."""
    return {
        "set": set_,
        "peer": peer,
        "seconds": 60,
        "seed": 0,
        "rows": 100,
        "test": 50,
        "log_loss": loss,
        "error": 0.1,
        "took": 50.0,
        "limit": 60.0,
        "version": "now",
        "about": {},
        **changes,
    }


def write_set(folder: Path, name: str, rows: int = 120) -> None:
    """Write a table of three classes with a number, a category, missing cells and a split."""
    rng = np.random.default_rng(0)
    codes = np.arange(rows) % N_CLASSES
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(rows) < 0.1, np.nan, codes + rng.normal(size=rows)),
            "kind": np.where(rng.random(rows) < 0.1, None, np.array(list("abc"))[codes]),
            "split": np.where(np.arange(rows) < 90, "train", "test"),
            "y": np.array(["low", "middle", "top"])[codes],
        }
    )
    (folder / name).mkdir(parents=True)
    frame.to_parquet(folder / name / f"{name}.parquet")


def bench_options(tmp_path: Path, **changes: Any) -> argparse.Namespace:
    values: dict[str, Any] = {
        "data": tmp_path,
        "clock": "wall",
        "threads": 1,
        "rounds": 1,
        "tag": "now",
        "work": tmp_path / "work",
        "peer_python": peers.sys.executable,
    }
    return argparse.Namespace(**{**values, **changes})


def test_runs_on_other_cores_are_other_runs() -> None:
    two, one = line("a", "realmlp", 0.2), line("a", "realmlp", 0.3, cores=1)
    assert peers_page.key(two) != peers_page.key(one)
    page = peers_page.markdown([two, one])
    assert page.index("60 seconds on 2 cores") < page.index("0.2000")
    assert page.index("0.2000") < page.index("60 seconds on 1 core\n") < page.index("0.3000")


def test_the_figures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(N_CLASSES), size=200)
    codes = rng.integers(N_CLASSES, size=200)
    found = peers.judged(probs, codes)
    assert found["log_loss"] == pytest.approx(log_loss(codes, probs), abs=1e-5)
    assert found["error"] == np.mean(probs.argmax(1) != codes)


def test_a_certain_mistake_costs_a_finite_loss() -> None:
    probs = np.array([[1.0, 0.0], [1.0, 0.0]])
    found = peers.judged(probs, np.array([0, 1]))
    assert found["log_loss"] == pytest.approx(-np.log(peers.FLOOR) / 2, rel=1e-4)


def test_rows_are_divided_by_the_set_or_by_the_seed_without_overlap(tmp_path: Path) -> None:
    write_set(tmp_path, "toy")
    own = peers.Set("toy", "y", is_divided=True)
    train, test = own.divided(tmp_path, 0)
    assert (len(train), len(test)) == (90, 30)
    assert train.index.equals(own.divided(tmp_path, 1)[0].index)
    drawn = peers.Set("toy", "y", ("x",))
    train, test = drawn.divided(tmp_path, 0)
    assert not set(train.index) & set(test.index)
    assert len(train) + len(test) == 120
    assert test["y"].value_counts().tolist() == [10, 10, 10]
    assert list(train) == ["kind", "y"]
    assert not train.index.equals(drawn.divided(tmp_path, 1)[0].index)
    part = peers.Set("toy", "y", part="train")
    assert max(map(max, (one.index for one in part.divided(tmp_path, 0)))) < 90


def test_a_peer_predicts_the_test_rows_in_their_order(tmp_path: Path) -> None:
    write_set(tmp_path, "toy", rows=600)
    run = peers.Run(peers.Set("toy", "y", is_divided=True), "histgb", 60, 0)
    found = peers.Bench(bench_options(tmp_path)).line(run, 60.0)
    assert found["error"] < 0.2
    assert found["test"] == 510
    assert (found["limit"], found["clock"], found["threads"]) == (60.0, "wall", 1)


def test_a_class_that_a_peer_did_not_see_has_its_column() -> None:
    placed = peer_models.placed(np.array([[0.2, 0.8]]), [0, 2], N_CLASSES)
    assert placed.tolist() == [[0.2, 0.0, 0.8]]


def test_rounds_end_before_the_time_does(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(peer_models.time, "monotonic", lambda: now)
    budget = peer_models.Budget(10.0, 1, None, 100)
    lengths = [2.0, 3.0, 1.0, 1.0, 1.0]
    done = []
    for number in budget.rounds():
        now += lengths[number]
        done.append(number)
    # After 7 s a round as long as the longest, 3 s, would end with the time.
    assert done == [0, 1, 2, 3]
    assert budget.left == 3.0
    now = 20.0
    assert list(peer_models.Budget(0.0, 1, None, 100).rounds()) == [0]
    assert list(peer_models.Budget(10.0, 1, None, 4).rounds()) == [0, 1, 2, 3]


def test_processor_seconds_count_over_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5.0
    monkeypatch.setattr(peer_models.time, "process_time", lambda: now)
    budget = peer_models.Budget(10.0, 1, 2, 1)
    now = 11.0
    assert (budget.used, budget.left) == (3.0, 7.0)


def test_own_programs_are_not_counted_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"busy": 100.0, "own": 10.0, "wall": 0.0}
    monkeypatch.setattr(peers, "_busy", lambda: state["busy"])
    monkeypatch.setattr(peers, "_own", lambda: state["own"])
    monkeypatch.setattr(peers.time, "monotonic", lambda: state["wall"])
    others = peers.Others()
    state.update(busy=130.0, own=25.0, wall=20.0)
    assert others.cores() == 0.75


def test_the_processor_seconds_of_a_child_are_own() -> None:
    before = peers._own()
    spin = "import time\nwhile time.process_time() < 0.5: pass"
    peers._call([peers.sys.executable, "-c", spin], dict(peers.os.environ))
    # The ticks of the system are coarser than the clock of the process.
    assert peers._own() - before >= 0.45


def test_a_run_in_the_log_is_not_made_again(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    runs = [peers.Run(peers.SETS[0], peer, 60, 0) for peer in ("autoloss", "tabm")]
    made = []

    class Fake(peers.Bench):
        def line(self, run: peers.Run, seconds: float | None) -> dict[str, Any]:
            made.append(run.peer)
            return line(run.one.name, run.peer, 0.5, version=self.options.tag, cores=peers.CORES)

    assert len(list(peers.make(runs, Fake(bench_options(tmp_path)), log))) == 2
    assert list(peers.make(runs, Fake(bench_options(tmp_path)), log)) == []
    # Another version of autoloss is another run; the peer stays valid.
    again = Fake(bench_options(tmp_path, tag="later"))
    assert [found["peer"] for found in peers.make(runs, again, log)] == ["autoloss"]
    assert made == ["autoloss", "tabm", "autoloss"]


def test_peers_of_a_default_search_get_its_seconds(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    given = []

    class Fake(peers.Bench):
        def line(self, run: peers.Run, seconds: float | None) -> dict[str, Any]:
            given.append(seconds)
            return line(
                run.one.name, run.peer, 0.5, seconds=run.seconds, took=123.4, cores=peers.CORES
            )

    bench = Fake(bench_options(tmp_path))
    runs = [
        peers.Run(peers.SETS[0], peer, peers.DEFAULT, 0)
        for peer in ("autoloss", "cross_entropy", "tabm")
    ]
    with pytest.raises(SystemExit, match="run it first"):
        list(peers.make(runs[2:], bench, log))
    list(peers.make(runs, bench, log))
    assert given == [None, None, 123.4]


def test_the_first_model_is_of_the_trial_that_finished_first(tmp_path: Path) -> None:
    bench = peers.Bench(bench_options(tmp_path))
    run = peers.Run(peers.SETS[0], "first", 60, 0)
    trials = [
        {"number": 0, "state": "pruned", "ended": 1.0},
        {"number": 1, "state": "complete", "ended": 9.0},
        {"number": 2, "state": "complete", "ended": 5.0},
    ]
    summary = {"trials": trials, "verdict": {"baseline": 1}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert bench.trial(run, tmp_path) == 2
    assert bench.trial(peers.Run(peers.SETS[0], "cross_entropy", 60, 0), tmp_path) == 1


def test_mean_ranks_are_of_the_sets_that_peers_with_half_of_them_share() -> None:
    lines = [
        line("a", "autoloss", 0.1),
        line("a", "realmlp", 0.2),
        line("a", "tabm", 0.2),
        line("a", "catboost", 0.01),
        line("b", "autoloss", 0.3),
        line("b", "realmlp", 0.1),
        # The second seed of one peer alone does not count.
        line("b", "realmlp", 9.0, seed=1),
        line("b", "tabm", 0.2),
        # A set that a ranked peer lacks does not count either, for nobody.
        line("c", "autoloss", 0.1),
        line("c", "tabm", 0.2),
        line("d", "catboost", 0.1),
    ]
    sets, ranks = peers_page.mean_ranks(lines, ("autoloss", "realmlp", "tabm", "catboost"))
    assert sets == 2
    assert ranks == {"autoloss": 2.0, "realmlp": 1.75, "tabm": 2.25}
    others = [one for one in lines if one["peer"] != "autoloss"]
    assert peers_page.mean_ranks(others, ("autoloss", "realmlp")) == (2, {"realmlp": 1.0})


def test_the_page_marks_runs_over_their_seconds_and_the_lowest_network() -> None:
    lines = [
        line("a", "autoloss", 0.2),
        line("a", "first", 0.05, limit=None),
        line("a", "realmlp", 0.1, took=70.0, clock="processor", beside=1.0),
        line("a", "tabm", 0.3, beside=0.5),
        line("a", "histgb", 0.01, took=69.0),
    ]
    page = peers_page.markdown(lines)
    row = next(text for text in page.splitlines() if text.startswith("| a |"))
    assert row == (
        "| a | 100 | 1 | 0.2000 (50 s) | 0.0500 (50 s) | **0.1000*** (70 s) | 0.3000† (50 s) "
        "| 0.0100 (69 s) |"
    )


def test_each_version_of_autoloss_has_its_table_beside_the_same_peers() -> None:
    lines = [
        line("a", "autoloss", 0.2, version="before"),
        line("a", "autoloss", 0.1, version="after"),
        line("a", "tabm", 0.15, version="1.8", note="one epoch."),
    ]
    page = peers_page.markdown(lines)
    assert page.endswith("\n\na, TabM: one epoch.\n")
    assert "## 60 seconds on 2 cores, autoloss before" in page
    assert page.count("0.1500") == 2
    assert page.count("0.2000") == 1
