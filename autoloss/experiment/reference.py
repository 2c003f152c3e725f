"""The untuned reference of scikit-learn on the same rows, for comparison."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoloss.data import Part
from autoloss.experiment.boosted_parts import boosted_parts, why_not_boosted
from autoloss.experiment.boosting import Boosted, boosting_seconds
from autoloss.experiment.session import SearchSession
from autoloss.metrics import resolve_metric
from autoloss.readout import Items
from autoloss.records import Comparison, Reference
from autoloss.report.shipped import SHIPPED
from autoloss.search import StudySnapshot
from autoloss.verdict.comparisons import compare
from autoloss.verdict.metric_rows import metric_on_rows
from autoloss.verdict.named_metric import NamedMetric
from autoloss.verdict.phrases import difference_words, interval_words
from autoloss.verdict.pooled import PooledRows

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]

_POINTS, _SHARE = 0.02, 0.1
_SHARES = ("error", "balanced_error")


def boost(session: SearchSession, train: Sequence[Part], test: Part) -> Boosted | None:
    """Train gradient boosting on some parts and predict another.

    Args:
        session: The search.
        train: The parts to train on.
        test: The part to predict.

    Returns:
        The predictions of the items; None for inputs that are not a table, if there are very many
        labels, or it would probably take longer than the time limit allows.
    """
    data, deadline = session.opened.data, session.timetable.reference_by
    if why_not_boosted(data):
        return None
    n_rows = sum(map(len, train))
    if deadline is not None:
        seconds = boosting_seconds(n_rows, len(data.summary.columns), data.task)
        if time.monotonic() + seconds > deadline:
            return None
    boosted = boosted_parts(data, train, test, seed=session.study.seed)
    scores = torch.from_numpy(np.asarray(boosted.log_probs))[None]
    items = Items.of(test.targets, session.study.facts)
    return replace(boosted, log_probs=items.scores(scores)[0].numpy())


def boost_folds(
    session: SearchSession, folds: Sequence[tuple[Sequence[Part], Part]]
) -> Boosted | None:
    """Train gradient boosting on each fold and predict its held-out rows.

    Args:
        session: The search.
        folds: The parts to train on and the part to predict, of each fold.

    Returns:
        The predictions in the order of the items, a mean for an item that several folds predict;
        None as for `boost`.
    """
    found = []
    for train, test in folds:
        boosted = boost(session, train, test)
        if boosted is None:
            return None
        found.append(boosted)
    facts, tests = session.study.facts, [test for _, test in folds]
    items = [Items.of(test.targets.cpu(), facts) for test in tests]
    pooled = PooledRows.of(
        torch.cat(
            [own.keys(one.rows.cpu()) for own, one in zip(items, tests, strict=True)]
        ).numpy(),
        torch.cat([own.labels for own in items]).numpy(),
    )
    log_probs = pooled.mean([one.log_probs for one in found])
    return replace(found[-1], log_probs=log_probs)


def reference_record(
    boosted: Boosted,
    shipped: FloatArray,
    targets: IntArray,
    *,
    metric: NamedMetric,
    class_counts: IntArray | None = None,
    clusters: npt.NDArray[Any] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Reference:
    """Compare gradient boosting with the shipped model, on the rows of the verdict.

    It is far ahead if the interval of the difference does not cover zero and the difference is
    above a tenth of the shipped model's distance from the best value of the metric, 0 or 1. A
    difference in a metric that is a share must be above two points too.

    Args:
        boosted: The predictions of gradient boosting.
        shipped: Log probabilities of the shipped model.
        targets: Classes of the rows.
        metric: The study's metric.
        class_counts: Training rows of each class, which balanced error needs for its decisions.
        clusters: The cluster of each row; None for independent rows.
        resamples: Resamples of the paired bootstrap.
        seed: Its seed.

    Shape:
        shipped (N, C), targets (N,), clusters (N,).
    """
    tested = compare(
        boosted.log_probs,
        shipped,
        targets,
        metric=metric,
        class_counts=class_counts,
        clusters=clusters,
        resamples=resamples,
        seed=seed,
    )
    one = tested[metric.name].comparison
    is_far_ahead = _is_far_ahead(one)
    return Reference(
        name=boosted.name,
        metric=one.challenger,
        log_loss=tested["log_loss"].comparison.challenger,
        difference=one.difference,
        low=one.low,
        high=one.high,
        is_far_ahead=is_far_ahead,
        text=" ".join([_text(one, is_far_ahead, boosted.name), *boosted.notes]),
    )


def compared(
    boosted: Boosted | None,
    study: StudySnapshot,
    shipped: Tensor,
    items: Items,
) -> Reference | None:
    """Compare gradient boosting with the shipped model of a study; None without boosting.

    Args:
        boosted: The predictions of gradient boosting for the rows of the verdict.
        study: The study.
        shipped: Log probabilities of the shipped model.
        items: The items of the rows.

    Shape:
        shipped (M, C).
    """
    if boosted is None:
        return None
    return reference_record(
        boosted,
        shipped.numpy(),
        items.labels.numpy(),
        # Boosting is trained once.
        metric=metric_on_rows(
            resolve_metric("error") if study.metric.is_of_trainings else study.metric,
            study.facts,
            items,
        ),
        class_counts=study.class_counts.numpy(),
        clusters=items.cluster_numbers,
        seed=study.seed,
    )


def _is_far_ahead(one: Comparison) -> bool:
    """Return whether a difference is certain, and large relative to the possible gain."""
    ahead = one.difference if not one.lower_is_better else -one.difference
    if one.covers_zero or ahead <= 0.0:
        return False
    both = (one.challenger, one.baseline)
    if one.lower_is_better:
        is_share, left = one.metric in _SHARES, abs(one.baseline)
    else:
        is_share = 0.0 <= min(both) <= max(both) <= 1.0
        left = 1.0 - one.baseline if is_share else abs(one.baseline)
    return ahead > max(_POINTS if is_share else 0.0, _SHARE * left)


def _text(one: Comparison, is_far_ahead: bool, name: str) -> str:
    has = f"{name.capitalize()}, untuned, has {difference_words(one)} than {SHIPPED}"
    if is_far_ahead:
        says = "the limit is the model, not the loss"
    elif one.covers_zero:
        says = "no clear difference"
    elif (one.difference < 0.0) == one.lower_is_better:
        says = "it is ahead, but not so far that the model is the limit"
    else:
        says = "the model is not the limit"
    return f"{has} ({interval_words(one)}): {says}."
