"""The facts about the classes that losses read: kind of label, counts, weights, similarity."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.task import YES_OR_NO, TaskKind, kind_of_classes
from autoloss.losses.labels import pairs


@dataclass(frozen=True, eq=False)
class ClassFacts:
    """The facts about the classes that losses read, float64 on the CPU.

    Args:
        counts: Training rows of each class; for several yes-or-no labels, the rows without and
            with each label. A leading axis gives each candidate its own.
        task: The kind of label; ``"multiclass"`` for a label of any number of classes, which is
            ``"binary"`` if they are two.
        weights: Class weights that the user gives.
        similarity: For each class a row, the distribution over which its label is spread.
        sampling: Share of each class's rows in the training, if some are left out at random; None
            otherwise. Read-outs undo it. A leading axis gives each candidate its own.
        names: The tags of sequences by name, which metrics of segments read; else empty.
        constrained: Whether these metrics decide for tags that may follow each other alone.

    Shape:
        - counts and sampling: ``(C,)`` or ``(K, C)``; multi-label ``(L, 2)`` or ``(K, L, 2)``
        - weights: ``(C,)``; multi-label ``(L, 2)``
        - similarity: ``(C, C)``
    """

    counts: Tensor
    task: TaskKind = "multiclass"
    weights: Tensor | None = None
    similarity: Tensor | None = None
    sampling: Tensor | None = None
    names: tuple[str, ...] = ()
    constrained: bool = False

    @classmethod
    def of(cls, class_counts: Tensor | ClassFacts) -> ClassFacts:
        """Return the facts for class counts; facts are returned as they are.

        Raises:
            InputError: If a value is not allowed.
        """
        if isinstance(class_counts, cls):
            return class_counts
        assert isinstance(class_counts, Tensor)
        return cls(class_counts)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", _checked_counts(self.counts, self.own_axes))
        shape = self.counts.shape[-self.own_axes :]
        if self.weights is not None:
            object.__setattr__(self, "weights", _checked_weights(self.weights, shape))
        if self.similarity is not None:
            object.__setattr__(self, "similarity", _checked_similarity(self.similarity, shape[-1]))
        if self.sampling is not None:
            object.__setattr__(
                self, "sampling", _checked_sampling(self.sampling, self.counts, shape)
            )
        if self.task == "binary" and self.n_classes != 2:
            raise InputError(
                f"class_counts must be of two classes for task='binary', but got {self.n_classes}."
            )
        if self.task == "multiclass":
            object.__setattr__(self, "task", kind_of_classes(self.n_classes))

    @property
    def own_axes(self) -> int:
        """Return the number of axes of a candidate's counts."""
        return 2 if self.task == "multilabel" else 1

    @property
    def item_axes(self) -> int:
        """Return the number of axes of the items: examples, or examples by positions or labels."""
        return 2 if self.task in ("multilabel", "sequence") else 1

    @property
    def n_classes(self) -> int:
        """Return C, which is 2 for several yes-or-no labels."""
        return self.counts.shape[-1]

    @property
    def row_scores(self) -> int:
        """Return the scores of a row or token: C, or two for each of several labels."""
        return self.counts.shape[-self.own_axes :].numel()

    @property
    def is_yes_or_no(self) -> bool:
        """Return whether an item has the classes no and yes, of which yes is positive."""
        return self.task in YES_OR_NO

    @property
    def is_stacked(self) -> bool:
        """Return whether every candidate has its own counts."""
        return self.counts.ndim > self.own_axes

    def of_item(self) -> ClassFacts:
        """Return the facts of an item by itself, as of rows with one label each.

        Several yes-or-no labels are taken together: counts are added, weights averaged.
        """
        if self.item_axes == 1:
            return self
        weights = self.weights
        if weights is not None and self.task == "multilabel":
            weights = weights.mean(-2)
        task: TaskKind = "binary" if self.task == "multilabel" else "multiclass"
        return ClassFacts(self.item_counts, task, weights, self.similarity)

    @property
    def item_counts(self) -> Tensor:
        """Return the rows of each class of an item before sampling, ``(C,)`` or ``(K, C)``.

        Several yes-or-no labels are counted together.
        """
        return self.population.sum(-2) if self.task == "multilabel" else self.population

    def over_classes(self, logits: Tensor) -> Tensor:
        """Return logits with an axis of classes: logits z of yes-or-no labels as pairs (0, z).

        Shape:
            multi-label ``(..., L)`` → ``(..., L, 2)``; others ``(..., C)`` → the same.
        """
        return pairs(logits) if self.task == "multilabel" else logits

    def with_constants(self, log_probs: Tensor) -> Tensor:
        """Return log probabilities in which labels that do not vary have a constant probability.

        A label of several that no training row has, or each, has the probability (n + 1/2) /
        (N + 1) for n of N rows: a network cannot learn it. Others stay as they are.

        Shape:
            ``(..., C)`` → the same; several labels ``(..., L, 2)``.
        """
        is_constant, values = self.constants
        if not bool(is_constant.any()):
            return log_probs
        return torch.where(is_constant.to(log_probs.device), values.to(log_probs), log_probs)

    @property
    def constants(self) -> tuple[Tensor, Tensor]:
        """Return which of several labels do not vary, and the log probabilities of the labels.

        Shape:
            ``(L, 1)`` and ``(L, 2)``; for other kinds of label nothing is constant.
        """
        counts = self.population
        values = ((counts + 0.5) / (counts.sum(-1, keepdim=True) + 1.0)).log()
        is_constant = counts.amin(-1, keepdim=True) == 0
        return is_constant & (self.task == "multilabel"), values

    @property
    def population(self) -> Tensor:
        """Return the rows of each class before sampling, in the shape of `counts`."""
        return self.counts if self.sampling is None else self.counts / self.sampling

    def thinned(self, sampling: Tensor) -> ClassFacts:
        """Return the facts of candidates that train on a random share of each class's rows.

        Args:
            sampling: The share of each class.

        Shape:
            - sampling: ``(C,)`` or ``(K, C)``
        """
        rates = sampling.detach().to(device="cpu", dtype=torch.float64)
        return replace(self, counts=self.population * rates, sampling=rates)

    def keep(self, rows: list[int]) -> ClassFacts:
        """Return the facts of some of the candidates."""
        if not self.is_stacked:
            return self
        sampling = None if self.sampling is None else self.sampling[rows]
        return replace(self, counts=self.counts[rows], sampling=sampling)

    def joined(self, other: ClassFacts) -> ClassFacts:
        """Return the facts of these candidates and, after them, of others of the same kind."""
        if not self.is_stacked:
            return self
        sampling = None
        if self.sampling is not None and other.sampling is not None:
            sampling = torch.cat([self.sampling, other.sampling])
        return replace(self, counts=torch.cat([self.counts, other.counts]), sampling=sampling)


