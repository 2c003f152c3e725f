"""The predictions of K candidates on the same rows, from which every metric is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.losses import ClassFacts
from autoloss.metrics.calibration import debiased_calibration_error
from autoloss.metrics.costs import Matrix, pair_thresholds
from autoloss.metrics.declare import Function
from autoloss.metrics.decoding import allowed_tags
from autoloss.metrics.entities import entity_counts, entity_tags
from autoloss.metrics.label_places import LabelPlaces
from autoloss.metrics.label_ranking import label_areas
from autoloss.metrics.label_thresholds import crossfitted_decisions
from autoloss.metrics.segments import overlap_parts
from autoloss.metrics.token_places import Runs, TokenPlaces

FloatArray: TypeAlias = NDArray[np.float64]
MetricFunction = Callable[..., float]


@dataclass(frozen=True, eq=False)
class Counts:
    """The counts over which averages run: of each class, or of the yes of each label.

    Args:
        hits: Rows that are rightly decided for it.
        true: Rows that have it.
        decided: Rows that are decided for it.
        of_one: The places that belong to class 1.
        in_mean: Whether a mean counts it.

    Shape:
        hits, true, decided and in_mean (K, A).
    """

    hits: FloatArray
    true: FloatArray
    decided: FloatArray
    of_one: slice
    in_mean: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The predictions of K candidates on N items, beside the true classes.

    Metrics of probabilities read tensors. `hits`, `true` and `decided` are arrays: for a standard
    error, a metric of decisions is computed ten thousand times for one candidate, and numpy is
    faster there.

    Args:
        scores: Calibrated probabilities or their logs; NaN for a candidate without finite logits.
        are_logs: Whether they are logs.
        classes: The true classes.
        facts: The kind of label, with the training rows of each class.
        cost_matrix: Cost of a decision (column) where a class is true (row); None for none.
        given_wrong: Whether each decision is wrong; by default the decision is the largest score.
        log_odds: Scores that rank the items by class 1; by default the scores of class 1.
        places: The label of each item; None for one label a row.
        tokens: The sequence of each item; None if the items are not tokens.
        row_costs: The cost of each item, by which those of its decisions are multiplied; None for
            1.

    Shape:
        scores (K, N, C), classes and row_costs (N,), cost_matrix (C, D), given_wrong (K, N),
        log_odds (K, N).
    """

    scores: Tensor
    are_logs: bool
    classes: Tensor
    facts: ClassFacts
    cost_matrix: Matrix | None = None
    given_wrong: Tensor | None = None
    log_odds: Tensor | None = None
    places: LabelPlaces | None = None
    tokens: TokenPlaces | None = None
    row_costs: Tensor | None = None

    @classmethod
    def of_probs(
        cls,
        probs: NDArray[Any],
        classes: NDArray[Any],
        *,
        facts: ClassFacts,
        cost_matrix: Matrix | None = None,
        places: LabelPlaces | None = None,
        tokens: TokenPlaces | None = None,
        row_costs: Tensor | None = None,
    ) -> Judged:
        """Return the predictions of one candidate, whose decisions are its likeliest classes.

        Shape:
            probs (N, C), classes (N,), cost_matrix (C, C).
        """
        return cls(
            scores=torch.from_numpy(probs)[None],
            are_logs=False,
            classes=torch.from_numpy(np.asarray(classes)),
            facts=facts,
            cost_matrix=cost_matrix,
            places=places,
            tokens=tokens,
            row_costs=row_costs,
        )

    def value(self, function: Function) -> Tensor:
        """Return a metric of each candidate as a tensor, (K,)."""
        return torch.as_tensor(function(self), device=self.scores.device)

    @property
    def n_classes(self) -> int:
        """Return the number of classes C."""
        return self.scores.shape[-1]

    @property
    def class_counts(self) -> Tensor:
        """Return the training rows of each class, shared (C,) or for each candidate (K, C)."""
        return self.facts.item_counts

    @cached_property
    def log_probs(self) -> Tensor:
        """Return the log probabilities, (K, N, C)."""
        return self.scores if self.are_logs else self.scores.log()

    @cached_property
    def wrong(self) -> Tensor:
        """Return whether each decision is wrong, (K, N)."""
        if self.given_wrong is not None:
            return self.given_wrong
        return self.scores.argmax(-1) != self.classes

    @property
    def wrong_rows(self) -> Tensor:
        """Return whether a decision on some label of each row is wrong, (K, N)."""
        _, rows = np.unique(self._labelled.rows, return_inverse=True)
        index, size = torch.from_numpy(rows).to(self.wrong.device), int(rows.max()) + 1
        sums = [torch.bincount(index, one.double(), minlength=size) for one in self.wrong]
        return torch.stack(sums) > 0

    @property
    def is_finite(self) -> Tensor:
        """Return which candidates have probabilities, (K,)."""
        return ~torch.isnan(self.scores).any(-1).any(-1)

    @property
    def ranking(self) -> Tensor:
        """Return the scores that rank the rows by class 1, (K, N)."""
        return self.scores[..., 1] if self.log_odds is None else self.log_odds

    @property
    def costs(self) -> Matrix:
        """Return the cost matrix, (C, C), for a metric that needs it."""
        if self.cost_matrix is None:
            raise TypeError("A cost must have a matrix, but got cost_matrix=None.")
        return self.cost_matrix

    @property
    def hits(self) -> FloatArray:
        """Return the rows of each class that are decided for it, (K, C)."""
        return self._counts[0]

    @property
    def true(self) -> FloatArray:
        """Return the rows of each class, (K, C)."""
        return self._counts[1]

    @property
    def decided(self) -> FloatArray:
        """Return the rows that are decided for each class, (K, C): it is the likeliest."""
        return self._counts[2]

    @cached_property
    def averaged(self) -> Counts:
        """Return the counts that averages are made of.

        Of several labels a row, decisions are made at thresholds for F1, of each label, that other
        rows decide; a mean leaves out labels that all rows have, or none.
        """
        if self.places is None:
            hits, true, decided = self._counts
            # A class that is neither true nor decided for does not count.
            return Counts(hits, true, decided, slice(1, 2), (true > 0) | (decided > 0))
        return self.counts_of(self._at_thresholds)

    @property
    def averaged_at_half(self) -> Counts:
        """Return the counts of several labels a row if yes is decided for where it is likelier."""
        return self.counts_of(self.scores.cpu().numpy().argmax(-1) == 1)

    def counts_of(self, decided: NDArray[np.bool_]) -> Counts:
        """Return the counts of the labels for some decisions for yes, (K, M)."""
        places, yes = self._labelled, self._true == 1
        true = np.broadcast_to(self.positives[0], (len(decided), places.n_labels))
        hits, chosen = (places.sums(one.astype(np.float64)) for one in (decided & yes, decided))
        varies = np.broadcast_to(self.positives.all(0), true.shape)
        return Counts(hits, true, chosen, slice(None), varies)

    @property
    def entities(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the entities found, true and decided, of each type, each (K, types)."""
        tokens = self.of_tokens
        known = entity_tags(tokens.names)
        if known is None:
            raise TypeError(f"Tags must mark entities, but got names={tokens.names}.")
        runs = tokens.runs
        true = self.true_tags(runs)
        found = [entity_counts(true, one, runs, known) for one in self.decided_tags(runs)]
        hits, trues, decided = (np.stack(parts) for parts in zip(*found, strict=True))
        return hits, trues, decided

    @property
    def overlaps(self) -> tuple[FloatArray, FloatArray]:
        """Return numerator and denominator of the segment overlap, each (K,)."""
        runs = self.of_tokens.runs
        true = self.true_tags(runs)
        parts = [overlap_parts(true, one, runs.follows) for one in self.decided_tags(runs)]
        above, below = np.array(parts).transpose(1, 0, 2) @ runs.times
        return above, below

    def true_tags(self, runs: Runs) -> NDArray[np.int64]:
        """Return the true tags of the tokens of some runs, (U,)."""
        return self._true[runs.index]

    def decided_tags(self, runs: Runs) -> list[NDArray[np.int64]]:
        """Return the decided tags of the tokens of some runs, K times (U,)."""
        tokens = self.of_tokens
        if not tokens.constrained:
            return [one[runs.index] for one in self._decided]
        scores = self.log_probs.cpu().numpy()[:, runs.index]
        return [allowed_tags(one, runs.follows, tokens.names) for one in scores]

    @property
    def of_tokens(self) -> TokenPlaces:
        """Return the sequences of the items, for a metric that needs them."""
        if self.tokens is None:
            raise TypeError("Tokens must have sequences, but got tokens=None.")
        return self.tokens

    @property
    def positives(self) -> FloatArray:
        """Return the rows with and without each of several labels, (2, L)."""
        yes = (self._true == 1).astype(np.float64)
        return self._labelled.sums(np.stack([yes, 1.0 - yes]))

    def mean_over_labels(self, values: FloatArray, *, weighted: bool = False) -> FloatArray:
        """Return the mean of some values of the labels; labels that are NaN do not count.

        Args:
            values: A value for each candidate and label.
            weighted: Whether a label counts by the rows that have it.

        Shape:
            values (K, L) -> (K,).
        """
        known = ~np.isnan(values)
        weights = known * (self.positives[0] if weighted else 1.0)
        total, below = (np.where(known, values, 0.0) * weights).sum(-1), weights.sum(-1)
        mean: FloatArray = np.divide(
            total, below, out=np.full_like(total, np.nan), where=below > 0
        )
        return mean

    @property
    def label_costs(self) -> Tensor:
        """Return the mean cost of an item's cheapest decision for several labels, (K,)."""
        pairs = torch.tensor(self.costs, dtype=torch.float64, device=self.scores.device)
        numbers = torch.from_numpy(self._labelled.numbers).to(pairs.device)
        threshold = pair_thresholds(self.costs).to(pairs.device)[numbers]
        probs, yes = self.log_probs[..., 1].double().exp(), self.classes == 1
        decided, own = probs > threshold, pairs[numbers]
        paid = (yes & ~decided) * own[:, 0] + (~yes & decided) * own[:, 1]
        return paid.mean(-1).where(self.is_finite, torch.nan)

    @cached_property
    def label_areas(self) -> tuple[FloatArray, FloatArray]:
        """Return the area under each label's ROC curve, and its average precision, (K, L)."""
        return label_areas(self.ranking.cpu().numpy(), self._true == 1, self._labelled)

    @property
    def label_calibration(self) -> FloatArray:
        """Return the debiased squared calibration error of each label's yes, (K, L)."""
        probs = self.log_probs[..., 1].double().exp()
        found = np.full((len(probs), self._labelled.n_labels), np.nan)
        every = self._labelled.by_label()
        for label in np.flatnonzero(self.positives.all(0)).tolist():
            own = torch.from_numpy(every[label]).to(probs.device)
            answers = self.classes[own].double().expand(len(probs), -1)
            found[:, label] = debiased_calibration_error(probs[:, own], answers).cpu().numpy()
        return found

    @property
    def _labelled(self) -> LabelPlaces:
        if self.places is None:
            raise TypeError("Several labels must have places, but got places=None.")
        return self.places

    @cached_property
    def _at_thresholds(self) -> NDArray[np.bool_]:
        """Return the decisions for yes at cross-fitted thresholds, (K, M)."""
        log_probs = self.log_probs.double()
        log_odds = (log_probs[..., 1] - log_probs[..., 0]).nan_to_num(nan=0.0).cpu().numpy()
        yes = self._true == 1
        return np.stack([crossfitted_decisions(one, yes, self._labelled) for one in log_odds])

    def ratio(self, above: FloatArray, below: FloatArray) -> FloatArray:
        """Return a quotient, 0 where the denominator is 0, as in scikit-learn."""
        quotient: FloatArray = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return quotient

    def per_candidate(self, function: MetricFunction) -> FloatArray:
        """Return a function of probabilities (N, C) and classes (N,) for each candidate, (K,).

        It is NaN for a candidate without finite predictions.
        """
        probs = self.scores.exp() if self.are_logs else self.scores
        arrays, values = probs.cpu().numpy(), np.full(len(probs), np.nan)
        for k in self.is_finite.nonzero().flatten().tolist():
            values[k] = function(arrays[k], self._true)
        return values

    @cached_property
    def _decided(self) -> NDArray[np.int64]:
        """Return the likeliest class of each item, (K, N)."""
        decided: NDArray[np.int64] = self.scores.cpu().numpy().argmax(-1)
        return decided

    @cached_property
    def _true(self) -> NDArray[np.int64]:
        true: NDArray[np.int64] = self.classes.cpu().numpy()
        return true

    @cached_property
    def _counts(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return hits, true and decided rows of each class, each (K, C)."""
        n = self.n_classes
        counts = np.empty((3, len(self.scores), n))
        for k, decided in enumerate(self._decided):
            table = np.bincount(self._true * n + decided, minlength=n * n).reshape(n, n)
            counts[:, k] = np.diag(table), table.sum(1), table.sum(0)
        return counts[0], counts[1], counts[2]
