"""What stands beside a verdict: the steps of the gain, and a model of another kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from autoloss.data import Part, StudyData
from autoloss.records import Finalist, Gain
from autoloss.reference import Boosted, gradient_boosting
from autoloss.replication import Replication
from autoloss.search import Choice, Study, fit_posthoc, gain_steps, metric_on_rows, steps_of

DEFAULT = "default cross-entropy"
FloatArray = NDArray[np.floating]


def default_number(finalists: Sequence[Finalist], *, otherwise: int) -> int:
    """Return the number of default cross-entropy among the finalists, or another number."""
    return next((one.number for one in finalists if DEFAULT in one.reasons), otherwise)


def gains(
    study: Study,
    choice: Choice,
    replication: Replication,
    predictions: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    targets: Tensor,
    clusters: Tensor | None,
) -> tuple[Gain, ...]:
    """Return the steps from default cross-entropy to the challenger.

    Decisions are moved by what the held-out rows of the finalists' trainings say.

    Args:
        study: The study.
        choice: Challenger and tuned cross-entropy.
        replication: What became of the finalists.
        predictions: Log probabilities on the rows of the verdict: default and tuned cross-entropy
            by their softmax, tuned cross-entropy as it ships, the challenger as it ships.
        targets: Classes of these rows.
        clusters: Which of them belong together.

    Shape:
        predictions four times (N, C), targets and clusters (N,).
    """
    counts = study.class_counts.numpy()
    metric = metric_on_rows(study.metric, study.class_counts)
    challenger, baseline = choice.challenger.number, choice.baseline.number
    held_out = replication.held_out
    posthoc = fit_posthoc(
        held_out[baseline].log_probs,
        held_out[baseline].targets,
        metric=metric,
        class_counts=counts,
    )
    own = posthoc and fit_posthoc(
        held_out[challenger].log_probs,
        held_out[challenger].targets,
        metric=metric,
        class_counts=counts,
        kind=posthoc.kind,
    )
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


def boost(study: Study, data: StudyData, train: Sequence[Part], test: Part) -> Boosted | None:
    """Train gradient boosting on parts and predict another one; None where it cannot be."""
    return gradient_boosting(
        pd.concat([data.frame(part) for part in train], ignore_index=True),
        np.concatenate([part.targets.cpu().numpy() for part in train]),
        data.frame(test),
        n_classes=data.task.n_classes,
        seed=study.seed,
    )
