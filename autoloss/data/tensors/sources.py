"""Tables of data in memory: a row for each example, with its label and a hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.frames import Table, as_table
from autoloss.data.messages import plural
from autoloss.data.options import NO_OPTIONS, DataOptions
from autoloss.data.sequences.tags import TagColumn
from autoloss.data.tensors.encode import TensorEncoding
from autoloss.data.tensors.given import Given, as_items, opened, read_batches
from autoloss.data.tensors.groups import groups_of
from autoloss.data.tensors.inputs import LARGEST, MemoryStore, TensorInputs, TensorSchema
from autoloss.data.tensors.items import ItemReader, ItemStore, drawn_from
from autoloss.data.tensors.labels import LABEL, are_one_hot, label_columns
from autoloss.data.tensors.pieces import Pieces
from autoloss.data.tensors.tokens import (
    TokenTensorEncoding,
    TokenTensorInputs,
    TokenTensorSchema,
    are_per_token,
    per_token,
    tokens_of,
)
from autoloss.data.tensors.tree import Leaf

ITEM, HASHED = "item", "item (sha256)"
"""The columns of the number of an example and of the hash of its inputs."""
_TRIED = 24
"""Examples that are read twice to see whether they are changed at random."""
_UNREAD = (
    "target",
    "label_separator",
    "tokens",
    "images",
    "image_size",
    "split_by",
    "drop",
    "features",
    "columns",
    "decimal",
    "date_format",
    "missing",
    "skip_bad",
    "constrained",
)


@dataclass(frozen=True, eq=False)
class Beside:
    """The inputs beside a table of examples.

    Args:
        inputs: The inputs of its rows.
        encoding: Their structure.
        weights: The weight of each row by a sampler; None if all weigh the same.

    Shape:
        weights (N,).
    """

    inputs: TensorInputs
    encoding: TensorEncoding
    weights: Tensor | None = None


@dataclass(frozen=True, eq=False)
class TensorTable:
    """Examples as a table, before their labels are read.

    Args:
        table: The rows.
        targets: The columns of the labels.
        beside: The inputs.
        tags: The tags of tokens; None for labels of whole examples.
    """

    table: Table
    targets: tuple[str, ...]
    beside: Beside
    tags: TagColumn | None = None

    @property
    def kind(self) -> str:
        """Return the kind of input, a name of `KINDS`."""
        return "tensors" if self.tags is None else "token_tensors"


def check_options(options: DataOptions) -> None:
    """Refuse options that only tables and files have.

    Raises:
        InputError: Such an option is given.
    """
    for name in _UNREAD:
        if getattr(options, name) not in (getattr(NO_OPTIONS, name), []):
            raise InputError(
                f"{name} must be left out for a Dataset, a DataLoader or tensors, whose items hold"
                f" inputs and label, but got {name}={getattr(options, name)!r}."
            )


def load_tensors(
    source: Given | str,
    *,
    name: str = "DATA",
    like: TensorEncoding | None = None,
    has_labels: bool = True,
    groups: str | None = None,
) -> TensorTable:
    """Read data in memory: all labels, and the inputs if the memory is enough.

    Args:
        source: The data, or their place.
        name: Name of the argument in messages.
        like: The encoding that they must have.
        has_labels: Whether they must have labels.
        groups: The key of the group in the dict of inputs; None for none.

    Raises:
        InputError: They cannot be read, lack the groups, or have another structure.
    """
    given, label = opened(source, name=name)
    key = (groups or "") if like is None else like.groups
    items, sampled = as_items(given, label=label, has_labels=has_labels, groups=key)
    pieces, is_random, store = Pieces(label), False, None
    if items is None:
        pieces.take(read_batches(given, label=label, has_labels=has_labels, groups=key))
        if pieces.bytes > LARGEST and not isinstance(given, tuple):
            raise InputError(
                f"{label} must be a Dataset to be larger than {LARGEST / 1e9:.1f} GB, because"
                " batches cannot be read by number."
            )
    elif not len(items):
        raise InputError(f"{label} must have items, but its length is 0.")
    else:
        is_random = _differs(items, 1, 2)
        with drawn_from(0):
            first = items.batch([0])
            is_kept = not is_random and _bytes_of(items) <= LARGEST
            # Tokens are read once in any case.
            is_kept |= are_per_token(first.tensors, first.labels)
            pieces.take(items.batches(), keep=is_kept, hashed=not is_random)
        if is_random or not is_kept:
            store = ItemStore(items, pieces.leaves, is_random)
    found = _table(pieces, store, like=like, sampled=sampled, is_random=is_random, groups=groups)
    if items is None or not is_random or not _differs(items, 1, 1):
        return found
    note = (
        f"{label}: its random changes do not follow the seeds of Python, numpy and torch, so"
        " results differ from run to run."
    )
    return replace(found, table=replace(found.table, notes=(*found.table.notes, note)))


def _table(
    pieces: Pieces,
    store: ItemStore | None,
    *,
    like: TensorEncoding | None,
    sampled: Sequence[float] | Sequence[int] | None,
    is_random: bool,
    groups: str | None,
) -> TensorTable:
    """Return examples as a table.

    Args:
        pieces: The tables that were read.
        store: Examples that are read when they are taken; None for examples in memory.
        like: The encoding that they must have.
        sampled: The weights of the examples, or the numbers of the examples that count.
        is_random: Whether examples differ from read to read.
        groups: The key of the group of each example, which must have it; None for none.
    """
    assert pieces.tree is not None
    label, count, leaves, tags = pieces.label, len(pieces.hashes), pieces.leaves, None
    frame = pd.DataFrame({ITEM: np.arange(count), HASHED: pieces.hashes})
    if groups is not None:
        frame[groups] = groups_of(pieces.groups, groups, label=label)
    encoding: TensorEncoding
    inputs: Any
    if pieces.are_tokens if like is None else isinstance(like, TokenTensorEncoding):
        inputs, tags = tokens_of(pieces.kept, pieces.labels)
        leaves = per_token(leaves)
        encoding = TokenTensorEncoding(TokenTensorSchema(pieces.tree, leaves), groups or "")
        texts = [" ".join(map(str, row)) for one in map(_as_rows, pieces.labels) for row in one]
        columns = pd.DataFrame({LABEL: texts})
    else:
        encoding = TensorEncoding(TensorSchema(pieces.tree, leaves), groups or "")
        columns = label_columns(pieces.labels, label)
        inputs = TensorInputs.of(pieces.store() if store is None else store)
    if like is not None:
        like.check_like(pieces.tree, leaves, label=label)
        encoding = like
    frame, weights = pd.concat([frame, columns], axis=1), None
    notes = [_about(pieces, leaves, inputs, is_random=is_random)]
    if are_one_hot(columns):
        notes.append(
            f"{label}: every row of labels has a single 1. They are searched as several labels of"
            " yes and no; if they are classes, give the number of the class."
        )
    if sampled is not None and isinstance(sampled[0], float):
        weights = torch.tensor(sampled, dtype=torch.float32)
        _check_count(len(weights), count, label)
        notes.append(
            f"{label}: the weights of its WeightedRandomSampler weigh the training rows, and"
            " held-out rows count once each."
        )
    elif sampled is not None:
        rows = np.asarray(sampled, dtype=np.int64)
        frame = frame.iloc[rows].reset_index(drop=True)
        inputs = inputs.take(torch.from_numpy(rows))
        tags = None if tags is None else tags.take(rows)
        notes.append(f"{label}: its sampler draws {len(rows):,} of {count:,} items.")
    table = as_table(frame, label=label, target=LABEL, notes=tuple(notes))
    return TensorTable(table, tuple(columns.columns), Beside(inputs, encoding, weights), tags)


def _about(pieces: Pieces, leaves: Sequence[Leaf], inputs: Any, *, is_random: bool) -> str:
    """Return a note on where the inputs are while candidates train."""
    shapes = ", ".join(f"{leaf.name} {leaf.text}" for leaf in leaves)
    size, count = f"{pieces.bytes / 1e6:,.1f} MB", plural(len(pieces.hashes), "item")
    text = f"{pieces.label}: {count} of {shapes}"
    if isinstance(inputs, TokenTensorInputs):
        tokens = plural(int(inputs.lengths.sum()), "token")
        return f"{text} for each of {tokens}, read once into memory ({size} with pads)."
    if isinstance(inputs.store, MemoryStore):
        return f"{text}, read once into memory ({size})."
    if is_random:
        return (
            f"{text}, which differ from read to read: training reads them again at every step, and"
            " held-out rows are changed once; give valid= and test= without random changes to"
            " judge by those."
        )
    return f"{text}, read at every step, because memory would hold {size}."


def _differs(items: ItemReader, *seeds: int) -> bool:
    """Return whether an example differs between two seeds, as random changes make it.

    Some changes spare half of the examples, so many are tried.
    """
    for number in dict.fromkeys(np.linspace(0, len(items) - 1, _TRIED).astype(int).tolist()):
        read = []
        for seed in seeds:
            with drawn_from(seed):
                read.append(items.batch([number]).tensors)
        if any(not torch.equal(one, read[1][name]) for name, one in read[0].items()):
            return True
    return False


def _bytes_of(items: ItemReader) -> int:
    """Return the bytes of all examples, by the largest of a few."""
    few = {0, len(items) // 2, len(items) - 1}
    each = [sum(one.nbytes for one in items.batch([k]).tensors.values()) for k in few]
    return max(each) * len(items)


def _check_count(found: int, count: int, label: str) -> None:
    if found != count:
        raise InputError(
            f"{label} must have a weight for each of {count:,} items, but its sampler has"
            f" {found:,}."
        )


def _as_rows(labels: NDArray[Any]) -> list[list[Any]]:
    """Return the labels of a batch as a list for each example."""
    rows: list[list[Any]] = labels.reshape(len(labels), -1).tolist()
    return rows
