"""A custom module as a network of K candidates: stacked by `torch.func`, or in a loop."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from autoloss.core.errors import InputError
from autoloss.models.custom.own import OwnModel, forked, reseed, seeded, tensors_of
from autoloss.models.custom.rates import lr_factors_of
from autoloss.models.heads import Heads
from autoloss.models.layout import Layout
from autoloss.models.network import Features, StepInputs, StepOutputs


def _as_they_are(logits: Tensor) -> Tensor:
    return logits


@dataclass(frozen=True)
class Arguments:
    """The arguments of a module for a batch.

    Args:
        tensors: Its arguments.
        back: Returns the logits of the examples ``(..., B, C)`` from the module's output.
    """

    tensors: tuple[Tensor, ...]
    back: Callable[[Tensor], Tensor] = _as_they_are

    @property
    def copies(self) -> tuple[Tensor, ...]:
        """Return copies of the arguments, because a module may write over them."""
        return tuple(one.clone() for one in self.tensors)


class ModuleNetwork(ABC):
    """A custom module as a network whose weights are rows of a buffer.

    A row of the buffer has the module's learnt parameters, then its state: buffers, such as the
    running statistics of a normalisation, and frozen parameters.

    Args:
        n_classes: C, the module's outputs.
        model: Makes the module.
        width: D, the number of its features.
    """

    one_shape: ClassVar[bool]
    """Whether all batches have arguments of the same shapes."""
    alone: ClassVar[int]
    """Rows or sequences that are called one by one to check the next rule."""
    beside: ClassVar[tuple[str, str]]
    """The words of an example, of others beside it, and of the usual cause if these matter."""

    def __init__(self, n_classes: int, model: OwnModel, width: int) -> None:
        self.n_classes = n_classes
        self.model = model
        self._width = width

    @abstractmethod
    def formed(self, model: OwnModel) -> ModuleNetwork:
        """Return the same network with its candidates trained in another form."""

    @abstractmethod
    def module(self, seed: int) -> nn.Module:
        """Return a module whose weights are drawn as after ``torch.manual_seed(seed)``."""

    @abstractmethod
    def sample(self, inputs: Any, rows: Tensor) -> Any:
        """Return some rows, or the beginnings of some sequences, to try the module on."""

    @abstractmethod
    def encode(self, inputs: Any) -> Features:
        """Return the features of encoded rows or sequences."""

    @abstractmethod
    def batch(self, inputs: Any, rows: Tensor) -> Features:
        """Return the features of some rows or sequences as one batch, G = 1."""

    @property
    def can_mix(self) -> bool:
        """Return whether two examples can be mixed: their inputs are numbers, no codes."""
        return True

    def like(self, features: Features) -> Tensor:
        """Return numbers of the type and on the device that the module reads, ``(G, ...)``."""
        return features["dense"]

    @abstractmethod
    def arguments(self, features: Features) -> list[Arguments]:
        """Return the module's arguments for each of G batches."""

    @abstractmethod
    def examples(self, count: int) -> tuple[Tensor, ...]:
        """Return arguments for a number of made-up examples."""

    def placed(self, given: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call, by place and by name, from their tensors."""
        return tuple(given), {}

    def run(self, module: nn.Module, given: Sequence[Tensor]) -> Tensor:
        """Return the logits of a module with its own weights."""
        places, names = self.placed(given)
        with self._autocast(given[0].device):
            found = module(*places, **names)
        return self.checked(found, given)

    @abstractmethod
    def checked(self, found: Any, given: Sequence[Tensor]) -> Tensor:
        """Return the output of a module after a check that it is logits.

        Raises:
            InputError: It has another shape or type.
        """

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a pickle, without the module, which is made again."""
        made = ("template", "layout", "half", "_types", "_sizes")
        return {name: value for name, value in vars(self).items() if name not in made}

    @property
    def encoded_width(self) -> int:
        """Return D, the features of the module."""
        return self._width

    @cached_property
    def template(self) -> nn.Module:
        """Return the module that is called with the weights of every candidate."""
        return self.module(0)

    @cached_property
    def layout(self) -> Layout:
        """Return names and shapes: learnt parameters, then buffers and frozen parameters."""
        learnt, state = tensors_of(self.template)
        shapes = {name: tuple(one.shape) for name, one in (learnt | state).items()}
        factors = lr_factors_of(self.template, list(learnt), self.model.name)
        return Layout(shapes, frozenset(state), factors)

    @cached_property
    def _types(self) -> dict[str, torch.dtype]:
        """Return by name the types of the state that is not floating-point."""
        _, state = tensors_of(self.template)
        return {name: one.dtype for name, one in state.items() if not one.is_floating_point()}

    @cached_property
    def half(self) -> torch.dtype | None:
        """Return the type of a module in half precision; None for one in single precision."""
        learnt, _ = tensors_of(self.template)
        types = {one.dtype for one in learnt.values()} & {torch.float16, torch.bfloat16}
        return next(iter(types), None)

    def _autocast(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        """Return the context of a call: a module in half precision computes its products so.

        Its weights are kept in single precision, in which AdamW steps them.
        """
        if self.half is None:
            return contextlib.nullcontext()
        return torch.autocast(device.type, self.half)

    @property
    def exact(self) -> torch.dtype:
        """Return single precision, in which the user's module trains."""
        return torch.float32

    @property
    def widest(self) -> int:
        """Return the width of the widest activation."""
        return self._sizes[0]

    @property
    def text(self) -> str:
        """Return nothing: the notes of a study describe the network."""
        return ""

    @property
    def settings(self) -> Mapping[str, object]:
        """Return nothing: they are in the user's code."""
        return {}

    @property
    def activations(self) -> int:
        """Return an upper bound of the numbers that a training step keeps for a row."""
        # Inputs of the backward pass, their gradients, and temporary values.
        return 2 * self._width + 3 * self._sizes[1] + 16 * self.n_classes

    @cached_property
    def _sizes(self) -> tuple[int, int]:
        """Return the largest activation that the backward pass keeps of a row, and their sum."""
        n_rows, kept = 8, [self._width, self.n_classes]

        def pack(one: Tensor) -> Tensor:
            if one.untyped_storage().data_ptr() not in own:
                kept.append(-(-one.numel() // n_rows))
            return one

        row = self.initial(torch.Generator().manual_seed(0)).float()
        leaves = {
            name: one[0].requires_grad_(name not in self.layout.state)
            for name, one in self.layout.views(row[None]).items()
        }
        own = {one.untyped_storage().data_ptr() for one in leaves.values()}
        with seeded(0), torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one):
            self._one(leaves, self.examples(n_rows))
        return max(kept), sum(kept)

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw one candidate's weights ``(P,)``, by the module's own code."""
        learnt, state = tensors_of(self.module(generator.initial_seed()))
        return self.layout.row(
            {name: one.detach().cpu().double() for name, one in (learnt | state).items()}
        )

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the logits of a training step, and the state after it."""
        drawn = step.draws.seeds()
        seeds = [drawn[place] for place in step.places]
        return self.trained(weights, self.arguments(features), list(step.places), seeds)

    def trained(
        self,
        weights: Mapping[str, Tensor],
        batches: Sequence[Arguments],
        rows: Sequence[int],
        seeds: Sequence[int],
    ) -> StepOutputs:
        """Return the logits of every candidate in training mode, and its state afterwards.

        Args:
            weights: The weights of the candidates.
            batches: The G batches.
            rows: The number of the batch that each candidate reads.
            seeds: A seed for the draws of each candidate.
        """
        self.template.train()
        with self.model.guarded("run on every batch"):
            logits, state = self.call(weights, batches, rows, seeds)
        return StepOutputs(logits, state=state)

    def body(
        self, weights: Mapping[str, Tensor], features: Features, *, heads: Heads | None = None
    ) -> Tensor:
        """Return the logits of rows in eval mode, ``(K, N, C)``.

        Raises:
            InputError: If a loss needs a last layer that only the built-in network has.
        """
        if heads is not None and not heads.all_linear:
            raise InputError(
                "model must be the built-in network for losses with their own last layer, "
                f"but got {self.model.name}."
            )
        n_candidates = len(next(iter(weights.values())))
        self.template.eval()
        with self.model.guarded("run on all rows"):
            return self.call(weights, self.arguments(features), [0] * n_candidates, None)[0]

    def call(
        self,
        weights: Mapping[str, Tensor],
        batches: Sequence[Arguments],
        rows: Sequence[int],
        seeds: Sequence[int] | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits of every candidate, and its state afterwards.

        Args:
            weights: The weights of the candidates.
            batches: The G batches.
            rows: The number of the batch that each candidate reads.
            seeds: A seed for the draws of each candidate; None for no draws.
        """
        draws = seeds is not None and self.model.draws
        device = batches[0].tensors[0].device
        with forked(device) if draws else contextlib.nullcontext():
            if not self.model.stacked:
                return self._looped(weights, batches, rows, seeds if draws else None)
            return self._by_group(weights, batches, rows, seeds if draws else None)

    def _looped(
        self,
        weights: Mapping[str, Tensor],
        batches: Sequence[Arguments],
        rows: Sequence[int],
        seeds: Sequence[int] | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Call the module for one candidate after the other."""
        # The gradient of `unbind` is one copy; that of an index fills and adds a whole tensor.
        own = {name: one.unbind() for name, one in weights.items()}
        found = []
        for k, row in enumerate(rows):
            batch = batches[row]
            if seeds is not None:
                reseed(seeds[k], batch.tensors[0].device)
            values = {name: parts[k] for name, parts in own.items()}
            logits, state = self._one(values, batch.copies)
            found.append((batch.back(logits), state))
        logits = torch.stack([one for one, _ in found])
        return logits, {
            name: torch.stack([state[name] for _, state in found]) for name in self.layout.state
        }

    def _by_group(
        self,
        weights: Mapping[str, Tensor],
        batches: Sequence[Arguments],
        rows: Sequence[int],
        seeds: Sequence[int] | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Call the module once for all candidates of a seed, which share their draws.

        Where batches have unlike shapes, the candidates of a call share the batch too.
        """
        groups: dict[tuple[int | None, int | None], list[int]] = {}
        for k, row in enumerate(rows):
            key = (None if seeds is None else seeds[k], None if self.one_shape else row)
            groups.setdefault(key, []).append(k)
        if len(groups) == 1:
            return self._stacked(weights, batches, rows, None if seeds is None else seeds[0])
        device = batches[0].tensors[0].device
        order = torch.tensor([k for group in groups.values() for k in group], device=device)
        back, sizes = order.argsort(), [len(group) for group in groups.values()]
        parts = {
            # A split copies once; the gradient of a slice would fill and add a whole tensor.
            name: torch.split_with_sizes(one.index_select(0, order), sizes)
            for name, one in weights.items()
        }
        found = [
            self._stacked(
                {name: part[i] for name, part in parts.items()},
                batches,
                [rows[k] for k in group],
                seed,
            )
            for i, ((seed, _), group) in enumerate(groups.items())
        ]
        logits = torch.cat([one for one, _ in found]).index_select(0, back)
        return logits, {
            name: torch.cat([state[name] for _, state in found]).index_select(0, back)
            for name in self.layout.state
        }

    def _stacked(
        self,
        weights: Mapping[str, Tensor],
        batches: Sequence[Arguments],
        rows: Sequence[int],
        seed: int | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Call the module once for all candidates."""
        first = batches[rows[0]]
        if seed is not None:
            reseed(seed, first.tensors[0].device)
        is_shared = len(set(rows)) == 1
        given = first.tensors
        if not is_shared:
            every = [batches[row].tensors for row in rows]
            given = tuple(torch.stack(each) for each in zip(*every, strict=True))
        call = vmap(
            self._one,
            in_dims=(0, None if is_shared else 0),
            randomness="error" if seed is None else "same",
        )
        logits, state = call(dict(weights), given)
        return first.back(logits), state

    def _one(
        self, weights: Mapping[str, Tensor], given: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the output of one candidate's module, and its state afterwards."""
        state = self.layout.state
        values = {
            # A copy, because the module writes over its buffers.
            name: one.to(self._types.get(name, one.dtype), copy=True) if name in state else one
            for name, one in weights.items()
        }
        places, names = self.placed(given)
        with self._autocast(given[0].device):
            found = functional_call(self.template, values, places, names)
        logits = self.checked(found, given)
        return logits, {name: values[name].detach().to(weights[name].dtype) for name in state}
