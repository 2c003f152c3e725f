"""New sequences for a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from autoloss.data.exchange import Frame
from autoloss.data.frames import Table
from autoloss.data.options import DataOptions
from autoloss.data.read import load_table
from autoloss.data.sequences.cells import read_words
from autoloss.data.sequences.encode import SequenceEncoding
from autoloss.data.sequences.inputs import SequenceInputs
from autoloss.data.sequences.sources import column_of
from autoloss.data.sequences.tags import TagColumn
from autoloss.data.stream import RowStream, open_rows


class SequenceReader:
    """Reads sequences for each of several encodings; see `RowReader`.

    Args:
        encodings: The distinct encodings.
    """

    def __init__(self, encodings: Sequence[SequenceEncoding]) -> None:
        self._encodings = encodings

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns of the tokens and of every feature that an encoding reads."""
        columns = [one.tokens for one in self._encodings]
        named = [name for one in columns for name in (one.tokens, *one.features)]
        return tuple(dict.fromkeys(named))

    def frames(self, data: Frame | str | Path) -> Iterator[pd.DataFrame]:
        """Yield all sequences at once, of which empty sequences stay."""
        options = DataOptions(tokens=self._encodings[0].tokens.tokens)
        yield load_table(data, options=options).frame

    def labelled(self, data: Frame | str | Path) -> tuple[Table, Frame | str | Path]:
        """Return a table of sequences, and its source."""
        (frame,) = self.frames(data)
        return Table(frame, str(data) if isinstance(data, str | Path) else "DATA"), data

    def tagged(self, data: Frame | str | Path, target: str) -> tuple[Table, TagColumn]:
        """Return a table of sequences, and the tags of its tokens.

        Args:
            data: The source.
            target: The column of the tags.

        Raises:
            InputError: The table lacks it, or its lists have other lengths than the tokens.
        """
        tokens = self._encodings[0].tokens.tokens
        table, _ = self.labelled(data)
        lengths = read_words(table.frame[tokens], label=table.label)[1]
        name = column_of(table, target, option="target")
        return table, TagColumn.read(table, name, lengths, tokens=tokens)

    def open(self, data: str | Path) -> RowStream:
        """Return the rows of a file, a sequence each."""
        return open_rows(data)

    def encode(self, frame: pd.DataFrame, *, label: str = "DATA") -> list[SequenceInputs]:
        """Return the sequences of a table encoded by each encoding."""
        return [encoding.transform(frame, label=label) for encoding in self._encodings]

    def check(self, *, label: str, remedy: str) -> None:
        """Return: unknown tokens are read by their letters."""

    @property
    def note(self) -> str:
        """Return nothing: every token can be read."""
        return ""


def sequence_signature(encodings: Sequence[SequenceEncoding]) -> list[tuple[str, str]]:
    """Return the name and MLflow type of each column, which has lists or text."""
    return [(name, "any") for name in SequenceReader(encodings).names]


def sequence_example(encodings: Sequence[SequenceEncoding]) -> dict[str, object]:
    """Return made-up sequences in the form of MLflow's scoring server."""
    return encodings[0].example
