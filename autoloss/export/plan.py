"""What an exported graph is fed: one number, code or moment a column."""

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
from autoloss.inference.classifier import Classifier
from autoloss.inference.inputs import by_name


@dataclass(frozen=True)
class Category:
    """A column of categories, as all encodings together know it.

    Code 0 is a level that none of them knows, then come the levels, and last a missing cell.

    Args:
        name: Its name.
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
    """The columns of a graph, by what they are fed as.

    Args:
        numbers: Columns of numbers: float64, NaN if missing.
        categories: Columns of categories: codes.
        dates: Columns of dates: seconds since 1970 in UTC as float64, NaN if missing.
        names: All of them in the order of the training table.
    """

    numbers: tuple[str, ...]
    categories: tuple[Category, ...]
    dates: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, classifier: Classifier, form: str) -> GraphInputs:
        """Return the columns of a classifier.

        Raises:
            InputError: One is free text, or is of one kind to a member and of another to the next.
        """
        columns = by_name(classifier.encodings)
        kinds = {name: {_kind(column) for column in same} for name, same in columns.items()}
        texts = [name for name, kind in kinds.items() if "text" in kind]
        if texts:
            raise InputError(
                f"--to {form} must be asked for a model without free text, which only Python can "
                f"take apart, but this one reads {listed(texts)}; use --to code or --to mlflow, "
                "or search with --drop."
            )
        mixed = [name for name, kind in kinds.items() if len(kind) > 1]
        if mixed:
            raise InputError(
                f"--to {form} must be asked for a model whose trainings took every column for the "
                f"same, but took {listed(mixed)} for {' and '.join(sorted(kinds[mixed[0]]))}; use "
                "--to code or --to mlflow."
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
        """Return what a program must know to use the graph, for JSON."""
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
            "target": classifier.task.target,
            **decision_of(classifier),
        }


def decision_of(classifier: Classifier) -> dict[str, Any]:
    """Return the rule by which a class is decided for, for JSON, with what it needs."""
    rule: dict[str, Any] = {"decision": classifier.decision}
    if classifier.decision == "expected_cost" and classifier.cost_matrix is not None:
        rule["rule"] = "the class whose cost, expected over the probabilities, is least"
        rule["cost_matrix"] = classifier.cost_matrix.tolist()
    elif classifier.decision == "balanced_error":
        rule["rule"] = "the class whose probability is highest relative to its share in training"
        rule["class_counts"] = classifier.class_counts.tolist()
    else:
        rule["rule"] = "the likeliest class"
    return rule


def _kind(column: Column) -> str:
    if isinstance(column, NumericColumn):
        return "number"
    if isinstance(column, CategoryColumn):
        return "category"
    return "date" if isinstance(column, DateColumn) else "text"


def _levels(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the levels that one of the encodings knows."""
    every = [level for one in columns if isinstance(one, CategoryColumn) for level in one.levels]
    return tuple(dict.fromkeys(every))
