"""Predictions for a table of any length, piece by piece, as for the whole table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError, closest
from autoloss.core.task import Task
from autoloss.data.encoding import Inputs, RowReader
from autoloss.data.input_kinds import kind_of_encoding
from autoloss.data.messages import listed, unknown_name
from autoloss.data.stream import PIECE_ROWS, RowStream, frame_of
from autoloss.data.values import label_of
from autoloss.inference.classifier import Classifier
from autoloss.inference.deciding import decided_labels
from autoloss.inference.ood import RECALL, OodScore, is_known, ood_score, threshold_of

PREDICTION, OOD_SCORE, STRANGER = "prediction", "ood_score", "stranger"
LabelForm = Literal["joined", "lists", "wide"]
SEPARATOR = "|"
"""Stands between the labels of a row."""


@dataclass(frozen=True)
class Predicting:
    """Predictions for the rows of a table, in their order.

    Args:
        classifier: The model.
        rows: The table.
        id_column: A column that is copied unchanged into the first column; None for none.
        force: Whether to go on if a column that mattered is unusable in most rows.
        labels: The form of several labels a row: ``"joined"`` text, ``"lists"``, or ``"wide"``
            for a column of 0 and 1 for each.
        ood_score: The OOD score that is written as a column, beside a column that flags OOD rows;
            None for none.
        ood_recall: The share of in-distribution rows that is not flagged; None for 0.95.
        tell: Called at the end with one line on the cells that the model cannot use, and on the
            OOD rows.
        reader: The reader that opened the table, if it did.

    Raises:
        InputError: A column is missing, or `id_column` has a name that the predictions need.
    """

    classifier: Classifier
    rows: RowStream
    id_column: str | None = None
    force: bool = False
    labels: LabelForm = "joined"
    ood_score: str | None = None
    ood_recall: float | None = None
    tell: Callable[[str], object] = field(default=lambda line: None, repr=False)
    reader: RowReader | None = None

    def __post_init__(self) -> None:
        names, label = self.rows.names, self.rows.label
        if self.ood_score is None and self.ood_recall is not None:
            raise InputError("--ood-recall must go with --ood-score, which is left out.")
        if self.ood_score is not None:
            # Refused before any row is read.
            self._limit(self._score(self.ood_score))
        if self.labels == "wide" and not self.classifier.task.names:
            raise InputError("--wide must be left out for a model with one label per row.")
        if self.id_column is not None and self.id_column not in names:
            raise unknown_name(f"--id must name a column of {label}", self.id_column, names)
        if self.id_column in self._written:
            raise InputError(
                "--id must not have the name of a column that is written, but got "
                f"--id={self.id_column!r}; rename it in {label}."
            )
        missing = [name for name in self._needed if name not in names]
        if missing:
            hint = closest(missing[0], self.new) if self.new else ""
            near = hint if hint.startswith(", did") and len(missing) == 1 else ""
            raise InputError(
                f"{label} must have the columns that the model was trained on, but lacks "
                f"{listed(missing)}{near or ';'} add {'it' if len(missing) == 1 else 'them'}, "
                "with empty cells where nothing is known."
            )

    @property
    def new(self) -> tuple[str, ...]:
        """Return the columns of the table that the training lacked."""
        known = {self.id_column, *self.classifier.task.columns, *self._needed}
        for member in self.classifier.members:
            known |= {name for name, _ in member.encoding.dropped}
        return tuple(name for name in self.rows.names if name not in known)

    def pieces(self, *, rows: int = PIECE_ROWS) -> Iterator[Any]:
        """Yield the predictions as Arrow tables.

        Args:
            rows: Rows of a piece, which changes only time and memory.

        Raises:
            InputError: The table cannot be read to its end, or a column that mattered is unusable
                in most rows. The last piece is held back until the check has passed.
        """
        reader = self._reader()
        own = [] if self.id_column is None else [self.id_column]
        wanted = list(dict.fromkeys([*own, *self._needed]))
        held, strange, seen = None, 0, 0
        for piece in self.rows.pieces(wanted, rows=rows):
            if held is not None:
                yield held
            frame = frame_of(piece.select(self._needed))
            inputs = reader.encode(frame, label=self.rows.label)
            own_rows = self.classifier.by_member(inputs)
            table = self._table(own_rows)
            seen += len(table)
            strange += int(table[STRANGER].sum()) if STRANGER in table else 0
            held = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata()
            if self.labels == "lists" and self.classifier.task.names:
                # A piece may have empty lists alone, which would be of another type.
                lists = pa.array(table[PREDICTION], pa.list_(pa.string()))
                held = held.set_column(0, PREDICTION, lists)
            if self.id_column is not None:
                held = held.add_column(0, self.id_column, piece.column(self.id_column))
        if not self.force:
            reader.check(label=self.rows.label, remedy="continue with --force")
        if note := reader.note:
            self.tell(note)
        if self.ood_score is not None:
            self.tell(self._stranger_note(strange, seen))
        yield held

    def _table(self, rows: Sequence[Inputs]) -> pd.DataFrame:
        """Return the columns that are written for the encoded rows of every member."""
        model = self.classifier
        if self.ood_score is None:
            # Members come one by one, so that memory holds the scores of one.
            return self._predicted(model.encoded_log_probs(rows))
        logits = [model.member_logits(number, one) for number, one in enumerate(rows)]
        found = self._score(self.ood_score)
        weights = [member.weight for member in model.members]
        scores = found((one.float() for one in logits), weights=weights).numpy()
        table = self._predicted(model.mean(model.read(logits))).assign(**{OOD_SCORE: scores})
        limit = self._limit(found)
        return table if limit is None else table.assign(**{STRANGER: scores > limit})

    def _score(self, name: str) -> OodScore:
        return ood_score(self.classifier.task, self.classifier.strangers, name)

    def _limit(self, score: OodScore) -> float | None:
        rule, recall = self.classifier.strangers, self.ood_recall
        if recall is None and not is_known(rule, score):
            return None
        return threshold_of(rule, score, RECALL if recall is None else recall)

    def _stranger_note(self, found: int, seen: int) -> str:
        """Return the number of OOD rows in a sentence."""
        score = self._score(str(self.ood_score))
        limit = self._limit(score)
        if limit is None:
            return (
                f"no row is flagged as out of distribution, because the model has no {score} "
                "scores of in-distribution rows."
            )
        recall = RECALL if self.ood_recall is None else self.ood_recall
        return (
            f"{found:,} of {seen:,} rows are out of distribution: {score} above {limit:.4g}, as"
            f" in {1 - recall:.3g} of in-distribution rows."
        )

    def _predicted(self, log_probs: Tensor) -> pd.DataFrame:
        probs = self.classifier.shown_probs(log_probs)
        return table_of(self.classifier, probs, labels=self.labels)

    @property
    def _needed(self) -> tuple[str, ...]:
        return self._reader().names

    def _reader(self) -> RowReader:
        return reader_of(self.classifier) if self.reader is None else self.reader

    @property
    def _written(self) -> tuple[str, ...]:
        task = self.classifier.task
        return (
            *(task.names if self.labels == "wide" else (PREDICTION,)),
            *probability_names(task),
            *([] if self.ood_score is None else [OOD_SCORE, STRANGER]),
        )


def reader_of(classifier: Classifier) -> RowReader:
    """Return a reader of new rows for a model."""
    encodings = classifier.encodings
    return kind_of_encoding(encodings[0]).reader(encodings)


def probability_names(task: Task) -> tuple[str, ...]:
    """Return the names of the columns of probability, in the order of classes or labels."""
    return tuple(f"probability_{label_of(label)}" for label in task.outputs)


def table_of(
    classifier: Classifier, probs: NDArray[np.float64], *, labels: LabelForm = "joined"
) -> pd.DataFrame:
    """Return a table with the decision and the probability of each class for each row of `probs`.

    Args:
        classifier: The model.
        probs: Its probabilities.
        labels: As in `Predicting`.

    Shape:
        probs (N, C); of several labels (N, L).
    """
    names = probability_names(classifier.task)
    columns = {name: probs[:, code] for code, name in enumerate(names)}
    decided = classifier.decisions(probs)
    if not (names := classifier.task.names):
        labelled = decided_labels(classifier.task, decided, classifier.cost_matrix)
        return pd.DataFrame({PREDICTION: labelled, **columns})
    if labels == "wide":
        answers = {name: decided[:, place] for place, name in enumerate(names)}
        return pd.DataFrame({**answers, **columns})
    lists = [[names[place] for place in np.flatnonzero(row).tolist()] for row in decided]
    told = lists if labels == "lists" else [SEPARATOR.join(one) for one in lists]
    return pd.DataFrame({PREDICTION: pd.Series(told, dtype=object), **columns})
