from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from autoloss.metrics import auroc
from autoloss.verdict.comparisons import compare, compare_metric
from autoloss.verdict.gains import gain_steps, steps_of
from autoloss.verdict.posthoc import fit_posthoc
from tests.verdict.test_confirm import Named, draw, ranking
from tests.verdict.test_posthoc import f1, facts_of, rare

ERROR = Named("error", lambda probs, y: float((probs.argmax(1) != y).mean()), True)


def way(n=500):
    """Return four models of the same rows, each better than the model before, and the classes."""
    models = [draw(n=n, noise=(noise, 1.0), seed=3)[0] for noise in (2.5, 1.5, 0.8, 0.2)]
    return models, draw(n=n, seed=3)[2]


def test_each_step_has_its_figures_and_its_change():
    models, targets = way()
    gains = gain_steps(steps_of(*models, label="focal"), targets, metric=ERROR, resamples=200)
    names = ["default cross-entropy", "tuned", "temperature", "another loss"]
    assert [gain.step for gain in gains] == names
    assert gains[-1].detail == "focal"
    for gain, model in zip(gains, models, strict=True):
        assert gain.metric == pytest.approx((model.argmax(axis=1) != targets).mean())
        assert gain.log_loss == pytest.approx(log_loss(targets, np.exp(model)))
    assert np.isnan([gains[0].metric_change, gains[0].log_loss_low]).all()
    for place in (1, 2, 3):
        tested = compare(models[place], models[place - 1], targets, resamples=200)
        error, loss, gain = tested["error"].comparison, tested["log_loss"].comparison, gains[place]
        assert (gain.metric_change, gain.metric_low) == (error.difference, error.low)
        assert gain.metric_high == error.high
        found = (gain.log_loss_change, gain.log_loss_low, gain.log_loss_high)
        assert found == (loss.difference, loss.low, loss.high)


def test_changes_add_up_to_the_whole_way():
    models, targets = way()
    gains = gain_steps(steps_of(*models), targets, metric=ERROR, resamples=20)
    changes = sum(gain.metric_change for gain in gains[1:])
    assert changes == pytest.approx(gains[-1].metric - gains[0].metric)


def test_moved_decisions_change_the_metric_and_leave_the_log_loss():
    held_out, labels = rare(n=3000, seed=1)
    rows, targets = rare(n=3000, seed=2)
    f1_metric = Named("f1", f1)
    moved = fit_posthoc(held_out, labels, metric=f1_metric, facts=facts_of(np.bincount(labels)))
    steps = steps_of(rows, rows, rows, rows, posthoc=moved, challenger_posthoc=moved)
    gains = gain_steps(steps, targets, metric=f1_metric, resamples=50)
    assert [gain.step for gain in gains][3:] == [moved.kind, "another loss"]
    step, last = gains[3:]
    assert step.metric == f1(np.exp(moved.decided(rows)), targets)
    assert step.metric_low > 0.0
    assert (step.log_loss_change, step.log_loss_high) == (0.0, 0.0)
    assert (last.metric_change, last.log_loss_change) == (0.0, 0.0)
    assert step.detail == moved.detail


def test_moved_decisions_are_judged_by_the_error_too():
    held_out, labels = rare(n=3000, seed=1)
    rows, targets = rare(n=3000, seed=2)
    moved = fit_posthoc(held_out, labels, metric=ERROR, facts=facts_of(np.bincount(labels)))
    step = gain_steps(
        steps_of(rows, rows, rows, None, posthoc=moved), targets, metric=ERROR, resamples=50
    )[-1]
    assert step.step == moved.kind
    assert step.metric == (moved.decided(rows).argmax(axis=1) != targets).mean()
    assert step.metric_high < 0.0


def test_the_challenger_is_moved_only_if_cross_entropy_is():
    rows, targets = rare(n=200)
    moved = fit_posthoc(rows, targets, metric=ERROR, facts=facts_of(np.bincount(targets)))
    steps = steps_of(rows, rows, rows, rows, challenger_posthoc=moved)
    assert all(step.decided is None for step in steps)


def test_any_metric_has_its_interval():
    one, other, targets = draw(n=400, classes=2, noise=(0.2, 2.0))
    metric = ranking(auroc)
    gain = gain_steps(steps_of(other, one, one, None), targets, metric=metric, resamples=100)[1]
    expected = compare_metric(metric, one, other, targets, resamples=100).comparison
    assert (gain.metric, gain.metric_low) == (expected.challenger, expected.low)
    assert gain.metric_low > 0.0


def test_clusters_widen_the_intervals():
    one, other, targets = draw(n=60)
    rows = np.repeat(np.arange(60), 6)
    steps = steps_of(other[rows], one[rows], one[rows], None)
    how = {"metric": ERROR, "resamples": 300}
    alone = gain_steps(steps, targets[rows], **how)[1]
    together = gain_steps(steps, targets[rows], clusters=rows, **how)[1]
    assert together.log_loss_high - together.log_loss_low > 1.8 * (
        alone.log_loss_high - alone.log_loss_low
    )
    assert together.metric_high - together.metric_low > 1.8 * (
        alone.metric_high - alone.metric_low
    )


def test_one_row_has_finite_gains():
    one, other, targets = draw(n=1)
    gains = gain_steps(steps_of(one, other, one, other), targets, metric=ERROR, resamples=10)
    assert all(gain.metric_low <= 0.0 <= gain.metric_high for gain in gains[1:])
