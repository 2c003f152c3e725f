"""The cost of each decision rule on the rows of the verdict, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.losses import ClassFacts, LossSpec, Objective, get
from autoloss.metrics import cost_decisions
from autoloss.records.estimates import Estimate
from autoloss.records.insights import RuleCost

DRAWS = 500
_CHUNK = 1 << 22
SHIFTS = ("class_weight", "effective_number", "logit_adjust", "given_weights")
"""The priors that shift the logits of a class alike in all rows."""
Matrix = tuple[tuple[float, ...], ...]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RuledModel:
    """The log probabilities of a model, from which rules decide.

    Args:
        role: Its role.
        calibrated: By its read-out.
        raw: By the softmax of its logits; None if unknown.
        corrected: By the softmax with the prior of its loss undone; None for no such prior.

    Shape:
        each ``(N, C)``.
    """

    role: str
    calibrated: Tensor
    raw: Tensor | None = None
    corrected: Tensor | None = None


def prior_undone(raw: Tensor, spec: LossSpec, facts: ClassFacts) -> Tensor | None:
    """Return log probabilities with the prior of a loss undone; None for no such prior.

    A prior of `SHIFTS` moves the logarithm of each class's odds alike in all rows, so that it can
    be undone in the mean of several training runs.

    Args:
        raw: Log probabilities by the softmax of the logits.
        spec: The loss.
        facts: The kind of label, with the training rows of each class.

    Shape:
        raw and result ``(N, C)``.
    """
    if spec.prior not in SHIFTS or get(spec.base).view is not None:
        return None
    objective = Objective([spec], facts, dtype=torch.float64, device=raw.device)
    return objective.prior_corrected(raw.double()[None])[0].log_softmax(-1)


def rule_costs(
    models: Sequence[RuledModel],
    targets: IntArray,
    costs: Matrix,
    clusters: NDArray[np.integer] | None,
    *,
    row_costs: FloatArray | None = None,
    seed: int,
) -> tuple[RuleCost, ...]:
    """Return the cost of each rule, first that of one decision for all rows.

    Args:
        models: The models.
        targets: The true classes.
        costs: Cost of each decision (column) for each true class (row).
        clusters: The cluster of each row; None if rows are independent.
        row_costs: The cost of each row, by which those of its decisions are multiplied; None for
            1.
        seed: Seed of the bootstrap.

    Shape:
        targets, clusters and row_costs ``(N,)``.
    """
    price, nothing = np.asarray(costs, dtype=np.float64), np.zeros(len(targets))
    of_row = np.ones(len(targets)) if row_costs is None else row_costs
    alike = np.full(len(targets), (price[targets] * of_row[:, None]).mean(0).argmin())
    ruled: list[tuple[str, str, IntArray, FloatArray]] = [("", "one", alike, nothing)]
    for model in models:
        first = model.calibrated if model.raw is None else model.raw
        likeliest = first.argmax(-1).cpu().numpy()
        ruled.append((model.role, "likeliest", likeliest, nothing))
        rules = {"raw": model.raw, "corrected": model.corrected, "calibrated": model.calibrated}
        for rule, log_probs in rules.items():
            if log_probs is not None:
                decided = cost_decisions(log_probs.exp(), costs).cpu().numpy()
                saved = price[targets, likeliest] - price[targets, decided]
                ruled.append((model.role, rule, decided, saved))
    paid = np.stack([part for *_, own, saved in ruled for part in (price[targets, own], saved)])
    found = _means(paid * of_row, clusters, seed)
    return tuple(
        RuleCost(role, rule, cost, saved, float((decided >= len(price)).mean()))
        for (role, rule, decided, _), cost, saved in zip(
            ruled, found[::2], found[1::2], strict=True
        )
    )


def _means(values: FloatArray, clusters: NDArray[np.integer] | None, seed: int) -> list[Estimate]:
    """Return means over rows with 95 % intervals, of the same samples of clusters for all.

    Shape:
        values ``(V, N)``, clusters ``(N,)``.
    """
    own = np.arange(values.shape[1]) if clusters is None else clusters
    _, place = np.unique(own, return_inverse=True)
    sizes = np.bincount(place).astype(np.float64)
    sums = np.stack([sizes, *(np.bincount(place, one) for one in values)])
    n = len(sizes)
    random, chances = np.random.default_rng([seed, 29]), np.full(n, 1 / n)
    step = max(1, _CHUNK // n)
    drawn = np.concatenate(
        [
            random.multinomial(n, chances, size=min(step, DRAWS - start)) @ sums.T
            for start in range(0, DRAWS, step)
        ]
    )
    low, high = np.quantile(drawn[:, 1:] / drawn[:, :1], [0.025, 0.975], axis=0)
    means = values.mean(axis=1)
    return [Estimate(*map(float, one)) for one in zip(means, low, high, strict=True)]
