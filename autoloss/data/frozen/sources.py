"""Tables of images or texts whose vectors a frozen network computes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.data.frames import Table
from autoloss.data.frozen.encode import texts_of
from autoloss.data.frozen.extractor import Extractor, Seen
from autoloss.data.frozen.vectors import Told, text_digest, vectors_of
from autoloss.data.glimpse import Glimpse
from autoloss.data.images.decode import PictureError, open_picture
from autoloss.data.images.pixels import source_of
from autoloss.data.images.sources import PictureTable
from autoloss.data.kinds import kind_of
from autoloss.data.messages import listed, plural, unknown_name
from autoloss.data.options import NO_HINTS, DataOptions
from autoloss.data.roles import Roles


@dataclass(frozen=True, eq=False)
class FrozenVectors:
    """The vectors of a table, stored beside it.

    Args:
        vectors: A vector for each of its rows.
        extractor: The network that computed them.
        seen: Whether it read images or texts.
        cells: The texts or images.

    Shape:
        vectors (N, D), float32.
    """

    vectors: NDArray[np.float32]
    extractor: Extractor
    seen: Seen
    cells: Sequence[Any]

    @property
    def note(self) -> str:
        """Return a note on the number of the vectors, and the space that they take."""
        n, width = self.vectors.shape
        size = f"{self.vectors.nbytes / 1e6:,.1f} MB"
        return (
            f"{n:,} {self.seen} are vectors of {width} numbers, which take {size} in a cache on"
            " the disk."
        )

    def glimpse(self, row: int) -> Glimpse:
        """Return the first words of a text, or a small copy of an image."""
        if self.seen == "texts":
            return Glimpse.of_text(self.cells[row])
        picture = _opened(self.cells[row])
        return Glimpse() if picture is None else Glimpse.of_picture(picture)


def text_column(table: Table, roles: Roles, options: DataOptions) -> str:
    """Return the column of texts: the user's choice, or the only text column.

    Args:
        table: The table.
        roles: The roles of its columns.
        options: The options, which name kinds of columns.

    Raises:
        InputError: There is none, or there are several.
    """
    asked = [name for name, kind in options.kinds.items() if kind == "text"]
    for name in asked:
        if name not in table.frame.columns:
            columns = [str(one) for one in table.frame.columns]
            raise unknown_name(f"column must name a column of {table.label}", name, columns)
    found = asked or [
        name for name in roles.inputs if kind_of(name, table.frame[name], NO_HINTS).kind == "text"
    ]
    if len(found) == 1:
        return found[0]
    has = f"has the columns {listed(found)}" if found else "has none"
    raise InputError(
        f"{table.label} must have one column of texts for --features, but {has}: name it by"
        " --column NAME=text."
    )


def hashed_name(column: str) -> str:
    """Return the name of the column of hashes of a network's inputs from a column."""
    return f"{column} (sha256)"


def vectors_of_texts(
    table: Table, column: str, extractor: Extractor, told: Told
) -> tuple[Table, FrozenVectors]:
    """Return a table with a hash of each text, and the vectors of its texts.

    Raises:
        InputError: As in `vectors_of`.
    """
    texts = texts_of(table.frame[column])
    digests = [text_digest(one) for one in texts]
    found = vectors_of(extractor, texts, digests, opened=str, told=told)
    notes = table.notes
    if empty := sum(not one.strip() for one in texts):
        notes = (*notes, f"{table.label}: {plural(empty, 'text')} without words kept.")
    frame = table.frame.assign(**{hashed_name(column): _marked(digests, extractor)})
    return replace(table, frame=frame, notes=notes), FrozenVectors(
        found, extractor, "texts", texts
    )


def vectors_of_pictures(
    pictures: PictureTable, extractor: Extractor, told: Told, *, skip_bad: bool
) -> tuple[Table, FrozenVectors]:
    """Return a table with a hash of each image, and the vectors of its rows.

    Args:
        pictures: The table.
        extractor: Computes the vectors.
        told: Called with sentences on the progress.
        skip_bad: Whether rows are left out whose image cannot be read.

    Raises:
        InputError: An image cannot be read, or as in `vectors_of`.
    """
    with ThreadPoolExecutor(8) as pool:
        digests = [digest for _, digest in pool.map(source_of, pictures.cells)]
    found = vectors_of(extractor, pictures.cells, digests, opened=_opened, told=told)
    bad = {int(row): _reason(pictures.cells[row]) for row in np.flatnonzero(np.isnan(found[:, 0]))}
    hashes = _marked(digests, extractor)
    table, kept = pictures.settled(hashes, bad, found, skip_bad=skip_bad)
    cells = [cell for row, cell in enumerate(pictures.cells) if row not in bad]
    return table, FrozenVectors(kept, extractor, "pictures", cells)


def _marked(digests: Sequence[str], extractor: Extractor) -> list[str]:
    """Return hashes of inputs and network, so that the data of a study include the network."""
    return [f"{digest[:32]}{extractor.sha256[:32]}" for digest in digests]


def _opened(cell: Any) -> Any:
    """Return a Pillow image in colour; None if it cannot be read."""
    try:
        return open_picture(cell).convert("RGB")
    except PictureError:
        return None


def _reason(cell: Any) -> str:
    """Return the reason why an image cannot be read."""
    try:
        open_picture(cell)
    except PictureError as error:
        return str(error)
    return "it could not be read before"
