"""The training speed compared with usual loops: `autoloss bench`, and its report.

    python -m benchmarks.speed [--together 32] [--repeats 5] [--seconds 300] [--device cpu]
    python -m benchmarks.speed --report
    python -m benchmarks.speed --report --device cuda --together 64

Unlike the installed command, the loop of the tutorials here has an Optuna study and an MLflow run
for every trial. `--report` also measures the floor of a step, and writes figures.json and
README.md into reports/speed. Rows that other benchmarks measure are taken from the files named in
`OTHERS`; rows without a measurement are marked as open. On a GPU, `--report` fills only the rows
of that GPU, at the number of candidates in `--together`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from autoloss.bench import FIGURES, BenchPlan, Figure, machine, measure
from autoloss.bench.loops import train_as_tutorials
from autoloss.bench.problem import Setting
from autoloss.bench.text import bar_text, machine_text, number_text
from benchmarks.floor import measure_floor, to_rows, to_table

OUT = Path("reports/speed")


@dataclass(frozen=True)
class Other:
    """A row that another benchmark measures.

    Args:
        bar: The bar in words; empty without one.
        file: The JSON file of `OUT` with its figures, without the ending.
        words: The key of the shown words.
        holds: Whether its figures reach the bar; None without a bar.
    """

    bar: str
    file: str
    words: str = "measured"
    holds: Callable[[dict[str, Any]], bool] | None = None


def _race_holds(found: dict[str, Any]) -> bool:
    cost, change = found["all"]["cost_to_same"][0], found["all"]["difference"]
    return bool(cost <= 1 / 3 and max(map(abs, change[1:])) <= 0.005)


def _precision_holds(found: dict[str, Any]) -> bool:
    ends = [end for one in found["sets"].values() for end in one["change"][1:]]
    return max(map(abs, ends)) <= 0.005


OTHERS = {
    "share of a default search's wall time outside training (10 000 rows)": Other(
        "at most 5%", "outside", holds=lambda found: found["outside"] <= 0.05 * found["total"]
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
ON_A_GPU = {64: 40.0, 256: 100.0}
"""Bars on one H200-class GPU as multiples of the tight loop, by candidates together."""
OPEN = "**open**"


def tutorial_in(folder: Path) -> Any:
    """Return the loop of the tutorials with Optuna, and with MLflow's database in a folder."""

    def run(setting: Setting, n_candidates: int) -> int:
        import mlflow
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        mlflow.set_tracking_uri(f"sqlite:///{(folder / 'mlflow.db').as_posix()}")
        mlflow.set_experiment("tutorial")

        def objective(trial: optuna.Trial) -> float:
            def after_epoch(accuracy: float, epoch: int) -> None:
                mlflow.log_metric("accuracy", accuracy, step=epoch)
                trial.report(accuracy, epoch)

            lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
            with mlflow.start_run(run_name=str(trial.number)):
                mlflow.log_params(trial.params)
                return train_as_tutorials(setting, lr, after_epoch=after_epoch)

        optuna.create_study(direction="maximize").optimize(objective, n_trials=n_candidates)
        return n_candidates

    return run


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all figures; return them and the machine as JSON values."""
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        plan = BenchPlan(
            device,
            together=options.together,
            seconds=options.seconds,
            repeats=options.repeats,
            tutorial=tutorial_in(Path(name)),
        )
        figures = list(measure(plan, said=print))
    return {
        "machine": machine.describe(device),
        "figures": [figure.to_dict() for figure in figures],
    }


def to_markdown(found: Mapping[str, Any], others: Mapping[str, tuple[str, bool | None]]) -> str:
    """Return the page of reports/speed.

    Args:
        found: The result of `measured`, with the key "floor"; a further key "gpu" may hold the
            results of a GPU by number of candidates.
        others: The figures of other benchmarks in words, and whether they reach the bar, by row
            of `OTHERS`.
    """
    rows = [
        (figure["what"], bar_text(figure), _cell(figure), _word(figure["holds"]))
        for figure in found["figures"]
    ]
    seen = {figure["key"] for figure in found["figures"]}
    due = [key for key, bar in FIGURES.items() if bar.least is not None or bar.most is not None]
    for key in [key for key in due if key not in seen]:
        left_out = Figure.of(key, [0.0]).to_dict()
        rows.append((left_out["what"], bar_text(left_out), f"{OPEN}: the time was spent", OPEN))
    for what, other in OTHERS.items():
        words, holds = others.get(what, (OPEN, None))
        rows.append((what, other.bar, words, _word(holds) if what in others else OPEN))
    gpus = found.get("gpu", {})
    for together, least in ON_A_GPU.items():
        what = f"one H200-class GPU: {together} together against the tight loop there"
        cell, reached = f"{OPEN}: no GPU at hand", OPEN
        if str(together) in gpus:
            one = gpus[str(together)]
            tight = next(figure for figure in one["figures"] if figure["key"] == "tight")
            cell = f"{_cell(tight)}, {one['machine']['chip']}"
            reached = _word(tight["value"] >= least)
        rows.append((what, f"at least {least:.0f}×", cell, reached))
    lines = [
        "| what | bar | measured (median; lowest to highest) | reached |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return PAGE.format(
        machine=machine_text(found["machine"]),
        table="\n".join(lines),
        floor=to_table(found["floor"]),
    )


PAGE = """# Speed

