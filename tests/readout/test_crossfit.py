from __future__ import annotations

import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.readout import fold_numbers
from autoloss.readout.crossfit import crossfit
from autoloss.readout.table import make_table


def losses(logits, targets, folds, log_beta):
    """Mean log loss with a temperature a candidate and fold."""
    beta = log_beta.exp()[:, folds].unsqueeze(-1)
    log_probs = torch.log_softmax(logits.double() * beta, -1)
    return -log_probs.gather(-1, targets.expand(len(logits), -1)[..., None])[..., 0].mean(-1)


@pytest.mark.parametrize("n", [40, 200, 1000, 4000])
@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("tol", [1e-6, 1e-2])
def test_equals_refitting_for_every_fold(make_problem, bisect, n, n_classes, tol):
    logits, targets = make_problem(8, n, n_classes, seed=n)
    folds = fold_numbers(targets)
    table = make_table([logits], targets, folds, n_folds=5)
    _, found = crossfit(table, torch.zeros(8, dtype=torch.float64), tol=tol)
    pairs = [bisect(logits[:, folds != fold], targets[folds != fold]) for fold in range(5)]
    refitted = losses(logits, targets, folds, torch.stack(pairs, -1))
    torch.testing.assert_close(losses(logits, targets, folds, found), refitted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_fold_whose_rest_is_separated_is_refitted(n_classes, bisect):
    # One example is wrong: without its fold the best temperature is 0, far from that of all.
    targets = torch.arange(50) % n_classes
    logits = 3.0 * torch.nn.functional.one_hot(targets, n_classes).double()[None]
    logits[0, 0] = logits[0, 1].clone()
    folds = torch.arange(50) // 10
    table = make_table([logits], targets, folds, n_folds=5)
    _, found = crossfit(table, torch.zeros(1, dtype=torch.float64), tol=1e-6)
    assert found[0, 0].exp() * 3 > 30
    torch.testing.assert_close(
        found[:, 1], bisect(logits[:, folds != 1], targets[folds != 1]), rtol=0, atol=1e-9
    )


def test_folds_are_equal_in_size_and_classes():
    targets = torch.tensor([0] * 500 + [1] * 50 + [2] * 7)
    folds = fold_numbers(targets, seed=3)
    counts = torch.nn.functional.one_hot(targets, 3).T @ torch.nn.functional.one_hot(folds, 5)
    assert (counts.amax(1) - counts.amin(1) <= 1).all()
    assert counts.sum(0).max() - counts.sum(0).min() <= 1


def test_a_group_is_never_cut():
    groups = torch.randint(40, (500,), generator=torch.Generator().manual_seed(0)) * 3
    folds = fold_numbers(500, groups=groups)
    for group in groups.unique():
        assert len(folds[groups == group].unique()) == 1
    assert folds.bincount().tolist() == pytest.approx([100] * 5, abs=25)


def test_folds_depend_on_the_seed_alone():
    first, again, other = (fold_numbers(100, seed=seed) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_fewer_examples_than_folds_have_a_fold_each():
    assert sorted(fold_numbers(3).tolist()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "what"), [((1, None), "examples"), ((4, torch.zeros(4)), "groups")]
)
def test_cross_fitting_one_item_is_refused(arguments, what):
    n, groups = arguments
    with pytest.raises(InputError, match=f"at least two {what}, which .* got {what}=1"):
        fold_numbers(n, groups=groups)
