"""The training speed compared with usual loops: `autoloss bench`, and its report.

    python -m benchmarks.speed [--together 32] [--repeats 5] [--seconds 300] [--report]
    python -m benchmarks.speed --report --only floor|start

Unlike the installed command, the loop of the tutorials here has an Optuna study and an MLflow run
for every trial, and the floor of a step is measured too. `--report` writes README.md in
reports/speed, and fills the column of the instructions that torch uses here: "AVX2 alone" with
`ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2` in the environment,
or on a processor without more.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from autoloss.bench import BenchPlan, machine, measure
from autoloss.bench.loops import train_as_tutorials
from autoloss.bench.measure import of_start
from autoloss.bench.problem import Setting
from autoloss.bench.searches import write_table
from autoloss.bench.text import bar_text
from benchmarks.floor import measure_floor, to_rows, to_table
from benchmarks.speed_page import cell_of, ending_here, write_page

OUT = Path("reports/speed")


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


def measured(
    options: argparse.Namespace, before: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield the machine and all figures so far as JSON values, after each figure.

    Args:
        options: The options of the command line.
        before: Earlier figures, which stay where the start alone is measured.
    """
    device = torch.device("cpu")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        plan = BenchPlan(
            device,
            together=options.together,
            seconds=options.seconds,
            repeats=options.repeats,
            tutorial=tutorial_in(folder),
        )
        figures: dict[str, dict[str, Any]] = {}
        every = measure(plan, said=print)
        if options.only == "start":
            figures = {one["key"]: one for one in before}
            every = of_start(plan, write_table(folder / "table.csv"), folder)
        for figure in every:
            found = figure.to_dict()
            print(f"{found['what']}: {cell_of(found)}; bar: {bar_text(found) or 'none'}")
            figures[found["key"]] = found
            # The page describes the machine of the figures that stay.
            is_part = bool(before) and options.only == "start"
            new = {} if is_part else {"machine": machine.describe(device)}
            yield new | {"figures": list(figures.values())}


def main() -> None:
    """Measure, and print or write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--together", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=300.0, help="approximate time limit of the figures"
    )
    parser.add_argument(
        "--only", choices=("figures", "floor", "start"), help="measure a part alone"
    )
    parser.add_argument("--threads", type=int, default=None, help="threads of torch")
    parser.add_argument("--report", action="store_true", help="write reports/speed")
    options = parser.parse_args()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
        # For started processes too.
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    file = OUT / f"figures{ending_here()}.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def keep() -> None:
        if options.report:
            OUT.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            write_page(OUT)

    if options.only != "floor":
        # A measurement that is interrupted leaves the figures that it has; the others are open.
        for some in measured(options, found.get("figures", ())):
            found |= some
            keep()
    if options.only in (None, "floor"):
        found["floor"] = to_rows(measure_floor(torch.device("cpu")))
        print(to_table(found["floor"]))
        keep()


if __name__ == "__main__":
    main()