`python -m benchmarks.speed --report` writes this page. Ratios compare both sides in the same run,
on the same data, network, epochs and steps. Network of the loops: 20 numeric columns, two hidden
layers of 128, dropout 0.1, batches of 256. Products use bfloat16 if the processor has it. The
tight loop may choose its number of threads and the faster precision; the loop of the tutorials
uses float32, a DataLoader, Optuna and MLflow. Peak: a 2048 × 2048 product of the same precision in
the same run. `autoloss bench` measures the ratios on your machine.

Measured on: {machine}.
A load above the number of cores means that other programs ran at the same time: times are longer
then, and vary more.

{table}

## The floor of a step

Both hidden layers have the given width; 20 columns, two classes, batches of 256, dropout 0.1,
cross-entropy. The floor is the larger of two times. The first is the time of the matrix products
at the float32 peak (a step in bfloat16 may be faster). The second is the time to move all bytes at
the bandwidth of a copy outside the caches, with every fusible pass over activations fused (a step
that fits the caches may be faster). Each time is the shortest of several.

{floor}
"""


def _cell(figure: Mapping[str, Any]) -> str:
    value = number_text(figure["value"], figure["unit"])
    if figure["repeats"] == 1:
        return value
    low, high = (number_text(figure[name], figure["unit"]) for name in ("low", "high"))
    return f"{value} ({low} to {high}; {figure['repeats']} runs)"


def _word(holds: bool | None) -> str:
    return "" if holds is None else "yes" if holds else "no"


def read_others(folder: Path) -> dict[str, tuple[str, bool | None]]:
    """Return the figures that other benchmarks left in a folder, by row of `OTHERS`.

    Returns:
        The figures in words, and whether they reach the bar; None without a bar.
    """
    found = {}
    for what, other in OTHERS.items():
        file = folder / f"{other.file}.json"
        known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        if other.words in known:
            holds = None if other.holds is None else other.holds(known)
            found[what] = (str(known[other.words]), holds)
    return found


def write_page(folder: Path) -> None:
    """Write README.md from the figures of a folder."""
    found = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    page = to_markdown(found, read_others(folder))
    (folder / "README.md").write_text(page, encoding="utf-8")


def main() -> None:
    """Measure, and print or write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--together", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=300.0, help="approximate time limit of the figures"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch")
    parser.add_argument("--report", action="store_true", help="write reports/speed")
    options = parser.parse_args()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
        # For started processes too.
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    found = measured(options)
    for figure in found["figures"]:
        print(f"{figure['what']}: {_cell(figure)}; bar: {bar_text(figure) or 'none'}")
    if not options.report:
        return
    file = OUT / "figures.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if options.device == "cpu":
        found["floor"] = to_rows(measure_floor(torch.device("cpu")))
        found["gpu"] = before.get("gpu", {})
    else:
        gpu = {**before.get("gpu", {}), str(options.together): found}
        found = {**before, "gpu": gpu}
    OUT.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    write_page(OUT)


if __name__ == "__main__":
    main()
