"""Candidates a second: K together, one by one in a tight loop, and the loop of the tutorials.

    python benchmarks/speed.py [--together 32] [--width 128] [--repeats 5] [--device cpu]

All three train the same network on the same rows for the same epochs and steps, each candidate
with its own learning rate, and score the validation rows after every epoch. The tight loop may
choose its number of threads. The network is two hidden layers on 20 plain numeric columns, with
dropout 0.1, at batches of 256, in float32.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from autoloss.data import Part, TableInputs, TableSchema
from autoloss.losses import LossSpec
from autoloss.models import TableNetwork
from autoloss.readout import fold_numbers
from autoloss.settings import NetworkConfig, TrainingConfig
from autoloss.training import Candidate, Job, Orders, train

N_COLUMNS, N_CLASSES, DROPOUT = 20, 2, 0.1


@dataclass(frozen=True)
class Setting:
    """What all three loops have in common."""

    job: Job
    candidates: list[Candidate]
    epochs: int

    @property
    def steps(self) -> int:
        """Return the steps of one candidate."""
        return self.epochs * (len(self.job.train) // self.job.config.batch_size)


def make_part(n_rows: int, seed: int) -> Part:
    """Return rows of a noisy problem of two classes."""
    draw = torch.Generator().manual_seed(seed)
    numeric = torch.randn(n_rows, N_COLUMNS, generator=draw)
    score = numeric[:, :5].sum(1) + numeric[:, 5] * numeric[:, 6]
    targets = (score + torch.randn(n_rows, generator=draw) > 0).long()
    empty = torch.empty(n_rows, 0)
    return Part(TableInputs(numeric, empty.long(), empty), targets, None, torch.arange(n_rows))


def make_setting(
    *, together: int, width: int, rows: int, epochs: int, device: torch.device
) -> Setting:
    """Return the problem, the network and the candidates."""
    schema = TableSchema(N_COLUMNS, torch.zeros(N_COLUMNS, 1), (), 0, (False,) * N_COLUMNS)
    config = NetworkConfig(width=width, depth=2, bins=0, normalise=False)
    train_part, valid_part = make_part(rows, 1), make_part(rows // 4, 2)
    job = Job.prepare(
        TableNetwork(schema, N_CLASSES, config),
        train_part,
        valid_part,
        class_counts=torch.bincount(train_part.targets),
        folds=fold_numbers(valid_part.targets),
        config=TrainingConfig(max_epochs=epochs, patience=epochs),
        device=device,
    )
    rates = torch.logspace(-3.5, -2.0, together).tolist()
    candidates = [Candidate(LossSpec(), lr=lr, weight_decay=0.01, dropout=DROPOUT) for lr in rates]
    return Setting(job, candidates, epochs)


def make_net(width: int) -> nn.Sequential:
    """Return the same network as torch's own modules."""
    return nn.Sequential(
        nn.Linear(N_COLUMNS, width),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(width, N_CLASSES),
    )


def run_together(setting: Setting) -> int:
    """Train all candidates as one population."""
    train(setting.job, setting.candidates)
    return len(setting.candidates)


def run_tight(setting: Setting, n_candidates: int) -> int:
    """Train candidates one by one, with nothing in the loop that could be left out."""
    job = setting.job
    inputs, targets = job.train.part.inputs.numeric, job.train.targets
    for candidate in setting.candidates[:n_candidates]:
        net = make_net(job.network.config.width).to(job.device)
        optimiser = torch.optim.AdamW(
            net.parameters(), lr=candidate.lr, weight_decay=candidate.weight_decay, fused=True
        )
        orders = Orders([0], len(job.train), job.config.batch_size, device=job.device)
        for _ in range(setting.epochs):
            net.train()
            for rows in orders.epoch():
                loss = functional.cross_entropy(net(inputs[rows[0]]), targets[rows[0]])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            net.eval()
            with torch.no_grad():
                logits = net(job.valid.part.inputs.numeric)
                functional.cross_entropy(logits, job.valid.targets).item()
    return n_candidates


def tight_seconds_each(setting: Setting, n_candidates: int) -> float:
    """Return the seconds a candidate takes in the tight loop, on as many threads as suit it."""
    threads = torch.get_num_threads()
    found = []
    for n_threads in sorted({1, threads}):
        torch.set_num_threads(n_threads)
        found.append(seconds_each(lambda: run_tight(setting, n_candidates)))
    torch.set_num_threads(threads)
    return min(found)


