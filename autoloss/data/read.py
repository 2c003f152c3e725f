"""Reading a table: text, Excel, JSON, Parquet, Feather, ARFF, a DataFrame, or scikit-learn's."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

from autoloss.core.errors import InputError
from autoloss.data.arff import read_arff
from autoloss.data.decimal_mark import decimal_mark
from autoloss.data.delimited_table import read_delimited
from autoloss.data.exchange import Frame, as_pandas, is_frame, not_a_table
from autoloss.data.feather_claim import check_feather
from autoloss.data.frames import Table, as_table
from autoloss.data.json_table import read_json
from autoloss.data.marks import without_marks
from autoloss.data.messages import one_line, unknown_name
from autoloss.data.options import NO_OPTIONS, DataOptions
from autoloss.data.parquet import as_frame, read_parquet
from autoloss.data.sequences.conll import ENDINGS as CONLL
from autoloss.data.sequences.conll import read_conll
from autoloss.data.tensors.given import Given
from autoloss.data.text_file import BROKEN, ending_of, open_bytes
from autoloss.data.workbook import read_workbook

Source = str | Path | Frame | Given
Form = Literal["ARFF", "CoNLL", "Excel", "Feather", "JSON", "Parquet", "delimited"]

# The kind of a file by its first bytes, for names that promise a text table.
_BINARY = (
    (b"PK\x03\x04", "a zip archive; unpack it, or name it .xlsx if it is an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as .xlsx or CSV"),
    (b"PAR1", "a Parquet file; give it the ending .parquet"),
    (b"ARROW1", "a Feather file; give it the ending .feather"),
    (b"FEA1", "a Feather file; give it the ending .feather"),
    (b"%PDF", "a PDF; save the table as CSV"),
    (b"\x89PNG", "an image; save the table as CSV"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
)
_FIRST = 2_000
_SETS = ("breast_cancer", "digits", "iris", "wine")
_OTHER = (".xls", ".xlsb", ".ods", ".pkl", ".pickle", ".zip", ".tar", ".tgz", ".h5", ".npz")
# Files of text that have a token a line if the user names the column of the tokens.
_TOKEN_LINES = ("", ".txt", ".tags", ".train", ".dev", ".test", ".annotated")
_EXCEL, _LINES = (".xlsx", ".xlsm"), (".jsonl", ".ndjson")


def read_table(source: Source, *, name: str = "DATA") -> pd.DataFrame:
    """Read a table from a file, a DataFrame or scikit-learn.

    Args:
        source: A path (CSV and TSV with delimiter and encoding found, also compressed by gzip,
            Excel, JSON and JSON lines, Parquet, Feather, ARFF),
            ``"sklearn:NAME"`` (breast_cancer, digits, iris, wine), or a DataFrame of pandas,
            polars or any library with Arrow's stream or the dataframe interchange protocol.
        name: Name of the argument in messages.

    Returns:
        The rows, numbered from 0, under unique column names.

    Raises:
        InputError: The source is not there or holds no table.
    """
    return load_table(source, name=name).frame


def load_table(
    source: Source,
    *,
    name: str = "DATA",
    options: DataOptions = NO_OPTIONS,
    like: Table | None = None,
) -> Table:
    """Read a table together with the findings while reading.

    Args:
        source: See `read_table`.
        name: Name of the argument in messages.
        options: The user's options for its cells.
        like: A table with the same columns that these rows continue; None without one.

    Raises:
        InputError: The source is not there or holds no table.
    """
    if is_frame(source):
        table = as_table(as_pandas(source, name=name), label=name)
    elif isinstance(source, str) and source.startswith("sklearn:"):
        table = _read_sklearn(source)
    elif isinstance(source, str | Path):
        path = Path(source).expanduser()
        table = _read_file(path, label=str(source), name=name, options=options, like=like)
    else:
        raise not_a_table(source, name=name)
    if table.frame.shape[1] == 0:
        raise InputError(f"{table.label} must have columns, but it has none.")
    if len(table.frame) == 0:
        raise InputError(f"{table.label} must have rows, but it has a header only.")
    return _with_marks(table, options, like)


def _with_marks(table: Table, options: DataOptions, like: Table | None) -> Table:
    """Return a table with the user's marks as missing cells, and its decimal mark."""
    if options.marks:
        table = _without_marks(table, options.marks)
    if table.decimal is None:
        mark = options.decimal or (like.decimal if like else None)
        table = replace(table, decimal=mark or decimal_mark(_texts(table.frame)))
    return table


def _without_marks(table: Table, marks: tuple[str, ...]) -> Table:
    """Return a table in which cells with one of some marks are missing."""
    kept, found = {}, set(table.marks)
    for name in table.frame.columns:
        column = table.frame[name]
        for mark in marks:
            before, column = column, without_marks(column, (mark,))
            found |= set() if column is before else {mark}
        kept[name] = column
    frame = pd.DataFrame(kept, index=table.frame.index, copy=False)
    return replace(table, frame=frame, marks=frozenset(found))


