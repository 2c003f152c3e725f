"""The verdict for few rows: on all of them, by the final training runs that held them out."""

from __future__ import annotations

from dataclasses import replace

import torch

from autoloss.data.protocol import carried_out
from autoloss.experiment.ahead import Ahead
from autoloss.experiment.boosting import Boosted
from autoloss.experiment.gain_steps import StepPredictions, gains
from autoloss.experiment.reference import boost_folds, compared
from autoloss.experiment.replication import Selection
from autoloss.experiment.session import SearchSession
from autoloss.records import Gain, Verdict
from autoloss.search import Evidence, items_text, trusted, verdict_by_tests


def boosting_of_folds(session: SearchSession) -> Ahead[Boosted | None]:
    """Return the reference for the rows that the final training runs hold out.

    Args:
        session: The search.
    """

    def work() -> Boosted | None:
        # The folds of the first deal hold out every row once.
        folds = session.final_folds()[: session.study.space.protocol.outer_folds]
        return boost_folds(session, [((fold.train,), fold.valid) for fold in folds])

    return Ahead(work)


def judge_out_of_fold(
    session: SearchSession, selection: Selection, boosting: Ahead[Boosted | None]
) -> Evidence:
    """Compare the challenger with tuned cross-entropy on the held-out rows of their training runs.

    Args:
        session: The search.
        selection: Challenger and tuned cross-entropy.
        boosting: The reference.
    """
    study, data, choice = session.study, session.opened.data, selection.choice
    held_out = selection.replication.held_out
    challenger, baseline = (held_out[one.number] for one in (choice.challenger, choice.baseline))
    default = held_out.get(selection.default, baseline)
    pooled = baseline.pooled
    steps = StepPredictions(
        default=default.raw(),
        tuned=baseline.raw(),
        calibrated=baseline.mean(),
        challenger=challenger.mean(),
    )
    # The verdict compares the losses; the shipped model also has a temperature of its mean.
    log_probs = (
        torch.from_numpy(challenger.calibrated(study.seed)),
        torch.from_numpy(baseline.calibrated(study.seed)),
    )
    items = baseline.items(study.facts)
    optimism = study.pair_optimism() if choice.is_opposed else None
    compared_by = torch.from_numpy(steps.challenger), torch.from_numpy(steps.calibrated)
    verdict = verdict_by_tests(
        selection.snapshot,
        choice,
        compared_by,
        items,
        paired=selection.replication.paired(study, choice),
        optimism=optimism,
        where=f"on {items_text(items, study.task)} that the training runs held out",
    )
    verdict = trusted(
        verdict, selection.snapshot, choice, compared_by[1], items, selection.coverage
    )
    count = selection.replication.figures.count
    ships = log_probs[choice.place_of_shipped(verdict.decision)]
    return Evidence(
        choice=choice,
        verdict=verdict,
        log_probs=log_probs,
        items=items,
        resampling=carried_out(data.resampling, replicates=count),
        finalists=selection.finalists,
        # The held-out rows of the finalists are the rows of the verdict.
        gains=_corrected(
            gains(selection, steps, items, moves_decisions=False),
            verdict,
            metric=study.metric.name,
        ),
        reference=compared(boosting.result(), selection.snapshot, ships, items),
        raw=(
            torch.from_numpy(challenger.raw()),
            torch.from_numpy(steps.tuned),
        ),
        rows=torch.from_numpy(pooled.once(baseline.of.rows)),
        coverage=selection.coverage,
        pair_optimism=optimism,
    )


def _corrected(steps: tuple[Gain, ...], verdict: Verdict, *, metric: str) -> tuple[Gain, ...]:
    """Return the steps of the gain, the last of which is the comparison of the verdict."""
    compared = {one.metric: one for one in verdict.comparisons}
    if not compared:
        return steps
    one, log_loss = compared.get(metric, compared["log_loss"]), compared["log_loss"]
    last = replace(
        steps[-1],
        metric=one.challenger,
        metric_change=one.difference,
        metric_low=one.low,
        metric_high=one.high,
        log_loss=log_loss.challenger,
        log_loss_change=log_loss.difference,
        log_loss_low=log_loss.low,
        log_loss_high=log_loss.high,
    )
    return (*steps[:-1], last)
