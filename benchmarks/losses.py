"""The catalogue of losses: writes the table of the README and docs/losses.md, and measures.

    python -m benchmarks.losses [--declared] [--repeats 101]

The declarations are written between the markers of both files, the measurements, at default
parameters, into docs/losses.md. With `--declared` nothing is measured.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from autoloss.losses import Loss, certify, get, names
from autoloss.losses.minimum import FAR, ExpectedLoss
from autoloss.losses.samples import context_for, draw, draw_labels, logits_for, sizes_for
from benchmarks.catalogue import (
    DOCUMENT,
    README,
    STORED,
    write_catalogue,
    write_declared,
    write_measured,
)

N_POSTERIORS, EXTREME = 12, 1e4
K, B, C = 32, 256, 10


@dataclass(frozen=True)
class Measured:
    """The measurements of a loss at its default parameters.

    Args:
        kinds: The information of the minimum on the posterior, for two and for four classes; None
            if undefined.
        readout_error: The largest error of the declared read-out; None without one.
        scales: The gradient at equal logits in units of cross-entropy's, for 2, 10 and 100
            classes.
        slope: The largest gradient on one logit, logits up to 30 in size.
        is_slope_bounded: Whether the gradient stays as large for logits 100 times as large.
        is_value_bounded: Whether the loss stays as large there.
        cost: Time of value and gradient in units of cross-entropy's.
        is_finite: Whether values and gradients are finite at logits of 1e4 in float32.
    """

    kinds: tuple[str | None, str | None]
    readout_error: float | None
    scales: tuple[float | None, ...]
    slope: float
    is_slope_bounded: bool
    is_value_bounded: bool
    cost: float
    is_finite: bool


def measure(loss: Loss, *, repeats: int) -> Measured:
    """Return the measurements of a loss."""
    near, far = _steepest(loss, 30.0), _steepest(loss, 3000.0)
    values, slopes = _extremes(loss)
    return Measured(
        kinds=(_kind(loss, 2), _kind(loss, 4)),
        readout_error=_readout_error(loss),
        scales=tuple(_scale(loss, n) for n in (2, 10, 100)),
        slope=near[0],
        is_slope_bounded=far[0] < 2.0 * near[0],
        is_value_bounded=far[1] < 2.0 * max(near[1], 1e-9),
        cost=_cost(loss, repeats),
        is_finite=bool(values.isfinite().all() and slopes.isfinite().all()),
    )


def with_gradient(loss: Loss, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values of a loss at its defaults, and their gradient."""
    logits = logits.clone().requires_grad_()
    values = loss(logits, targets, context=context_for(loss, logits))
    return values.detach(), torch.autograd.grad(values.sum(), logits)[0]


def _serves(loss: Loss, n_classes: int) -> bool:
    return n_classes in sizes_for(loss, n_classes) and (n_classes > 2 or "binary" in loss.tasks)


def _kind(loss: Loss, n_classes: int) -> str | None:
    """Return the kind of certificate; None if the loss depends on more than one example."""
    if not _serves(loss, n_classes) or loss.memory is not None:
        return None
    context = context_for(loss, torch.full((1, n_classes), 5.0, dtype=torch.float64))
    return certify(loss, n_classes, context=context).kind


def _readout_error(loss: Loss) -> float | None:
    """Return the largest error of the declared read-out at minima for random posteriors."""
    if not loss.has_exact_readout:
        return None
    (n,) = sizes_for(loss, 4)
    context = context_for(loss, torch.full((1, n), 5.0, dtype=torch.float64))
    bound = 1.0 if loss.head == "cosine" else FAR
    posteriors = torch.distributions.Dirichlet(torch.ones(n, dtype=torch.float64))
    torch.manual_seed(0)
    worst = 0.0
    for posterior in posteriors.sample((N_POSTERIORS,)):
        expected = ExpectedLoss(lambda z, y: loss(z, y, context=context), posterior, bound=bound)
        found = loss.readout(expected.minimum().logits[None], context=context).exp()[0]
        worst = max(worst, float((found - posterior).abs().max()))
    return worst


def _scale(loss: Loss, n_classes: int) -> float | None:
    if not _serves(loss, n_classes) or loss.memory is not None:
        return None
    context = context_for(loss, torch.zeros(1, n_classes, dtype=torch.float64))
    return loss.gradient_scale(n_classes, context=context)


def _steepest(loss: Loss, size: float) -> tuple[float, float]:
    """Return the largest gradient on a logit and the range of values, for logits up to a size."""
    (n,) = sizes_for(loss, 4)
    sharp = torch.eye(n, dtype=torch.float64)
    shapes = torch.cat([sharp, -sharp, draw(200, n).clamp(-1.0, 1.0)])
    size = min(size, 1.0) if loss.head == "cosine" else size
    grid = torch.cat([share * size * shapes for share in torch.linspace(0.0, 1.0, 41)])
    labels = torch.arange(n).repeat(len(grid))
    values, slopes = with_gradient(loss, grid.repeat_interleave(n, 0), labels)
    return float(slopes.abs().max()), float(values.max() - values.min())


def _extremes(loss: Loss) -> tuple[Tensor, Tensor]:
    (n,) = sizes_for(loss, 4)
    corners = torch.cartesian_prod(*[torch.tensor([-EXTREME, 0.0, EXTREME])] * n)
    labels = torch.arange(n).repeat(len(corners))
    return with_gradient(loss, corners.repeat_interleave(n, 0), labels)


def _cost(loss: Loss, repeats: int) -> float:
    """Return the time of value and gradient for 32 candidates as a multiple of cross-entropy's."""
    (n,) = sizes_for(loss, C)
    ours, theirs = _step(loss, n), _step(get("cross_entropy"), n)
    for _ in range(5):
        ours(), theirs()
    # Side by side, so that noise of the machine affects both.
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(repeats)]
    return statistics.median(mine / other for mine, other in pairs)


def _step(loss: Loss, n_classes: int) -> Callable[[], object]:
    logits = logits_for(loss, K, B, n_classes, scale=2.0).float().requires_grad_()
    targets = draw_labels(K, B, n_classes=n_classes)
    context = context_for(loss, logits)
    columns = {
        name: torch.full((K, 1), float(one.default)) for name, one in loss.parameters.items()
    }

    def step() -> object:
        values = loss.of_labels(logits, targets, columns, context=context)
        return torch.autograd.grad(values.sum(), logits)

    return step


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def main() -> None:
    """Write the declarations and, without `--declared`, the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--declared", action="store_true", help="keep the measurements")
    parser.add_argument("--repeats", type=int, default=101, help="pairs of timed steps a loss")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parents[1])
    options = parser.parse_args()
    # On a busy machine several threads would wait for each other.
    torch.set_num_threads(1)
    write_declared(options.folder / README, options.folder / DOCUMENT)
    write_catalogue(options.folder / STORED)
    if options.declared:
        return
    found = {}
    for name in names():
        found[name] = measure(get(name), repeats=options.repeats)
        print(f"{name}: {found[name]}", flush=True)
    write_measured(options.folder / DOCUMENT, found)


if __name__ == "__main__":
    main()
