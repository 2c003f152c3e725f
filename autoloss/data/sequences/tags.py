"""The tags of the tokens of sequences: reading, checks, and their form for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.ragged import Ragged
from autoloss.core.task import MISSING_LABEL, Task
from autoloss.data.frames import Table
from autoloss.data.messages import listed, plural
from autoloss.data.sequences.cells import Objects, as_tags, read_values
from autoloss.data.sequences.inputs import WINDOW
from autoloss.data.split import Codes, Rows
from autoloss.data.target_column import LEAST_ROWS

MOST_TAGS = 1_000


@dataclass(frozen=True, eq=False)
class TagColumn:
    """The tags of the tokens of a table's sequences.

    Args:
        tags: The tag of each token as text, None if missing.
        lengths: The tokens of each sequence.
        are_numbers: Whether tags are whole numbers.

    Shape:
        tags (T,), lengths (N,).
    """

    tags: Objects
    lengths: Rows
    are_numbers: bool

    @classmethod
    def read(cls, table: Table, target: str, lengths: Rows, *, tokens: str) -> TagColumn:
        """Read the column of the tags.

        Raises:
            InputError: A list has another length than the tokens, or tags are fractions.
        """
        values = read_values(table.frame[target], lengths, tokens=tokens, label=table.label)
        tags, are_numbers = as_tags(values, name=target, label=table.label)
        return cls(tags, lengths, are_numbers)

    def take(self, rows: Rows) -> TagColumn:
        """Return the tags of some sequences."""
        first = np.cumsum(self.lengths) - self.lengths
        places = [np.arange(first[row], first[row] + self.lengths[row]) for row in rows]
        return TagColumn(
            self.tags[np.concatenate([np.zeros(0, dtype=np.int64), *places])],
            self.lengths[rows],
            self.are_numbers,
        )

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return the sequences of which a tag is known, (N,)."""
        return np.asarray(self._present.any(1), dtype=bool)

    def check(self, *, name: str, label: str, are_classes: bool = False) -> None:
        """Refuse tags that cannot be learnt; see `TargetColumn.check`."""
        names, n_tokens = self._names, int(sum(tag is not None for tag in self.tags))
        if len(names) < 2:
            got = f"every token of {label} is {names[0]!r}" if names else f"{label} has no tag"
            raise InputError(f"Target {name!r} must have at least two tags, but {got}.")
        n_rows = int(self.known.sum())
        if n_rows < LEAST_ROWS:
            raise InputError(
                f"{label} must have at least {LEAST_ROWS} sequences with tags, but has {n_rows}."
            )
        if (len(names) > MOST_TAGS or 2 * len(names) > n_tokens) and not are_classes:
            raise InputError(
                f"Target {name!r} must hold tags, but has {len(names):,} different values in"
                f" {plural(n_tokens, 'token')}; name the column of the tags."
            )

    def strata(self, hidden: NDArray[np.bool_]) -> Codes:
        """Return whether each sequence has each tag, by which sequences are divided, (N, C).

        Args:
            hidden: The sequences whose tags decide nothing.

        Shape:
            hidden (N,).
        """
        present = self._present.astype(np.int64)
        present[hidden] = MISSING_LABEL
        return present

    def rarest(self, rows: Rows, codes: Codes) -> tuple[str, str, int]:
        """Return the word tag, the tag that the fewest sequences have, and their number."""
        counts = (codes[rows] == 1).sum(0)
        fewest = np.where(counts > 0, counts, len(rows) + 1)
        place = int(fewest.argmin())
        return "tag", self._names[place], int(min(fewest[place], len(rows)))

    def task(self, train: Rows, *, name: str, positive: str | None) -> tuple[Task, list[str], str]:
        """Return the task, its tags, and no note; see `TargetColumn.task`."""
        if positive is not None:
            raise InputError(f"positive must be left out for tags, but got positive={positive!r}.")
        keys = [self._names[i] for i in np.flatnonzero(self._present[train].any(0))]
        if len(keys) < 2:
            raise InputError(
                f"Training sequences must have at least two tags of {name!r}, but all are"
                f" {keys[0]!r}; divide the data in another way."
            )
        classes = tuple(map(int, keys)) if self.are_numbers else tuple(keys)
        return Task("sequence", classes, name), keys, ""

    def targets(self, keys: Sequence[str], rows: Rows) -> Ragged:
        """Return the tags of some sequences as places in `keys`, -100 where missing or unknown."""
        whole = Ragged(torch.from_numpy(self._codes(keys)), torch.from_numpy(self.lengths))
        return whole[torch.from_numpy(np.asarray(rows, dtype=np.int64))]

    def unknown(self, keys: Sequence[str], rows: Rows) -> tuple[NDArray[np.bool_], list[str]]:
        """Return no sequence to leave out, and the tags of some that are not among `keys`."""
        present = np.flatnonzero(self._present[rows].any(0))
        names = [self._names[place] for place in present]
        return np.zeros(len(rows), dtype=bool), [name for name in names if name not in keys]

    def count(self, targets: Ragged, keys: Sequence[str]) -> Tensor:
        """Return the tokens of each tag, (C,)."""
        return torch.bincount(targets.values[targets.values >= 0], minlength=len(keys))

    def trained(self, counts: Tensor) -> Tensor:
        """Return the counts of training tokens as losses need them, (C,)."""
        return counts

    def judged(self, targets: Ragged, counts: Tensor) -> Ragged:
        """Return the tags of held-out sequences that are judged: all."""
        return targets

    def summary(self, keys: Sequence[str], total: Tensor) -> dict[str, Any]:
        """Return the tags and their tokens as fields of a `DataSummary`."""
        return {"classes": tuple(keys), "class_counts": tuple(total.tolist())}

    def notes(
        self, keys: Sequence[str], total: Tensor, train: Tensor, held: Mapping[str, Tensor]
    ) -> list[str]:
        """Return notes on parts that lack a tag, and on missing tags.

        Args:
            keys: The tags.
            total: All tokens of each tag.
            train: Training tokens of each tag.
            held: Tokens of each tag that any division holds out, by the name of the part.

        Shape:
            total, train and held each (C,).
        """
        notes = []
        for name, counts in held.items():
            absent = [key for key, count in zip(keys, counts, strict=True) if count == 0]
            # A part without any token is empty.
            if absent and len(absent) < len(keys):
                notes.append(f"The {name} part has no token with the tag {listed(absent)}.")
        missing = sum(tag is None for tag in self.tags)
        if missing:
            notes.append(f"{plural(missing, 'token')} without a tag: they do not count.")
        if long := int((self.lengths > WINDOW).sum()):
            count = plural(long, "sequence")
            notes.append(f"{count} of more than {WINDOW} tokens: cut into windows that overlap.")
        return notes

    @cached_property
    def _names(self) -> list[str]:
        """Return all tags, in the order of their codes."""
        names = {tag for tag in self.tags if tag is not None}
        return sorted(names, key=int) if self.are_numbers else sorted(names)

    def _codes(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """Return the place of each token's tag in `keys`, -100 if missing or not there, (T,)."""
        place = {key: code for code, key in enumerate(keys)}
        return np.array([place.get(tag, MISSING_LABEL) for tag in self.tags], dtype=np.int64)

    @cached_property
    def _present(self) -> NDArray[np.bool_]:
        """Return whether each sequence has each tag, (N, C)."""
        codes = self._codes(self._names)
        found = np.zeros((len(self.lengths), len(self._names)), dtype=bool)
        rows = np.repeat(np.arange(len(self.lengths)), self.lengths)
        found[rows[codes >= 0], codes[codes >= 0]] = True
        return found
