"""The page of reports/speed: every row of the table of figures, and the open points."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from autoloss.bench import FIGURES, BenchPlan, Figure, machine
from benchmarks import floor, speed, speed_page

CPU = torch.device("cpu")


def found() -> dict[str, Any]:
    rows = [floor.Floor(64, 8, 0.5, 20.0, products=0.002, bytes=0.004, measured=0.01)]
    return {
        "machine": machine.describe(CPU),
        "figures": [Figure.of(key, [1.0, 3.0, 2.0]).to_dict() for key in FIGURES],
        "floor": floor.to_rows(rows),
    }


def rows_of(page: str) -> dict[str, list[str]]:
    """Return the cells of each row of the first table by its subject."""
    table = page.partition("|---|")[2].partition("\n\n")[0].splitlines()[1:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {row[0]: row[1:] for row in cells}


def test_every_row_is_there_and_what_nobody_measured_is_open() -> None:
    page = speed_page.to_markdown({"": found()}, {}, {})
    rows = rows_of(page)
    assert rows[Figure.of("tight", [1.0]).what][1] == "2.0× (1.0× to 3.0×; 3 runs)"
    assert {Figure.of(key, [1.0]).what for key in FIGURES} < rows.keys()
    assert rows[Figure.of("peak_bfloat16", [1.0]).what][3] == speed_page.NONE
    for what, other in speed_page.OTHERS.items():
        assert rows[what][1:3] == [speed_page.OPEN] * 2
        assert (rows[what][3] == speed_page.OPEN) == other.is_for_avx2
    assert sum(speed_page.OPEN in cells[1] for cells in rows.values()) == len(
        speed_page.OTHERS
    ) + len(speed_page.ON_A_GPU)
    assert "| 64 | 8 | 0.50 | 20 | 2.00 | 4.00 | 10.00 | 2.5 |" in page


def test_each_column_has_its_own_figures_and_machine() -> None:
    chips = {"": "a wide chip", "_avx2": "a narrow chip"}
    columns = {
        ending: {
            "machine": {**machine.describe(CPU), "chip": chips[ending]},
            "figures": [Figure.of("tight", [value]).to_dict()],
        }
        for ending, value in (("", 9.0), ("_avx2", 2.0))
    }
    page = speed_page.to_markdown(columns, {}, {})
    row = rows_of(page)[Figure.of("tight", [1.0]).what]
    assert row == ["at least 8.0×", "9.0×", "yes", "2.0×", "no"]
    assert page.index("a wide chip") < page.index("a narrow chip")


def test_a_figure_that_was_left_out_is_open() -> None:
    short = found()
    short["figures"] = [one for one in short["figures"] if one["key"] != "start"]
    rows = rows_of(speed_page.to_markdown({"": short, "_avx2": found()}, {}, {}))
    (row,) = (cells for what, cells in rows.items() if what.startswith("start of a"))
    assert row == [
        "at most 4 s",
        speed_page.OPEN,
        speed_page.OPEN,
        "2 s (1 s to 3 s; 3 runs)",
        "yes",
    ]


def test_what_others_and_a_gpu_measured_fills_their_rows(tmp_path: Path) -> None:
    race = {"cost_to_same": [0.28, 0.2, 0.4], "difference": [0.001, 0.0, 0.002]}
    gpu = {**found(), "machine": {**machine.describe(CPU), "chip": "a chip"}}
    files = {
        "racing": {"measured": "0.28 of the cost", "all": race},
        "outside_avx2": {"measured": "9 of 100", "outside": 9, "total": 100},
        "figures": found(),
        "gpu": {"64": gpu},
    }
    for name, values in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(values), encoding="utf-8")
    speed_page.write_page(tmp_path)
    rows = rows_of((tmp_path / "README.md").read_text(encoding="utf-8"))
    by_start = {what[:10]: cells for what, cells in rows.items()}
    assert by_start["racing: co"][1:] == ["0.28 of the cost", "yes", speed_page.NONE, ""]
    (outside,) = (cells for what, cells in rows.items() if "a default search" in what)
    assert outside[1:] == [speed_page.OPEN, speed_page.OPEN, "9 of 100", "no"]
    # 2.0 times the tight loop, of 40.
    (small, large) = (cells for what, cells in rows.items() if "GPU" in what)
    assert small[1].endswith("a chip")
    assert small[2] == "no"
    assert speed_page.OPEN in large[1]


def test_an_interrupted_measurement_leaves_the_figures_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(plan: BenchPlan, *, said: Any) -> Iterator[Figure]:
        yield Figure.of("tight", [9.0])
        raise KeyboardInterrupt

    monkeypatch.setattr(speed, "measure", interrupted)
    monkeypatch.setattr(speed, "OUT", tmp_path)
    monkeypatch.setattr(speed, "ending_here", lambda: "_avx2")
    monkeypatch.setattr(sys, "argv", ["speed", "--report"])
    with pytest.raises(KeyboardInterrupt):
        speed.main()
    rows = rows_of((tmp_path / "README.md").read_text(encoding="utf-8"))
    assert rows[Figure.of("tight", [1.0]).what][3:] == ["9.0×", "yes"]
    assert rows[Figure.of("help", [1.0]).what][3:] == [speed_page.OPEN] * 2


@pytest.mark.parametrize(
    ("what", "near", "far"),
    [
        ("share of a default", {"outside": 5, "total": 100}, {"outside": 6, "total": 100}),
        (
            "racing",
            {"all": {"cost_to_same": [0.3, 0.2, 0.9], "difference": [0, -0.004, 0.005]}},
            {"all": {"cost_to_same": [0.3, 0.2, 0.9], "difference": [0, -0.006, 0.005]}},
        ),
        (
            "racing",
            {"all": {"cost_to_same": [0.33, 0.2, 0.9], "difference": [0, 0, 0]}},
            {"all": {"cost_to_same": [0.34, 0.2, 0.3], "difference": [0, 0, 0]}},
        ),
        (
            "cost per trial",
            {"figures": {"trials": {"ratio": 1.2}}},
            {"figures": {"trials": {"ratio": 1.21}}},
        ),
        (
            "memory at",
            {"figures": {"trials": {"memory_ratio": 1.1}}},
            {"figures": {"trials": {"memory_ratio": 1.2}}},
        ),
        (
            "5 million",
            {"figures": {"rows": {"peak_gb": 4.0}}},
            {"figures": {"rows": {"peak_gb": 4.1}}},
        ),
        ("`make demo`", {"demo": 120.0}, {"demo": 120.1}),
        ("the README's", {"first": 120.0}, {"first": 120.1}),
        ("a search with two", {"faster": 1.5}, {"faster": 1.49}),
        ("two such", {"at_once": 2.3}, {"at_once": 2.31}),
        ("such a search", {"busy": 2.5}, {"busy": 2.51}),
        ("first epoch", {"later": 2.0}, {"later": 2.1}),
        (
            "products in",
            {"sets": {"a": {"change": [0, -0.005, 0.005]}}},
            {"sets": {"a": {"change": [0, -0.001, 0.006]}, "b": {"change": [0, 0, 0]}}},
        ),
    ],
)
def test_whether_a_row_reaches_its_bar(what: str, near: Any, far: Any) -> None:
    (other,) = (one for name, one in speed_page.OTHERS.items() if name.startswith(what))
    assert other.holds is not None
    assert other.holds(near) is True
    assert other.holds(far) is False


def test_the_floor_is_the_larger_of_both_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "WIDTHS", (8,))
    monkeypatch.setattr(floor, "TOGETHER", (2,))
    monkeypatch.setattr(floor, "matrix_peak", lambda device, repeats: 1e9)
    monkeypatch.setattr(floor, "bandwidth", lambda device: 1e6)
    monkeypatch.setattr(floor, "step_seconds", lambda jobs, k, steps, seconds: 2.0)
    (found,) = floor.measure_floor(CPU, repeats=2, said=lambda text: None)
    assert found.products == pytest.approx(found.gigaflop)
    assert found.bytes == pytest.approx(found.megabytes)
    assert found.bytes > found.products
    assert found.times == pytest.approx(2.0 / found.bytes)


# MLflow's own queries.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_loop_of_the_tutorials_tells_optuna_and_mlflow(tmp_path: Path) -> None:
    import mlflow

    from autoloss.bench.problem import make_setting, plain_network

    setting = make_setting(together=1, network=plain_network(8), rows=512, epochs=2)
    before = mlflow.get_tracking_uri()
    try:
        assert speed.tutorial_in(tmp_path)(setting, 2) == 2
        runs = mlflow.search_runs(experiment_names=["tutorial"], output_format="list")
    finally:
        mlflow.set_tracking_uri(before)
    assert len(runs) == 2
    assert all({"accuracy"} == set(run.data.metrics) for run in runs)
