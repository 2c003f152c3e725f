"""Predicted tags beside the tokens, in the format of the file that has the tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.core.files import replacing
from autoloss.data.input_kinds import kind_of_encoding
from autoloss.data.sequences.conll import (
    ENDINGS,
    is_universal,
    lines_of,
    read_text,
    token_lines,
)
from autoloss.data.text_file import ending_of
from autoloss.inference.classifier import Classifier
from autoloss.inference.predicting import PREDICTION

PROBABILITY = "probability"
_LINES = (".jsonl", ".ndjson")
_DECIMALS = 4


def write_tags(classifier: Classifier, data: str, file: Path) -> int:
    """Write the sequences of a file with the predicted tags; return the number of sequences.

    A CoNLL file gets two more columns, the predicted tag and its probability; its other lines stay
    as they are. Parquet and JSON lines get the lists ``prediction`` and ``probability``. In CSV a
    list is text: letters where all values of its column are letters, else values apart by blanks.

    Args:
        classifier: A model of sequences.
        data: The file with the tokens.
        file: The file to write.

    Raises:
        InputError: The data cannot be read, or the endings of both files do not go together.
    """
    is_conll = ending_of(Path(data)) in ENDINGS or ending_of(file) in ENDINGS
    ending = file.suffix.lower()
    if is_conll != (ending in ENDINGS) or ending not in (*ENDINGS, *_LINES, ".parquet", ".csv"):
        wanted = "the ending of DATA" if is_conll else ".jsonl, .parquet or .csv"
        raise InputError(f"FILE must have {wanted}, but got FILE={str(file)!r}.")
    frame, tags, probs = _read_and_tagged(classifier, data, label=data)
    with replacing(file) as part:
        if ending in ENDINGS:
            lines = _conll_lines(Path(data), tags, probs)
            part.write_text("".join(lines), encoding="utf-8", newline="")
        else:
            _write_frame(frame, tags, probs, part, ending)
    return len(tags)


def tagged(
    classifier: Classifier, data: pd.DataFrame, *, label: str = "DATA"
) -> tuple[list[NDArray[Any]], list[NDArray[np.float64]]]:
    """Return the decided tag of each token and the probability of that tag, by sequence.

    Args:
        classifier: A model of sequences.
        data: The sequences.
        label: The name of the table in messages.

    Raises:
        InputError: A column is missing, or its cells are not lists of one length.
    """
    return _read_and_tagged(classifier, data, label=label)[1:]


def _read_and_tagged(
    classifier: Classifier, data: pd.DataFrame | str, *, label: str
) -> tuple[pd.DataFrame, list[NDArray[Any]], list[NDArray[np.float64]]]:
    """Return sequences as they were read, with the decided tags and their probabilities."""
    encodings = classifier.encodings
    reader = kind_of_encoding(encodings[0]).reader(encodings)
    # All sequences come at once.
    (frame,) = reader.frames(data)
    inputs = reader.encode(frame, label=label)
    rows = classifier.by_member(inputs)
    flat = classifier.shown_probs(classifier.encoded_log_probs(rows))
    probs = classifier.by_sequence(flat, inputs[0])
    codes = [classifier.decisions(one) for one in probs]
    tags = [classifier.classes[one] for one in codes]
    chosen = [
        one[np.arange(len(one)), own].round(_DECIMALS)
        for one, own in zip(probs, codes, strict=True)
    ]
    return frame, tags, chosen


def _conll_lines(
    path: Path, tags: Sequence[NDArray[Any]], probs: Sequence[NDArray[np.float64]]
) -> Iterator[str]:
    """Yield the lines of a CoNLL file with a tag and its probability after each token."""
    text = read_text(path, label=str(path))
    universal = is_universal(path)
    added: dict[int, str] = {}
    separator = "\t"
    for sequence, own, of_tag in zip(
        token_lines(text, universal=universal, label=str(path)), tags, probs, strict=True
    ):
        for line, tag, prob in zip(sequence, own, of_tag, strict=True):
            added[line.number] = f"{tag}{line.separator}{prob:.{_DECIMALS}f}"
            separator = line.separator
    for number, plain in enumerate(lines_of(text), start=1):
        more = f"{separator}{added[number]}" if number in added else ""
        yield f"{plain}{more}\n"


def _write_frame(
    frame: pd.DataFrame,
    tags: Sequence[NDArray[Any]],
    probs: Sequence[NDArray[np.float64]],
    file: Path,
    ending: str,
) -> None:
    """Write a table of sequences with lists of tags and of their probabilities."""
    columns: dict[str, list[Any]] = {
        PREDICTION: [one.tolist() for one in tags],
        PROBABILITY: [one.tolist() for one in probs],
    }
    whole = frame.assign(**{name: pd.Series(cells) for name, cells in columns.items()})
    if ending == ".csv":
        texts = {name: _as_text(whole[name].tolist()) for name in whole.columns}
        pd.DataFrame(texts).to_csv(file, index=False, lineterminator="\n")
    elif ending == ".parquet":
        whole.to_parquet(file, index=False)
    else:
        rows = (
            {name: _plain(value) for name, value in row.items()}
            for row in whole.to_dict(orient="records")
        )
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        file.write_text(text, encoding="utf-8")


def _as_text(cells: Sequence[Any]) -> list[Any]:
    """Return the cells of a column of a CSV file, in which lists are text."""
    lists = [cell for cell in cells if isinstance(cell, list | np.ndarray)]
    is_of_letters = all(isinstance(one, str) and len(one) == 1 for own in lists for one in own)
    separator = "" if is_of_letters else " "
    return [
        separator.join(map(str, cell)) if isinstance(cell, list | np.ndarray) else cell
        for cell in cells
    ]


def _plain(value: Any) -> Any:
    """Return a cell as a JSON value."""
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and np.isnan(value) else value
