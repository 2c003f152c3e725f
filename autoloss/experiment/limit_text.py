"""Sentences on a time limit: the work that it allows, and the work that was done within it."""

from __future__ import annotations

from collections.abc import Sequence

from autoloss.experiment.time_plan import TimePlan, Workload
from autoloss.records import TrialRecord
from autoloss.report.words import count_text, duration_text, listed


def race_text(rungs: Sequence[int]) -> str:
    """Describe a race by its rungs.

    Examples:
        >>> race_text((4, 12))
        'the best third continues after epochs 4 and 12'
    """
    noun = "epoch" if len(rungs) == 1 else "epochs"
    return f"the best third continues after {noun} {listed([*map(str, rungs)])}"


def allowed_text(limit: float, asked: Workload, plan: TimePlan, dropped: tuple[str, ...]) -> str:
    """Describe the work that a limit allows, and the work that it leaves out.

    Args:
        limit: The limit in seconds.
        asked: The requested work.
        plan: The plan within the limit.
        dropped: Families that are not trained.
    """
    trials = f"all {asked.trials}"
    if plan.trials < asked.trials:
        trials = f"about {plan.trials} of {asked.trials}"
    epochs = f"{plan.epochs} of {asked.epochs}" if plan.epochs < asked.epochs else f"{plan.epochs}"
    text = f"{duration_text(limit)} allow {trials} trials at {epochs} epochs"
    if plan.rungs:
        text += f" ({race_text(plan.rungs)})"
    if dropped:
        text += f"; not trained: {listed(dropped)}"
    finals, whole = plan.finals, asked.finals
    less = []
    if (finals.finalists, finals.replicates) != (whole.finalists, whole.replicates):
        finalists = f"each finalist of {finals.finalists} families"
        if not finals.finalists:
            finalists = "cross-entropy and the best other loss alone"
        less.append(
            f"{finals.replicates} final training runs of {finalists} in place of "
            f"{whole.replicates} of {whole.finalists} families"
        )
    if finals.repeats < whole.repeats:
        less.append(f"{finals.repeats} of {whole.repeats} nested cross-validations")
    sentences = [text]
    if less:
        sentences.append(f"There is time for {listed(less)}")
    if whole.refit and not finals.refit:
        sentences.append("No time is left for the last training on all rows")
    return " ".join(f"{one}." for one in sentences)


def done_text(plan: TimePlan, trials: Sequence[TrialRecord], *, finalists: int, each: int) -> str:
    """Describe the work that was done within a limit, beside the work that was planned.

    Args:
        plan: The plan at the start.
        trials: The trials of the study.
        finalists: Finalists that were trained again.
        each: Their training runs.
    """
    whole = sum(trial.state == "complete" for trial in trials)
    return (
        f"Planned within the limit: {count_text(plan.trials, 'trial')} at {plan.epochs} epochs "
        f"and {plan.finals.replicates} final training runs of each finalist. Done: "
        f"{count_text(len(trials), 'trial')}, {whole} of them to their end, and {each} final "
        f"training runs of {count_text(finalists, 'finalist')}."
    )
