"""A table as plain numbers: what a network of the user's own reads."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoloss.data import TableInputs, TableSchema


def dense_width(schema: TableSchema) -> int:
    """Return how many numbers a row is for a network of the user's own."""
    one_hot = sum(codes - 1 for codes in schema.cardinalities)
    return schema.n_numeric + sum(schema.has_missing) + one_hot + schema.vector_width


def to_dense(inputs: TableInputs, schema: TableSchema, width: int) -> Tensor:
    """Return rows as plain numbers.

    These are, in this order: the standardised numeric columns, 0 where a number is missing; 1 for
    a missing number, one column for each of those that lacked some in training; the categories
    one-hot, all 0 for a level that training did not show; the vectors of texts. What is left over
    of the width is 0.

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
