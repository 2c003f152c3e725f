"""The page of reports/speed: a table of figures in two columns, with bars and open points.

The first column is measured with all instructions of the processor, the second one with those of
a processor without AVX-512 and bfloat16 products. Each benchmark has a JSON file for each column,
and the name of that of the second column ends with `AVX2_ENDING`. The page is written again from
these files by `python -m benchmarks.speed_page`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from autoloss.bench import FIGURES, Figure
from autoloss.bench.text import bar_text, machine_text, number_text
from benchmarks.floor import to_table

OPEN = "**open**"
NONE = "–"
AVX2_ENDING = "_avx2"
COLUMNS = ("", AVX2_ENDING)
"""The endings of the files of each column."""
IN_BFLOAT16 = "peak_bfloat16"
"""The figure of the loops that the second column does not have."""
ON_A_GPU = {64: 40.0, 256: 100.0}
"""Bars on one H200-class GPU as multiples of the tight loop, by candidates together."""

Cell = tuple[str, bool | None]
"""A figure in words, and whether it reaches its bar; None without a bar."""


@dataclass(frozen=True)
class Other:
    """A row that another benchmark measures.

    Args:
        bar: The bar in words; empty without one.
        file: The JSON file with its figures, without the ending.
        words: The key of the shown words.
        holds: Whether its figures reach the bar; None without a bar.
        is_for_avx2: Whether it has a figure in the second column.
    """

    bar: str
    file: str
    words: str = "measured"
    holds: Callable[[dict[str, Any]], bool] | None = None
    is_for_avx2: bool = False


def _race_holds(found: dict[str, Any]) -> bool:
    cost, change = found["all"]["cost_to_same"][0], found["all"]["difference"]
    return bool(cost <= 1 / 3 and max(map(abs, change[1:])) <= 0.005)


def _precision_holds(found: dict[str, Any]) -> bool:
    ends = [end for one in found["sets"].values() for end in one["change"][1:]]
    return max(map(abs, ends)) <= 0.005


OTHERS = {
    "share of a default search's wall time outside training (10 000 rows)": Other(
        "at most 5%",
        "outside",
        holds=lambda found: found["outside"] <= 0.05 * found["total"],
        is_for_avx2=True,
    ),
    "`make demo` without the installation: digits, space quick, 64 trials": Other(
        "at most 120 s", "first_looks", "demo_words", lambda found: found["demo"] <= 120.0, True
    ),
    "the README's first search: breast_cancer, space quick, 64 trials": Other(
        "at most 120 s", "first_looks", "first_words", lambda found: found["first"] <= 120.0, True
    ),
    "a search with two worker processes against one with two threads (digits)": Other(
        "at least 1.5×", "workers", "faster_words", lambda found: found["faster"] >= 1.5, True
    ),
    "two such searches at once on 2 cores, in times of one alone": Other(
        "at most 2.3×", "workers", "at_once_words", lambda found: found["at_once"] <= 2.3, True
    ),
    "such a search beside a busy loop on 2 cores, in times of one alone": Other(
        "at most 2.5×", "workers", "busy_words", lambda found: found["busy"] <= 2.5, True
    ),
    "the same with two threads": Other("", "workers", "threads_busy_words", is_for_avx2=True),
    "the same with two threads that sleep while idle": Other(
        "", "workers", "passive_busy_words", is_for_avx2=True
    ),
    "first epoch with workers after that with threads": Other(
        "at most 2 s", "workers", "later_words", lambda found: found["later"] <= 2.0, True
    ),
    "memory of a search with workers beyond that with threads": Other(
        "", "workers", "memory_words", is_for_avx2=True
    ),
    "racing: cost to reach the same refined log loss as without it": Other(
        "at most 1/3; log loss within 0.005", "racing", holds=_race_holds
    ),
    "cost per trial at 10 000 trials against at 100": Other(
        "at most 1.2×", "scale", holds=lambda found: found["figures"]["trials"]["ratio"] <= 1.2
    ),
    "memory at trial 10 000 against at trial 1 000": Other(
        "at most 1.1×",
        "scale",
        "memory",
        lambda found: found["figures"]["trials"]["memory_ratio"] <= 1.1,
    ),
    "5 million rows of 50 columns from Parquet": Other(
        "at most 4 GB", "scale", "rows", lambda found: found["figures"]["rows"]["peak_gb"] <= 4.0
    ),
    "1 000 classes, 100 000 rows": Other("", "scale", "classes"),
    "10 000 columns, 2 000 rows of CSV": Other("", "scale", "columns"),
    "products in bfloat16: 95% interval of the change in refined log loss, on five sets": Other(
        "within 0.005", "precision", holds=_precision_holds
    ),
    "time of a step of the same network as modules of torch, in times of the built-in one": Other(
        "", "modules"
    ),
}
"""Rows that other benchmarks measure."""


def ending_here() -> str:
    """Return the ending of the column that the kernels of this process belong to."""
    return AVX2_ENDING if torch.backends.cpu.get_cpu_capability() == "AVX2" else ""


def to_markdown(
    found: Mapping[str, Mapping[str, Any]],
    others: Mapping[str, Mapping[str, Cell]],
    gpus: Mapping[str, Any],
) -> str:
    """Return the page.

    Args:
        found: Machine, figures of the loops and floor by ending of the column; what nobody has
            measured is missing.
        others: The figures of other benchmarks by ending of the column, then by row of `OTHERS`.
        gpus: Machine and figures of a GPU by number of candidates.
    """
    columns = [found.get(ending, {}) for ending in COLUMNS]
    rows = [*_loop_rows(columns), *_other_rows(others), *_gpu_rows(gpus)]
    lines = [
        "| measurement | bar | all instructions | reached | AVX2 alone | reached |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    machines = [machine_text(one["machine"]) if "machine" in one else OPEN for one in columns]
    floors = [to_table(one["floor"]) if "floor" in one else OPEN for one in columns]
    return PAGE.format(
        machines=machines, table="\n".join(lines), floors=floors, none=NONE, open=OPEN
    )


PAGE = """# Speed

