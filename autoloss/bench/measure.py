"""Measures the figures: compared loops run side by side, several times, within a time limit."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from autoloss.bench import loops, searches
from autoloss.bench.figures import Figure
from autoloss.bench.machine import matrix_peak
from autoloss.bench.problem import ROWS, Setting, make_setting, plain_network
from autoloss.bench.work import products
from autoloss.core.settings import NetworkConfig, Precision
from autoloss.training.together import step_seconds

SEARCH_SHARE = 0.45
"""Share of the time that is reserved for the small search."""


@dataclass(frozen=True)
class BenchPlan:
    """The options of a measurement.

    Args:
        device: The device on which candidates train.
        together: Candidates trained together.
        seconds: Approximate time limit; a slow machine repeats less and leaves out the search.
        repeats: Most repeats of a figure; each is measured at least once.
        tutorial: The loop of the tutorials, for a setting and a number of candidates.
        rows: Training rows of the loops.
    """

    device: torch.device
    together: int = 32
    seconds: float = 100.0
    repeats: int = 5
    tutorial: Callable[[Setting, int], int] = loops.run_tutorial
    rows: int = ROWS

    def again(self, share: float) -> Iterator[int]:
        """Count repeats up to `repeats`, or until a share of the time is spent."""
        ends = time.perf_counter() + share * self.seconds
        for i in range(self.repeats):
            if i and time.perf_counter() > ends:
                return
            yield i

    def setting(self, network: NetworkConfig, *, epochs: int) -> Setting:
        """Return the setting of the loops for a network."""
        return make_setting(
            together=self.together,
            network=network,
            rows=self.rows,
            epochs=epochs,
            device=self.device,
        )


def measure(
    plan: BenchPlan, *, said: Callable[[str], None] = lambda text: None
) -> Iterator[Figure]:
    """Yield one figure after the other.

    Compared loops run side by side and several times, so that noise of the machine affects all of
    them; a figure is the median of the ratios.

    Args:
        plan: The options.
        said: Called with a sentence on the next figure or on a figure that is left out.
    """
    ends = time.perf_counter() + plan.seconds
    said("Candidates together, one by one, and as the tutorials do.")
    yield from in_loops(plan)
    said("The matrix-product peak, and a step of width 256.")
    yield from shares_of_peak(plan)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        table = searches.write_table(folder / "table.csv")
        said("The start of the program and of a search.")
        yield from of_start(plan, table, folder)
        said("The network of the default space.")
        yield of_default(plan)
        left = ends - time.perf_counter()
        if left < SEARCH_SHARE * plan.seconds / 2:
            said("A small search is left out: the time is spent.")
            return
        said("A small search.")
        spent = searches.search_seconds(table, folder / "search", limit=left)
        yield Figure.of("outside", [spent["outside"] / spent["total"]], detail=spent)


def of_start(plan: BenchPlan, table: Path, folder: Path) -> Iterator[Figure]:
    """Measure the seconds of the help text, and of a search until its first training step.

    Args:
        plan: The options.
        table: The data of the search.
        folder: A folder for files of the searches.
    """
    yield Figure.of("help", [searches.help_seconds() for _ in plan.again(0.03)])
    starts = [searches.start_seconds(table, folder / f"{i}") for i in plan.again(0.05)]
    yield Figure.of("start", starts)


def in_loops(plan: BenchPlan) -> Iterator[Figure]:
    """Measure the candidates per second of all three loops."""
    setting = plan.setting(plain_network(128), epochs=3)
    warm = replace(setting, epochs=1)
    times: dict[str, list[float]] = {"together": [], "tight": [], "tutorial": []}
    with loops.TogetherLoop(setting) as together:
        together.run(setting), loops.run_tight(warm, 1), plan.tutorial(warm, 1)
        for _ in plan.again(0.25):
            times["together"].append(loops.seconds_each(lambda: together.run(setting)))
            times["tight"].append(loops.tight_seconds_each(setting, 3))
            times["tutorial"].append(loops.seconds_each(lambda: plan.tutorial(setting, 2)))
    rates = {
        f"candidates_per_second_{name}": 1.0 / statistics.median(found)
        for name, found in times.items()
    }
    for name in ("tight", "tutorial"):
        ratios = [a / b for a, b in zip(times[name], times["together"], strict=True)]
        yield Figure.of(name, ratios, together=plan.together, detail=rates)


def of_default(plan: BenchPlan) -> Figure:
    """Measure the ratio to the tight loop for the network of the default space at full width."""
    setting = plan.setting(NetworkConfig(), epochs=1)
    ratios = []
    with loops.TogetherLoop(setting) as together:
        for _ in plan.again(0.08):
            mine = loops.seconds_each(lambda: together.run(setting))
            ratios.append(loops.tight_seconds_each(setting, 2) / mine)
    return Figure.of("default", ratios, together=plan.together)


def shares_of_peak(plan: BenchPlan) -> Iterator[Figure]:
    """Measure the share of the machine's peak that a step reaches, in each precision."""
    setting = plan.setting(plain_network(256), epochs=1)
    yield _share_of_peak(plan, setting, "peak", "float32")
    if setting.job.products == torch.bfloat16:
        yield _share_of_peak(plan, setting, "peak_bfloat16", "bfloat16")


def _share_of_peak(plan: BenchPlan, setting: Setting, key: str, precision: Precision) -> Figure:
    job = replace(setting.job, config=replace(setting.job.config, precision=precision))
    work, peaks, rates = products(setting), [], []
    for _ in plan.again(0.05):
        peaks.append(matrix_peak(plan.device, dtype=job.products))
        rates.append(work / step_seconds([job], plan.together, 5))
    detail = {
        "gigaflops_peak": max(peaks) / 1e9,
        "gigaflops_step": statistics.median(rates) / 1e9,
    }
    # Other programs lower a peak and never raise it.
    return Figure.of(key, [rate / max(peaks) for rate in rates], detail=detail)
