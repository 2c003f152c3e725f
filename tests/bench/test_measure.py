"""The figures: their bars, their repeats, and that a measurement runs."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autoloss.bench import FIGURES, BenchPlan, Figure, loops, measure, searches
from autoloss.bench.measure import in_loops, of_default, shares_of_peak

CPU = torch.device("cpu")
TINY = BenchPlan(CPU, together=2, seconds=0.0, rows=512)


def test_a_figure_is_the_median_and_holds_where_it_reaches_its_bar() -> None:
    figure = Figure.of("tight", [6.0, 18.0, 9.0], together=64)
    assert (figure.value, figure.low, figure.high, figure.repeats) == (9.0, 6.0, 18.0, 3)
    assert "64 together" in figure.what
    assert figure.holds
    assert not Figure.of("tight", [7.9]).holds
    assert Figure.of("help", [0.5]).holds
    assert not Figure.of("help", [0.51]).holds
    assert Figure.of("default", [1.0]).holds is None


def test_repeats_end_with_the_time_and_there_is_one() -> None:
    assert list(TINY.again(0.5)) == [0]
    assert list(BenchPlan(CPU, seconds=1e9, repeats=3).again(0.5)) == [0, 1, 2]


def test_ratios_are_to_the_candidates_together(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"together": 0.01, "tight": 0.03, "tutorial": 0.05}

    def waits(name: str, n: int) -> int:
        time.sleep(n * seconds[name])
        return n

    monkeypatch.setattr(loops.TogetherLoop, "run", lambda self, setting: waits("together", 2))
    monkeypatch.setattr(loops, "run_tight", lambda setting, n, products=None: waits("tight", n))
    plan = BenchPlan(
        CPU, together=2, seconds=0.0, rows=512, tutorial=lambda setting, n: waits("tutorial", n)
    )
    tight, tutorial = in_loops(plan)
    assert (tight.key, tutorial.key) == ("tight", "tutorial")
    assert 1.5 < tight.value < tutorial.value
    assert tight.detail["candidates_per_second_tutorial"] == pytest.approx(20, rel=0.4)


def test_the_peak_is_a_share_of_the_product_measured_beside_it() -> None:
    figures = list(shares_of_peak(TINY))
    # Of bfloat16 only where the processor has it.
    assert [figure.key for figure in figures] in (["peak"], ["peak", "peak_bfloat16"])
    for figure in figures:
        share = figure.detail["gigaflops_step"] / figure.detail["gigaflops_peak"]
        assert figure.value == pytest.approx(share)
        assert figure.value > 0.0


def test_every_figure_is_measured_within_the_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(searches, "help_seconds", lambda: 0.2)
    monkeypatch.setattr(searches, "start_seconds", lambda table, folder: 3.0)
    spent = {"total": 10.0, "training": 9.0, "outside": 1.0}
    limits: list[float] = []

    def search(table: Path, folder: Path, *, limit: float) -> dict[str, float]:
        assert len(table.read_text(encoding="utf-8").splitlines()) == 10_001
        limits.append(limit)
        return spent

    monkeypatch.setattr(searches, "search_seconds", search)
    plan = BenchPlan(CPU, together=2, seconds=60.0, repeats=1, rows=512)
    figures = {figure.key: figure for figure in measure(plan)}
    assert figures.keys() == FIGURES.keys()
    assert figures["outside"].value == pytest.approx(0.1)
    assert 0.0 < limits[0] < 60.0
    said: list[str] = []
    left = {figure.key for figure in measure(TINY, said=said.append)}
    assert FIGURES.keys() - left == {"outside"}
    assert any("left out" in text for text in said)


def test_a_search_begins_and_says_when(tmp_path: Path) -> None:
    table = searches.write_table(tmp_path / "table.csv", n_rows=600)
    started = time.perf_counter()
    seconds = searches.start_seconds(table, tmp_path / "start")
    assert 0.0 < seconds < time.perf_counter() - started
    # It has left with its first step.
    assert not list((tmp_path / "start" / "reports").rglob("summary.json"))


def test_the_default_network_is_that_of_the_default_space(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from autoloss.search import load_space

    seen = []
    monkeypatch.setattr(loops.TogetherLoop, "run", lambda self, setting: seen.append(setting) or 1)
    monkeypatch.setattr(loops, "tight_seconds_each", lambda setting, n: 1.0)
    of_default(TINY)
    usual = load_space("default").network.sized(0, 8)
    # The choice of a search by a short training run is fixed here.
    assert seen[0].job.network.config == replace(usual, numbers="bins")