def _texts(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield the first cells of columns of text as Arrow arrays."""
    for name in frame.columns:
        first = frame[name].iloc[:_FIRST]
        if first.dtype == object or isinstance(first.dtype, pd.StringDtype):
            text = [cell if isinstance(cell, str) else None for cell in first]
            yield pa.array(text, pa.string())


def _read_sklearn(source: str) -> Table:
    """Return a data set of scikit-learn with the names of its classes."""
    name = source.removeprefix("sklearn:")
    if name not in _SETS:
        raise unknown_name("sklearn:NAME must name a set of scikit-learn", name, _SETS)
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = bunch.frame.copy()
    if name != "digits":
        names = [str(label) for label in bunch.target_names]
        frame["target"] = [names[code] for code in bunch.target]
    return as_table(frame, label=source, target="target")


def file_form(source: Source, *, name: str = "DATA") -> Form | None:
    """Return the format of a file that exists, or None if the source is not a file."""
    if not isinstance(source, str | Path) or str(source).startswith("sklearn:"):
        return None
    return _form(Path(source).expanduser(), label=str(source), name=name)


def _read_file(
    path: Path, *, label: str, name: str, options: DataOptions, like: Table | None
) -> Table:
    """Read the table in a file."""
    form = _form(path, label=label, name=name)
    if form == "delimited" and options.tokens is not None and ending_of(path) in _TOKEN_LINES:
        form = "CoNLL"
    if form == "CoNLL":
        return read_conll(path, label=label)
    if form == "ARFF":
        return read_arff(path, label=label)
    if form == "Excel":
        return read_workbook(path, label=label)
    if form == "JSON":
        return read_json(path, label=label, is_lines=ending_of(path) in _LINES)
    if form == "delimited":
        table = read_delimited(path, label=label, options=options, like=like)
    else:
        table = _read_columnar(path, label=label, form=form)
    return replace(table, path=path)


def _form(path: Path, *, label: str, name: str) -> Form:
    """Return the format of a file by its ending or its first bytes."""
    head = _head(path, label=label, name=name)
    ending = ending_of(path)
    if ending in _EXCEL:
        return "Excel"
    if ending in (".parquet", ".pq") or (ending in ("", ".data") and head.startswith(b"PAR1")):
        return "Parquet"
    if ending in (".feather", ".ftr", ".arrow"):
        return "Feather"
    if ending in (".json", *_LINES):
        return "JSON"
    for magic, what in _BINARY:
        if head.startswith(magic):
            raise InputError(f"{label} must be a table of text, but it is {what}.")
    if ending in _OTHER:
        raise InputError(
            f"{label} must end in .csv, .csv.gz, .tsv, .xlsx, .json, .jsonl, .parquet, .feather or"
            f" .arff, but ends in {ending}; save it as one of these."
        )
    if ending in CONLL:
        return "CoNLL"
    return "ARFF" if ending == ".arff" else "delimited"


def _head(path: Path, *, label: str, name: str) -> bytes:
    """Return the first bytes of a file that is there, is a file and is not empty."""
    if path.is_dir():
        raise InputError(f"{label} must be a file with a table, but it is a folder.")
    if label == "-" or (path.exists() and not path.is_file()):
        raise InputError(
            f"{name} must name a file, because it is read more than once, but {label} is "
            f"{'standard input' if label == '-' else 'a pipe or a device'}; save its content to a "
            "file first."
        )
    if not path.exists():
        near = _name_beside(path)
        hint = f", did you mean {near!r}?" if near else "."
        raise InputError(f"{name} must name a file that exists, but got {label!r}{hint}")
    try:
        with open_bytes(path) as file:
            head = file.read(4096)
    except BROKEN as error:
        raise InputError(f"{label} cannot be read: {one_line(error)}.") from error
    if not head.strip():
        raise InputError(f"{label} must hold a table, but the file is empty.")
    return head


def _name_beside(path: Path) -> str:
    """Return the closest name in the folder of a missing file, empty if none is close.

    The endings say nothing, because most files there have the same ending.
    """
    try:
        names = {item.stem: item.name for item in sorted(path.parent.iterdir()) if item.is_file()}
    except OSError:
        return ""
    near = difflib.get_close_matches(path.stem, names, n=1, cutoff=0.7)
    return names[near[0]] if near else ""


def _read_columnar(path: Path, *, label: str, form: str) -> Table:
    """Read a Parquet or Feather file."""
    import pyarrow
    from pyarrow import feather

    try:
        if form == "Parquet":
            names, frame = read_parquet(path)
        else:
            check_feather(path)
            table = feather.read_table(path)
            names = list(table.column_names)
            frame = as_frame(table)
            del table
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(
            f"{label} must be a {form} file, but it cannot be read as one: {one_line(error)}"
        ) from error
    stored = [i for i, column in enumerate(names) if not column.startswith("__index_level_")]
    kept = frame if len(stored) == len(names) else frame.iloc[:, stored]
    return as_table(kept, label=label, names=[names[i] for i in stored])
