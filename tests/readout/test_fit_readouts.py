from __future__ import annotations

import json
import math

import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.losses import LossSpec, Objective
from autoloss.readout import Readout, fit_readouts, fold_numbers, refined_log_loss

PRIOR = {"prior": "logit_adjust", "logit_adjust.tau": 1.0}
SPECS = [
    LossSpec.from_dict({"base": "cross_entropy"}),
    LossSpec.from_dict({"base": "focal", "focal.gamma": 2.0}),
    LossSpec.from_dict({"base": "cross_entropy", **PRIOR}),
    LossSpec.from_dict({"base": "focal", "focal.gamma": 3.0, **PRIOR}),
    LossSpec.from_dict({"base": "crammer_singer"}),
    LossSpec.from_dict({"base": "cross_entropy", "target": "smoothing", "smoothing.epsilon": 0.1}),
    LossSpec.from_dict({"base": "brier", "prior": "class_weight", "class_weight.power": 1.0}),
]


def objective_of(specs, n_classes, dtype=torch.float64):
    return Objective(specs, torch.arange(1, n_classes + 1) * 100, dtype=dtype)


def all_costs(logits, targets, objective, folds, bisect):
    """Cross-fitted log loss of every read-out of every candidate, (K, 6), by brute force."""
    scores = {
        "softmax": logits,
        "prior": objective.prior_corrected(logits),
        "link": objective.log_links(logits),
    }
    n, n_classes = logits.shape[1:]
    costs = []
    for one in scores.values():
        per_fold = torch.stack(
            [bisect(one[:, folds != fold], targets[folds != fold]) for fold in range(5)], -1
        )
        for beta in (torch.ones_like(one[..., :1]), per_fold.exp()[:, folds].unsqueeze(-1)):
            probs = torch.softmax(one * beta, -1) * n / (n + 1) + 1 / ((n + 1) * n_classes)
            of_target = probs.gather(-1, targets.expand(len(one), -1)[..., None])
            costs.append(-of_target.log().mean((-1, -2)))
    return torch.stack(costs, -1)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_takes_the_best_of_all_read_outs(make_problem, bisect, n_classes):
    logits, targets = make_problem(len(SPECS), 400, n_classes)
    objective, folds = objective_of(SPECS, n_classes), fold_numbers(targets)
    readouts = fit_readouts(logits, targets, objective, folds=folds)
    costs = all_costs(logits, targets, objective, folds, bisect)
    torch.testing.assert_close(readouts.refined, costs.amin(-1), rtol=0, atol=2e-6)
    torch.testing.assert_close(readouts.example_log_loss.mean(-1), readouts.refined)


@pytest.mark.parametrize(
    ("spec", "source"), [(SPECS[0], "softmax"), (SPECS[2], "prior"), (SPECS[3], "link")]
)
def test_finds_the_source_that_made_the_labels(spec, source):
    random = torch.Generator().manual_seed(0)
    logits = 1.5 * torch.randn(1, 20_000, 3, generator=random, dtype=torch.float64)
    objective = objective_of([spec], 3)
    posterior = objective.log_links(logits)[0].exp()
    targets = torch.multinomial(posterior, 1, generator=random).squeeze(-1)
    readouts = fit_readouts(logits, targets, objective, folds=fold_numbers(targets))
    assert readouts.row(0).source == source
    assert readouts.log_beta.item() == pytest.approx(0, abs=0.03)


def test_a_wrong_scale_gets_a_temperature(make_problem):
    logits, targets = make_problem(1, 2000)
    readouts = fit_readouts(
        20 * logits, targets, objective_of(SPECS[:1], 3), folds=fold_numbers(targets)
    )
    assert readouts.names == ("softmax+temperature",)


def test_no_example_costs_more_than_the_bound(make_problem):
    targets = torch.arange(60) % 3
    logits = 1e6 * torch.nn.functional.one_hot(targets, 3).double()[None]
    targets[0] = 1
    readouts = fit_readouts(
        logits, targets, objective_of(SPECS[:1], 3), folds=torch.arange(60) // 12
    )
    assert readouts.example_log_loss.max() <= math.log(61 * 3) + 1e-9


