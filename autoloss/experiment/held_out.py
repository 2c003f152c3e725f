"""The predictions of finalists for the rows that their training runs held out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.inference.ood import OodScore
from autoloss.losses import ClassFacts
from autoloss.metrics.ood_figures import spread_places
from autoloss.readout import Items, MeanTemperature, fit_mean_temperature
from autoloss.verdict.blend import greedy_weights
from autoloss.verdict.pooled import PooledRows

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]
Weights = Mapping[int, float]
_SCORED = 16_384
"""The most rows whose OOD scores are computed."""


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """The rows that the training runs of the finalists held out, one training run after another.

    Args:
        targets: Classes.
        rows: Numbers of the rows in their table; a row appears for every training run that held it
            out, and for each of its items.
        clusters: The cluster of each row.
        keys: Numbers that identify the items: row numbers for one label a row; see
            `Items.keys`.
        sizes: The number of rows of each training run.
        row_costs: The cost of each row; None for 1.

    Shape:
        all but sizes ``(P,)``.
    """

    targets: NDArray[np.int64]
    rows: NDArray[np.int64]
    clusters: NDArray[np.int64]
    keys: NDArray[np.int64]
    sizes: tuple[int, ...]
    row_costs: NDArray[np.float64] | None = None

    @cached_property
    def pooled(self) -> PooledRows:
        """Return the items, each once."""
        return PooledRows.of(self.keys, self.targets)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The predictions of a finalist for the held-out rows of its training runs, concatenated.

    Args:
        log_probs: Cross-fitted log probabilities.
        scores: Returns the logits of each class, which few need.
        of: The rows, which all finalists share.

    Shape:
        log_probs and the result of scores ``(P, C)``.
    """

    log_probs: FloatArray
    scores: Callable[[], FloatArray]
    of: HeldOutRows

    @property
    def pooled(self) -> PooledRows:
        """Return the items, each once."""
        return self.of.pooled

    def raw(self) -> FloatArray:
        """Return the mean softmax of the logits of each row, as log probabilities, (N, C)."""
        log_probs = torch.from_numpy(self.scores()).double().log_softmax(-1).numpy()
        return self.pooled.mean([log_probs])

    def items(self, facts: ClassFacts) -> Items:
        """Return the items with their clusters, each once."""
        clusters = torch.from_numpy(self.pooled.once(self.of.clusters))
        costs = self.of.row_costs
        own = None if costs is None else torch.from_numpy(self.pooled.once(costs))
        return pooled_items(self.pooled, clusters, facts).costing(own)

    def mean(self) -> FloatArray:
        """Return the mean log probabilities of the training runs that held out a row, (N, C)."""
        return self.pooled.mean([self.log_probs])

    def calibrated(self, seed: int) -> FloatArray:
        """Return `mean` at temperatures that other rows decided, (N, C)."""
        return HeldOutFinalists({0: self}).crossfitted(lambda pool, rows: {0: 1.0}, seed)


def pooled_items(pooled: PooledRows, clusters: Tensor, facts: ClassFacts) -> Items:
    """Return the items that several training runs held out, each once.

    Args:
        pooled: The items, told apart by `Items.keys`.
        clusters: The cluster of each.
        facts: The kind of label.

    Shape:
        clusters (M,).
    """
    labels = torch.from_numpy(np.asarray(pooled.targets))
    if facts.item_axes == 1:
        return Items.of(labels, facts).clustered(clusters)
    return replace(Items.pooled(torch.from_numpy(pooled.rows), labels), clusters=clusters)


