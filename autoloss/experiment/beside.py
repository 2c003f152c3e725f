"""Figures beside a verdict: the steps of the gain, and gradient boosting for comparison."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.data import Part, StudyData
from autoloss.experiment.reference import Boosted, boosting_seconds, gradient_boosting
from autoloss.experiment.replication import Replication
from autoloss.records import Finalist, Gain
from autoloss.search import Study
from autoloss.verdict.finalists import DEFAULT
from autoloss.verdict.gains import gain_steps, steps_of
from autoloss.verdict.metric_rows import metric_on_rows
from autoloss.verdict.posthoc import fit_posthoc
from autoloss.verdict.select import Choice

FloatArray = NDArray[np.floating]


def default_number(finalists: Sequence[Finalist], *, otherwise: int) -> int:
    """Return the trial number of default cross-entropy among the finalists, else `otherwise`."""
    return next((one.number for one in finalists if DEFAULT in one.reasons), otherwise)


def gains(
    study: Study,
    choice: Choice,
    replication: Replication,
    predictions: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    targets: Tensor,
    clusters: Tensor | None,
    *,
    moves_decisions: bool = True,
) -> tuple[Gain, ...]:
    """Return the steps from default cross-entropy to the challenger.

    The held-out rows of the finalists' trainings decide how decisions are moved.

    Args:
        study: The study.
        choice: Challenger and tuned cross-entropy.
        replication: The trainings of the finalists.
        predictions: Log probabilities on the rows of the verdict: default and tuned cross-entropy
            by their softmax, tuned cross-entropy as it ships, the challenger as it ships.
        targets: The classes of these rows.
        clusters: The cluster of each row.
        moves_decisions: Whether moving the decisions is a step.

    Shape:
        predictions four times (N, C), targets and clusters (N,).
    """
    counts = study.class_counts.numpy()
    metric = metric_on_rows(study.metric, study.class_counts)
    challenger, baseline = choice.challenger.number, choice.baseline.number
    moved: dict[str, Any] = {"metric": metric, "class_counts": counts}
    posthoc = own = None
    if moves_decisions:
        one, other = replication.held_out[baseline], replication.held_out[challenger]
        posthoc = fit_posthoc(one.log_probs, one.targets, **moved)
        if posthoc is not None:
            own = fit_posthoc(other.log_probs, other.targets, kind=posthoc.kind, **moved)
    model = replication.models[baseline]
    temperature = np.mean([1.0 / member.readout.inverse_temperature for member in model.members])
    default, tuned, calibrated, last = predictions
    steps = steps_of(
        default,
        tuned,
        calibrated,
        None if challenger == baseline else last,
        readout=f"temperature {temperature:.2f}, fitted on held-out rows",
        label=choice.challenger.label,
        posthoc=posthoc,
        challenger_posthoc=own,
    )
    return gain_steps(
        steps,
        targets.numpy(),
        metric=metric,
        class_counts=counts,
        clusters=None if clusters is None else clusters.numpy(),
        seed=study.seed,
    )


def boost(
    study: Study,
    data: StudyData,
    train: Sequence[Part],
    test: Part,
    *,
    deadline: float | None = None,
) -> Boosted | None:
    """Train gradient boosting on some parts and predict another; None if it is not possible.

    Args:
        study: The study.
        data: Its data.
        train: The parts to train on.
        test: The part to predict.
        deadline: When it must have ended, on `time.monotonic`'s clock; it does not begin if it
            would probably take longer.
    """
    n_rows = sum(map(len, train))
    if deadline is not None:
        columns, classes = len(data.summary.columns), data.task.n_classes
        if time.monotonic() + boosting_seconds(n_rows, columns, classes) > deadline:
            return None
    return gradient_boosting(
        lambda rows: _rows_of(data, train, rows),
        np.concatenate([part.targets.cpu().numpy() for part in train]),
        data.frame(test),
        n_classes=data.task.n_classes,
        seed=study.seed,
    )


def _rows_of(data: StudyData, parts: Sequence[Part], rows: NDArray[np.integer]) -> pd.DataFrame:
    """Return rows of parts as they were read, by their position in the joined parts."""
    found, first = [], 0
    for part in parts:
        own = rows[(rows >= first) & (rows < first + len(part))] - first
        found.append(data.frame(replace(part, rows=part.rows[torch.from_numpy(own)])))
        first += len(part)
    return pd.concat(found, ignore_index=True)
