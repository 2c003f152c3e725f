"""The tables of a study, read and checked: the data, and the test and validation files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from autoloss.core.errors import InputError
from autoloss.data.exchange import not_a_table
from autoloss.data.frames import Table
from autoloss.data.frozen.extractor import open_extractor
from autoloss.data.frozen.sources import (
    hashed_name,
    text_column,
    vectors_of_pictures,
    vectors_of_texts,
)
from autoloss.data.hints import hints_of
from autoloss.data.images.sources import (
    PictureTable,
    are_pictures,
    common_shape,
    load_pictures,
    size_note,
)
from autoloss.data.label_columns import (
    LabelColumns,
    joined_name,
    read_label_lists,
    read_labels,
    several_targets,
)
from autoloss.data.label_lists import note_of_lists
from autoloss.data.messages import listed, plural
from autoloss.data.options import DataOptions, Hints
from autoloss.data.read import Source, load_table
from autoloss.data.roles import Roles, roles_of
from autoloss.data.sequences.sources import (
    are_sequences,
    read_sequences,
    roles_of_sequences,
    tags_of,
    with_columns,
)
from autoloss.data.sequences.tags import TagColumn
from autoloss.data.stream import exact_column
from autoloss.data.target import one_target, read_target, target_of
from autoloss.data.target_column import TargetColumn
from autoloss.data.tensors.given import is_given, is_place
from autoloss.data.tensors.sources import HASHED, ITEM, TensorTable, check_options, load_tensors


@dataclass(frozen=True)
class Labelled:
    """A table with its target read.

    Args:
        name: ``"data"``, ``"test"`` or ``"valid"``: its role in the study.
        table: The table.
        labels: Its target: a class of each row, several labels, or the tags of its tokens.
        beside: Inputs that are not in the table, a row for each of its rows: pixels.
    """

    name: str
    table: Table
    labels: TargetColumn | LabelColumns | TagColumn
    beside: Any = None


@dataclass(frozen=True)
class Sources:
    """The tables of a study.

    Args:
        main: The data.
        roles: The roles of its columns.
        files: Tables given for ``"test"`` and ``"valid"``.
        notes: Findings for the user, a sentence each.
        hints: Hints for each input: its kind, format and marks, before training rows are chosen.
        kind: The kind of input, a name of `KINDS`.
        unread: Why columns that nobody left out are not inputs; empty for a table.
        compared: The columns that are equal where two rows are; by default the inputs.
    """

    main: Labelled
    roles: Roles
    files: dict[str, Labelled]
    notes: tuple[str, ...]
    hints: Mapping[str, Hints]
    kind: str = "table"
    unread: str = ""
    compared: tuple[str, ...] = ()

    def aside(self, options: DataOptions) -> tuple[tuple[str, str], ...]:
        """Return every column that is neither input nor target, and why."""
        roles = self.roles
        why: dict[str | None, str] = {
            options.groups: "holds the groups",
            roles.costs: "holds the costs of rows",
            roles.split: "names the parts",
        }
        asked = "left out as asked"
        if self.unread:
            drop = (options.drop,) if isinstance(options.drop, str) else options.drop
            why |= dict.fromkeys(drop, asked)
        return tuple(
            (str(name), why.get(str(name), self.unread or asked))
            for name in self.main.table.frame.columns
            if name not in roles.inputs and name not in roles.targets
        )

    @property
    def tables(self) -> dict[str, Labelled]:
        """Return all tables by name, the main one first."""
        return {"data": self.main, **self.files}


def load_sources(
    source: Source, options: DataOptions, told: Callable[[str], object] = str
) -> Sources:
    """Read the tables of a study and check that they can make one.

    Args:
        source: The table, as for `read_table`.
        options: The target, and how to divide.
        told: Called with a sentence on the progress of slow steps.

    Raises:
        InputError: A table cannot be read, lacks a column, or its target is not a class.
    """
    if is_given(source) or is_place(source):
        return _load_tensors(source, options)
    if options.features is not None:
        return _load_frozen(source, options, told)
    if are_pictures(source, options):
        return _load_pictures(source, options)
    if are_sequences(source, options):
        return _load_sequences(source, with_columns(source, options))
    table = load_table(source, name="DATA", options=options)
    target, targets = _targets(table, options)
    for name in targets:
        table = one_target(table, name)
    roles = roles_of(table, target, targets, options)
    labels = _labels(table, targets, options)
    labels.check(name=target, label=table.label, are_classes=options.classes)
    hints = hints_of(table, roles.inputs, options)
    notes = [*table.notes, *_without_target(table, labels, target)]
    notes += [*_about_lists(labels, target), *_unused_marks(table, options)]
    files = {}
    for name, given in (("test", options.test), ("valid", options.valid)):
        if given is None:
            continue
        own = load_table(given, name=name, options=options, like=table)
        files[name] = _file(name, own, table, roles, options)
        notes += files[name].table.notes
        notes += _without_target(files[name].table, files[name].labels, target)
    return Sources(Labelled("data", table, labels), roles, files, tuple(notes), hints)


def _load_sequences(source: Source, options: DataOptions) -> Sources:
    """Read the tables of a study of sequences; see `load_sources`."""
    table = read_sequences(source, options)
    roles, notes = roles_of_sequences(table, options)
    labels = tags_of(table, roles)
    labels.check(name=roles.target, label=table.label, are_classes=options.classes)
    notes = [*table.notes, *notes, *_without_target(table, labels, roles.target)]
    notes += _unused_marks(table, options)
    files = {}
    for name, given in (("test", options.test), ("valid", options.valid)):
        if given is not None:
            own = read_sequences(given, options, name=name, like=table)
            files[name] = Labelled(name, own, tags_of(own, roles))
            notes += [*own.notes, *_without_target(own, files[name].labels, roles.target)]
    main = Labelled("data", table, labels)
    unread = "no feature of a token"
    return Sources(main, roles, files, tuple(notes), {}, "sequences", unread)


def _load_pictures(source: Source, options: DataOptions) -> Sources:
    """Read the tables of a study of images; see `load_sources`."""
    tables = _pictures(source, options)
    main = tables["data"]
    shape = common_shape(main.cells, options.image_size, label=main.table.label)
    read = {name: one.read(shape, skip_bad=options.skip_bad) for name, one in tables.items()}
    found = _beside(read, (main.column, main.hashed), options, kind="images", unread="no image")
    return replace(found, notes=(size_note(shape, read["data"][1]), *found.notes))


def _load_frozen(source: Source, options: DataOptions, told: Callable[[str], object]) -> Sources:
    """Read the tables of a study of frozen features; see `load_sources`."""
    reference = options.features or ""
    read: dict[str, tuple[Table, Any]]
    if are_pictures(source, options):
        pictures = _pictures(source, options)
        column, extractor = pictures["data"].column, open_extractor(reference, "pictures")
        read = {
            name: vectors_of_pictures(one, extractor, told, skip_bad=options.skip_bad)
            for name, one in pictures.items()
        }
    else:
        main = load_table(source, name="DATA", options=options)
        given = {name: getattr(options, name) for name in ("test", "valid")}
        tables = {"data": main} | {
            name: load_table(one, name=name, options=options, like=main)
            for name, one in given.items()
            if one is not None
        }
        column = text_column(main, roles_of(main, *_targets(main, options), options), options)
        for own in tables.values():
            if column not in own.frame.columns:
                raise InputError(f"{own.label} must have the column {column!r} of texts.")
        extractor = open_extractor(reference, "texts")
        read = {
            name: vectors_of_texts(one, column, extractor, told) for name, one in tables.items()
        }
    inputs = (column, hashed_name(column))
    found = _beside(read, inputs, options, kind="frozen", unread="not read by the network")
    return replace(found, notes=(read["data"][1].note, *found.notes))


def _pictures(source: Source, options: DataOptions) -> dict[str, PictureTable]:
    """Return the tables of images of a study by name, before they are decoded."""
    given = {name: getattr(options, name) for name in ("test", "valid")}
    others = {
        name: load_pictures(one, options, name=name)
        for name, one in given.items()
        if one is not None
    }
    return {"data": load_pictures(source, options), **others}


def _beside(
    read: Mapping[str, tuple[Table, Any]],
    inputs: tuple[str, str],
    options: DataOptions,
    *,
    kind: str,
    unread: str,
) -> Sources:
    """Return the tables of a study whose inputs are not in them.

    Args:
        read: Each table by name, with the data beside it.
        inputs: The column of the inputs, and that of their hashes.
        options: The options.
        kind: The kind of input.
        unread: Why other columns are not inputs.
    """
    table, main = read["data"]
    target, targets = _targets(table, options)
    roles = replace(roles_of(table, target, targets, options), inputs=inputs)
    labels = _labels(table, targets, options)
    labels.check(name=target, label=table.label, are_classes=options.classes)
    notes = [*table.notes, *_without_target(table, labels, target)]
    files = {}
    for name, (own, beside) in read.items():
        if name != "data":
            files[name] = replace(_file(name, own, table, roles, options), beside=beside)
            notes += [*own.notes, *_without_target(own, files[name].labels, target)]
    data = Labelled("data", table, labels, main)
    return Sources(data, roles, files, tuple(notes), {}, kind, unread, inputs[1:])


def _load_tensors(source: Source, options: DataOptions) -> Sources:
    """Read data in memory; see `load_sources`."""
    check_options(options)
    main = load_tensors(source, groups=options.groups)
    name = main.targets[0] if len(main.targets) == 1 else f"{len(main.targets)} labels"
    roles = Roles(name, main.targets, (ITEM, HASHED), None)

    def read(role: str, found: TensorTable) -> Labelled:
        table = found.table
        if found.tags is not None:
            return Labelled(role, table, found.tags, found.beside)
        if len(main.targets) > 1:
            return Labelled(role, table, read_labels(table, main.targets), found.beside)
        return Labelled(role, table, labels_of(table, name), found.beside)

    labelled = read("data", main)
    are_classes = len(main.targets) == 1
    labelled.labels.check(name=name, label=main.table.label, are_classes=are_classes)
    notes = [*main.table.notes, *_without_target(main.table, labelled.labels, name)]
    files = {}
    for role, given in (("test", options.test), ("valid", options.valid)):
        if given is None:
            continue
        if not (is_given(given) or is_place(given)):
            raise not_a_table(given, name=role)
        own = load_tensors(given, name=role, like=main.beside.encoding, groups=options.groups)
        if own.targets != main.targets:
            raise InputError(
                f"{own.table.label} must have the labels of {main.table.label},"
                f" {plural(len(main.targets), 'label')} for each item, but has {len(own.targets)}."
            )
        files[role] = read(role, own)
        notes += own.table.notes
    return Sources(
        labelled, roles, files, tuple(notes), {}, main.kind, "no input", compared=(HASHED,)
    )


def _targets(table: Table, options: DataOptions) -> tuple[str, tuple[str, ...]]:
    """Return the name of the target, and its columns."""
    if options.target is not None:
        columns = [str(name) for name in table.frame.columns]
        names = several_targets(columns, options.target, label=table.label)
        if names and options.has_lists:
            raise InputError(
                "labels_in and label_separator must be left out for several yes-or-no columns,"
                f" but got target={joined_name(names, options.target)!r}."
            )
        if names:
            return joined_name(names, options.target), names
    target = target_of(table, options)
    return target, (target,)


def _labels(
    table: Table, targets: tuple[str, ...], options: DataOptions, *, is_main: bool = True
) -> TargetColumn | LabelColumns:
    """Return the target of a table: the classes of its column, or several labels."""
    if options.has_lists:
        separator = options.label_separator
        return read_label_lists(table, targets[0], separator=separator, is_whole=is_main)
    if len(targets) > 1:
        return read_labels(table, targets)
    return labels_of(table, targets[0])


def _file(name: str, table: Table, main: Table, roles: Roles, options: DataOptions) -> Labelled:
    """Check that a second table has the columns of the first."""
    columns = [str(name) for name in table.frame.columns]
    for target in roles.targets:
        if target not in columns:
            raise InputError(
                f"{table.label} must have the target column {target!r} of {main.label}, but lacks"
                f" it; it has {listed(columns)}."
            )
    missing = [name for name in roles.inputs if name not in columns]
    if missing:
        raise InputError(
            f"{table.label} must have the columns of {main.label}, but lacks {listed(missing)};"
            " add them there, or drop them."
        )
    for target in roles.targets:
        table = one_target(table, target)
    return Labelled(name, table, _labels(table, roles.targets, options, is_main=False))


def labels_of(table: Table, target: str) -> TargetColumn:
    """Return the target of a table, its labels as its file has them."""
    return read_target(
        exact_column(table, target),
        name=target,
        label=table.label,
        are_numbers=table.frame[target].dtype.kind == "f",
    )


def _about_lists(labels: TargetColumn | LabelColumns, target: str) -> list[str]:
    """Return a note on classes that look like lists of labels."""
    if not isinstance(labels, TargetColumn):
        return []
    note = note_of_lists(labels.keys.dropna().unique(), name=target)
    return [note] if note else []


def _unused_marks(table: Table, options: DataOptions) -> list[str]:
    """Return a note on the marks of missing cells that no cell has."""
    unused = [mark for mark in options.marks if mark not in table.marks]
    if not unused:
        return []
    return [f"No cell of {table.label} is {listed(unused)}, which --missing names."]


def _without_target(
    table: Table, labels: TargetColumn | LabelColumns | TagColumn, target: str
) -> list[str]:
    """Return a note on the rows without a target."""
    count = int((~labels.known).sum())
    if not count:
        return []
    return [f"{table.label}: {plural(count, 'row')} without {target!r} left out."]
