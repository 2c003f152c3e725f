"""The sizes of encoded rows of a table, which decide the shapes of a network's weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class InputShape:
    """The sizes of encoded inputs.

    Networks for several encodings of a table share it, so that their weights have the same shapes.

    Args:
        dense: Width D of the dense part.
        embedded: Number Q of embedded columns.
        codes: Number of codes of all embedded columns together.
        waves: Numeric columns with learnt frequencies.
        terms: Number V of terms of free text.
        places: Places M for the terms of a row.
    """

    dense: int
    embedded: int
    codes: int
    waves: int = 0
    terms: int = 0
    places: int = 0

    @classmethod
    def covering(cls, shapes: Sequence[InputShape]) -> InputShape:
        """Return the smallest shape that holds the inputs of several networks."""
        largest = (max(getattr(shape, one.name) for shape in shapes) for one in fields(cls))
        return cls(*largest)
