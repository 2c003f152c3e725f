"""The encoding of images or texts by a frozen network: its reference, and a standardisation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd
import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.encoding import check_version
from autoloss.data.frozen.extractor import AT_ONCE, Extractor, Seen, kept_extractor
from autoloss.data.frozen.inputs import VectorInputs
from autoloss.data.images.decode import Cell, PictureError, open_picture
from autoloss.data.images.encode import cell_of, shown_cell
from autoloss.data.inputs import TableSchema
from autoloss.data.messages import listed, plural

_VERSION = 1
_LEAST_SCALE = 1e-6


@dataclass(frozen=True, eq=False)
class FrozenEncoding:
    """The fitted encoding of images or texts by a frozen network.

    Args:
        column: Their column.
        seen: Whether they are images or texts.
        reference: The network: ``st:NAME``, or ``FILE.py:NAME`` without folders.
        sha256: Fingerprint of its weights, or of its file.
        mean: The mean of each number of the vectors of the training rows.
        scale: Its standard deviation.

    Shape:
        mean, scale (D,), float32.
    """

    column: str
    seen: Seen
    reference: str
    sha256: str
    mean: Tensor
    scale: Tensor

    @classmethod
    def fit(cls, vectors: Tensor, *, column: str, seen: Seen, extractor: Extractor) -> Self:
        """Fit to the vectors of training rows, (N, D).

        Args:
            vectors: The vectors.
            column: The column of the images or texts.
            seen: Whether they are images or texts.
            extractor: The network that computed the vectors.
        """
        exact = vectors.double()
        mean, scale = exact.mean(0), exact.std(0, correction=0)
        # A number that never changes stays zero.
        scale = torch.where(scale > _LEAST_SCALE, scale, torch.ones_like(scale))
        return cls(column, seen, extractor.name, extractor.sha256, mean.float(), scale.float())

    @property
    def schema(self) -> TableSchema:
        """Return the schema of a table without columns, whose rows have these vectors."""
        return TableSchema(0, torch.zeros(0, 2), (), (), vector_width=len(self.mean))

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Return the name of the column and its content."""
        return ((self.column, "image" if self.seen == "pictures" else "text"),)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the number of features and their network."""
        return (f"{len(self.mean)} frozen features of {self.reference}",)

    @property
    def dropped(self) -> tuple[tuple[str, str], ...]:
        """Return nothing: the column is never left out."""
        return ()

    def transform(self, frame: pd.DataFrame, *, label: str = "DATA") -> VectorInputs:
        """Compute the vectors of the rows of a table.

        Raises:
            InputError: The column is missing, an image cannot be read, or the network is not
                there.
        """
        return self.standard(self.vectors(frame, label=label))

    def standard(self, vectors: Tensor) -> VectorInputs:
        """Return vectors (N, D) as inputs with the standardisation of this encoding.

        Raises:
            InputError: The vectors have another width.
        """
        if vectors.shape[1] != len(self.mean):
            raise InputError(
                f"features must return {len(self.mean)} numbers as in the search, but"
                f" {self.reference} returned {vectors.shape[1]}."
            )
        return VectorInputs(vectors, torch.arange(len(vectors)), self.mean, self.scale)

    def vectors(
        self, frame: pd.DataFrame, *, label: str = "DATA", base: Path | None = None
    ) -> Tensor:
        """Return the vectors of the rows of a table, (N, D).

        Args:
            frame: The table.
            label: Its name in messages.
            base: The folder that paths of images start from.

        Raises:
            InputError: As in `transform`.
        """
        if self.column not in frame.columns:
            raise InputError(
                f"{label} must have the column {self.column!r} of {self.seen}, but has"
                f" {listed(map(str, frame.columns))}."
            )
        extractor = kept_extractor(self.reference, self.sha256, self.seen)
        if self.seen == "texts":
            read: Sequence[Any] = texts_of(frame[self.column])
        else:
            cells = [cell_of(value, label=label, base=base) for value in frame[self.column]]
            read = _opened(cells, label)
        parts = [
            extractor.vectors(list(read[at : at + AT_ONCE])) for at in range(0, len(read), AT_ONCE)
        ]
        if not parts:
            return torch.zeros(0, len(self.mean))
        return torch.cat([torch.from_numpy(part) for part in parts])

    def to_state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the encoding as JSON values and tensors, for `from_state`."""
        names = ("column", "seen", "reference", "sha256")
        state = {"version": _VERSION, **{name: getattr(self, name) for name in names}}
        return state, {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Return the encoding from its stored state.

        Raises:
            InputError: This version cannot read the state.
        """
        check_version(state, _VERSION)
        return cls(
            column=state["column"],
            seen=state["seen"],
            reference=state["reference"],
            sha256=state["sha256"],
            mean=tensors["mean"],
            scale=tensors["scale"],
        )

    def check(self) -> None:
        """Check that the parts of a loaded encoding fit together.

        Raises:
            ValueError: Two parts do not fit.
        """
        texts = (self.column, self.reference, self.sha256)
        if not (
            self.seen in ("pictures", "texts")
            and all(isinstance(one, str) and one for one in texts)
            and self.mean.ndim == 1
            and self.mean.shape == self.scale.shape
            and len(self.mean)
            and bool(self.mean.isfinite().all())
            and math.isfinite(float(self.scale.max()))
            and float(self.scale.min()) > 0.0
        ):
            raise ValueError("frozen features cannot be")


def texts_of(values: pd.Series) -> list[str]:
    """Return the cells of a column as texts, missing cells as empty texts."""
    return [
        "" if missing else str(one) for one, missing in zip(values, values.isna(), strict=True)
    ]


def _opened(cells: Sequence[Cell], label: str) -> list[Any]:
    """Return Pillow images in colour.

    Raises:
        InputError: An image cannot be read.
    """
    found, bad = [], {}
    for row, cell in enumerate(cells):
        try:
            found.append(open_picture(cell).convert("RGB"))
        except PictureError as error:
            bad[row] = str(error)
    if bad:
        row, reason = next(iter(bad.items()))
        raise InputError(
            f"{label} must have images that can be read, but {plural(len(bad), 'image')}"
            f" cannot, such as {shown_cell(cells[row], row)} ({reason})."
        )
    return found
