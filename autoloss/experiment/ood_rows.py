"""The OOD rows of a search, divided into a half that chooses and a locked half."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.core.option import path_of
from autoloss.core.own_code import check_unchanged
from autoloss.data import StudyData
from autoloss.data.encoding import Inputs, RowReader
from autoloss.data.fingerprint import source_digest
from autoloss.data.input_kinds import kind_of_encoding
from autoloss.data.messages import plural
from autoloss.data.tensors.given import is_given
from autoloss.experiment.request import Request
from autoloss.inference.ood import check_strangers
from autoloss.records.ood import PREFIX
from autoloss.search import Space

LEAST, MOST = 40, 8192
"""The fewest OOD rows of a search, and the most that it uses."""
OOD = "ood"
_NEW: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class StrangerRows:
    """Out-of-distribution (OOD) rows.

    Args:
        source: A file, a folder, or rows in memory.
        label: Where they come from, for people.
        choosing: The rows that choose.
        locked: The rows that nothing reads before the verdict.
        clusters: The cluster of each row of the source: its group, or itself.
        sha256: Hash of the file, the folder or the DataFrame; empty where it has none.

    Shape:
        choosing and locked ``(M / 2,)``, clusters ``(rows of the source,)``.
    """

    source: Any
    label: str
    choosing: NDArray[np.int64]
    locked: NDArray[np.int64]
    clusters: NDArray[np.int64]
    sha256: str = ""

    def __len__(self) -> int:
        """Return the number of OOD rows that are used."""
        return len(self.choosing) + len(self.locked)

    @property
    def origin(self) -> dict[str, Any]:
        """Return the study's record of the rows, as JSON values."""
        return {OOD: {"sha256": self.sha256}}

    @classmethod
    def read(
        cls, request: Request, data: StudyData, space: Space, *, origin: Mapping[str, Any] = _NEW
    ) -> Self | None:
        """Return the OOD rows of a request; None if it has none.

        Args:
            request: The request.
            data: The data, whose columns the OOD rows must have.
            space: The space; an OOD figure among its objectives needs OOD rows.
            origin: The records of the study that goes on; none for a new study.

        Raises:
            InputError: The OOD rows are too few or lack a column, or differ from the rows at the
                start of the study, or the rows of the data have several labels or are sequences.
        """
        if request.ood is None:
            named = [name for name in space.objectives if name.startswith(PREFIX)]
            if named:
                raise InputError(
                    f"ood must be given, because the objectives of the space have {named[0]!r}:"
                    " give out-of-distribution rows, or leave that objective out."
                )
            return None
        check_strangers(data.task, subject="ood")
        in_memory = "a data set" if is_given(request.ood) else "a table"
        label = path_of(request.ood) or in_memory
        sha256, known = source_digest(request.ood), origin.get(OOD, {}).get("sha256")
        check_unchanged(f"ood, {label},", sha256, known, study="the study")
        none = np.zeros(0, np.int64)
        every = cls(request.ood, label, none, none, none, sha256)
        n_rows = sum(len(frame) for frame in every.frames(data.kind.reader([data.encoding])))
        if n_rows < LEAST:
            raise InputError(
                f"ood must have at least {LEAST} rows, a half to choose and a half for the "
                f"verdict, but {label} has {plural(n_rows, 'row')}."
            )
        clusters = every.groups(data, request.groups, n_rows)
        names, place = np.unique(clusters, return_inverse=True)
        if len(names) < 2:
            raise InputError(
                f"ood must have at least two groups of {request.groups!r}, a half to choose and a "
                f"half for the verdict, but {label} has one: leave the column out of it."
            )
        random = np.random.default_rng([request.seed, 17])
        is_first = (random.permutation(len(names)) % 2 == 0)[place]
        drawn = np.sort(random.permutation(n_rows)[:MOST])
        found = replace(
            every,
            choosing=drawn[is_first[drawn]],
            locked=drawn[~is_first[drawn]],
            clusters=clusters,
        )
        # Unreadable rows are refused before a study begins.
        found.taken([data.encoding])
        return found

    def groups(self, data: StudyData, column: str | None, n_rows: int) -> NDArray[np.int64]:
        """Return the group of each row, its number without a column of groups."""
        if column is not None and not is_given(self.source):
            table, _ = data.kind.reader([data.encoding]).labelled(self.source)
            if column in table.frame.columns:
                cells = table.frame[column].astype(str)
                return np.unique(cells, return_inverse=True)[1].astype(np.int64)
        return np.arange(n_rows)

    def frames(self, reader: RowReader) -> Iterator[pd.DataFrame]:
        """Yield the rows as a reader reads them from their source.

        Raises:
            InputError: The source cannot be read, or a column is missing.
        """
        try:
            yield from reader.frames(self.source)
        except InputError as error:
            raise InputError(_as_ood(str(error))) from error

    def taken(
        self, encodings: Sequence[Any], rows: NDArray[np.int64] | None = None
    ) -> list[Inputs]:
        """Return the used rows, encoded by each encoding: the choosing rows first.

        Cells that an encoding cannot use count as missing: OOD rows may have their own cells.

        Args:
            encodings: The encodings.
            rows: The rows; None for both halves.

        Raises:
            InputError: A row cannot be read, or a column is missing.
        """
        used = np.r_[self.choosing, self.locked] if rows is None else rows
        distinct = list({id(one): one for one in encodings}.values())
        reader = kind_of_encoding(distinct[0]).reader(distinct)
        ordered, parts, start = np.sort(used), [], 0
        for frame in self.frames(reader):
            own = ordered[(ordered >= start) & (ordered < start + len(frame))] - start
            start += len(frame)
            if len(own):
                parts.append(self._encoded(reader, frame.iloc[own].reset_index(drop=True)))
        places = torch.from_numpy(np.searchsorted(ordered, used))
        joined = [
            same[0] if len(same) == 1 else type(same[0]).joined(same)
            for same in zip(*parts, strict=True)
        ]
        found = {
            id(one): inputs.take(places) for one, inputs in zip(distinct, joined, strict=True)
        }
        return [found[id(one)] for one in encodings]

    def _encoded(self, reader: RowReader, frame: pd.DataFrame) -> list[Inputs]:
        try:
            return reader.encode(frame, label=self.label)
        except InputError as error:
            raise InputError(_as_ood(str(error))) from error


def _as_ood(message: str) -> str:
    """Turn a message on rows to predict into a message on OOD rows, with the remedy."""
    text = f"ood{message[4:]}" if message.startswith("DATA ") else f"ood: {message}"
    if "lacks" not in text:
        return text
    return f"{text} Add what is missing, empty where nothing is known, or leave ood out."