`make speed` writes this page. Ratios compare both sides in the same run,
on the same data, network, epochs and steps. Network of the loops: 20 numeric columns, two hidden
layers of 128, dropout 0.1, batches of 256. Products use bfloat16 if the processor has it. On a CPU
candidates train together as in a search, in worker processes that share them. The tight loop may
choose its number of threads and the faster precision; the loop of the tutorials
uses float32, a DataLoader, Optuna and MLflow. Peak: a 2048 × 2048 product of the same precision in
the same run. `autoloss bench` measures the ratios on your machine.

Figures are medians, with the lowest and the highest run in brackets. The column "all instructions"
was measured on: {machines[0]}.
The column "AVX2 alone" stands for a processor without AVX-512 and without bfloat16 products, where
all products are in float32 (`ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2`): {machines[1]}.
A load above the number of cores means that other programs ran at the same time: times are longer
then, and vary more. {none} marks a figure that the column does not have, {open} a figure that has
not been measured yet.

{table}

## The floor of a step

Both hidden layers have the given width; 20 columns, two classes, batches of 256, dropout 0.1,
cross-entropy. The floor is the larger of two times. The first is the time of the matrix products
at the float32 peak (a step in bfloat16 may be faster). The second is the time to move all bytes at
the bandwidth of a copy outside the caches, with every fusible pass over activations fused (a step
that fits the caches may be faster). Each time is the shortest of several.

{floors[0]}

The same with AVX2 alone:

{floors[1]}
"""


def _loop_rows(columns: list[Mapping[str, Any]]) -> list[list[str]]:
    """Return the rows of the loops: a figure of each column, open where one with a bar is due."""
    by_key = [{figure["key"]: figure for figure in one.get("figures", ())} for one in columns]
    rows = []
    for key, goal in FIGURES.items():
        due = goal.least is not None or goal.most is not None
        figures = [one.get(key) for one in by_key]
        if not due and not any(figures):
            continue
        shown = next(filter(None, figures), None) or Figure.of(key, [0.0]).to_dict()
        row = [shown["what"], bar_text(shown)]
        for ending, figure in zip(COLUMNS, figures, strict=True):
            if figure is not None:
                row += [cell_of(figure), _word(figure["holds"])]
            else:
                is_due = due and not (ending and key == IN_BFLOAT16)
                row += [OPEN, OPEN] if is_due else [NONE, ""]
        rows.append(row)
    return rows


def _other_rows(others: Mapping[str, Mapping[str, Cell]]) -> list[list[str]]:
    """Return the rows of other benchmarks."""
    rows = []
    for what, other in OTHERS.items():
        row = [what, other.bar]
        for ending in COLUMNS:
            if what in (known := others.get(ending, {})):
                words, holds = known[what]
                row += [words, _word(holds)]
            else:
                is_due = not ending or other.is_for_avx2
                row += [OPEN, OPEN] if is_due else [NONE, ""]
        rows.append(row)
    return rows


def _gpu_rows(gpus: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of a GPU."""
    rows = []
    for together, least in ON_A_GPU.items():
        what = f"one H200-class GPU: {together} together against the tight loop there"
        cell, reached = f"{OPEN}: no GPU at hand", OPEN
        if "figures" in gpus.get(str(together), {}):
            one = gpus[str(together)]
            tight = next(figure for figure in one["figures"] if figure["key"] == "tight")
            cell = f"{cell_of(tight)}, {one['machine']['chip']}{_step_text(one.get('step', {}))}"
            reached = _word(tight["value"] >= least)
        rows.append([what, f"at least {least:.0f}×", cell, reached, NONE, ""])
    return rows


def _step_text(step: Mapping[str, Any]) -> str:
    """Return the times of a step on a GPU; empty if they were not measured."""
    if not step:
        return ""
    graph = f"{step['graph_ms']:.2f} ms as a graph" if "graph_ms" in step else "no graph"
    return f"; a step {step['eager_ms']:.2f} ms (optimiser {step['optimiser_ms']:.2f}), {graph}"


def cell_of(figure: Mapping[str, Any]) -> str:
    """Return the median of a figure with its range, in words."""
    value = number_text(figure["value"], figure["unit"])
    if figure["repeats"] == 1:
        return value
    low, high = (number_text(figure[name], figure["unit"]) for name in ("low", "high"))
    return f"{value} ({low} to {high}; {figure['repeats']} runs)"


def _word(holds: bool | None) -> str:
    return "" if holds is None else "yes" if holds else "no"


def read_others(folder: Path) -> dict[str, dict[str, Cell]]:
    """Return the figures that other benchmarks left in a folder.

    Returns:
        Cells by ending of the column, then by row of `OTHERS`.
    """
    found: dict[str, dict[str, Cell]] = {ending: {} for ending in COLUMNS}
    for what, other in OTHERS.items():
        for ending in COLUMNS:
            known = _read(folder / f"{other.file}{ending}.json")
            if other.words in known:
                holds = None if other.holds is None else other.holds(known)
                found[ending][what] = (str(known[other.words]), holds)
    return found


def write_page(folder: Path) -> None:
    """Write README.md from the figures of a folder."""
    found = {ending: _read(folder / f"figures{ending}.json") for ending in COLUMNS}
    page = to_markdown(found, read_others(folder), _read(folder / "gpu.json"))
    (folder / "README.md").write_text(page, encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    """Return the values of a JSON file; none if there is no file."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found


if __name__ == "__main__":
    write_page(Path("reports/speed"))
