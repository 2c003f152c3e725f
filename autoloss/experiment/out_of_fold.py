"""The verdict for few rows: on all of them, by the final trainings that held them out."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from autoloss.data.protocol import carried_out
from autoloss.experiment.gain_steps import StepPredictions, gains
from autoloss.experiment.reference import boost_folds, compared
from autoloss.experiment.replication import Selection
from autoloss.experiment.session import SearchSession
from autoloss.records import Verdict
from autoloss.search import Evidence, trusted
from autoloss.verdict.confirm import Shipped, confirm, unopposed
from autoloss.verdict.metric_rows import metric_on_rows
from autoloss.verdict.optimism import PairOptimism
from autoloss.verdict.pooled import PooledRows


def judge_out_of_fold(session: SearchSession, selection: Selection) -> Evidence:
    """Compare the challenger with tuned cross-entropy on the held-out rows of their trainings.

    Args:
        session: The search.
        selection: Challenger and tuned cross-entropy.
    """
    study, data, choice = session.study, session.opened.data, selection.choice
    held_out = selection.replication.held_out
    challenger, baseline = (held_out[one.number] for one in (choice.challenger, choice.baseline))
    default = held_out.get(selection.default, baseline)
    pooled = PooledRows.of(baseline.rows, baseline.targets)
    steps = StepPredictions(
        default=pooled.mean([default.raw]),
        tuned=pooled.mean([baseline.raw]),
        calibrated=pooled.mean([baseline.log_probs]),
        challenger=pooled.mean([challenger.log_probs]),
    )
    log_probs = (torch.from_numpy(steps.challenger), torch.from_numpy(steps.calibrated))
    targets = torch.from_numpy(np.asarray(pooled.targets))
    clusters = torch.from_numpy(pooled.once(baseline.clusters))
    verdict = trusted(
        _verdict(selection, steps, pooled, clusters.numpy(), study.pair_optimism()),
        selection.snapshot,
        choice,
        log_probs[1],
        targets,
        selection.coverage,
        clusters=clusters,
    )
    count = selection.replication.figures.count
    # One deal holds out every row once.
    folds = data.replicates(count, seed=study.seed)[: study.space.protocol.outer_folds]
    boosted = boost_folds(session, [((fold.train,), fold.valid) for fold in folds])
    ships = log_probs[choice.place_of_shipped(verdict.decision)]
    return Evidence(
        choice=choice,
        verdict=verdict,
        log_probs=log_probs,
        targets=targets,
        resampling=carried_out(data.resampling, replicates=count),
        finalists=selection.finalists,
        # The held-out rows of the finalists are the rows of the verdict.
        gains=gains(selection, steps, targets, clusters, moves_decisions=False),
        reference=compared(boosted, selection.snapshot, ships, targets, clusters),
        raw=(
            torch.from_numpy(pooled.mean([challenger.raw])),
            torch.from_numpy(steps.tuned),
        ),
        rows=torch.from_numpy(np.asarray(pooled.rows)),
        coverage=selection.coverage,
    )


def _verdict(
    selection: Selection,
    steps: StepPredictions,
    pooled: PooledRows,
    clusters: NDArray[np.integer],
    optimism: PairOptimism | None,
) -> Verdict:
    """Return the verdict of the held-out rows by the tests alone."""
    study, choice = selection.snapshot, selection.choice
    primary, n_rows = study.config.verdict_metric, len(pooled.rows)
    if not choice.is_opposed:
        return unopposed(choice.baseline.number, n_rows, primary=primary)
    one, other = choice.challenger, choice.baseline
    return confirm(
        Shipped(one.number, one.label, steps.challenger),
        Shipped(other.number, other.label, steps.calibrated),
        pooled.targets,
        metric=metric_on_rows(study.metric, study.class_counts),
        primary=primary,
        class_counts=study.class_counts.numpy(),
        clusters=clusters,
        optimism=optimism,
        where=f"on {n_rows:,} rows that the trainings held out",
        seed=study.seed,
    )
