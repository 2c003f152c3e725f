"""The verdict for few rows, by nested cross-validation of the whole search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from autoloss.core.errors import InputError
from autoloss.records import Comparison, Verdict
from autoloss.report.words import label_words
from autoloss.verdict.comparisons import CALIBRATION, compare
from autoloss.verdict.confirm import LEVEL_OF_ONE
from autoloss.verdict.corrected import detectable_nested, resampled_t_test
from autoloss.verdict.named_metric import NamedMetric
from autoloss.verdict.paired import PairedTest
from autoloss.verdict.phrases import verdict_text
from autoloss.verdict.pooled import PooledRows
from autoloss.verdict.significance import findings

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
_SHOWN = ("error", "log_loss", CALIBRATION, "balanced_error", "brier")


@dataclass(frozen=True, eq=False)
class OuterResult:
    """The predictions of a search in an outer fold for the test rows of the fold.

    Args:
        challenger_log_probs: Log probabilities of this fold's challenger as it ships; (n, C).
        baseline_log_probs: Log probabilities of its tuned cross-entropy; (n, C).
        targets: Classes of the test rows, or of their items; (n,).
        rows: Their numbers in the table; (n,).
        keys: Numbers that identify the items, row numbers for one label a row; (n,).
        n_train: Rows that the fold trained on.
        challenger: Number of the challenger's trial.
        baseline: Number of the trial of tuned cross-entropy.
        label: Readable name of the challenger's loss.
    """

    challenger_log_probs: FloatArray
    baseline_log_probs: FloatArray
    targets: IntArray
    rows: IntArray
    keys: IntArray
    n_train: int
    challenger: int
    baseline: int
    label: str = ""

    @property
    def n_test(self) -> int:
        """Return the number of test rows of the fold."""
        return len(np.unique(self.rows))


def nested_verdict(
    outer: Sequence[OuterResult],
    *,
    challenger: int,
    baseline: int,
    label: str,
    repeats: int,
    metric: NamedMetric | None = None,
    primary: str | None = None,
    class_counts: npt.NDArray[np.integer] | None = None,
) -> Verdict:
    """Compare the search with tuned cross-entropy over the outer folds of all repeats.

    Three differences are tested by the corrected resampled t-test, corrected by Holm's rule at
    5 %: the study's metric, the log loss and the debiased calibration error. The comparison is of
    the search itself, whose challenger may be a different loss in every fold.

    Args:
        outer: The outer folds.
        challenger: Number of the challenger's trial of the whole study.
        baseline: Number of the trial of its tuned cross-entropy.
        label: Readable name of that challenger's loss.
        repeats: Repeats of the cross-validation.
        metric: The study's metric; error by default.
        primary: Name of the metric that decides; by default the name of `metric`, else log loss.
        class_counts: Training rows of each class, which balanced error needs for its decisions.

    Returns:
        The verdict; `n_test` is the number of rows that a fold left out.

    Raises:
        ValueError: If there are no outer folds.
        InputError: If the metric is not finite in fewer than two of several outer folds.
    """
    if not outer:
        raise ValueError("Nested cross-validation must have outer folds, but got outer=().")
    share = sum(one.n_test for one in outer) / sum(one.n_train for one in outer)
    figures = _figures(outer, metric, class_counts)
    tested = {name: _tested(*values, test_share=share) for name, values in figures.items()}
    found = findings(tested, metric=metric, primary=primary)
    n_rows = len(np.unique(np.concatenate([one.rows for one in outer])))
    folds = max(2, len(outer) // repeats)
    half = _half_width(tested["error"].comparison, len(outer))
    return Verdict(
        decision=found.decision,
        text=verdict_text(
            "Choosing the loss by search gives",
            found,
            where=f"on {n_rows:,} rows by {repeats} x {folds}-fold nested cross-validation of the "
            "whole search",
            after=f"On all rows the search chooses {label_words(label)}.",
        ),
        comparisons=found.comparisons,
        n_test=n_rows,
        challenger=challenger,
        baseline=baseline,
        detectable=min(1.0, half) if half > 0.0 else detectable_nested(n_rows, folds, repeats),
        primary=found.primary.metric,
    )


def pooled_rows(outer: Sequence[OuterResult]) -> PooledRows:
    """Return the items of the test rows of all outer folds."""
    return PooledRows.of(
        np.concatenate([one.keys for one in outer]), np.concatenate([one.targets for one in outer])
    )


def _half_width(error: Comparison, folds: int) -> float:
    """Return half the width of an interval at the level of a single test of three."""
    levels = np.array([LEVEL_OF_ONE / 2.0, 0.025])
    wanted, shown = special.stdtrit(folds - 1, 1.0 - levels)
    return float(wanted / shown) * (error.high - error.low) / 2.0


def _figures(
    outer: Sequence[OuterResult], metric: NamedMetric | None, class_counts: IntArray | None
) -> dict[str, tuple[str, FloatArray, FloatArray, bool]]:
    """Return the name, both models' values (J,) and the direction of every metric."""
    folds = [
        compare(
            one.challenger_log_probs,
            one.baseline_log_probs,
            one.targets,
            class_counts=class_counts,
            resamples=1,
        )
        for one in outer
    ]
    figures = {}
    for name in _SHOWN:
        pairs = [
            (part[name].comparison.challenger, part[name].comparison.baseline) for part in folds
        ]
        figures[name] = (name, *np.array(pairs).T, True)
    if metric is not None and metric.name not in figures:
        ends = np.cumsum([len(one.targets) for one in outer])
        both = np.array(
            [
                [
                    float(some.fn(np.exp(log_probs), one.targets))
                    for log_probs in (one.challenger_log_probs, one.baseline_log_probs)
                ]
                for one, end in zip(outer, ends, strict=True)
                for some in [metric.among(slice(end - len(one.targets), end))]
            ]
        )
        # A fold that lacks a class has no ranking.
        kept = both[np.isfinite(both).all(axis=1)]
        if len(kept) < min(2, len(outer)):
            values = both.round(6).tolist()
            raise InputError(
                f"The metric must be finite on the rows of two outer folds, but got "
                f"{metric.name}={values}."
            )
        figures[metric.name] = (metric.name, *kept.T, metric.lower_is_better)
    return figures


def _tested(
    name: str, ones: FloatArray, others: FloatArray, lower: bool, *, test_share: float
) -> PairedTest:
    _, low, high, p_value = resampled_t_test(ones - others, test_share=test_share)
    figures = Comparison(
        metric=name,
        baseline=float(np.mean(others)),
        challenger=float(np.mean(ones)),
        low=low,
        high=high,
        lower_is_better=lower,
    )
    return PairedTest(figures, p_value)
