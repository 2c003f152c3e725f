"""A group of candidates with the same base, whose losses are one expression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses.context import LossContext
from autoloss.losses.labels import pick
from autoloss.losses.loss import Loss
from autoloss.losses.numerics import log_softmax
from autoloss.losses.registry import get
from autoloss.losses.spec_data import SpecData
from autoloss.losses.targets import Mix, Spread


@dataclass
class Group:
    """Candidates with the same base.

    Args:
        loss: The base.
        rows: Their rows among all candidates.
        parameters: Parameters of the base, with an axis for the items: ``(k, 1)``, ``(k, 1, 1)``.
        weights: Class weights ``(k, 1, C)``, or None if all are 1.
        start: Share of the training after which the weights count, or None for the whole training
            run.
        spread: The spread of labels over the classes, or None for hard labels.
        class_counts: Training rows of each class, for a base that needs them.
        scale: Factor of the softmax's inputs by temperature and prior, ``(k, 1, C)``, for a base
            with a view; None for 1.
        shift: Term that the prior then adds, ``(k, 1, C)``; None for 0.
        mixes: Whether a candidate trains on mixed examples.
        memory: The memory of a base that has one, ``(k, N, C)``; it grows with the row numbers.
    """

    loss: Loss
    rows: list[int]
    parameters: dict[str, Tensor]
    weights: Tensor | None
    start: Tensor | None
    spread: Spread | None
    class_counts: Tensor
    scale: Tensor | None = None
    shift: Tensor | None = None
    mixes: bool = False
    memory: Tensor | None = None
    class_parameters: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.class_parameters = {name: value[..., None] for name, value in self.parameters.items()}

    @classmethod
    def make(
        cls,
        specs: Sequence[SpecData],
        rows: list[int],
        *,
        log_weights: Tensor | None,
        start: Tensor,
        spread: Spread | None,
        class_counts: Tensor,
        scale: Tensor | None = None,
        shift: Tensor | None = None,
    ) -> Group:
        """Return the group of some candidates.

        Args:
            specs: The losses of the candidates, with the same base.
            rows: Their rows among all candidates.
            log_weights: Logarithm of their class weights, on the device and in the dtype of the
                computation; None if all are 1.
            start: Share of the training after which the weights count.
            spread: The spread of their labels.
            class_counts: Training rows of each class, for each candidate or shared.
            scale: Factor of the softmax's inputs by temperature and prior.
            shift: Term that the prior then adds.

        Shape:
            ``log_weights (k, 1, C)``, ``start (k, 1)``, ``class_counts (k, 1, C)`` or ``(C,)``.
        """
        loss = get(specs[0].base)
        parameters = {
            name: start.new_tensor([spec.base_parameters[name] for spec in specs]).view_as(start)
            for name in loss.parameters
        }
        weighted = log_weights is not None and bool(log_weights.any())
        return cls(
            loss=loss,
            rows=rows,
            parameters=parameters,
            weights=log_weights.exp() if log_weights is not None and weighted else None,
            start=start if weighted and bool(start.any()) else None,
            spread=spread,
            class_counts=class_counts,
            scale=scale if loss.view is not None else None,
            shift=shift if loss.view is not None else None,
            mixes=any(spec.mixture for spec in specs),
        )

    @property
    def size(self) -> int:
        """Return the number of candidates, k."""
        return len(self.rows)

    @property
    def reads_logits(self) -> bool:
        """Return whether the base reads plain logits and applies the prior itself."""
        return self.loss.view is not None

    def values(
        self,
        logits: Tensor,
        log_probs: Tensor,
        targets: Tensor,
        *,
        context: LossContext | None = None,
        mix: Mix | None = None,
    ) -> Tensor:
        """Return the loss of every item.

        Args:
            logits: Scores of these candidates, or logits where `reads_logits`.
            log_probs: Their log-softmax; unused if the base is not local.
            targets: Classes, or class probabilities.
            context: Further values that the base needs.
            mix: The mixup of these candidates, or None for no mixup.

        Shape:
            ``(k, B, C)``, ``(k, B, C)``, ``(k, B)`` or ``(k, B, C)`` → ``(k, B)``.
        """
        context = self._complete(context, logits)
        weights = self._weights(context)
        if targets.is_floating_point():
            probs = targets if mix is None else mix.mixed(targets)
            probs = probs if self.spread is None else self.spread.probs(probs)
            probs = probs if weights is None else probs * weights
            return (probs * self._every(logits, log_probs, context)).sum(-1)
        if self.spread is not None:
            every = self._every(logits, log_probs, context)
            of_labels = partial(self.spread.values, every if weights is None else every * weights)
        else:
            of_labels = partial(self._of_labels, logits, log_probs, weights, context)
        if mix is None:
            return of_labels(targets)
        partners, share = of_labels(mix.partners_of(targets)), mix.share_for(targets)
        return share * of_labels(targets) + (1.0 - share) * partners

    def every(self, logits: Tensor, *, context: LossContext | None = None) -> Tensor:
        """Return the weighted loss of every item under every label, ``(k, B, C)``."""
        context = self._complete(context, logits)
        every = self._every(logits, log_softmax(logits), context)
        return every if self.weights is None else every * self.weights

    def of_log_probs(self, log_probs: Tensor) -> Tensor:
        """Return the weighted loss under every label of a local base, ``(k, B, C)``."""
        every = self.loss.function(log_probs, **self.class_parameters)
        return every if self.weights is None else every * self.weights

    def link(self, logits: Tensor) -> Tensor:
        """Return the log posterior by the base's own read-out alone.

        Shape:
            ``(k, N, C)`` → ``(k, N, C)``.
        """
        if not self.loss.has_exact_readout:
            return log_softmax(self.view(logits, None))
        context = LossContext(class_counts=self.class_counts, scale=self.scale, shift=self.shift)
        return self.loss.log_posterior(logits, self.class_parameters, context=context)

    def view(self, logits: Tensor, context: LossContext | None) -> Tensor:
        """Return the inputs of the base's softmax, ``(k, B, C)``."""
        if not self.reads_logits:
            return logits
        known = replace(
            context or LossContext(),
            class_counts=self.class_counts,
            scale=self.scale,
            shift=self.shift,
        )
        return self.loss.viewed(logits, self.class_parameters, context=known)

    def _of_labels(
        self,
        logits: Tensor,
        log_probs: Tensor,
        weights: Tensor | None,
        context: LossContext | None,
        targets: Tensor,
    ) -> Tensor:
        """Return the weighted loss of every item under its class."""
        if self.loss.local:
            values = self.loss.function(pick(log_probs, targets), **self.parameters)
        else:
            values = self.loss.of_labels(logits, targets, self.parameters, context=context)
        if weights is None:
            return values
        return values * pick(weights.expand(*targets.shape, -1), targets)

    def _every(self, logits: Tensor, log_probs: Tensor, context: LossContext | None) -> Tensor:
        """Return the loss of every item under every label."""
        if self.loss.local:
            return self.loss.function(log_probs, **self.class_parameters)
        return self.loss.of_every_label(logits, self.class_parameters, context=context)

    def _weights(self, context: LossContext | None) -> Tensor | None:
        """Return the class weights at the present progress of the training."""
        if self.weights is None or self.start is None:
            return self.weights
        progress = None if context is None else context.progress
        if progress is None:
            raise InputError(
                "class weights that start late must be given progress, but got "
                "LossContext.progress=None."
            )
        if isinstance(progress, Tensor):
            own = progress[self.rows].view(-1, *[1] * (self.start.ndim - 1))
            progress = own.to(self.start.dtype)[..., None]
        return torch.where(self.start[..., None] <= progress, self.weights, 1.0)

    def _complete(self, context: LossContext | None, logits: Tensor) -> LossContext | None:
        """Return the context with the values of this group and its rows of the others."""
        if not self.loss.needs and not self.reads_logits:
            return context
        given = context or LossContext()
        norms = given.norms
        if norms is not None and norms.ndim == logits.ndim:
            norms = norms[self.rows] if len(norms) > 1 else norms
        found = replace(
            given,
            class_counts=self.class_counts,
            norms=norms,
            scale=self.scale,
            shift=self.shift,
        )
        if self.loss.memory is not None:
            found = replace(found, memory=self._remember(found, logits))
        found.require(self.loss.needs, loss=self.loss.name)
        return found

    @torch.no_grad()
    def _remember(self, context: LossContext, logits: Tensor) -> Tensor:
        """Update the memory of these rows and return it."""
        assert self.loss.memory is not None
        context.require(("row_ids",), loss=self.loss.name)
        assert context.row_ids is not None
        ids = context.row_ids
        if ids.ndim == 2 and len(ids) > 1:
            ids = ids[self.rows]
        ids = ids.expand(logits.shape[:2])
        # A traced graph cannot grow the memory; it is reserved before.
        if not torch.compiler.is_compiling():
            self.reserve(int(ids.max()) + 1, logits)
        elif self.memory is None:
            raise InputError(
                f"{self.loss.name} must be given class_counts in torch.compile, which say how "
                "many rows it has to remember, but got class_counts=None."
            )
        assert self.memory is not None
        row = torch.arange(self.size, device=logits.device).unsqueeze(-1)
        before = _recalled(self.memory, row, ids)
        remembered = self.loss.memory(before, logits.detach(), **self.class_parameters)
        self.memory[row, ids] = remembered
        return remembered

    def reserve(self, n_rows: int, like: Tensor) -> None:
        """Let the memory hold at least `n_rows` rows; new rows are zero.

        Args:
            n_rows: The number of rows.
            like: Logits of any batch.

        Shape:
            - like: ``(k, B, C)``
        """
        have = 0 if self.memory is None else self.memory.shape[1]
        if n_rows <= have:
            return
        grown = like.new_zeros(self.size, max(n_rows, 2 * have), *like.shape[2:])
        if self.memory is not None:
            grown[:, :have] = self.memory
        self.memory = grown


def _recalled(memory: Tensor, candidates: Tensor, ids: Tensor) -> Tensor:
    """Return ``memory[candidates, ids]``, which the backward pass does not read again.

    The same step writes the memory later, and a compiled graph that repeated the read in its
    backward pass would find the new values. Compilers do not repeat a custom operation.

    Shape:
        ``(k, N, ...)``, ``(k, 1)``, ``(k, B)`` → ``(k, B, ...)``.
    """
    if torch.compiler.is_compiling():
        found: Tensor = _recalled_op(memory, candidates, ids)
        return found
    return memory[candidates, ids]


@torch.library.custom_op(
    "autoloss::recalled",
    mutates_args=(),
    schema="(Tensor memory, Tensor candidates, Tensor ids) -> Tensor",
)
def _recalled_op(memory: Tensor, candidates: Tensor, ids: Tensor) -> Tensor:
    return memory[candidates, ids]


@_recalled_op.register_fake
def _shape(memory: Tensor, candidates: Tensor, ids: Tensor) -> Tensor:
    return memory.new_empty(*ids.shape, *memory.shape[2:])
