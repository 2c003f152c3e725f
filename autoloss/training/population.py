"""K candidates in one buffer: their weights, gradients and optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from autoloss.losses import ClassFacts, LossContext, Objective, get
from autoloss.models import DropoutRates, Features, Heads, Network, StepInputs, spread
from autoloss.training.batch import Batch, OrderKey, Orders, item_mean
from autoloss.training.candidate import Candidate
from autoloss.training.mixing import Mixing, weighted_mix
from autoloss.training.optimiser import RowAdamW, clip_


class Population:
    """K candidates that train together; each candidate is a row of a ``(K, P)`` buffer.

    Args:
        network: The network that all have; or one for each division of the rows, with weights of
            the same shapes.
        candidates: The candidates.
        class_counts: Training rows of each class, ``(C,)`` or, where candidates train on rows of
            their own, ``(K, C)``; or `ClassFacts`.
        device: Where to train.
        dtype: Type of the weights.
        products: Number type of the products of hidden layers in a step; by default that of the
            weights.
        start: The epoch of the training at which they start; only candidates of one start share
            an order.
        clip: The largest norm of a candidate's gradient; 0 for none.
    """

    def __init__(
        self,
        network: Network | Sequence[Network],
        candidates: Sequence[Candidate],
        class_counts: Tensor | ClassFacts,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        products: torch.dtype | None = None,
        start: int = 0,
        clip: float = 0.0,
    ) -> None:
        networks = list(network) if isinstance(network, Sequence) else [network]
        self.network = networks[0]
        self.device = device
        self.dtype = dtype
        self.products = dtype if products is None else products
        self._clip = clip
        specs = [candidate.spec for candidate in candidates]
        self.objective = Objective(specs, class_counts, dtype=dtype, device=device)
        initial = {
            (fold, seed): networks[fold].initial(torch.Generator().manual_seed(seed))
            for fold, seed in {(candidate.fold, candidate.seed) for candidate in candidates}
        }
        rows = torch.stack([initial[candidate.fold, candidate.seed] for candidate in candidates])
        optimiser = RowAdamW(
            rows.to(device=device, dtype=dtype),
            lr=torch.tensor([candidate.lr for candidate in candidates], dtype=torch.float64),
            weight_decay=torch.tensor(
                [candidate.weight_decay for candidate in candidates], dtype=torch.float64
            ),
            shares=self.network.layout.shares,
            pool=self.network.layout.pool,
        )
        self._take(tuple(candidates), [start] * len(candidates), optimiser)

    def __len__(self) -> int:
        return len(self.candidates)

    def _take(
        self, candidates: tuple[Candidate, ...], starts: list[int], optimiser: RowAdamW
    ) -> None:
        """Continue with these candidates and their rows."""
        self.candidates = candidates
        self.starts = starts
        self._optimiser = optimiser
        layout = self.network.layout
        learnt = [name for name in layout.shapes if name not in layout.state]
        self._weights = {
            name: view.detach().requires_grad_(name not in layout.state)
            for name, view in layout.views(optimiser.rows).items()
        }
        self._leaves = [self._weights[name] for name in learnt]
        gradients = layout.views(optimiser.gradients)
        self._gradients = [gradients[name] for name in learnt]
        self._pool = gradients.get(layout.pooled)
        rates = torch.tensor(
            [candidate.dropout for candidate in candidates], device=self.device, dtype=self.dtype
        )
        self._rates = DropoutRates(rates[:, None, None]) if bool(rates.any()) else None
        specs = self.objective.specs
        self._seeds = [candidate.seed for candidate in candidates]
        self._folds = [candidate.fold for candidate in candidates]
        self._heads = Heads(tuple(get(spec.base).head for spec in specs), self.device)
        # Networks of other inputs than images have no such size.
        size = getattr(self.network, "picture_size", None)
        self._mixing = Mixing.of(specs, dtype=self.dtype, device=self.device, size=size)
        self._needs = {name for spec in specs for name in spec.needs}

    @property
    def rows(self) -> Tensor:
        """Return the weights, a row for each candidate, ``(K, P)``."""
        return self._optimiser.rows

    def keep(self, kept: Sequence[int]) -> None:
        """Continue with only the candidates at `kept`, unchanged."""
        self.objective = self.objective.keep(kept)
        self._take(
            tuple(self.candidates[k] for k in kept),
            [self.starts[k] for k in kept],
            self._optimiser.keep(kept),
        )

    def join(self, other: Population) -> None:
        """Add the candidates of another population; the candidates here do not change.

        Args:
            other: A population of the same networks, device and dtype.
        """
        self.objective = self.objective.joined(other.objective)
        self._take(
            self.candidates + other.candidates,
            self.starts + other.starts,
            self._optimiser.joined(other._optimiser),
        )

    @property
    def orders(self) -> list[OrderKey]:
        """Return the division, the seed and the start of each candidate, which name its order."""
        return list(zip(self._folds, self._seeds, self.starts, strict=True))

    def step(
        self,
        batch: Batch,
        orders: Orders,
        lr_factor: float | Tensor,
        *,
        progress: float | Tensor = 0.0,
    ) -> None:
        """Take one optimiser step on one mini-batch.

        Args:
            batch: The mini-batch.
            orders: The random draws of the step.
            lr_factor: Share of the peak learning rates, one for all or ``(K,)``.
            progress: Share of the training that is done, one for all or ``(K,)``.
        """
        places = orders.places(self._seeds, self._folds, self.starts)
        index = orders.index(self._seeds, self._folds, self.starts)
        mix = None if self._mixing is None else self._mixing.draw(orders, places, batch.lengths)
        scores = self.network.scores(
            self._weights,
            batch.features,
            StepInputs(
                places,
                index,
                orders,
                self._rates,
                mix,
                self._heads,
                self.products,
                batch.sizes,
                self._pool,
            ),
        )
        items = self.objective.facts.item_axes
        weights = batch.item_weights(index, item_axes=items, dtype=self.dtype)
        if mix is not None and weights is not None:
            mix, weights = weighted_mix(mix, weights)
        context = replace(
            self._context(batch, index),
            progress=progress,
            norms=scores.norms,
            mask=None if weights is None else weights > 0,
        )
        targets = self._targets(batch, index)
        values = self.objective(scores.logits, targets, context=context, mix=mix)
        # The sum over candidates: no gradient of one reaches another.
        total = item_mean(values, weights).sum()
        # A weight of the user's network that does not affect the logits has a gradient of zero.
        gradients = torch.autograd.grad(total, self._leaves, materialize_grads=True)
        torch._foreach_copy_(self._gradients, gradients)
        if self._clip:
            clip_(self._optimiser.gradients, self._clip)
        self._optimiser.step(lr_factor)
        # Last, so that weight decay does not change values that are not learnt.
        for name, value in scores.state.items():
            self._weights[name].copy_(value)

    def _context(self, batch: Batch, index: Tensor | None) -> LossContext:
        """Return the context of the rows that the losses of the candidates need."""

        def own(values: Tensor | None, need: str) -> Tensor | None:
            if values is None or need not in self._needs:
                return None
            return values[0] if index is None else values[index]

        return LossContext(
            row_ids=own(batch.rows, "row_ids"),
            teacher_logits=own(batch.teacher, "teacher_logits"),
        )

    def _targets(self, batch: Batch, index: Tensor | None) -> Tensor:
        targets = spread(batch.targets, index)
        return targets.expand(len(self), *targets.shape[1:])

    @torch.no_grad()
    def logits(self, features: Features) -> Tensor:
        """Return logits without dropout, ``(K, B, C)``."""
        return self.network.body(self._weights, features, heads=self._heads)