def run_tutorial(setting: Setting, n_candidates: int, folder: Path) -> int:
    """Train as the tutorials do: DataLoader, one trial at a time, a callback for MLflow."""
    import mlflow
    import optuna
    from torch.utils.data import DataLoader, TensorDataset

    job = setting.job
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    mlflow.set_experiment("tutorial")
    device = job.device
    train_set = TensorDataset(job.train.part.inputs.numeric.cpu(), job.train.targets.cpu())
    valid_set = TensorDataset(job.valid.part.inputs.numeric.cpu(), job.valid.targets.cpu())

    def objective(trial: optuna.Trial) -> float:
        net = make_net(job.network.config.width).to(device)
        lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
        optimiser = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.01)
        loader = DataLoader(
            train_set, batch_size=job.config.batch_size, shuffle=True, drop_last=True
        )
        valid_loader = DataLoader(valid_set, batch_size=job.config.batch_size)
        accuracy = 0.0
        with mlflow.start_run(run_name=str(trial.number)):
            mlflow.log_params(trial.params)
            for epoch in range(setting.epochs):
                net.train()
                for data, target in loader:
                    data, target = data.to(device), target.to(device)
                    optimiser.zero_grad()
                    loss = functional.cross_entropy(net(data), target)
                    loss.backward()
                    optimiser.step()
                net.eval()
                correct = 0
                with torch.no_grad():
                    for data, target in valid_loader:
                        data, target = data.to(device), target.to(device)
                        prediction = net(data).argmax(dim=1, keepdim=True)
                        correct += prediction.eq(target.view_as(prediction)).sum().item()
                accuracy = correct / len(valid_set)
                mlflow.log_metric("accuracy", accuracy, step=epoch)
                trial.report(accuracy, epoch)
        return accuracy

    optuna.create_study(direction="maximize").optimize(objective, n_trials=n_candidates)
    return n_candidates


def seconds_each(run: Callable[[], int]) -> float:
    """Return the seconds a candidate takes."""
    started = time.perf_counter()
    n_candidates = run()
    return (time.perf_counter() - started) / n_candidates


def outside_share(folder: Path) -> dict[str, float]:
    """Return where the time of a search on the digits of scikit-learn goes."""
    from autoloss import search

    result = search(
        "sklearn:digits", trials=64, out=folder, tracking_uri=f"sqlite:///{folder}/m.db"
    )
    seconds = result.summary.seconds
    return {**seconds, "share": seconds["outside"] / seconds["total"]}


def main() -> None:
    """Measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--together", type=int, default=32)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--rows", type=int, default=8192)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, default=None, help="also write the figures to a file")
    given = parser.parse_args()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    setting = make_setting(
        together=given.together,
        width=given.width,
        rows=given.rows,
        epochs=given.epochs,
        device=torch.device(given.device),
    )
    warm = replace(setting, epochs=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_together(warm), run_tight(warm, 1), run_tutorial(warm, 1, folder)
        times: dict[str, list[float]] = {"together": [], "tight": [], "tutorial": []}
        for _ in range(given.repeats):
            # Side by side, so that a noisy machine is as noisy for all.
            times["together"].append(seconds_each(lambda: run_together(setting)))
            times["tight"].append(tight_seconds_each(setting, 4))
            times["tutorial"].append(seconds_each(lambda: run_tutorial(setting, 2, folder)))
        outside = outside_share(folder)
    median = {name: statistics.median(values) for name, values in times.items()}
    ratios = {
        name: statistics.median(
            other / mine for other, mine in zip(times[name], times["together"], strict=True)
        )
        for name in ("tight", "tutorial")
    }
    print(
        f"{given.together} together, 2 x {given.width}, {setting.steps} steps each, {given.device}"
    )
    for loop, value in median.items():
        ratio = f"   {ratios[loop]:.1f} times slower" if loop in ratios else ""
        step = 1e3 * value / setting.steps
        print(f"{loop:10s} {1 / value:7.2f} candidates/s   {step:6.3f} ms a step{ratio}")
    print(
        f"outside training: {outside['share']:.1%} of {outside['total']:.1f} s (digits, 64 trials)"
    )
    if given.json is not None:
        given.json.write_text(json.dumps({"median": median, "ratio": ratios, "outside": outside}))


if __name__ == "__main__":
    main()
