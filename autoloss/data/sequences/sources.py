"""The tables of a study of sequences: tokens, features and tags as columns of lists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from autoloss.core.errors import InputError
from autoloss.data.frames import Table
from autoloss.data.marks import without_list_marks
from autoloss.data.messages import listed, plural, unknown_name
from autoloss.data.options import DataOptions
from autoloss.data.read import Source, file_form, load_table
from autoloss.data.roles import Roles, roles_of
from autoloss.data.sequences.cells import is_list, is_of_lists, is_of_text, read_words
from autoloss.data.sequences.conll import is_universal
from autoloss.data.sequences.tags import TagColumn


def are_sequences(source: Source, options: DataOptions) -> bool:
    """Return whether data are sequences: the user names their tokens, or the file is CoNLL."""
    return options.tokens is not None or file_form(source) == "CoNLL"


def with_columns(source: Source, options: DataOptions) -> DataOptions:
    """Return options that name the columns of tokens and tags; CoNLL-U has FORM and UPOS.

    Raises:
        InputError: The user names none.
    """
    universal = isinstance(source, str | Path) and is_universal(Path(source))
    tokens = options.tokens or ("FORM" if universal else None)
    target = options.target or ("UPOS" if universal else None)
    if tokens is None or target is None:
        missing = "tokens" if tokens is None else "target"
        raise InputError(
            f"{missing} must name a column of the tokens of {source}; columns of a CoNLL file are"
            " numbers from 0, such as --tokens 0 --target -1 for the first and the last."
        )
    return replace(options, tokens=tokens, target=target)


def read_sequences(
    source: Source, options: DataOptions, *, name: str = "DATA", like: Table | None = None
) -> Table:
    """Return a table of sequences without empty sequences.

    Args:
        source: The table.
        options: The options, which name the columns.
        name: Its name in messages.
        like: The table that it continues.
    """
    table = load_table(source, name=name, options=options, like=like)
    assert options.tokens is not None
    tokens = column_of(table, options.tokens, option="tokens")
    column = table.frame[tokens]
    if not is_of_lists(column) and not is_of_text(column):
        raise InputError(
            f"tokens must name a column of lists or of text, but {tokens!r} of {table.label} holds"
            " neither."
        )
    table = _without_marks(table, tokens, options)
    _, lengths = read_words(column, label=table.label)
    empty = lengths == 0
    if not empty.any():
        return table
    note = f"{table.label}: {plural(int(empty.sum()), 'sequence')} without a token left out."
    frame = table.frame[~empty].reset_index(drop=True)
    return replace(table, frame=frame, notes=(*table.notes, note))


def _without_marks(table: Table, tokens: str, options: DataOptions) -> Table:
    """Return a table in which values of tags and features that equal a mark are missing."""
    if not options.marks:
        return table
    kept, found = {}, set(table.marks)
    for name in map(str, table.frame.columns):
        column = table.frame[name]
        is_target = name == column_of(table, str(options.target), option="target")
        if name != tokens and (is_of_lists(column) or (is_target and is_of_text(column))):
            cells = [
                list(cell) if is_list(cell) or isinstance(cell, str) else None for cell in column
            ]
            lists, own = without_list_marks(cells, options.marks)
            kept[name] = pd.Series(lists, index=column.index, dtype=object)
            found |= own
    return replace(table, frame=table.frame.assign(**kept), marks=frozenset(found))


def column_of(table: Table, name: str, *, option: str) -> str:
    """Return the name of a column; a negative number counts from the last column.

    Raises:
        InputError: There is no such column.
    """
    columns = [str(column) for column in table.frame.columns]
    if name in columns:
        return name
    if name.startswith("-") and name[1:].isdigit() and 1 <= int(name[1:]) <= len(columns):
        return columns[-int(name[1:])]
    raise unknown_name(f"{option} must name a column of {table.label}", name, columns)


def roles_of_sequences(table: Table, options: DataOptions) -> tuple[Roles, list[str]]:
    """Return the roles of the columns, and notes.

    Columns of lists are features of the tokens; others have one value a sequence and are left out.
    CoNLL-U's other columns are annotations, which new text does not have: they are left out too.
    """
    assert options.tokens is not None
    assert options.target is not None
    tokens = column_of(table, options.tokens, option="tokens")
    target = column_of(table, str(options.target), option="target")
    if tokens == target:
        raise InputError(f"target must not be the column of the tokens, but got {target!r}.")
    roles = roles_of(table, target, (target,), options)
    is_universal_file = table.path is not None and is_universal(table.path)
    features = [
        name
        for name in roles.inputs
        if name != tokens and not is_universal_file and is_of_lists(table.frame[name])
    ]
    notes = [f"Features of a token: {listed(features)}."] if features else []
    return replace(roles, inputs=(tokens, *features)), notes


def tags_of(table: Table, roles: Roles) -> TagColumn:
    """Return the tags of a table of sequences.

    Raises:
        InputError: It lacks a column, or a list has another length than the tokens.
    """
    columns = [str(name) for name in table.frame.columns]
    missing = [name for name in (*roles.targets, *roles.inputs) if name not in columns]
    if missing:
        raise InputError(
            f"{table.label} must have the columns of the data, but lacks {listed(missing)}."
        )
    _, lengths = read_words(table.frame[roles.inputs[0]], label=table.label)
    return TagColumn.read(table, roles.target, lengths, tokens=roles.inputs[0])
