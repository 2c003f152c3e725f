"""The resampling of a study's rows, as plain values and in words."""

from __future__ import annotations

from dataclasses import replace

from autoloss.core.settings import Judge, ProtocolConfig
from autoloss.data.divide import Piece
from autoloss.data.resample import LARGE, Kind
from autoloss.data.study import StudyDivisions
from autoloss.records import Resampling


def resampling_of(
    kind: Kind,
    divisions: StudyDivisions,
    test: Piece | None,
    judge: Judge,
    protocol: ProtocolConfig,
) -> Resampling:
    """Return the planned resampling, before training.

    Args:
        kind: How the pool is divided.
        divisions: The divisions.
        test: The locked rows; None if all rows are judged.
        judge: The rows of the verdict.
        protocol: The settings of the protocol.
    """
    return Resampling(
        kind=kind,
        folds=len(divisions.search),
        verdict=judge,
        outer=len(divisions.outer),
        replicates=protocol.outer_folds * protocol.outer_repeats
        if judge == "out_of_fold"
        else protocol.replicates,
        text=f"{_compared(kind, divisions)} {_judged(divisions, test, judge, protocol)}",
    )


def carried_out(
    planned: Resampling, *, replicates: int, repeats: tuple[int, int] = (1, 1)
) -> Resampling:
    """Return the resampling that was carried out, which a time limit may have reduced.

    Args:
        planned: The plan.
        replicates: Training runs of every finalist.
        repeats: Repeats of the nested cross-validation, as planned and as they were.
    """
    before, after = repeats
    outer = planned.outer // before * after
    text = planned.text.replace(_nested(planned.outer, before), _nested(outer, after))
    text = text.replace(_out_of_fold(planned.replicates), _out_of_fold(replicates))
    return replace(planned, replicates=replicates, outer=outer, text=text)


def _compared(kind: Kind, divisions: StudyDivisions) -> str:
    """Return a sentence on the rows that compare candidates."""
    n_folds = len(divisions.search)
    if divisions.valid is not None:
        return (
            f"Candidates are compared on the {_rows(len(divisions.valid.rows))} given to validate."
        )
    if kind == "cross_validation":
        return f"Under 2,000 rows: {n_folds}-fold cross-validation; every row is held out once."
    if kind == "repeated_holdout":
        return f"Under 10,000 rows: {n_folds} divisions, each holds out a quarter of the rows."
    if kind == "forward":
        return (
            "By time, 2 folds: the oldest half trains for the next quarter, the oldest three"
            " quarters for the rest."
        )
    held = divisions.search[0].valid
    count = _rows(0 if held is None else len(held))
    if divisions.pool.order is not None:
        return f"By time: the latest {count} are held out."
    size = "10,000 rows or more: one" if len(divisions.pool.rows) >= LARGE else "One"
    return f"{size} division, {count} are held out."


def _judged(
    divisions: StudyDivisions, test: Piece | None, judge: Judge, protocol: ProtocolConfig
) -> str:
    """Return a sentence on the rows of the verdict."""
    if test is not None:
        return f"The verdict is reached once, on {_rows(len(test.rows))} locked until then."
    if judge == "out_of_fold":
        return _out_of_fold(protocol.outer_folds * protocol.outer_repeats)
    return _nested(len(divisions.outer), protocol.outer_repeats)


def _out_of_fold(trainings: int) -> str:
    """Return a sentence on the rows of a verdict by held-out rows."""
    return (
        f"No row is locked: {trainings} training runs of every finalist hold out different rows, "
        "and the verdict is reached on all held-out rows, corrected for the selection."
    )


def _nested(outer: int, repeats: int) -> str:
    """Return a sentence on the division of rows in nested cross-validation."""
    times = "" if repeats == 1 else f", {repeats} times" if repeats > 2 else ", twice"
    return (
        "A locked part would be too small: the verdict is reached by nested cross-validation,"
        f" {outer // repeats} outer folds{times}; every row is tested once each time."
    )


def _rows(count: int) -> str:
    """Return a number of rows in words."""
    return f"{count:,} row" + ("" if count == 1 else "s")
