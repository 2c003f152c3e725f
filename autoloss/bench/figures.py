"""The figures that are measured, the bar of each, and how they are taken."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from autoloss.bench import loops, searches
from autoloss.bench.machine import matrix_peak
from autoloss.bench.problem import Setting, make_setting, plain_network
from autoloss.bench.work import products
from autoloss.settings import NetworkConfig
from autoloss.training.together import step_seconds

Unit = Literal["times", "share", "seconds"]


@dataclass(frozen=True)
class Bar:
    """What a figure is to reach.

    Args:
        what: The figure in words.
        unit: Of the bar and of what is measured.
        least: The least that it is to be; None where there is no such bar.
        most: The most.
    """

    what: str
    unit: Unit
    least: float | None = None
    most: float | None = None


FIGURES: Mapping[str, Bar] = {
    "tight": Bar(
        "candidates a second, {together} together, against the same network one by one in a "
        "tight loop",
        "times",
        least=4.0,
    ),
    "default": Bar("the same with the network of the default space", "times"),
    "tutorial": Bar(
        "candidates a second against the loop of the tutorials: DataLoader, one trial at a time",
        "times",
        least=10.0,
    ),
    "peak": Bar(
        "share of the machine's matrix-product peak that a training step of width 256 reaches",
        "share",
        least=0.5,
    ),
    "outside": Bar(
        "share of a search's wall time outside training (10 000 rows, quick, 32 trials)",
        "share",
        most=0.05,
    ),
    "help": Bar("autoloss --help", "seconds", most=0.5),
    "start": Bar(
        "start of a search to its first training step (10 000 rows)", "seconds", most=8.0
    ),
}


@dataclass(frozen=True)
class Figure:
    """A figure as measured.

    Args:
        key: Its key in `FIGURES`.
        what: The figure in words.
        unit: Of its numbers.
        value: Median of the repeats.
        low: The lowest of them.
        high: The highest.
        repeats: How many there were.
        least: The least that it is to be; None where there is no such bar.
        most: The most.
        detail: Further medians, by name.
    """

    key: str
    what: str
    unit: Unit
    value: float
    low: float
    high: float
    repeats: int
    least: float | None
    most: float | None
    detail: Mapping[str, float]

    @classmethod
    def of(
        cls,
        key: str,
        values: list[float],
        *,
        together: int = 32,
        detail: Mapping[str, float] | None = None,
    ) -> Figure:
        """Return the figure of several measurements."""
        bar = FIGURES[key]
        return cls(
            key=key,
            what=bar.what.format(together=together),
            unit=bar.unit,
            value=statistics.median(values),
            low=min(values),
            high=max(values),
            repeats=len(values),
            least=bar.least,
            most=bar.most,
            detail=detail or {},
        )

    @property
    def holds(self) -> bool | None:
        """Return whether the median reaches the bar; None where there is none."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figure as JSON values."""
        return {**asdict(self), "detail": dict(self.detail), "holds": self.holds}


Tutorial = Callable[[Setting, int], int]


def measure(
    *,
    device: torch.device,
    together: int = 32,
    seconds: float = 90.0,
    repeats: int = 5,
    tutorial: Tutorial = loops.run_tutorial,
    said: Callable[[str], None] = lambda text: None,
) -> Iterator[Figure]:
    """Measure one figure after the other.

    What is compared runs side by side and several times, so that a noisy machine is as noisy for
    all; a figure is the median of the ratios.

    Args:
        device: Where candidates train; the figures of whole searches are those of the CPU.
        together: Candidates together.
        seconds: What all may take, about; where it is short there are fewer repeats, one at least.
        repeats: Repeats of a figure at most.
        tutorial: The loop of the tutorials.
        said: Told what is measured next.
    """

    def again(share: float) -> Iterator[int]:
        """Count repeats until they or their share of the time are spent."""
        ends = time.perf_counter() + share * seconds
        for i in range(repeats):
            if i and time.perf_counter() > ends:
                return
            yield i

    said("The loops: together, one by one, as the tutorials do.")
    plain = make_setting(together=together, device=device)
    yield from _loops(plain, again(0.3), tutorial)
    said("The network of the default space.")
    yield _default(make_setting(together=together, network=NetworkConfig(), device=device), again)
    said("The matrix-product peak and a step of width 256.")
    yield _peak(make_setting(together=together, network=plain_network(256), device=device), again)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        table = searches.write_table(folder / "table.csv")
        said("The program's start, and a search's.")
        yield Figure.of("help", [searches.help_seconds() for _ in again(0.03)])
        yield Figure.of(
            "start", [searches.start_seconds(table, folder / f"start-{i}") for i in again(0.1)]
        )
        said("A small search.")
        spent = searches.search_seconds(table, folder / "search", limit=0.4 * seconds)
        yield Figure.of("outside", [spent["outside"] / spent["total"]], detail=spent)


def _loops(setting: Setting, again: Iterator[int], tutorial: Tutorial) -> Iterator[Figure]:
    """Measure candidates a second in all three loops."""
    warm, together = replace(setting, epochs=1), len(setting.candidates)
    loops.run_together(warm), loops.run_tight(warm, 1), tutorial(warm, 1)
    times: dict[str, list[float]] = {"together": [], "tight": [], "tutorial": []}
    for _ in again:
        times["together"].append(loops.seconds_each(lambda: loops.run_together(setting)))
        times["tight"].append(loops.tight_seconds_each(setting, 3))
        times["tutorial"].append(loops.seconds_each(lambda: tutorial(setting, 2)))
    rates = {
        f"candidates_per_second_{name}": 1.0 / statistics.median(found)
        for name, found in times.items()
    }
    for name in ("tight", "tutorial"):
        ratios = [a / b for a, b in zip(times[name], times["together"], strict=True)]
        yield Figure.of(name, ratios, together=together, detail=rates)


def _default(setting: Setting, again: Callable[[float], Iterator[int]]) -> Figure:
    """Measure the ratio to the tight loop for the network of the default space."""
    short = replace(setting, epochs=1)
    ratios = []
    for _ in again(0.12):
        mine = loops.seconds_each(lambda: loops.run_together(short))
        ratios.append(loops.tight_seconds_each(short, 2) / mine)
    return Figure.of("default", ratios, together=len(setting.candidates))


def _peak(setting: Setting, again: Callable[[float], Iterator[int]]) -> Figure:
    """Measure which share of the peak the products of a step reach."""
    job, together, work = setting.job, len(setting.candidates), products(setting)
    peaks, rates = [], []
    for _ in again(0.08):
        peaks.append(matrix_peak(job.device))
        rates.append(work / step_seconds([job], together, 5))
    shares = [rate / peak for rate, peak in zip(rates, peaks, strict=True)]
    return Figure.of(
        "peak",
        shares,
        detail={
            "gigaflops_peak": statistics.median(peaks) / 1e9,
            "gigaflops_step": statistics.median(rates) / 1e9,
        },
    )
