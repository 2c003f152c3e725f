"""The user's statements on columns, and the hints for a column before its kind is inferred."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self, cast, get_args

from autoloss.core.errors import InputError, closest
from autoloss.data.messages import one_line

ColumnKind = Literal["number", "category", "text", "date", "drop"]
KINDS: tuple[str, ...] = get_args(ColumnKind)
Columns = Mapping[str, str] | Iterable[str]
DECIMALS = (".", ",")
ISO = "ISO8601"


@dataclass(frozen=True)
class Asked:
    """The user's statements on the cells of a table, which override inference from the cells.

    Args:
        columns: Kind of each named column.
        decimal: The decimal mark, ``"."`` or ``","``, for ambiguous cells.
        date_format: The format of dates, as in `strftime`, or ``"ISO8601"``.
        missing: Marks of missing cells, besides the usual marks.
    """

    columns: Mapping[str, ColumnKind] = field(default_factory=dict)
    decimal: str | None = None
    date_format: str | None = None
    missing: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        columns: Columns = (),
        decimal: str | None = None,
        date_format: str | None = None,
        missing: Iterable[str] = (),
    ) -> Self:
        """Return the statements after all checks that do not need the table.

        Args:
            columns: Kinds by name, or texts ``NAME=KIND``.
            decimal: See above.
            date_format: See above.
            missing: See above; a string is a single mark.

        Raises:
            InputError: A kind, the mark or the format is invalid.
        """
        marks = (missing,) if isinstance(missing, str) else tuple(missing)
        if decimal is not None and decimal not in DECIMALS:
            raise InputError(f"decimal must be '.' or ',', but got decimal={one_line(decimal)!r}.")
        if date_format is not None:
            _check_format(date_format)
        return cls(_kinds(columns), decimal, date_format, tuple(str(one).strip() for one in marks))

    @property
    def pairs(self) -> tuple[str, ...]:
        """Return the kinds of columns as texts ``NAME=KIND``."""
        return tuple(f"{name}={kind}" for name, kind in self.columns.items())


def _kinds(columns: Columns) -> dict[str, ColumnKind]:
    """Return the kinds of columns by name."""
    if isinstance(columns, Mapping):
        pairs = [(str(name), str(kind)) for name, kind in columns.items()]
    else:
        pairs = []
        for text in (columns,) if isinstance(columns, str) else columns:
            name, separator, kind = str(text).rpartition("=")
            if not separator:
                raise InputError(
                    f"column must be NAME=KIND, with a kind of {', '.join(KINDS)}, but got"
                    f" {one_line(text)!r}."
                )
            pairs.append((name, kind))
    found: dict[str, ColumnKind] = {}
    for name, kind in pairs:
        if kind not in KINDS:
            raise InputError(
                f"The kind of column {one_line(name)!r} must be one of {', '.join(KINDS)}, but got"
                f" {one_line(kind)!r}{closest(kind, KINDS)}"
            )
        if found.get(name, kind) != kind:
            raise InputError(
                f"Column {one_line(name)!r} must have one kind, but got {found[name]!r} and"
                f" {kind!r}."
            )
        found[name] = cast("ColumnKind", kind)
    return found


def _check_format(form: str) -> None:
    """Check that a date format can write and read a date."""
    moment = datetime(2024, 11, 23, 17, 45)
    try:
        text = moment.strftime(form)
        datetime.strptime(text, form)
        is_date = "%" in form
    except ValueError:
        is_date = False
    if not is_date and form != ISO:
        raise InputError(
            "date_format must be a format of dates such as '%d/%m/%Y' (day/month/year) or"
            f" 'ISO8601', but got date_format={one_line(form)!r}."
        )


@dataclass(frozen=True)
class Hints:
    """Facts on a column that are known before its kind is inferred from training rows.

    Args:
        kind: Its kind, if the user names it.
        style: Style of its numbers, if the whole file shows it; see `parse_numbers`.
        decimal: The decimal mark of the table, if known.
        date_format: The format of dates that the user names.
        marks: Marks of missing cells that the user names.
        reason: Why the column is left out, if the whole table shows it.
    """

    kind: ColumnKind | None = None
    style: str = "plain"
    decimal: str | None = None
    date_format: str | None = None
    marks: tuple[str, ...] = ()
    reason: str = ""


NO_HINTS = Hints()
NOTHING_ASKED = Asked()
