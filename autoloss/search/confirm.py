"""The verdict: the challenger against tuned cross-entropy, once, on the locked test rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from autoloss.records import Comparison, Decision, Verdict
from autoloss.search.comparisons import (
    CALIBRATION,
    NamedMetric,
    PairedTest,
    compare,
    compare_metric,
    holm,
)

ASSUMED_DISAGREEMENT = 0.04
_LEVEL = 0.05
_NO_EVIDENCE = "no evidence that it beats tuned cross-entropy"
_SHIPS = "Tuned cross-entropy is recommended."
_WORDS = {
    "log_loss": "log loss",
    "brier": "Brier score",
    CALIBRATION: "calibration error",
    "auroc": "AUROC",
}


@dataclass(frozen=True, eq=False)
class Shipped:
    """What a trial would ship, on the locked test rows.

    Args:
        number: Number of the trial.
        label: Readable name of its loss.
        log_probs: Log probabilities after the read-out; (N, C).
    """

    number: int
    label: str
    log_probs: npt.NDArray[np.floating]


def detectable_difference(n_test: int, *, disagreement: float = ASSUMED_DISAGREEMENT) -> float:
    """Return the smallest difference in error that a test part of this size can show, in [0, 1].

    ``1.96 * sqrt(d / n)``, at least ``6 / n``: McNemar's exact test needs six rows to speak.

    Args:
        n_test: Rows of the test part.
        disagreement: Share d of rows on which exactly one of the two models is wrong. Before
            training it is assumed: 0.04 is typical of two tuned losses on one network.

    Raises:
        ValueError: If there are no rows.

    Examples:
        >>> round(detectable_difference(2000), 4)
        0.0088
    """
    if n_test < 1:
        raise ValueError(f"A test part must have at least one row, but got n_test={n_test}.")
    return min(1.0, max(1.96 * float(np.sqrt(disagreement / n_test)), 6.0 / n_test))


def confirm(
    challenger: Shipped,
    baseline: Shipped,
    targets: npt.NDArray[np.integer],
    *,
    metric: NamedMetric | None = None,
    class_counts: npt.NDArray[np.integer] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Verdict:
    """Compare the challenger with tuned cross-entropy on the locked test rows.

    Three differences are tested, corrected by Holm's rule at 5 %: the error (McNemar's exact
    test; the user's metric stands in its place where there is one), the log loss and the debiased
    calibration error (paired bootstrap, stratified by class). Better is a significant gain without
    a significant loss, worse the reverse, anything else no evidence. Brier and balanced error are
    shown and not tested. The rows are taken as independent of each other.

    Args:
        challenger: What the challenger ships.
        baseline: What tuned cross-entropy ships.
        targets: Classes of the rows; (N,).
        metric: The study's metric; error by default.
        class_counts: Training rows of each class, which balanced error needs for its decisions.
        resamples: Resamples of the bootstrap.
        seed: Its seed.

    Returns:
        The verdict, with at most six comparisons, the user's metric or the error first.

    Raises:
        ValueError: If the parts do not fit together.
    """
    _check(challenger, baseline, targets)
    figures = (challenger.log_probs, baseline.log_probs, targets)
    tested = compare(*figures, class_counts=class_counts, resamples=resamples, seed=seed)
    first = "error" if metric is None else metric.name
    if metric is not None and first not in tested:
        tested[first] = compare_metric(metric, *figures, resamples=resamples, seed=seed)
    family = list(dict.fromkeys([first, "log_loss", CALIBRATION]))
    corrected = holm(np.array([tested[name].p_value for name in family]))
    shown = [tested[name] for name, p in zip(family, corrected, strict=True) if p < _LEVEL]
    decision = _decide(shown)
    order = dict.fromkeys([*family, *tested])
    return Verdict(
        decision=decision,
        text=_text(challenger, baseline, decision, tested[first].comparison, shown, len(targets)),
        comparisons=tuple(tested[name].comparison for name in order),
        n_test=len(targets),
        challenger=challenger.number,
        baseline=baseline.number,
        detectable=_detectable(challenger, baseline, targets),
    )


def _check(challenger: Shipped, baseline: Shipped, targets: npt.NDArray[np.integer]) -> None:
    for one in (challenger, baseline):
        if one.log_probs.ndim != 2 or len(one.log_probs) != len(targets) or not len(targets):
            raise ValueError(
                f"log_probs of trial {one.number} must have the shape (N, C) with the N of "
                f"targets, but got log_probs.shape={one.log_probs.shape}, N={len(targets)}."
            )
        own = one.log_probs[np.arange(len(targets)), targets]
        if np.isnan(one.log_probs).any() or not np.isfinite(own).all():
            raise ValueError(
                f"log_probs must be finite at the true class and no NaN elsewhere, but got "
                f"log_probs[y].min()={own.min()} in trial {one.number}."
            )


def _detectable(challenger: Shipped, baseline: Shipped, targets: npt.NDArray[np.integer]) -> float:
    if challenger.number == baseline.number:
        return detectable_difference(len(targets))
    one, other = (part.log_probs.argmax(axis=1) == targets for part in (challenger, baseline))
    return detectable_difference(len(targets), disagreement=float(np.mean(one != other)))


def _decide(shown: list[PairedTest]) -> Decision:
    gains = {one.is_gain for one in shown}
    if gains == {True}:
        return "better"
    return "worse" if gains == {False} else "no_evidence"


def _text(
    challenger: Shipped,
    baseline: Shipped,
    decision: Decision,
    first: Comparison,
    shown: list[PairedTest],
    n_test: int,
) -> str:
    """Return the verdict in plain words, the difference in the first metric before anything."""
    if challenger.number == baseline.number:
        return (
            f"No loss but cross-entropy ended with a model, so there is {_NO_EVIDENCE}. {_SHIPS}"
        )
    difference = f"{challenger.label} has {_difference(first, n_test)}"
    gains = _listed([one for one in shown if one.is_gain])
    losses = _listed([one for one in shown if not one.is_gain])
    if decision == "better":
        return f"{difference}: it beats tuned cross-entropy, significantly in {gains}."
    if decision == "worse":
        return (
            f"{difference}: it is worse than tuned cross-entropy, significantly in {losses}. "
            f"{_SHIPS}"
        )
    if gains:
        return (
            f"{difference}: {_NO_EVIDENCE} (significantly better in {gains}, but significantly "
            f"worse in {losses}). {_SHIPS}"
        )
    reason = (
        "interval covers zero" if first.covers_zero else "not significant among the tests made"
    )
    return f"{difference}: {_NO_EVIDENCE} ({reason}). {_SHIPS}"


def _difference(one: Comparison, n_test: int) -> str:
    words, unit = _words(one.metric), _unit(one.metric)
    ends = f"{_amount(one, one.low, '+')} to {_amount(one, one.high, '+')}{unit}"
    where = f"than tuned cross-entropy on {n_test} test rows (95 % interval {ends})"
    if one.difference == 0.0:
        return f"neither less nor more {words} {where}"
    side = "less" if one.difference < 0.0 else "more"
    return f"{_amount(one, abs(one.difference))}{unit} {side} {words} {where}"


def _words(metric: str) -> str:
    return _WORDS.get(metric, metric.replace("_", " "))


def _unit(metric: str) -> str:
    return {"error": " points", "balanced_error": " points", "log_loss": " nats"}.get(metric, "")


def _amount(one: Comparison, value: float, sign: Literal["", "+"] = "") -> str:
    """Return a difference with the digits that the interval's width justifies."""
    scale = 100.0 if _unit(one.metric) == " points" else 1.0
    width = max(scale * (one.high - one.low), 1e-9)
    digits = int(np.clip(np.ceil(-np.log10(width)) + 1, 1, 6))
    return f"{scale * value:{sign}.{digits}f}"


def _listed(some: list[PairedTest]) -> str:
    *others, last = [_words(one.comparison.metric) for one in some] or [""]
    return f"{', '.join(others)} and {last}" if others else last
