"""The cost of a custom network, compared with the built-in network with its K axis.

    python -m benchmarks.modules [--repeats 5] [--report]

The networks: that of the speed figures (20 columns, two hidden layers of 128, dropout 0.1, batches
of 256, float32) as modules of torch, stacked by `torch.func.vmap` and one by one; the same with
BatchNorm; and a small convolution net. In each repeat all networks take turns, and the shortest of
several steps counts; a figure is the median over the repeats. `--report` writes the figures to
reports/speed/modules.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from autoloss.bench import machine
from autoloss.bench.problem import DROPOUT, N_CLASSES, make_setting
from autoloss.models import OwnModel, OwnNetwork
from autoloss.training import Job
from autoloss.training.together import step_seconds

OUT = Path("reports/speed/modules.json")
SIZES = (8, 32)
STEPS = 10


def plain(n_features: int, n_outputs: int) -> nn.Module:
    """Return the network of the speed figures."""
    return nn.Sequential(
        nn.Linear(n_features, 128),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(128, n_outputs),
    )


def normalised(n_features: int, n_outputs: int) -> nn.Module:
    """Return the network of the speed figures with BatchNorm."""
    return nn.Sequential(
        nn.Linear(n_features, 128),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Linear(128, n_outputs),
    )


def convolved(n_features: int, n_outputs: int) -> nn.Module:
    """Return a small convolution net over the columns in order."""
    return nn.Sequential(
        nn.Unflatten(1, (1, n_features)),
        nn.Conv1d(1, 16, 5, padding=2),
        nn.ReLU(),
        nn.Conv1d(16, 16, 5, padding=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * n_features, n_outputs),
    )


def jobs_of() -> dict[str, Job]:
    """Return the timed jobs by name."""
    job = make_setting(together=1, epochs=1).job
    network = job.network
    found = {"built-in": job}
    for make in (plain, normalised, convolved):
        for form in ("vmap", "loop"):
            model = OwnModel(make, make.__name__, stacked=form == "vmap", draws=make is plain)
            own = OwnNetwork(network.schema, N_CLASSES, model)  # type: ignore[attr-defined]
            rows = (replace_network(one, own) for one in (job.train, job.valid))
            train, valid = rows
            found[f"{make.__name__} {form}"] = replace(job, network=own, train=train, valid=valid)
    return found


def replace_network(rows: Any, network: OwnNetwork) -> Any:
    """Return rows encoded for another network."""
    return type(rows)(network, rows.part)


def measured(repeats: int) -> dict[str, Any]:
    """Return the milliseconds of a step, by name and number of candidates, and a sentence."""
    jobs = jobs_of()
    found: dict[str, dict[str, list[float]]] = {name: {} for name in jobs}
    for _ in range(repeats):
        for k in SIZES:
            for name, job in jobs.items():
                if name.startswith("convolved") and k != SIZES[0]:
                    continue
                seconds = step_seconds([job], k, STEPS, seconds=1.0)
                found[name].setdefault(str(k), []).append(1000 * seconds)
    steps = {
        name: {k: round(statistics.median(all_), 3) for k, all_ in by_size.items()}
        for name, by_size in found.items()
    }
    return {
        "measured": sentence(steps),
        "machine": machine.describe(torch.device("cpu")),
        "repeats": repeats,
        "milliseconds": steps,
    }


def sentence(steps: dict[str, dict[str, float]]) -> str:
    """Return the ratios in words."""

    def ratio(name: str, k: int, to: str = "built-in") -> str:
        return f"{steps[name][str(k)] / steps[to][str(k)]:.1f}"

    parts = [
        f"K = {k}: {ratio('plain vmap', k)} by vmap, {ratio('plain loop', k)} one by one "
        f"(with BatchNorm {ratio('normalised vmap', k)} and {ratio('normalised loop', k)})"
        for k in SIZES
    ]
    conv = steps["convolved vmap"]["8"], steps["convolved loop"]["8"]
    return (
        f"{'; '.join(parts)}; a small convolution net, K = 8: {conv[0]:.0f} ms a step by vmap, "
        f"{conv[1]:.0f} ms one by one"
    )


def main() -> None:
    """Measure, and print or write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--report", action="store_true", help=f"write {OUT}")
    options = parser.parse_args()
    found = measured(options.repeats)
    for name, by_size in found["milliseconds"].items():
        print(f"{name:18}", *(f"K = {k}: {ms:8.2f} ms" for k, ms in by_size.items()))
    print(found["measured"])
    if options.report:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
