"""The encoding of data in memory, whose tensors stay as they are: names, shapes and types."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.encoding import check_version
from autoloss.data.messages import listed
from autoloss.data.tensors.inputs import MemoryStore, TensorInputs, TensorSchema
from autoloss.data.tensors.tree import Leaf, Tree, nested

_VERSION = 1
_MOST_NUMBERS = 1 << 31
_TYPES = ("float32", "int64", "int32", "int16", "int8", "uint8", "bool")


@dataclass(frozen=True, eq=False)
class TensorEncoding:
    """The encoding of tensors: nothing is fitted, so that training and use read the same numbers.

    Args:
        schema: The structure.
        groups: The key of the group in the dict of an example, which is not an input; empty for
            none.
    """

    schema: TensorSchema
    groups: str = ""
    schema_type: ClassVar[type[TensorSchema]] = TensorSchema

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Return the name of every tensor."""
        return tuple((leaf.name, "tensor") for leaf in self.schema.leaves)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the type and shape of every tensor."""
        return tuple(leaf.text for leaf in self.schema.leaves)

    @property
    def dropped(self) -> tuple[tuple[str, str], ...]:
        """Return nothing: no tensor is left out."""
        return ()

    def transform(self, frame: pd.DataFrame, *, label: str = "DATA") -> TensorInputs:
        """Read a table with a column for every tensor, whose cells are arrays or nested lists.

        Raises:
            InputError: A column is missing, or a cell has another shape.
        """
        self.check_columns(frame, label=label)
        tensors = {
            leaf.name: self._column(frame[leaf.name], leaf, label) for leaf in self.schema.leaves
        }
        return TensorInputs.of(MemoryStore(tensors))

    def check_columns(self, frame: pd.DataFrame, *, label: str) -> None:
        """Check that a table has a column for each tensor.

        Raises:
            InputError: It lacks an input.
        """
        names = [leaf.name for leaf in self.schema.leaves]
        if missing := [name for name in names if name not in frame.columns]:
            raise InputError(
                f"{label} must have a column for each tensor of the training data, but lacks"
                f" {listed(missing)}; give a Dataset, a DataLoader or tensors."
            )

    @staticmethod
    def _column(cells: pd.Series, leaf: Leaf, label: str) -> Tensor:
        found = np.zeros((0, *leaf.shape))
        try:
            if len(cells):
                found = np.stack([array_of(cell) for cell in cells])
        except ValueError:
            found = np.zeros(0, dtype=object)
        if found.dtype.kind not in "biuf" or found.shape[1:] != leaf.shape:
            raise InputError(
                f"{label} must have {leaf.name!r} of shape {leaf.shape} in every row, as the"
                f" training data had, but got {found.shape[1:] or 'cells of unlike shapes'}."
            )
        return torch.from_numpy(found).to(leaf.type)

    def check_like(self, tree: Tree, leaves: Sequence[Leaf], *, label: str) -> None:
        """Check that data have the structure of the training data.

        Raises:
            InputError: They have other tensors, shapes or types.
        """
        if (tree, tuple(leaves)) == (self.schema.tree, self.schema.leaves):
            return

        def shown(each: Sequence[Leaf]) -> str:
            return ", ".join(f"{leaf.name} {leaf.text}" for leaf in each)

        raise InputError(
            f"{label} must have the inputs {shown(self.schema.leaves)}, as the training data had,"
            f" but has {shown(leaves)}."
        )

    def to_state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the encoding as JSON values, and no tensors, for `from_state`."""
        leaves = [asdict(leaf) for leaf in self.schema.leaves]
        state = {"version": _VERSION, "tree": self.schema.tree, "leaves": leaves}
        return {**state, "groups": self.groups}, {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Return the encoding from its stored state, which has no tensors.

        Raises:
            InputError: This version cannot read the state.
        """
        check_version(state, _VERSION)
        leaves = tuple(
            Leaf(one["name"], tuple(one["shape"]), one["dtype"]) for one in state["leaves"]
        )
        return cls(cls.schema_type(state["tree"], leaves), state.get("groups", ""))

    def check(self) -> None:
        """Check that the parts of a loaded encoding fit together.

        Raises:
            ValueError: Two parts do not fit.
        """
        names = [leaf.name for leaf in self.schema.leaves]
        try:
            nested(self.schema.tree, dict.fromkeys(names))
        except (KeyError, TypeError, ValueError):
            raise ValueError("inputs cannot be") from None
        for leaf in self.schema.leaves:
            sizes = leaf.shape
            if not (
                leaf.dtype in _TYPES
                and all(isinstance(size, int) and size >= 0 for size in sizes)
                and math.prod(sizes) < _MOST_NUMBERS
            ):
                raise ValueError("inputs cannot be")


def array_of(cell: Any) -> Any:
    """Return the numbers of a cell; nested object arrays, as Arrow gives them, as one array."""
    if isinstance(cell, np.ndarray) and cell.dtype == object:
        return np.stack([array_of(one) for one in cell]) if len(cell) else np.zeros(0)
    return np.asarray(cell)


def tensor_signature(encodings: Sequence[TensorEncoding]) -> list[tuple[str, str]]:
    """Return the name and MLflow type of each column, which has nested lists of numbers."""
    return [(leaf.name, "any") for leaf in encodings[0].schema.leaves]


def tensor_example(encodings: Sequence[TensorEncoding]) -> dict[str, Any]:
    """Return a made-up example, all zero, in the form of MLflow's scoring server."""
    schema = encodings[0].schema
    row = [one[0].tolist() for one in schema.zeros(1)]
    names = [leaf.name for leaf in schema.leaves]
    return {"dataframe_split": {"columns": names, "data": [row]}}
