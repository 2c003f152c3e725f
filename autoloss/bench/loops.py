"""Three training loops for the same candidates: together, one by one, and that of tutorials."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from autoloss.bench.problem import DROPOUT, N_CLASSES, Setting
from autoloss.core.devices import threads
from autoloss.executors import ProcessCrew, ProcessExecutor, Work
from autoloss.training import EncodedRows, EncodedTokens, Orders, train


def make_net(setting: Setting) -> nn.Sequential:
    """Return the network of a setting as modules of torch that take encoded rows."""
    network = setting.network
    config, layers = network.config, list[nn.Module]()
    width = network.encoded_width
    for _ in range(config.depth):
        layers.append(nn.Linear(width, config.width))
        if config.normalise:
            layers.append(nn.LayerNorm(config.width, elementwise_affine=False))
        layers += [nn.ReLU(), nn.Dropout(DROPOUT)]
        width = config.width
    return nn.Sequential(*layers, nn.Linear(width, N_CLASSES)).to(setting.job.device)


def encoded(rows: EncodedRows | EncodedTokens) -> Tensor:
    """Return all rows as inputs of the network's first layer, ``(N, D)``."""
    assert isinstance(rows, EncodedRows)
    return rows.features(torch.arange(len(rows), device=rows.targets.device)[None])["dense"][0]


class TogetherLoop:
    """Trains candidates as a search does: on a CPU in worker processes, if it would start several.

    Args:
        setting: The problem, which tells the device and the number of candidates.
    """

    def __init__(self, setting: Setting) -> None:
        trials = len(setting.candidates)
        self._crew = ProcessCrew()
        self._staffing = self._crew.staff("auto", trials=trials, device=setting.job.device)

    def __enter__(self) -> Self:
        # Torch keeps its threads in this process for the other loops: workers idle meanwhile.
        n_threads = torch.get_num_threads()
        self._crew.begin(self._staffing)
        torch.set_num_threads(n_threads)
        return self

    def __exit__(self, *error: object) -> None:
        self._crew.close()

    def run(self, setting: Setting) -> int:
        """Train all candidates of a setting; return their number."""
        if len(self._crew):
            with threads(1):
                self._in_workers(setting)
        else:
            train(setting.job, setting.candidates)
            _finish(setting)
        return len(setting.candidates)

    def _in_workers(self, setting: Setting) -> None:
        executor = ProcessExecutor(
            self._crew,
            together=len(setting.candidates),
            on_epoch=lambda report: None,
            on_halved=lambda together: None,
            on_local=lambda reason: None,
        )
        work = Work(setting.jobs, tuple(setting.candidates), needs_weights=False)
        for _ in executor.submit(work):
            pass


def run_tight(setting: Setting, n_candidates: int, products: torch.dtype = torch.float32) -> int:
    """Train candidates one by one, in a loop without anything that can be left out.

    Args:
        setting: The problem.
        n_candidates: Candidates to train.
        products: Type of the matrix products in training, through torch's autocast.
    """
    job = setting.job
    inputs, targets = encoded(job.train), job.train.targets
    valid_inputs = encoded(job.valid)
    for candidate in setting.candidates[:n_candidates]:
        net = make_net(setting)
        optimiser = torch.optim.AdamW(
            net.parameters(), lr=candidate.lr, weight_decay=candidate.weight_decay, fused=True
        )
        orders = Orders([0], len(job.train), job.config.batch_size, device=job.device)
        for _ in range(setting.epochs):
            net.train()
            for rows in orders.epoch():
                with torch.autocast(
                    job.device.type, dtype=torch.bfloat16, enabled=products != torch.float32
                ):
                    logits = net(inputs[rows[0]])
                loss = functional.cross_entropy(logits.float(), targets[rows[0]])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            net.eval()
            with torch.no_grad():
                functional.cross_entropy(net(valid_inputs), job.valid.targets).item()
    _finish(setting)
    return n_candidates


def run_tutorial(setting: Setting, n_candidates: int) -> int:
    """Train candidates one by one as the tutorials do, but without Optuna and MLflow."""
    for candidate in setting.candidates[:n_candidates]:
        train_as_tutorials(setting, candidate.lr)
    _finish(setting)
    return n_candidates


def train_as_tutorials(
    setting: Setting, lr: float, *, after_epoch: Callable[[float, int], None] | None = None
) -> float:
    """Train one candidate as the tutorials of PyTorch and Optuna do; return its accuracy.

    Args:
        setting: The problem.
        lr: Learning rate.
        after_epoch: Called with the accuracy and the epoch, from 0.
    """
    job = setting.job
    device, batch_size = job.device, job.config.batch_size
    train_set = TensorDataset(encoded(job.train).cpu(), job.train.targets.cpu())
    valid_set = TensorDataset(encoded(job.valid).cpu(), job.valid.targets.cpu())
    loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, drop_last=True)
    valid_loader = DataLoader(valid_set, batch_size=batch_size)
    net = make_net(setting)
    optimiser = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.01)
    accuracy = 0.0
    for epoch in range(setting.epochs):
        net.train()
        for data, target in loader:
            data, target = data.to(device), target.to(device)
            optimiser.zero_grad()
            loss = functional.cross_entropy(net(data), target)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        net.eval()
        correct = 0
        with torch.no_grad():
            for data, target in valid_loader:
                data, target = data.to(device), target.to(device)
                prediction = net(data).argmax(dim=1, keepdim=True)
                correct += prediction.eq(target.view_as(prediction)).sum().item()
        accuracy = correct / len(valid_set)
        if after_epoch is not None:
            after_epoch(accuracy, epoch)
    return accuracy


def seconds_each(run: Callable[[], int]) -> float:
    """Return the seconds per candidate."""
    started = time.perf_counter()
    n_candidates = run()
    return (time.perf_counter() - started) / n_candidates


def tight_seconds_each(setting: Setting, n_candidates: int) -> float:
    """Return the seconds per candidate of the tight loop in its fastest form.

    The forms differ in the number of threads, and in the type of the products: float32, or the
    type that the population uses.
    """
    found = []
    for n_threads in sorted({1, torch.get_num_threads()}):
        with threads(n_threads):
            for products in sorted({torch.float32, setting.job.products}, key=str):
                run = partial(run_tight, setting, n_candidates, products)
                found.append(seconds_each(run))
    return min(found)


def _finish(setting: Setting) -> None:
    """Wait until the device is idle."""
    if setting.job.device.type == "cuda":
        torch.cuda.synchronize(setting.job.device)
