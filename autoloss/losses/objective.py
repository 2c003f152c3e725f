"""The losses of all candidates in one call, and the read-outs that undo them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from autoloss.core.errors import InputError
from autoloss.losses.added_terms import AddedTerms
from autoloss.losses.components import PENALTIES
from autoloss.losses.context import LossContext
from autoloss.losses.facts import ClassFacts
from autoloss.losses.group import Group
from autoloss.losses.numerics import log_softmax
from autoloss.losses.priors import STARTS, PriorTerms
from autoloss.losses.spec_data import SpecData
from autoloss.losses.targets import Mix, Spread

# A neutral prior may differ from 0 by this much, by rounding in float64.
_NOTHING = 1e-12


class Objective:
    """The training losses of K candidates as one call.

    Temperature, prior and target are one expression over all K, left out if every candidate is
    neutral. Each base is applied to the group of its candidates; candidates sorted by base need no
    copy.

    Args:
        specs: A loss for each candidate.
        class_counts: Training rows of each class: ``(C,)``, or ``(K, C)`` if candidates train on
            their own rows; or `ClassFacts`, which have more. A class without rows counts as a
            class with a single row.
        dtype: The dtype of the computation.
        device: The device of the logits.

    Raises:
        InputError: If `specs` is empty, `class_counts` does not fit, or a loss has no form for the
            kind of label.

    Examples:
        >>> from autoloss.losses import LossSpec
        >>> specs = [LossSpec("cross_entropy"), LossSpec("focal"), LossSpec("brier")]
        >>> objective = Objective(specs, torch.tensor([5, 5]))
        >>> objective(torch.zeros(3, 1, 2), torch.tensor([0]))
        tensor([[0.6931],
                [0.1733],
                [0.5000]])
    """

    def __init__(
        self,
        specs: Sequence[SpecData],
        class_counts: Tensor | ClassFacts,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.specs = tuple(specs)
        if not self.specs:
            raise InputError("specs must hold one loss or more, but got specs=[].")
        facts = self.facts = ClassFacts.of(class_counts)
        if facts.is_stacked and len(facts.counts) != len(self.specs):
            raise InputError(
                f"class_counts must have one row for each of {len(self.specs)} candidates, "
                f"but got class_counts.shape={tuple(facts.counts.shape)}."
            )
        for spec in self.specs:
            spec.check_task(facts.task)
        self.dtype, self.device = dtype, torch.device(device)
        order = _grouped_order(self.specs)
        is_sorted = order == list(range(len(order)))
        self._order = None if is_sorted else torch.tensor(order, device=device)
        self._back = None if self._order is None else self._order.argsort()
        self._make_parts()
        self._make_groups(order)

    def __call__(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        context: LossContext | None = None,
        mix: Mix | None = None,
    ) -> Tensor:
        """Return the loss of every item of every candidate.

        An item is an example, a position of a sequence, or one of an example's labels.

        Args:
            logits: Raw scores.
            targets: Classes (int64), or class probabilities (floats); for yes-or-no labels, 0 and
                1, or the probability of yes.
            context: Further values that some losses need.
            mix: The mixup of the batch, whose inputs are mixed already.

        Shape:
            ``logits (K, B, C)``, ``targets (K, B)``, ``(B,)``, or as probabilities ``(K, B, C)``,
            ``(B, C)`` → ``(K, B)``. Sequences: ``(K, B, T, C)`` → ``(K, B, T)``. Several
            yes-or-no labels: ``(K, B, L)`` → ``(K, B, L)``.
        """
        logits = logits.to(self.dtype)
        inputs = self._inputs(logits)
        soft = targets.is_floating_point()
        if soft and self.facts.task == "multilabel":
            targets = torch.stack([1.0 - targets, targets], -1)
        targets = targets.to(self.dtype) if soft else targets
        shape = (len(self.specs), *inputs[0].shape[1:])
        targets = targets.expand(shape if soft else shape[:-1])
        mix = mix if self.mixes else None
        values = self._base_values(inputs, targets, mix, context)
        if self._added is None:
            return values
        if mix is not None:
            one_hot = targets if soft else functional.one_hot(targets, shape[-1]).to(self.dtype)
            targets = mix.mixed(one_hot)
        views = self._joined(
            [group.view(part, context) for group, part in zip(self._groups, inputs, strict=True)]
        )
        return self._added.added(values, views, targets, context=context)

    @property
    def class_counts(self) -> Tensor:
        """Return the rows of each class before sampling, ``(C,)`` or ``(K, C)``."""
        return self.facts.population

    @property
    def mixes(self) -> bool:
        """Return whether a candidate trains on mixed examples."""
        return any(spec.mixture for spec in self.specs)

    def keep(self, rows: Sequence[int]) -> Objective:
        """Return the objective of some of the candidates, in the order of `rows`."""
        rows = list(rows)
        specs = [self.specs[row] for row in rows]
        kept = Objective(specs, self.facts.keep(rows), dtype=self.dtype, device=self.device)
        known = self._memories()
        kept._remember({place: known[row] for place, row in enumerate(rows) if row in known})
        return kept

    def joined(self, other: Objective) -> Objective:
        """Return the objective of these candidates, followed by another objective's candidates."""
        both = Objective(
            self.specs + other.specs,
            self.facts.joined(other.facts),
            dtype=self.dtype,
            device=self.device,
        )
        theirs = {len(self.specs) + row: one for row, one in other._memories().items()}
        both._remember(self._memories() | theirs)
        return both

    def reserve(self, n_rows: int, like: Tensor) -> None:
        """Let the memories of losses hold `n_rows` rows; a traced graph cannot grow them.

        Args:
            n_rows: Rows of the training data.
            like: Logits of any batch.

        Shape:
            - like: ``(K, B, C)``
        """
        for group in self._groups:
            if group.loss.memory is not None:
                group.reserve(n_rows, like)

    def _memories(self) -> dict[int, Tensor]:
        """Return the memory of each candidate that has one, by its row."""
        return {
            row: group.memory[i]
            for group in self._groups
            if group.memory is not None
            for i, row in enumerate(group.rows)
        }

    def _remember(self, memories: Mapping[int, Tensor]) -> None:
        """Take over memories by row; examples without one have zeros."""
        for group in self._groups:
            known = {i: memories[row] for i, row in enumerate(group.rows) if row in memories}
            if not known:
                continue
            longest = max(known.values(), key=len)
            group.memory = longest.new_zeros(group.size, *longest.shape)
            for i, one in known.items():
                group.memory[i, : len(one)] = one

    def log_links(self, logits: Tensor) -> Tensor:
        """Return the log posterior by the exact read-out of every candidate.

        The base's read-out gets the logits after temperature and prior. Its result is divided by
        the class weights, a penalty that moves the minimum is undone by its slope, and the
        smoothing is undone. The result is exact at the minimum of the expected loss. A candidate
        without an exact read-out gets the log-softmax of its logits. If rows were left out at
        random, each class is divided by its sampling rate last: the posterior is that of all rows.

        Shape:
            ``(K, N, C)`` → ``(K, N, C)``; multi-label: ``(K, N, L)`` → ``(K, N, L, 2)``.
        """
        inputs = self._inputs(logits)
        links = self._joined(
            [group.link(part) for group, part in zip(self._groups, inputs, strict=True)]
        )
        if self._log_weights is not None:
            links = log_softmax(links - self._log_weights)
        if self._added is not None:
            links = self._added.undone(links, self._joined(inputs))
        if self._spread is not None:
            links = self._spread.undo(links)
        if not self._all_exact:
            plain = self.facts.over_classes(logits)
            is_exact = self._exact.view(-1, *[1] * (links.ndim - 1))
            links = torch.where(is_exact, links, log_softmax(plain))
        if self._log_sampling is not None:
            links = log_softmax(links - self._log_sampling)
        return links

    def prior_corrected(self, logits: Tensor) -> Tensor:
        """Return scores with temperature, prior and sampling undone; their softmax is a posterior.

        Shape:
            ``(K, N, C)`` → ``(K, N, C)``.
        """
        inputs = self._inputs(logits)
        scores = self._joined(
            [group.view(part, None) for group, part in zip(self._groups, inputs, strict=True)]
        )
        scores = scores if self._log_weights is None else scores - self._log_weights
        return scores if self._log_sampling is None else scores - self._log_sampling

    def _inputs(self, logits: Tensor) -> list[Tensor]:
        """Return the inputs of each group: logits scaled and shifted, or plain logits."""
        self._check(logits)
        plain = self.facts.over_classes(logits)
        scores = plain if self._scale is None else plain * self._scale
        scores = scores if self._shift is None else scores + self._shift
        found = self._split(scores)
        if not self._any_reads_logits:
            return found
        return [
            part if group.reads_logits else score
            for group, part, score in zip(self._groups, self._split(plain), found, strict=True)
        ]

    def _check(self, logits: Tensor) -> None:
        """Check the shape of logits."""
        facts = self.facts
        axes, last = "B, C", facts.n_classes
        if facts.task == "multilabel":
            axes, last = "B, L", facts.counts.shape[-2]
        elif facts.task == "sequence":
            axes = "B, T, C"
        fits = logits.ndim == 2 + axes.count(",") and logits.shape[-1] == last
        if not fits or logits.shape[0] != len(self.specs):
            raise InputError(
                f"logits must have shape (K, {axes}) with K={len(self.specs)} and "
                f"{axes[-1]}={last}, but got logits.shape={tuple(logits.shape)}."
            )

    def _split(self, values: Tensor) -> list[Tensor]:
        """Return the rows of every group."""
        in_order = values if self._order is None else values[self._order]
        # The gradient of a split is one copy; each slice would fill and add a whole tensor.
        return list(torch.split_with_sizes(in_order, self._sizes))

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the rows of all candidates from the rows of the groups."""
        values = parts[0] if len(parts) == 1 else torch.cat(list(parts))
        return values if self._back is None else values[self._back]

    def _base_values(
        self,
        inputs: Sequence[Tensor],
        targets: Tensor,
        mix: Mix | None,
        context: LossContext | None,
    ) -> Tensor:
        """Return the loss of every item by base, prior and target, candidates grouped by base."""
        log_probs: Sequence[Tensor] = inputs
        if self._any_local:
            # One call is faster than a call for each group; bases that are not local ignore it.
            joined = inputs[0] if len(inputs) == 1 else torch.cat(list(inputs))
            log_probs = torch.split_with_sizes(log_softmax(joined), self._sizes)
        found = []
        pieces = zip(self._groups, inputs, log_probs, self._split(targets), strict=True)
        for group, part, log_part, labels in pieces:
            own = mix.rows(group.rows) if mix is not None and group.mixes else None
            found.append(group.values(part, log_part, labels, context=context, mix=own))
        return self._joined(found)

    def _make_parts(self) -> None:
        """Set the tensors of temperature, prior and target, or None if neutral for all."""
        facts = self.facts
        terms = PriorTerms.of(self.specs, facts)
        temperature = torch.tensor([spec.temperature for spec in self.specs], dtype=torch.float64)

        def per_item(tensor: Tensor, neutral: float = 0.0) -> Tensor | None:
            """Return a value for each class with item axes, or None if neutral for all."""
            if bool((tensor - neutral).abs().le(_NOTHING).all()):
                return None
            tensor = tensor.to(dtype=self.dtype, device=self.device)
            # Positions share their classes; every label has its own two classes.
            return tensor[:, None] if facts.task != "sequence" else tensor[:, None, None]

        scale = terms.scale / temperature.view(-1, *[1] * facts.own_axes)
        log_sampling = torch.zeros_like(terms.shift)
        if facts.sampling is not None:
            # Centred, so that equal rates count as none and leave no rounding.
            log_rates = facts.sampling.log()
            log_sampling = (log_rates - log_rates.amax(-1, keepdim=True)).expand_as(terms.shift)
        self._log_weights = per_item(terms.log_weights)
        self._log_sampling = per_item(log_sampling)
        self._scale, self._shift = per_item(scale, 1.0), per_item(terms.shift)
        self._spread = Spread.of(self.specs, facts, dtype=self.dtype, device=self.device)

        parts = (terms.log_weights, terms.scale, terms.shift, log_sampling)
        has_prior = torch.stack([_range(part) for part in parts]).amax(0) > _NOTHING
        readouts = [spec.readout_kind(facts.n_classes) for spec in self.specs]
        exact = torch.tensor([kind != "none" for kind in readouts])
        differs = has_prior | torch.tensor([not spec.reads_by_softmax for spec in self.specs])
        self.has_prior = has_prior.to(self.device)
        self.has_link = (exact & differs).to(self.device)
        self.has_costly_link = torch.tensor([kind == "slopes" for kind in readouts]).to(
            self.device
        )
        self._exact = exact.to(self.device)
        # A plain value, because a traced read-out cannot branch on a tensor.
        self._all_exact = bool(exact.all())

    def _make_groups(self, order: list[int]) -> None:
        """Set a group for every run of candidates with the same base."""
        start = torch.tensor(
            [max(spec.get(key, 0.0) for key in STARTS) for spec in self.specs],
            dtype=self.dtype,
            device=self.device,
        ).view(-1, *[1] * self.facts.item_axes)
        counts = self.facts.counts.to(dtype=self.dtype, device=self.device)
        if self.facts.is_stacked:
            counts = counts.view(
                len(counts), *[1] * (start.ndim - counts.ndim + 1), *counts.shape[1:]
            )

        def group_of(rows: list[int]) -> Group:
            return Group.make(
                [self.specs[row] for row in rows],
                rows,
                log_weights=None if self._log_weights is None else self._log_weights[rows],
                start=start[rows],
                spread=None if self._spread is None else self._spread.rows(rows),
                class_counts=counts[rows] if self.facts.is_stacked else counts,
                scale=None if self._scale is None else self._scale[rows],
                shift=None if self._shift is None else self._shift[rows],
            )

        runs = itertools.groupby(order, key=lambda row: self.specs[row].base)
        self._groups = [group_of(list(rows)) for _, rows in runs]
        self._sizes = [group.size for group in self._groups]
        self._any_local = any(group.loss.local for group in self._groups)
        self._any_reads_logits = any(group.reads_logits for group in self._groups)
        moving = [
            row
            for row, spec in enumerate(self.specs)
            if self._exact[row]
            and spec.penalty != "none"
            and PENALTIES[spec.penalty].readable == "slope"
        ]
        self._added = AddedTerms.of(
            self.specs,
            self.facts,
            {row: group_of([row]) for row in moving},
            dtype=self.dtype,
            device=self.device,
        )


def _grouped_order(specs: Sequence[SpecData]) -> list[int]:
    """Return a stable order in which candidates with the same base are neighbours."""
    first: dict[str, int] = {}
    for row, spec in enumerate(specs):
        first.setdefault(spec.base, row)
    return sorted(range(len(specs)), key=lambda row: first[specs[row].base])


def _range(values: Tensor) -> Tensor:
    """Return the range of the values over the classes, the largest of all labels, ``(K,)``."""
    apart = values.amax(-1) - values.amin(-1)
    return apart.flatten(1).amax(1) if apart.ndim > 1 else apart
