"""The user's own module as a network of K candidates: stacked by `torch.func`, or in a loop."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

from autoloss.core.errors import InputError
from autoloss.data import TableInputs, TableSchema
from autoloss.models.custom.own import OwnModel, forked, reseed, seeded, tensors_of
from autoloss.models.heads import Heads
from autoloss.models.layers import mixed
from autoloss.models.layout import Layout
from autoloss.models.network import Features, StepInputs, StepOutputs


class OwnNetwork:
    """A module of the user's, which reads a table as plain numbers; `to_dense` has their order.

    A row of the buffer has the module's learnt parameters, then its state: buffers, such as the
    running statistics of a normalisation, and frozen parameters.

    Args:
        schema: The columns.
        n_classes: C, the module's outputs.
        model: Makes the module.
        width: D, the number of its features; by default the number that the columns need.
    """

    def __init__(
        self, schema: TableSchema, n_classes: int, model: OwnModel, *, width: int | None = None
    ) -> None:
        self.schema = schema
        self.n_classes = n_classes
        self.model = model
        self._width = dense_width(schema) if width is None else width

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a pickle, without the module, which is made anew."""
        made = ("template", "layout", "_types", "_sizes")
        return {name: value for name, value in vars(self).items() if name not in made}

    @property
    def encoded_width(self) -> int:
        """Return D, the features of the module."""
        return self._width

    @cached_property
    def template(self) -> nn.Module:
        """Return the module that is called with the weights of every candidate."""
        return self.model.module(self._width, self.n_classes, 0)

    @cached_property
    def layout(self) -> Layout:
        """Return names and shapes: learnt parameters, then buffers and frozen parameters."""
        learnt, state = tensors_of(self.template)
        shapes = {name: tuple(one.shape) for name, one in (learnt | state).items()}
        return Layout(shapes, frozenset(state))

    @cached_property
    def _types(self) -> dict[str, torch.dtype]:
        """Return by name the types of the state that is not floating-point."""
        _, state = tensors_of(self.template)
        return {name: one.dtype for name, one in state.items() if not one.is_floating_point()}

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
            self._one(leaves, torch.zeros(n_rows, self._width))
        return max(kept), sum(kept)

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw one candidate's weights ``(P,)``, by the module's own code."""
        module = self.model.module(self._width, self.n_classes, generator.initial_seed())
        learnt, state = tensors_of(module)
        return self.layout.row(
            {name: one.detach().cpu().double() for name, one in (learnt | state).items()}
        )

    def encode(self, inputs: TableInputs) -> Features:
        """Return the rows as plain numbers, which all candidates read; see `to_dense`."""
        dense = to_dense(inputs, self.schema, self._width)
        return Features(dense=dense)

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the logits of a training step, and the state after it."""
        inputs, seeds = features["dense"], step.draws.seeds()
        if step.mix is not None:
            own = inputs[list(step.places)] if len(inputs) > 1 else inputs
            own = own.expand(len(step.places), -1, -1)
            inputs = mixed(own, step.mix.partner, step.mix.share)
        rows = list(range(len(step.places))) if step.mix is not None else list(step.places)
        self.template.train()
        with self.model.guarded("run on every batch"):
            logits, state = self._call(
                weights, inputs, rows, [seeds[place] for place in step.places]
            )
        return StepOutputs(logits, state=state)

    @torch.no_grad()
    def body(
        self, weights: Mapping[str, Tensor], features: Features, *, heads: Heads | None = None
    ) -> Tensor:
        """Return the logits of rows in eval mode, ``(K, N, C)``.

        Raises:
            InputError: If a loss needs a last layer that only the built-in network has.
        """
        if heads is not None and not heads.all_linear:
            raise InputError(
                "model must be the built-in network for losses with a last layer of their own, "
                f"but got {self.model.name}."
            )
        n_candidates = len(next(iter(weights.values())))
        self.template.eval()
        with self.model.guarded("run on all rows"):
            return self._call(weights, features["dense"], [0] * n_candidates, None)[0]

    def _call(
        self,
        weights: Mapping[str, Tensor],
        inputs: Tensor,
        rows: Sequence[int],
        seeds: Sequence[int] | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits of every candidate, and its state afterwards.

        Args:
            weights: The weights of the candidates.
            inputs: Batches, ``(G, B, D)``.
            rows: The number of the batch that each candidate reads.
            seeds: A seed for the draws of each candidate; None for no draws.
        """
        draws = seeds is not None and self.model.draws
        with forked(inputs.device) if draws else contextlib.nullcontext():
            if not self.model.stacked:
                return self._looped(weights, inputs, rows, seeds if draws else None)
            if draws:
                assert seeds is not None
                return self._by_seed(weights, inputs, rows, seeds)
            return self._stacked(weights, inputs, rows, None)

    def _looped(
        self,
        weights: Mapping[str, Tensor],
        inputs: Tensor,
        rows: Sequence[int],
        seeds: Sequence[int] | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Call the module for one candidate after the other."""
        # The gradient of `unbind` is one copy; that of an index fills and adds a whole tensor.
        own = {name: one.unbind() for name, one in weights.items()}
        found = []
        for k, row in enumerate(rows):
            if seeds is not None:
                reseed(seeds[k], inputs.device)
            # A copy, because a module may write over its inputs.
            values = {name: parts[k] for name, parts in own.items()}
            found.append(self._one(values, inputs[row].clone()))
        logits = torch.stack([one for one, _ in found])
        return logits, {
            name: torch.stack([state[name] for _, state in found]) for name in self.layout.state
        }

    def _by_seed(
        self,
        weights: Mapping[str, Tensor],
        inputs: Tensor,
        rows: Sequence[int],
        seeds: Sequence[int],
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Call the module once for all candidates of a seed, which share their draws."""
        groups: dict[int, list[int]] = {}
        for k, seed in enumerate(seeds):
            groups.setdefault(seed, []).append(k)
        if len(groups) == 1:
            return self._stacked(weights, inputs, rows, seeds[0])
        order = torch.tensor([k for group in groups.values() for k in group], device=inputs.device)
        back, sizes = order.argsort(), [len(group) for group in groups.values()]
        parts = {
            # A split copies once; the gradient of a slice would fill and add a whole tensor.
            name: torch.split_with_sizes(one.index_select(0, order), sizes)
            for name, one in weights.items()
        }
        found = [
            self._stacked(
                {name: part[i] for name, part in parts.items()},
                inputs,
                [rows[k] for k in group],
                seed,
            )
            for i, (seed, group) in enumerate(groups.items())
        ]
        logits = torch.cat([one for one, _ in found]).index_select(0, back)
        return logits, {
            name: torch.cat([state[name] for _, state in found]).index_select(0, back)
            for name in self.layout.state
        }

    def _stacked(
        self,
        weights: Mapping[str, Tensor],
        inputs: Tensor,
        rows: Sequence[int],
        seed: int | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Call the module once for all candidates."""
        if seed is not None:
            reseed(seed, inputs.device)
        is_shared = len(set(rows)) == 1
        own = inputs[rows[0]] if is_shared else inputs[list(rows)]
        call = vmap(
            self._one,
            in_dims=(0, None if is_shared else 0),
            randomness="error" if seed is None else "same",
        )
        logits, state = call(dict(weights), own)
        return logits, state

    def _one(self, weights: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits of one candidate ``(B, C)``, and its state afterwards."""
        state = self.layout.state
        values = {
            # A copy, because the module writes over its buffers.
            name: one.to(self._types.get(name, one.dtype), copy=True) if name in state else one
            for name, one in weights.items()
        }
        logits = self._checked(functional_call(self.template, values, (x,)), len(x))
        return logits, {name: values[name].detach().to(x.dtype) for name in state}

    def _checked(self, found: Any, n_rows: int) -> Tensor:
        """Return the output of a module after a check that it is logits ``(B, C)``."""
        shape = tuple(found.shape) if isinstance(found, Tensor) else None
        if shape == (n_rows, self.n_classes) and found.is_floating_point():
            logits: Tensor = found
            return logits
        what = type(found).__name__ if shape is None else f"{found.dtype} {shape}".split(".")[-1]
        two = " (two for two classes)" if self.n_classes == 2 else ""
        raise InputError(
            f"model must map rows {(n_rows, self._width)} to logits {(n_rows, self.n_classes)}"
            f"{two}, but {self.model.name} gave {what}."
        )


def dense_width(schema: TableSchema) -> int:
    """Return the number of features of a row for a network of the user's own."""
    one_hot = sum(codes - 1 for codes in schema.cardinalities)
    return schema.n_numeric + sum(schema.has_missing) + one_hot + schema.vector_width


def to_dense(inputs: TableInputs, schema: TableSchema, width: int) -> Tensor:
    """Return rows as plain numbers.

    Their order is: the standardised numeric columns, 0 where a number is missing; an indicator of
    missing numbers for each column that lacked some in training; the categories one-hot, all 0 for
    a level that training did not show; the vectors of texts; zeros up to the width.

    Args:
        inputs: The rows, fields ``(..., columns)``.
        schema: Their columns.
        width: D, at least `dense_width`.

    Shape:
        - output: ``(..., D)``
    """
    dtype = inputs.numeric.dtype
    missing = inputs.numeric.isnan()
    parts = [inputs.numeric.masked_fill(missing, 0.0)]
    parts.append(missing[..., list(schema.has_missing)].to(dtype))
    for column, codes in enumerate(schema.cardinalities):
        one_hot = functional.one_hot(inputs.categories[..., column], codes)
        parts.append(one_hot[..., 1:].to(dtype))
    parts.append(inputs.vectors)
    dense = torch.cat(parts, -1)
    return functional.pad(dense, (0, width - dense.shape[-1]))
