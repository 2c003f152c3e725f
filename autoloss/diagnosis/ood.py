"""The diagnosis of OOD rows: how well each score separates them from the rows of the task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.diagnosis.labelled import LEAST_ROWS, LabelledPredictions
from autoloss.metrics.ood import (
    OF_PROBABILITIES,
    OF_TEMPERATURE,
    Detection,
    detection,
    max_logit,
)
from autoloss.metrics.ood_figures import (
    TEMPERATURES,
    Pair,
    cluster_weights,
    distance_pair,
    estimate,
    score_with_intervals,
)
from autoloss.records.ood import Strangers, TemperatureCurve

DRAWS = 300


def strangers_of(predictions: LabelledPredictions, strange: Tensor, *, seed: int = 0) -> Strangers:
    """Return how well each score separates OOD rows from the rows of a diagnosis.

    Args:
        predictions: The predictions for rows of the task, a class each.
        strange: Logits of each training run for the OOD rows, or log probabilities.
        seed: Seed of the folds and of the bootstrap.

    Raises:
        InputError: A row has several labels or is a sequence, or there are too few OOD rows.

    Shape:
        strange ``(R, M, C)``.
    """
    if predictions.items is not None or predictions.places is not None:
        raise InputError(
            "--ood must go with rows of one class each, but these rows have several labels or "
            "are sequences: diagnose one label, or leave --ood out."
        )
    if strange.shape[1] < LEAST_ROWS:
        raise InputError(
            f"The out-of-distribution rows must be at least {LEAST_ROWS}, but are "
            f"{strange.shape[1]}."
        )
    logits, of_logits = predictions.logits, predictions.kind != "probabilities"
    if strange.shape[-1] != logits.shape[-1]:
        raise InputError(
            f"The out-of-distribution rows must have scores of {logits.shape[-1]} classes, but "
            f"have {strange.shape[-1]}."
        )
    random = np.random.default_rng(seed)
    weights = _weights(predictions, strange.shape[1], random)
    halves = [random.permutation(n) % 2 == 0 for n in (logits.shape[1], strange.shape[1])]
    pairs = {
        name: (score(logits, 1.0).numpy(), score(strange, 1.0).numpy())
        for name, score in OF_TEMPERATURE.items()
        if of_logits or name in OF_PROBABILITIES
    }
    curves: tuple[TemperatureCurve, ...] = ()
    if of_logits:
        pairs["max_logit"] = max_logit(logits).numpy(), max_logit(strange).numpy()
        pairs["class_distance"] = distance_pair(logits, predictions.targets, strange, halves[0])
        curves = tuple(
            _curve(name, logits, strange, weights, halves)
            for name in ("max_probability", "energy")
        )
    return Strangers(
        rows=strange.shape[1],
        known=logits.shape[1],
        scores=tuple(
            score_with_intervals(name, [pair], [weights]) for name, pair in pairs.items()
        ),
        temperatures=TEMPERATURES if of_logits else (),
        curves=curves,
    )


def _weights(
    predictions: LabelledPredictions, n_strange: int, random: np.random.Generator
) -> Pair:
    """Return the weights of the rows and of `DRAWS` bootstrap samples, the rows' own first."""
    own = predictions.row_weights.numpy()
    known, strange = (cluster_weights(np.arange(n), random, DRAWS) for n in (len(own), n_strange))
    return own * known, strange


def _curve(
    name: str, logits: Tensor, strange: Tensor, weights: Pair, halves: Sequence[np.ndarray]
) -> TemperatureCurve:
    """Return the area of a score over the temperature, with the gain of a chosen temperature."""
    score, one = OF_TEMPERATURE[name], TEMPERATURES.index(1.0)
    pairs = [(score(logits, t).numpy(), score(strange, t).numpy()) for t in TEMPERATURES]
    whole = [detection(*pair, weights[0][:1], weights[1][:1]).auroc.item() for pair in pairs]
    gains = []
    for chooses in (True, False):
        known, other = halves[0] == chooses, halves[1] == chooses
        chosen = np.argmax(
            [_part(pair, weights, known, other, most=1).auroc.item() for pair in pairs]
        )
        judged = [_part(pairs[k], weights, ~known, ~other).auroc for k in (chosen, one)]
        gains.append(judged[0] - judged[1])
    return TemperatureCurve(
        name,
        auroc=tuple(whole),
        best=TEMPERATURES[int(np.argmax(whole))],
        gain=estimate((gains[0] + gains[1]) / 2),
    )


def _part(
    pair: Pair, weights: Pair, known: np.ndarray, strange: np.ndarray, most: int | None = None
) -> Detection:
    """Return the figures of some in-distribution and OOD rows."""
    return detection(
        pair[0][known], pair[1][strange], weights[0][:most, known], weights[1][:most, strange]
    )
