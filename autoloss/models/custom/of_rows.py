"""The custom network for the rows of a table, which reads them as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoloss.data import TableSchema
from autoloss.models.custom.outputs import logits_of_rows
from autoloss.models.custom.own import OwnModel
from autoloss.models.custom.stack import Arguments, ModuleNetwork
from autoloss.models.layers import mixed
from autoloss.models.network import Features, StepInputs, StepOutputs


class OwnNetwork(ModuleNetwork):
    """A custom module, which reads a table as plain numbers; `to_dense` has their order.

    Args:
        schema: The columns.
        n_classes: C, the module's outputs.
        model: Makes the module.
        width: D, the number of its features; by default the number that the columns need.
    """

    one_shape = True
    alone = 1
    beside = (
        "a row the same logits in eval mode beside any other rows",
        "its dropout or its statistics of the batch stay on",
    )

    def __init__(
        self, schema: TableSchema, n_classes: int, model: OwnModel, *, width: int | None = None
    ) -> None:
        super().__init__(n_classes, model, dense_width(schema) if width is None else width)
        self.schema = schema

    def formed(self, model: OwnModel) -> OwnNetwork:
        """Return the same network with its candidates trained in another form."""
        return OwnNetwork(self.schema, self.n_classes, model, width=self._width)

    def module(self, seed: int) -> nn.Module:
        """Return a module whose weights are drawn as after ``torch.manual_seed(seed)``."""
        sizes = {"n_features": self._width, "n_outputs": self.n_classes}
        return self.model.module(sizes, seed, example=self.examples(1)[0])

    def sample(self, inputs: Any, rows: Tensor) -> Any:
        """Return some rows."""
        return inputs.take(rows)

    def encode(self, inputs: Any) -> Features:
        """Return the rows as plain numbers, which all candidates read; see `to_dense`."""
        dense = to_dense(inputs, self.schema, self._width)
        return Features(dense=dense)

    def batch(self, inputs: Any, rows: Tensor) -> Features:
        """Return the features of some rows as one batch, G = 1."""
        return self.encode(inputs.take(rows[None]))

    def arguments(self, features: Features) -> list[Arguments]:
        """Return the rows of each of G batches, ``(B, D)``."""
        return [Arguments((one,)) for one in features["dense"]]

    def examples(self, count: int) -> tuple[Tensor, ...]:
        """Return rows of zeros."""
        return (torch.zeros(count, self._width),)

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the logits of a training step, and the state after it."""
        if step.mix is None:
            return super().scores(weights, features, step)
        inputs, drawn = features["dense"], step.draws.seeds()
        own = inputs[list(step.places)] if len(inputs) > 1 else inputs
        own = own.expand(len(step.places), -1, -1)
        rows = mixed(own, step.mix.partner, step.mix.share)
        return self.trained(
            weights,
            [Arguments((one,)) for one in rows],
            list(range(len(rows))),
            [drawn[place] for place in step.places],
        )

    def checked(self, found: Any, given: Sequence[Tensor]) -> Tensor:
        """Return the output of a module after a check that it is logits ``(B, C)``."""
        n_rows = len(given[0])
        rows = f"rows {(n_rows, self._width)}"
        return logits_of_rows(found, rows, (n_rows, self.n_classes), self.model)


def dense_width(schema: TableSchema) -> int:
    """Return the number of features of a row for a custom network."""
    one_hot = sum(codes - 1 for codes in schema.cardinalities)
    return (
        schema.n_numeric + sum(schema.has_missing) + one_hot + schema.vector_width + schema.n_terms
    )


def to_dense(inputs: Any, schema: TableSchema, width: int) -> Tensor:
    """Return rows as plain numbers.

    Their order is: the standardised numeric columns, 0 where a number is missing; an indicator of
    missing numbers for each column that lacked some in training; the categories one-hot, all 0 for
    a level that training did not show; the weight of each term of free text (TF-IDF), 0 for one
    that the text has not; the vectors of frozen features; zeros up to the width.

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
    if schema.vector_width:
        parts.append(inputs.vectors)
    if schema.texts:
        terms, shares = schema.joined_terms(inputs.terms), inputs.shares
        empty = shares.new_zeros(*shares.shape[:-1], schema.n_terms)
        parts.append(empty.scatter_add(-1, terms.long(), shares))
    dense = torch.cat(parts, -1)
    return functional.pad(dense, (0, width - dense.shape[-1]))
