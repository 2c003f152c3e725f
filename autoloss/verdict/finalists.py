"""Picks the finalists: the trials to train again on fresh seeds and divisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoloss.records import TrialRecord
from autoloss.verdict.admissible import other_losses
from autoloss.verdict.baseline import (
    by_log_loss,
    default_cross_entropy,
    some_usable,
    tuned_cross_entropy,
)
from autoloss.verdict.phrases import metric_words

TUNED = "tuned cross-entropy"
OTHER = "best besides cross-entropy"


@dataclass(frozen=True)
class FinalistChoice:
    """A trial that is trained again.

    Args:
        number: Its number.
        reasons: The reasons: ``"best of focal"``, ``"lowest error"``, ``"tuned cross-entropy"``,
            ``"default cross-entropy"``, ``"best besides cross-entropy"``.
        competes: Whether it takes part in the selection; a trial that is default cross-entropy
            and nothing else does not.
    """

    number: int
    reasons: tuple[str, ...]
    competes: bool = True


def pick_finalists(
    trials: Sequence[TrialRecord],
    *,
    metric: str = "error",
    lower_is_better: bool = True,
    families: int = 5,
) -> tuple[FinalistChoice, ...]:
    """Return the finalists, at most ``families + 3``.

    They are the best trial by refined log loss of each of the best families, the best trial by the
    metric, tuned cross-entropy, and default cross-entropy, the first step of the gains. If all of
    these are plain cross-entropy, the best other trial joins, so that there is a comparison. A
    trial may have several reasons. Cut-off trials count where `baseline.comparable` has them.

    Args:
        trials: The trials of a study.
        metric: A key of `TrialRecord.metrics`.
        lower_is_better: Its direction.
        families: The number of families (bases) whose best trial is a finalist; 0 for the sides of
            the verdict alone, that is cross-entropy, tuned and default, and the best other trial.

    Returns:
        The finalists; the best of each family come first, in order of log loss.

    Raises:
        AutolossError: If no trial, or none of cross-entropy, ended with finite figures.
    """
    done = some_usable(trials, metric)
    ranked = sorted(done, key=by_log_loss(metric, lower_is_better=lower_is_better))
    best = {trial.family: trial for trial in reversed(ranked)}
    leaders = [trial for trial in ranked if best[trial.family] is trial][:families]
    picked = [(trial.number, f"best of {trial.family}") for trial in leaders]
    sign = 1.0 if lower_is_better else -1.0
    # The sort is stable, so the lower log loss breaks ties.
    extreme = min(ranked, key=lambda trial: sign * trial.metrics[metric])
    word = "lowest" if lower_is_better else "highest"
    if families:
        picked.append((extreme.number, f"{word} {metric_words(metric)}"))
    tuned = tuned_cross_entropy(done, metric=metric, lower_is_better=lower_is_better)
    picked.append((tuned.number, TUNED))
    others = other_losses(ranked, baseline=tuned.number)
    if others and not others & {number for number, _ in picked}:
        picked.append((next(t.number for t in ranked if t.number in others), OTHER))
    competing = {number for number, _ in picked}
    default = default_cross_entropy(done, metric=metric)
    if default is not None:
        picked.append((default.number, "default cross-entropy"))
    reasons: dict[int, tuple[str, ...]] = {}
    for number, reason in picked:
        reasons[number] = (*reasons.get(number, ()), reason)
    return tuple(
        FinalistChoice(number, why, competes=number in competing)
        for number, why in reasons.items()
    )
