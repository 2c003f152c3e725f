"""The losses of all candidates in one call."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from autoloss.core.errors import InputError
from autoloss.losses import LossContext, LossSpec, Objective, get, names
from autoloss.losses.priors import log_class_weights, logit_adjustment

from .cases import draw, draw_labels, slope

COUNTS = torch.tensor([60.0, 30.0, 10.0])
PRIORS = [
    {},
    {"prior": "class_weight", "class_weight.power": 0.8},
    {"prior": "logit_adjust", "logit_adjust.tau": 1.3},
]
TARGETS = [{}, {"target": "smoothing", "smoothing.epsilon": 0.2}]
TEMPERATURES = [{}, {"temperature": 2.5}]
# Losses that need a context have their own tests.
BASES = [
    base
    for base in names()
    if "multiclass" in get(base).tasks and set(get(base).needs) <= {"class_counts"}
]
MIXED = [
    LossSpec.from_dict(
        {"base": base, **PRIORS[i % 3], **TARGETS[i % 2], **TEMPERATURES[i // 3 % 2]}
    )
    for base in BASES
    for i in range(6)
]
SHUFFLED = [
    MIXED[i] for i in torch.randperm(len(MIXED), generator=torch.Generator().manual_seed(3))
]
N = len(MIXED)


def make(specs, counts=COUNTS) -> Objective:
    return Objective(specs, counts, dtype=torch.float64)


def by_hand(spec: LossSpec, logits, targets):
    """Return the loss of one candidate from its parts, written down without any shortcut."""
    tau = torch.tensor([[spec.get("logit_adjust.tau", 0.0)]], dtype=torch.float64)
    shift = logit_adjustment(COUNTS.double(), tau)
    power = torch.tensor([[spec.get("class_weight.power", 0.0)]], dtype=torch.float64)
    weights = log_class_weights(COUNTS.double(), power).exp()[0]
    epsilon = spec.get("smoothing.epsilon", 0.0)
    probs = targets
    if not targets.is_floating_point():
        probs = torch.nn.functional.one_hot(targets, 3).double()
    probs = (1 - epsilon) * probs + epsilon / 3
    scores = logits / spec.temperature + shift
    loss, context = get(spec.base), LossContext(class_counts=COUNTS.double())
    if loss.view is not None:
        # Its softmax reads its view, and a prior acts on the view.
        scale = torch.full((3,), 1 / spec.temperature, dtype=torch.float64)
        scores, context = logits, replace(context, scale=scale, shift=shift[0])
    every = [
        loss(scores, torch.full(targets.shape[:1], c), context=context, **spec.base_parameters)
        for c in range(3)
    ]
    return (probs * weights * torch.stack(every, -1)).sum(-1)


@pytest.mark.parametrize("specs", [MIXED, SHUFFLED], ids=["sorted", "shuffled"])
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_objective_is_the_product_of_its_parts(specs, soft: bool):
    logits = draw(N, 7, 3, scale=2.0).requires_grad_()
    targets = draw(7, 3, seed=9).softmax(-1) if soft else draw_labels(7, n_classes=3)
    ours = make(specs)(logits, targets)
    expected = torch.stack(
        [by_hand(spec, z, targets) for spec, z in zip(specs, logits, strict=True)]
    )
    assert_close(ours, expected, atol=1e-10, rtol=1e-10)
    assert_close(slope(ours, logits), slope(expected, logits), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("specs", [MIXED, SHUFFLED], ids=["sorted", "shuffled"])
def test_together_equals_alone(specs):
    logits, targets = draw(N, 5, 3, scale=2.0).requires_grad_(), draw_labels(N, 5, n_classes=3)
    together = make(specs)(logits, targets)
    alone = torch.cat([make([s])(logits[[k]], targets[[k]]) for k, s in enumerate(specs)])
    assert_close(together, alone, atol=1e-12, rtol=1e-12)
    assert_close(slope(together, logits), slope(alone, logits), atol=1e-12, rtol=1e-12)


def test_shared_targets_equal_repeated_ones():
    logits, targets = draw(N, 5, 3), draw_labels(5, n_classes=3)
    objective = make(SHUFFLED)
    assert torch.equal(objective(logits, targets), objective(logits, targets.expand(N, 5)))
    probs = draw(5, 3, seed=2).softmax(-1)
    assert torch.equal(objective(logits, probs), objective(logits, probs.expand(N, 5, 3)))


def test_keep_leaves_the_others_unchanged():
    rows = [7, 40, 3, 22]
    logits, targets = draw(N, 5, 3), draw_labels(5, n_classes=3)
    objective = make(SHUFFLED)
    kept = objective.keep(rows)
    assert kept.specs == tuple(SHUFFLED[row] for row in rows)
    assert_close(kept(logits[rows], targets), objective(logits, targets)[rows])
    assert_close(kept.log_links(logits[rows]), objective.log_links(logits)[rows])


def test_candidates_may_have_class_counts_of_their_own():
    counts = torch.tensor([[60.0, 30.0, 10.0], [20.0, 20.0, 60.0]])
    spec = LossSpec.from_dict({"base": "brier", "prior": "class_weight"})
    logits, targets = draw(2, 5, 3), draw_labels(5, n_classes=3)
    together = make([spec, spec], counts)
    alone = [make([spec], counts[k])(logits[[k]], targets)[0] for k in range(2)]
    assert_close(together(logits, targets), torch.stack(alone))
    assert_close(together.keep([1])(logits[1:], targets)[0], alone[1])


def test_float32_is_close_to_float64():
    logits, targets = draw(N, 50, 3, scale=3.0).float().double(), draw_labels(50, n_classes=3)
    narrow = Objective(MIXED, COUNTS)(logits.float(), targets)
    assert narrow.dtype == torch.float32
    assert_close(narrow.double(), make(MIXED)(logits, targets), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("counts", [(5, 0, 0), (100, 7, 0), (0.5, 0.5, 0.0)], ids=str)
def test_empty_classes_give_no_infinity(counts):
    objective = Objective(MIXED, torch.tensor(counts))
    logits = draw(N, 3, 3).float().requires_grad_()
    value = objective(logits, torch.arange(3))
    assert value.isfinite().all()
    assert slope(value, logits).isfinite().all()
    assert objective.log_links(logits.detach()).isfinite().all()
    assert objective.prior_corrected(logits.detach()).isfinite().all()


@pytest.mark.parametrize("power", [0.3, 1.0, 1.5, 100.0])
def test_mean_class_weight_of_the_training_rows_is_one(power: float):
    for counts in (COUNTS, torch.tensor([5.0, 0.0, 1e6])):
        log_weights = log_class_weights(counts.double(), torch.full((1, 1), power))
        shares = counts.double() / counts.sum()
        assert (shares * log_weights.exp()).sum().item() == pytest.approx(1.0)


def test_has_link_where_the_exact_readout_is_another_map():
    settings = [
        ({"base": "cross_entropy"}, False, False),
        ({"base": "brier"}, False, False),
        ({"base": "focal"}, True, False),
        ({"base": "focal", "focal.gamma": 0.0}, False, False),
        ({"base": "crammer_singer"}, False, False),
        ({"base": "weston_watkins", "prior": "logit_adjust"}, False, True),
        ({"base": "cross_entropy", "prior": "logit_adjust"}, True, True),
        (
            {"base": "cross_entropy", "prior": "logit_adjust", "logit_adjust.tau": 0.0},
            False,
            False,
        ),
        ({"base": "power", "prior": "class_weight"}, True, True),
        ({"base": "brier", "target": "smoothing"}, True, False),
        ({"base": "cross_entropy", "temperature": 2.0}, True, False),
    ]
    objective = make([LossSpec.from_dict(one) for one, _, _ in settings])
    assert objective.has_link.tolist() == [link for _, link, _ in settings]
    assert objective.has_prior.tolist() == [prior for _, _, prior in settings]
    logits = draw(len(settings), 6, 3)
    same = torch.isclose(objective.log_links(logits), logits.log_softmax(-1)).all(-1).all(-1)
    assert (same == ~objective.has_link).all()


def test_prior_correction_undoes_prior_and_temperature_alone():
    spec = {"base": "focal", "target": "smoothing", "temperature": 2.0}
    plain, weighted, adjusted = (
        LossSpec.from_dict({**spec, "prior": prior})
        for prior in ("none", "class_weight", "logit_adjust")
    )
    logits = draw(3, 4, 3)
    corrected = make([plain, weighted, adjusted]).prior_corrected(logits)
    shares = (COUNTS / COUNTS.sum()).log().double()
    expected = logits / 2
    expected[1] += 0.5 * shares
    expected[2] += shares
    assert_close(corrected.log_softmax(-1), expected.log_softmax(-1), atol=1e-6, rtol=1e-6)


def test_context_is_accepted_where_no_loss_needs_it():
    logits, targets = draw(N, 5, 3), draw_labels(5, n_classes=3)
    objective = make(MIXED)
    with_context = objective(logits, targets, context=LossContext(progress=0.5))
    assert torch.equal(with_context, objective(logits, targets))


@pytest.mark.parametrize(
    ("specs", "counts", "words"),
    [
        ([], [1, 1], "specs must hold one loss or more"),
        ([LossSpec()], [3], "class_counts must be the rows of two or more classes"),
        ([LossSpec()], [0, 0], "class_counts must be the rows"),
        ([LossSpec()], [2, -1], "class_counts must be the rows"),
        ([LossSpec()], [[2, 1], [1, 2]], "one row for each of 1 candidates"),
    ],
)
def test_objective_says_what_is_wrong(specs, counts, words: str):
    with pytest.raises(InputError, match=words):
        Objective(specs, torch.tensor(counts))


@pytest.mark.parametrize("shape", [(2, 5, 3), (1, 5, 4), (5, 3)])
def test_objective_says_which_logits_it_wants(shape):
    with pytest.raises(InputError, match=r"logits must have shape \(K, B, C\) with K=1 and C=3"):
        make([LossSpec()])(torch.zeros(shape), torch.zeros(5, dtype=torch.int64))
