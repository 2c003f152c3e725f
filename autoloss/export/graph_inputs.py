"""The inputs of an exported graph: a number, a code or a moment per column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoloss.core.errors import InputError
from autoloss.data.categories import CategoryColumn
from autoloss.data.dates import DateColumn
from autoloss.data.encode import Column
from autoloss.data.messages import listed
from autoloss.data.numbers import NumericColumn
from autoloss.data.signature import by_name
from autoloss.export.model_parts import decision_of
from autoloss.inference.classifier import Classifier


@dataclass(frozen=True)
class Category:
    """A column of categories, with the levels of all encodings.

    Code 0 is an unknown level; the levels follow from 1 on; the last code is a missing cell.

    Args:
        name: Name of the column.
        levels: The levels with codes 1, 2, ...
    """

    name: str
    levels: tuple[str, ...]

    @property
    def missing(self) -> int:
        """Return the code of a missing cell."""
        return len(self.levels) + 1


@dataclass(frozen=True)
class GraphInputs:
    """The columns of a graph by kind.

    Args:
        numbers: Columns of numbers: float64, NaN if missing.
        categories: Columns of categories: codes.
        dates: Columns of dates: seconds since 1970 in UTC as float64, NaN if missing.
        names: All columns in the order of the training table.
    """

    numbers: tuple[str, ...]
    categories: tuple[Category, ...]
    dates: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, classifier: Classifier, form: str) -> GraphInputs:
        """Return the columns of a classifier.

        Raises:
            InputError: If a column is free text, or has different kinds in different members.
        """
        columns = by_name(classifier.encodings)
        kinds = {name: {_kind(column) for column in same} for name, same in columns.items()}
        texts = [name for name, kind in kinds.items() if "text" in kind]
        if texts:
            raise InputError(
                f"--to {form} must be asked for a model without free text, which only Python can "
                f"parse, but this model reads {listed(texts)}; use --to code or --to mlflow, "
                "or search with --drop."
            )
        mixed = [name for name, kind in kinds.items() if len(kind) > 1]
        if mixed:
            raise InputError(
                f"--to {form} must be asked for a model whose training runs agree on the kind of "
                f"every column, but they read {listed(mixed)} as "
                f"{' and '.join(sorted(kinds[mixed[0]]))}; use --to code or --to mlflow."
            )
        plain = {name: next(iter(kind)) for name, kind in kinds.items()}
        return cls(
            tuple(name for name, kind in plain.items() if kind == "number"),
            tuple(
                Category(name, _levels(columns[name]))
                for name, kind in plain.items()
                if kind == "category"
            ),
            tuple(name for name, kind in plain.items() if kind == "date"),
            tuple(plain),
        )

    def describe(self, classifier: Classifier) -> dict[str, Any]:
        """Return the description of columns, classes and decision, for JSON."""
        return {
            "columns": list(self.names),
            "numbers": list(self.numbers),
            "categories": {
                one.name: {
                    "levels": {level: code for code, level in enumerate(one.levels, start=1)},
                    "unknown": 0,
                    "missing": one.missing,
                }
                for one in self.categories
            },
            "dates": list(self.dates),
            "classes": list(classifier.task.classes),
            **({"labels": list(classifier.task.names)} if classifier.task.names else {}),
            "target": classifier.task.target,
            **decision_of(classifier),
        }


def _kind(column: Column) -> str:
    if isinstance(column, NumericColumn):
        return "number"
    if isinstance(column, CategoryColumn):
        return "category"
    return "date" if isinstance(column, DateColumn) else "text"


def _levels(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the levels that at least one of the encodings knows."""
    every = [level for one in columns if isinstance(one, CategoryColumn) for level in one.levels]
    return tuple(dict.fromkeys(every))