@pytest.mark.parametrize("n_classes", [2, 4])
def test_cheap_path_equals_the_full_fit(make_problem, n_classes):
    logits, targets = make_problem(len(SPECS), 700, n_classes)
    objective, folds = objective_of(SPECS, n_classes), fold_numbers(targets)
    readouts = fit_readouts(logits, targets, objective, folds=folds)
    refined, error, state = refined_log_loss(logits, targets, objective, folds=folds)
    torch.testing.assert_close(refined, readouts.refined, rtol=0, atol=1e-5)
    assert error.tolist() == readouts.predictions.wrong.double().mean(-1).tolist()
    warm, _, _ = refined_log_loss(1.1 * logits, targets, objective, folds=folds, start=state)
    cold, _, _ = refined_log_loss(1.1 * logits, targets, objective, folds=folds)
    torch.testing.assert_close(warm, cold, rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverged_candidate_is_nan_and_disturbs_nobody(make_problem, n_classes, bad):
    logits, targets = make_problem(len(SPECS), 200, n_classes)
    objective, folds = objective_of(SPECS, n_classes), fold_numbers(targets)
    clean = fit_readouts(logits, targets, objective, folds=folds)
    logits[3, 7, 0] = bad
    readouts = fit_readouts(logits, targets, objective, folds=folds)
    refined, error, _ = refined_log_loss(logits, targets, objective, folds=folds)
    assert readouts.refined.isnan().tolist() == [k == 3 for k in range(len(SPECS))]
    assert refined.isnan().tolist() == error.isnan().tolist() == readouts.refined.isnan().tolist()
    others = [k for k in range(len(SPECS)) if k != 3]
    assert torch.equal(readouts.log_probs[others], clean.log_probs[others])


@pytest.mark.parametrize("n_classes", [2, 4])
def test_together_equals_alone(make_problem, n_classes):
    logits, targets = make_problem(len(SPECS), 500, n_classes)
    objective, folds = objective_of(SPECS, n_classes), fold_numbers(targets)
    together = fit_readouts(logits, targets, objective, folds=folds)
    for k, logit in enumerate(logits):
        alone = fit_readouts(logit[None], targets, objective.keep([k]), folds=folds)
        assert alone.names[0] == together.names[k]
        torch.testing.assert_close(alone.log_probs[0], together.log_probs[k], rtol=0, atol=1e-10)


def test_single_precision_logits_give_the_same_refined_loss(make_problem):
    logits, targets = make_problem(len(SPECS), 500)
    folds = fold_numbers(targets)
    wide = fit_readouts(logits, targets, objective_of(SPECS, 3), folds=folds)
    narrow = fit_readouts(
        logits.float(), targets, objective_of(SPECS, 3, torch.float32), folds=folds
    )
    torch.testing.assert_close(narrow.refined, wide.refined, rtol=0, atol=1e-5)


def test_permuting_rows_permutes_the_predictions(make_problem):
    logits, targets = make_problem(len(SPECS), 300)
    objective, folds = objective_of(SPECS, 3), fold_numbers(targets)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    here = fit_readouts(logits, targets, objective, folds=folds)
    there = fit_readouts(logits[:, order], targets[order], objective, folds=folds[order])
    torch.testing.assert_close(there.log_probs, here.log_probs[:, order], rtol=0, atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_one_read_out_equals_all_of_them_after_json(make_problem, n_classes):
    logits, targets = make_problem(len(SPECS), 400, n_classes)
    objective = objective_of(SPECS, n_classes)
    readouts = fit_readouts(logits, targets, objective, folds=fold_numbers(targets))
    others, other_targets = make_problem(len(SPECS), 50, n_classes, seed=9)
    expected = readouts.predict(others, other_targets, objective)
    for k in range(len(SPECS)):
        written = json.dumps(readouts.row(k).to_dict())
        readout = Readout.from_dict(json.loads(written))
        assert readout == readouts.row(k)
        torch.testing.assert_close(
            readout.log_probs(others[k], torch.arange(1, n_classes + 1) * 100),
            expected.log_probs[k],
        )
    torch.testing.assert_close(
        expected.log_probs.exp().sum(-1), torch.ones(len(SPECS), 50, dtype=torch.float64)
    )


def test_all_sources_are_among_the_read_outs_of_the_json_test(make_problem):
    logits, targets = make_problem(len(SPECS), 400, 4)
    readouts = fit_readouts(logits, targets, objective_of(SPECS, 4), folds=fold_numbers(targets))
    assert {name.split("+")[0] for name in readouts.names} == {"softmax", "prior", "link"}


def test_a_row_that_is_not_finite_is_nan_alone(make_problem):
    logits, targets = make_problem(1, 100)
    readouts = fit_readouts(
        logits, targets, objective_of(SPECS[:1], 3), folds=fold_numbers(targets)
    )
    logits[0, 4, 1] = torch.nan
    log_probs = readouts.row(0).log_probs(logits[0], torch.ones(3))
    assert log_probs.isnan().any(-1).nonzero().flatten().tolist() == [4]


@pytest.mark.parametrize("key", ["source", "inverse_temperature", "mix", "spec"])
def test_a_saved_read_out_with_a_missing_key_is_refused(key):
    whole = Readout("softmax", 1.0, 0.01, SPECS[0]).to_dict()
    with pytest.raises(InputError, match=f"must have '{key}'"):
        Readout.from_dict({name: value for name, value in whole.items() if name != key})


def test_a_saved_read_out_with_an_unknown_source_is_refused():
    whole = Readout("softmax", 1.0, 0.01, SPECS[0]).to_dict()
    with pytest.raises(InputError, match="source='oracle'"):
        Readout.from_dict({**whole, "source": "oracle"})