def _checked_counts(counts: Tensor, own_axes: int) -> Tensor:
    """Return class counts in float64."""
    counts = counts.detach().to(device="cpu", dtype=torch.float64)
    fits = counts.ndim in (own_axes, own_axes + 1) and counts.shape[-1] >= 2
    fits = fits and (own_axes == 1 or counts.shape[-1] == 2)
    if not fits or not bool((counts >= 0).all()) or not bool((counts.sum(-1) > 0).all()):
        rule = "the rows of two or more classes, some of them above 0"
        if own_axes == 2:
            rule = "the rows without and with each label, shape (L, 2), some of them above 0"
        raise InputError(f"class_counts must be {rule}, but got class_counts={counts.tolist()}.")
    return counts


def _checked_weights(weights: Tensor, shape: torch.Size) -> Tensor:
    weights = weights.detach().to(device="cpu", dtype=torch.float64)
    if weights.shape != shape or not bool((weights > 0).all()) or not weights.isfinite().all():
        raise InputError(
            f"class_weights must be {tuple(shape)} numbers above 0, one for each class, but got "
            f"class_weights={weights.tolist()}."
        )
    return weights


def _checked_sampling(sampling: Tensor, counts: Tensor, shape: torch.Size) -> Tensor:
    """Return sampling rates in the shape of the counts."""
    sampling = sampling.detach().to(device="cpu", dtype=torch.float64)
    fits = sampling.shape in (counts.shape, shape)
    if not fits or not bool(((sampling > 0) & (sampling <= 1)).all()):
        raise InputError(
            "sampling must be shares in (0, 1], one for each class, but got "
            f"sampling={sampling.tolist()}."
        )
    return sampling.expand_as(counts)


def _checked_similarity(similarity: Tensor, n_classes: int) -> Tensor:
    """Return similarities as one distribution a row."""
    similarity = similarity.detach().to(device="cpu", dtype=torch.float64)
    fits = similarity.shape == (n_classes, n_classes) and bool((similarity >= 0).all())
    if not fits or not similarity.isfinite().all() or not bool((similarity.sum(-1) > 0).all()):
        raise InputError(
            f"class_similarity must be {n_classes} rows of {n_classes} numbers of at least 0, "
            f"some of each row above 0, but got shape {tuple(similarity.shape)}."
        )
    return similarity / similarity.sum(-1, keepdim=True)