class HeldOutFinalists:
    """The predictions of all finalists for the rows that their training runs held out.

    Args:
        held_out: The predictions of each finalist; their training runs hold out the same rows.
    """

    def __init__(self, held_out: Mapping[int, HeldOut]) -> None:
        first = next(iter(held_out.values()))
        self.held_out = held_out
        self.numbers = tuple(held_out)
        self._first = first
        self._pooled = first.pooled
        # The mean of the last weights, which several folds share.
        self._last: tuple[Weights, FloatArray, FloatArray] | None = None
        self.targets: IntArray = self._pooled.targets
        self.every: IntArray = np.arange(len(self.targets))

    @cached_property
    def _of_truth(self) -> FloatArray:
        """Return each row's probability of the true class, the mean of its runs, (F, N)."""
        means = [np.exp(one.mean()[self.every, self.targets]) for one in self.held_out.values()]
        return np.stack(means)

    def items(self, facts: ClassFacts) -> Items:
        """Return the items with their clusters, each once."""
        return self._first.items(facts)

    def lowest(self, rows: IntArray, among: Sequence[int]) -> Weights:
        """Return the finalist with the lowest log loss on some rows, with weight 1."""
        losses = -np.log(self._of_truth[:, rows]).mean(axis=1)
        return {min(among, key=lambda number: (losses[self.numbers.index(number)], number)): 1.0}

    def blend(self, rows: IntArray) -> Weights:
        """Return the weights of a blend that are selected on some rows."""
        weights = greedy_weights(self._of_truth[:, rows])
        pairs = zip(self.numbers, weights.tolist(), strict=True)
        return {number: weight for number, weight in pairs if weight > 0.0}

    def ood_scores(
        self, weights: Weights, scores: Iterable[OodScore]
    ) -> dict[OodScore, FloatArray]:
        """Return OOD scores, the mean of the training runs of each row, each (n,).

        Args:
            weights: The finalists of a mean.
            scores: The scores.

        Returns:
            The scores of all rows, of some that are spread over them if there are very many.
        """
        pooled, found = self._pooled, dict[OodScore, FloatArray]()
        own, place = pooled.among(spread_places(len(pooled.rows), _SCORED))
        logits = [torch.from_numpy(self.held_out[number].scores()[own]) for number in weights]
        for score in scores:
            single = score(logits, weights=list(weights.values())).numpy()
            found[score] = np.bincount(place, single) / np.bincount(place)
        return found

    def temperature(self, weights: Weights, rows: IntArray) -> MeanTemperature:
        """Return the temperature of a mean by its training runs.

        Args:
            weights: The finalists of the mean.
            rows: The rows that decide, ascending.
        """
        return self._fitted(weights, rows)[0]

    def crossfitted(
        self, chosen: Callable[[HeldOutFinalists, IntArray], Weights], seed: int
    ) -> FloatArray:
        """Return the predictions of a policy, its choice and temperature made on other rows."""

        def predict(rest: IntArray, rows: IntArray) -> FloatArray:
            found, means = self._fitted(chosen(self, rest), rest)
            return found.calibrated(means[rows], self._pooled.counts[rows])

        return self._pooled.crossfitted(
            predict,
            self._first.of.clusters,
            n_classes=self._first.log_probs.shape[1],
            seed=seed,
        )

    def _fitted(self, weights: Weights, rows: IntArray) -> tuple[MeanTemperature, FloatArray]:
        """Return the temperature of a mean, and the mean of each row without it."""
        parts = [self.held_out[number].log_probs for number in weights]
        if self._last is None or self._last[0] != weights:
            single = _weighted(parts, list(weights.values()))
            self._last = weights, single, self._pooled.mean([single])
        _, single, means = self._last
        own, place = self._pooled.among(rows)
        found = fit_mean_temperature(
            single[own],
            means[rows],
            self.targets[rows],
            place,
            parts=[part[own] for part in parts] if len(parts) > 1 else (),
            weights=tuple(weights.values()),
        )
        return found, means


def _weighted(log_probs: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    """Return the weighted mean of probabilities as log probabilities, (P, C)."""
    if len(log_probs) == 1:
        return log_probs[0]
    parts = [one + np.log(weight) for one, weight in zip(log_probs, weights, strict=True)]
    found: FloatArray = torch.from_numpy(np.stack(parts)).logsumexp(0).numpy()
    return found
