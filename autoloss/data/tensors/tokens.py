"""Tensors of tokens: sequences without their pads, one after the other, and their encoding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.ragged import Ragged
from autoloss.core.task import MISSING_LABEL
from autoloss.data.sequences.tags import TagColumn
from autoloss.data.tensors.encode import TensorEncoding, array_of
from autoloss.data.tensors.inputs import TensorSchema
from autoloss.data.tensors.tree import Leaf

MASK = "attention_mask"


@dataclass(frozen=True, eq=False)
class TokenTensorInputs:
    """Sequences of tokens, one after the other.

    Args:
        tensors: The numbers of each token, by name.
        lengths: The tokens of each sequence.

    Shape:
        tensors ``(T, ...)``, lengths ``(N,)``.
    """

    tensors: Mapping[str, Tensor]
    lengths: Tensor

    @classmethod
    def joined(cls, parts: Sequence[TokenTensorInputs]) -> TokenTensorInputs:
        """Return the concatenated sequences of several parts."""
        names = parts[0].tensors
        return cls(
            {name: torch.cat([part.tensors[name] for part in parts]) for name in names},
            torch.cat([part.lengths for part in parts]),
        )

    def __len__(self) -> int:
        """Return the number of sequences N."""
        return len(self.lengths)

    @property
    def codes(self) -> Tensor:
        """Return a number for each token, ``(T,)``."""
        return torch.ones(int(self.lengths.sum()), dtype=torch.int64, device=self.lengths.device)

    @property
    def settled(self) -> TokenTensorInputs:
        """Return the sequences, which never change."""
        return self

    def take(self, rows: Tensor) -> TokenTensorInputs:
        """Return the sequences with the given numbers, in the given order, (n,)."""
        places = Ragged(self.codes, self.lengths).places(rows)
        return TokenTensorInputs(
            {name: one[places] for name, one in self.tensors.items()}, self.lengths[rows]
        )

    def begun(self, lengths: Tensor) -> TokenTensorInputs:
        """Return the first tokens of each sequence.

        Args:
            lengths: How many, at most the sequence's, (N,).
        """
        places = Ragged(self.codes, self.lengths).first_places(lengths)
        return TokenTensorInputs(
            {name: one[places] for name, one in self.tensors.items()}, lengths
        )

    def to(
        self, device: torch.device | str, dtype: torch.dtype | None = None
    ) -> TokenTensorInputs:
        """Return the sequences on a device, with floats of a type."""
        moved = {
            name: one.to(device, dtype if one.is_floating_point() else None)
            for name, one in self.tensors.items()
        }
        return TokenTensorInputs(moved, self.lengths.to(device))


class TokenTensorSchema(TensorSchema):
    """The structure of `TokenTensorInputs`; the shapes are a token's."""


class TokenTensorEncoding(TensorEncoding):
    """The encoding of tensors of tokens; see `TensorEncoding`."""

    schema_type = TokenTensorSchema

    def transform(self, frame: pd.DataFrame, *, label: str = "DATA") -> Any:
        """Read a table with a column for every tensor and a cell for every sequence.

        Raises:
            InputError: A column is missing, or a cell has another shape.
        """
        self.check_columns(frame, label=label)
        leaves = self.schema.leaves
        cells = {
            leaf.name: [_cell(one, leaf, label) for one in frame[leaf.name]] for leaf in leaves
        }
        lengths = {name: [len(one) for one in each] for name, each in cells.items()}
        first = next(iter(lengths.values()))
        if any(own != first for own in lengths.values()):
            raise InputError(
                f"{label} must have as many tokens in every tensor of a sequence, but they differ."
            )
        tensors = {
            leaf.name: torch.cat([*cells[leaf.name], torch.zeros(0, *leaf.shape, dtype=leaf.type)])
            for leaf in leaves
        }
        return TokenTensorInputs(tensors, torch.tensor(first, dtype=torch.int64))


def _cell(cell: Any, leaf: Leaf, label: str) -> Tensor:
    """Return the numbers of a sequence, ``(t, ...)``."""
    try:
        found = array_of(cell)
    except ValueError:
        found = np.zeros(0, dtype=object)
    if found.dtype.kind not in "biuf" or found.shape[1:] != leaf.shape or not found.ndim:
        raise InputError(
            f"{label} must have {leaf.name!r} of shape {('tokens', *leaf.shape)} in every row, but"
            f" got {found.shape or 'a cell of another form'}."
        )
    return torch.from_numpy(np.array(found)).to(leaf.type)


def token_example(encodings: Sequence[TokenTensorEncoding]) -> dict[str, Any]:
    """Return a made-up sequence of a token, all zero, in the form of MLflow's scoring server."""
    schema = encodings[0].schema
    row = [one.tolist() for one in schema.zeros(1)]
    return {"dataframe_split": {"columns": [leaf.name for leaf in schema.leaves], "data": [row]}}


def are_per_token(tensors: Mapping[str, Tensor], labels: NDArray[Any]) -> bool:
    """Return whether a batch has a whole number for every token that its inputs have."""
    return (
        labels.ndim == 2
        and labels.dtype.kind in "iu"
        and all(one.ndim >= 2 and one.shape[1] == labels.shape[1] for one in tensors.values())
    )


def are_tags(labels: Sequence[NDArray[Any]]) -> bool:
    """Return whether labels for every token are tags, and no rows of 0 and 1 of one length."""
    if len({one.shape[1] for one in labels}) > 1:
        return True
    return any(bool((~np.isin(one, (0, 1, MISSING_LABEL))).any()) for one in labels)


def tokens_of(
    batches: Iterable[Mapping[str, Tensor]], labels: Sequence[NDArray[Any]]
) -> tuple[TokenTensorInputs, TagColumn]:
    """Return the tokens of padded batches, and their tags.

    An ``attention_mask`` marks the tokens; otherwise all places up to the last tag are tokens.

    Args:
        batches: Tensors ``(B, T, ...)`` by name.
        labels: Tags ``(B, T)``, -100 where missing; of one axis if there are none.
    """
    parts, tags = [], []
    for tensors, own in zip(batches, labels, strict=True):
        first = next(iter(tensors.values()))
        mask = torch.ones(first.shape[:2], dtype=torch.bool)
        known = torch.from_numpy(own != MISSING_LABEL) if own.ndim == 2 else mask
        named = [one for name, one in tensors.items() if name.split(".")[-1] == MASK]
        if named and named[0].ndim == 2:
            mask = named[0] != 0
        elif own.ndim == 2:
            mask = known.flip(1).cummax(1).values.flip(1)
        flat = {name: one[mask] for name, one in tensors.items()}
        parts.append(TokenTensorInputs(flat, mask.sum(1)))
        codes = own if own.ndim == 2 else np.full(mask.shape, MISSING_LABEL)
        tags.append(codes[mask.numpy()])
    whole = np.concatenate(tags)
    objects = np.array([None if one == MISSING_LABEL else str(one) for one in whole.tolist()])
    inputs = TokenTensorInputs.joined(parts)
    return inputs, TagColumn(objects.astype(object), inputs.lengths.numpy(), True)


def per_token(leaves: Sequence[Leaf]) -> tuple[Leaf, ...]:
    """Return tensors of sequences as tensors of a token."""
    return tuple(replace(leaf, shape=leaf.shape[1:]) for leaf in leaves)
