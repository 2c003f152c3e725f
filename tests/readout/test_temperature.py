from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.calibration import _TemperatureScaling

from autoloss.readout import fit_temperature


@pytest.mark.parametrize("n_classes", [2, 3, 11])
def test_equals_plain_bisection(make_problem, bisect, n_classes):
    logits, targets = make_problem(9, 400, n_classes)
    found = fit_temperature(logits, targets)
    torch.testing.assert_close(found, bisect(logits, targets), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 7])
def test_single_precision_finds_the_same_loss(make_problem, bisect, n_classes):
    logits, targets = make_problem(9, 2000, n_classes)
    found = fit_temperature(logits.float(), targets)
    torch.testing.assert_close(found, bisect(logits, targets), rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(make_problem, dtype):
    logits, targets = make_problem(3, 200)
    half = logits.to(dtype)
    torch.testing.assert_close(
        fit_temperature(half, targets), fit_temperature(half.float(), targets)
    )


@pytest.mark.parametrize("n_classes", [3, 6])
def test_equals_scikit_learn(make_problem, n_classes):
    logits, targets = make_problem(5, 500, n_classes)
    found = fit_temperature(logits, targets).exp()
    theirs = [_TemperatureScaling().fit(one.numpy(), targets.numpy()).beta_ for one in logits]
    np.testing.assert_allclose(found.numpy(), theirs, rtol=1e-5)


def test_binary_is_twice_the_value_of_scikit_learn_on_a_single_score(make_problem):
    # A single score x is expanded to (-x, x) there, which has twice the difference of (0, x).
    logits, targets = make_problem(3, 500, 2)
    difference = (logits[..., 1] - logits[..., 0]).numpy()
    theirs = [_TemperatureScaling().fit(one, targets.numpy()).beta_ for one in difference]
    found = fit_temperature(logits, targets).exp().numpy()
    np.testing.assert_allclose(found, 2 * np.array(theirs), rtol=1e-5)


def test_two_classes_equal_three_of_which_one_is_impossible(make_problem):
    logits, targets = make_problem(5, 300, 2)
    impossible = torch.full_like(logits[..., :1], -1e9)
    torch.testing.assert_close(
        fit_temperature(torch.cat([logits, impossible], -1), targets),
        fit_temperature(logits, targets),
    )


def test_temperature_of_scaled_logits_is_scaled(make_problem):
    logits, targets = make_problem(4, 300)
    there = fit_temperature(logits * 7, targets)
    torch.testing.assert_close(there, fit_temperature(logits, targets) - np.log(7))


@pytest.mark.parametrize("start", [-16.0, -5.0, 0.0, 9.0, 16.0, 400.0, float("nan")])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_start_does_not_change_the_result(make_problem, start, n_classes):
    logits, targets = make_problem(5, 300, n_classes)
    found = fit_temperature(logits, targets, start=torch.full((5,), start))
    torch.testing.assert_close(found, fit_temperature(logits, targets), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_separated_scores_end_at_no_loss(n_classes, dtype):
    targets = torch.arange(40) % n_classes
    logits = torch.nn.functional.one_hot(targets, n_classes).to(dtype)[None] * 1e-3
    beta = fit_temperature(logits, targets).exp().to(dtype)
    assert torch.nn.functional.cross_entropy(logits[0] * beta, targets) < 1e-30


@pytest.mark.parametrize("n_classes", [2, 4])
def test_scores_that_are_worse_than_chance_are_flattened(make_problem, n_classes):
    logits, targets = make_problem(3, 300, n_classes)
    torch.testing.assert_close(
        fit_temperature(-logits, targets), torch.full((3,), -16.0, dtype=torch.float64)
    )


@pytest.mark.parametrize("n_classes", [2, 4])
def test_constant_scores_keep_their_temperature(n_classes):
    targets = torch.arange(40) % n_classes
    assert fit_temperature(torch.zeros(2, 40, n_classes), targets).tolist() == [0, 0]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_finite_scores_give_a_finite_temperature(n_classes, dtype):
    targets = torch.arange(40) % n_classes
    logits = torch.randn(3, 40, n_classes, generator=torch.Generator().manual_seed(0))
    sizes = torch.tensor([1e-30, 1e20, 3e38])[:, None, None]
    assert torch.isfinite(
        fit_temperature((logits * sizes).clamp(-3e38, 3e38).to(dtype), targets)
    ).all()


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_candidate_without_finite_scores_disturbs_nobody(make_problem, n_classes, bad):
    logits, targets = make_problem(3, 100, n_classes)
    alone = fit_temperature(logits, targets)
    logits[1, 50, 1] = bad
    found = fit_temperature(logits, targets)
    assert found[1].isnan()
    assert found[[0, 2]].tolist() == alone[[0, 2]].tolist()


@pytest.mark.parametrize("n_classes", [2, 5])
def test_together_equals_alone(make_problem, n_classes):
    logits, targets = make_problem(6, 3000, n_classes)
    together = fit_temperature(logits, targets)
    alone = torch.cat([fit_temperature(one[None], targets) for one in logits])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-10)
