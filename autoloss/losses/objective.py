"""The losses of all candidates in one call, and the read-outs that undo them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from autoloss.errors import InputError
from autoloss.losses.context import LossContext
from autoloss.losses.group import Group
from autoloss.losses.labels import pick
from autoloss.losses.numerics import log_softmax
from autoloss.losses.priors import check_class_counts, log_class_weights, logit_adjustment
from autoloss.losses.registry import get, is_proper_at
from autoloss.losses.spec import LossSpec
from autoloss.losses.targets import unsmooth

# What remains of a neutral prior after rounding in float64.
_NOTHING = 1e-12


class Objective:
    """The training losses of K candidates as one call.

    Temperature, prior and target are one expression over all K, left out where every candidate is
    neutral; bases are applied to groups of neighbours. Candidates sorted by base cost no copy.

    Args:
        specs: One loss a candidate.
        class_counts: Training rows of each class, ``(C,)`` or, where candidates train on rows of
            their own, ``(K, C)``. A class without rows is treated as one with a single row.
        dtype: In which the losses are computed.
        device: On which the logits are.

    Raises:
        InputError: If `specs` is empty or `class_counts` does not fit.

    Examples:
        >>> specs = [LossSpec("cross_entropy"), LossSpec("focal"), LossSpec("brier")]
        >>> objective = Objective(specs, torch.tensor([5, 5]))
        >>> objective(torch.zeros(3, 1, 2), torch.tensor([0]))
        tensor([[0.6931],
                [0.1733],
                [0.5000]])
    """

    def __init__(
        self,
        specs: Sequence[LossSpec],
        class_counts: Tensor,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.specs = tuple(specs)
        if not self.specs:
            raise InputError("specs must hold one loss or more, but got specs=[].")
        self._counts = check_class_counts(class_counts)
        if self._counts.ndim == 2 and len(self._counts) != len(self.specs):
            raise InputError(
                f"class_counts must have one row for each of {len(self.specs)} candidates, "
                f"but got class_counts.shape={tuple(self._counts.shape)}."
            )
        self.dtype, self.device = dtype, torch.device(device)
        order = _grouped_order(self.specs)
        is_sorted = order == list(range(len(order)))
        self._order = None if is_sorted else torch.tensor(order, device=device)
        self._back = None if self._order is None else self._order.argsort()
        self._make_parts()
        self._make_groups(order)

    def __call__(
        self, logits: Tensor, targets: Tensor, *, context: LossContext | None = None
    ) -> Tensor:
        """Return the loss of every example of every candidate.

        Args:
            logits: Raw scores.
            targets: Classes (int64), or class probabilities (floats).
            context: What some losses need besides.

        Shape:
            ``logits (K, B, C)``, ``targets (K, B)``, ``(B,)``, or as probabilities ``(K, B, C)``,
            ``(B, C)`` → ``(K, B)``.
        """
        soft = targets.is_floating_point()
        scores = self._scores(logits.to(self.dtype))
        targets = targets.expand(scores.shape if soft else scores.shape[:-1])
        if self._order is not None:
            scores, targets = scores[self._order], targets[self._order]
        log_probs = log_softmax(scores) if self._any_local else scores
        if soft:
            cut = self._cut(scores, log_probs, targets)
            found = [group.expected_values(*part, context=context) for group, part in cut]
        else:
            cut = self._cut(scores, log_probs, pick(log_probs, targets), targets)
            found = [group.values(*part, context=context) for group, part in cut]
        values = found[0] if len(found) == 1 else torch.cat(found)
        return values if self._back is None else values[self._back]

    @property
    def class_counts(self) -> Tensor:
        """Return the training rows of each class, ``(C,)`` or ``(K, C)``."""
        return self._counts

    def keep(self, rows: Sequence[int]) -> Objective:
        """Return the objective of some of the candidates, in the order of `rows`."""
        rows = list(rows)
        counts = self._counts[rows] if self._counts.ndim == 2 else self._counts
        specs = [self.specs[row] for row in rows]
        return Objective(specs, counts, dtype=self.dtype, device=self.device)

    def log_links(self, logits: Tensor) -> Tensor:
        """Return the log posterior by the exact read-out of every candidate.

        Temperature and logit adjustment go into the base's read-out; its result is divided by the
        class weights and freed of the smoothing. Exact at the minimum of the expected loss. A
        candidate without an exact read-out gets the log-softmax of its logits.

        Shape:
            ``(K, N, C)`` → ``(K, N, C)``.
        """
        scores = self._scores(logits)
        if self._order is not None:
            scores = scores[self._order]
        links = torch.cat([group.link(*part) for group, part in self._cut(scores)])
        if self._back is not None:
            links = links[self._back]
        if self._log_weights is not None:
            links = log_softmax(links - self._log_weights[:, None])
        if self._epsilon is not None:
            links = unsmooth(links, self._epsilon[..., None])
        if self._exact.all():
            return links
        return torch.where(self._exact[:, None, None], links, log_softmax(logits))

    def prior_corrected(self, logits: Tensor) -> Tensor:
        """Return scores of which only temperature and prior are undone, to be read by softmax.

        Shape:
            ``(K, N, C)`` → ``(K, N, C)``.
        """
        scores = self._scores(logits)
        return scores if self._log_weights is None else scores - self._log_weights[:, None]

    def _scores(self, logits: Tensor) -> Tensor:
        """Return what the bases see: logits divided by the temperature, then adjusted."""
        shape = (len(self.specs), self._counts.shape[-1])
        if logits.ndim != 3 or logits.shape[::2] != shape:
            raise InputError(
                f"logits must have shape (K, B, C) with K={shape[0]} and C={shape[1]}, "
                f"but got logits.shape={tuple(logits.shape)}."
            )
        scores = logits
        if self._inverse_temperature is not None:
            scores = scores * self._inverse_temperature
        return scores if self._adjustment is None else scores + self._adjustment

    def _cut(self, *tensors: Tensor) -> Iterator[tuple[Group, tuple[Tensor, ...]]]:
        """Return every group with its rows of the tensors."""
        # The gradient of one split is one copy; that of slices fills and adds a tensor each.
        pieces = zip(*(torch.split_with_sizes(one, self._sizes) for one in tensors), strict=True)
        return zip(self._groups, pieces, strict=True)

    def _make_parts(self) -> None:
        """Make the tensors of temperature, prior and target, None where neutral for all."""

        def column(key: str) -> Tensor:
            numbers = [spec.get(key, 0.0) for spec in self.specs]
            return torch.tensor(numbers, dtype=torch.float64)[:, None]

        def unless_neutral(tensor: Tensor, neutral: float = 0.0) -> Tensor | None:
            if bool((tensor - neutral).abs().le(_NOTHING).all()):
                return None
            return tensor.to(dtype=self.dtype, device=self.device)

        temperature = torch.tensor([spec.temperature for spec in self.specs], dtype=torch.float64)
        log_weights = log_class_weights(self._counts, column("class_weight.power"))
        adjustment = logit_adjustment(self._counts, column("logit_adjust.tau"))
        epsilon = column("smoothing.epsilon")
        self._inverse_temperature = unless_neutral(1.0 / temperature[:, None, None], 1.0)
        self._log_weights = unless_neutral(log_weights)
        self._adjustment = unless_neutral(adjustment[:, None])
        self._epsilon = unless_neutral(epsilon)

        has_prior = torch.maximum(_spread(log_weights), _spread(adjustment)) > _NOTHING
        bases = [get(spec.base) for spec in self.specs]
        plain = [
            is_proper_at(loss, spec.base_parameters)
            for loss, spec in zip(bases, self.specs, strict=True)
        ]
        exact = torch.tensor([loss.has_exact_readout for loss in bases])
        differs = has_prior | (temperature != 1.0) | (epsilon[:, 0] != 0.0) | ~torch.tensor(plain)
        self.has_prior = has_prior.to(self.device)
        self.has_link = (exact & differs).to(self.device)
        self._exact = exact.to(self.device)

    def _make_groups(self, order: list[int]) -> None:
        """Make one group of every run of candidates with the same base."""
        shape = (len(self.specs), self._counts.shape[-1])
        zeros = torch.zeros(shape, dtype=self.dtype, device=self.device)
        log_weights = zeros if self._log_weights is None else self._log_weights
        epsilon = zeros[:, :1] if self._epsilon is None else self._epsilon
        runs = itertools.groupby(order, key=lambda row: self.specs[row].base)
        members = [list(rows) for _, rows in runs]
        self._groups = [
            Group.make(
                [self.specs[row] for row in rows],
                log_weights=log_weights[rows],
                epsilon=epsilon[rows],
            )
            for rows in members
        ]
        self._sizes = [group.size for group in self._groups]
        self._any_local = any(group.loss.local for group in self._groups)


def _grouped_order(specs: Sequence[LossSpec]) -> list[int]:
    """Return the order in which candidates of one base are neighbours, stable otherwise."""
    first: dict[str, int] = {}
    for row, spec in enumerate(specs):
        first.setdefault(spec.base, row)
    return sorted(range(len(specs)), key=lambda row: first[specs[row].base])


def _spread(values: Tensor) -> Tensor:
    """Return the range of every row."""
    return values.amax(-1) - values.amin(-1)
