"""Priors, targets and penalties beside the bases, and the read-outs of complete losses."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from autoloss import losses
from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts, LossContext, LossSpec, Mix, Objective

from .cases import draw, draw_labels, slope
from .test_readouts import minimum

COUNTS = torch.tensor([50.0, 30.0, 15.0, 5.0], dtype=torch.float64)
POSTERIOR = torch.tensor([0.30, 0.26, 0.23, 0.21], dtype=torch.float64)
# A cat is more like a tiger than like a dog, and not at all like a lorry.
ALIKE = torch.tensor(
    [[0.0, 0.8, 0.2, 0.0], [0.9, 0.0, 0.1, 0.0], [0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]],
    dtype=torch.float64,
)
FACTS = ClassFacts(COUNTS, weights=torch.tensor([1.0, 2.0, 3.0, 10.0]), similarity=ALIKE)


def objective_of(*settings: dict, facts: ClassFacts = FACTS) -> Objective:
    return Objective([LossSpec.from_dict(one) for one in settings], facts, dtype=torch.float64)


# Priors


def test_effective_number_weights_are_those_of_the_formula():
    spec = {"prior": "effective_number", "effective_number.decay": 0.01}
    b = 0.99
    weights = (1 - b) / (1 - b**COUNTS)
    weights = weights / (weights * COUNTS / COUNTS.sum()).sum()
    logits, targets = draw(1, 6, 4), draw_labels(6, n_classes=4)
    plain = functional.cross_entropy(logits[0], targets, reduction="none")
    assert_close(objective_of(spec)(logits, targets)[0], plain * weights[targets])


@pytest.mark.parametrize("decay", [1e-12, 1.0])
def test_effective_number_ends_at_inverse_counts_and_at_no_weights(decay: float):
    spec = {"prior": "effective_number", "effective_number.decay": decay}
    other = {"prior": "balanced"} if decay < 0.5 else {}
    logits, targets = draw(2, 6, 4), draw_labels(6, n_classes=4)
    logits[1] = logits[0]
    values = objective_of(spec, {"base": "cross_entropy", **other})(logits, targets)
    assert_close(values[0], values[1], atol=1e-9, rtol=1e-9)


def test_given_weights_are_torchs_weights_of_mean_one():
    spec = {"prior": "given_weights"}
    logits, targets = draw(1, 6, 4), draw_labels(6, n_classes=4)
    weights = FACTS.weights / (FACTS.weights * COUNTS / COUNTS.sum()).sum()
    theirs = functional.cross_entropy(logits[0], targets, weight=weights, reduction="none")
    assert_close(objective_of(spec)(logits, targets)[0], theirs)


def test_given_weights_must_be_given():
    with pytest.raises(InputError, match="class_weights must be given for prior='given_weights'"):
        objective_of({"prior": "given_weights"}, facts=ClassFacts(COUNTS))


def test_vector_scaling_is_its_formula():
    spec = {"prior": "vector_scaling", "vector_scaling.gamma": 0.3, "vector_scaling.tau": 1.2}
    logits, targets = draw(1, 6, 4), draw_labels(6, n_classes=4)
    scaled = logits[0] * (COUNTS / 50.0) ** 0.3 + 1.2 * (COUNTS / 100.0).log()
    theirs = functional.cross_entropy(scaled, targets, reduction="none")
    assert_close(objective_of(spec)(logits, targets)[0], theirs)


def test_balanced_softmax_is_logit_adjustment():
    one, other = {"prior": "balanced_softmax"}, {"prior": "logit_adjust", "logit_adjust.tau": 1.0}
    assert LossSpec.from_dict(one) == LossSpec.from_dict(other)
    balanced = LossSpec(prior="balanced")
    assert balanced == LossSpec(prior="class_weight", parameters={"class_weight.power": 1.0})


def test_late_weights_switch_on_at_their_share_of_the_training():
    late = {"prior": "balanced", "class_weight.start": 0.6}
    objective = objective_of(late, {"prior": "balanced"}, {})
    logits, targets = draw(1, 6, 4).expand(3, -1, -1), draw_labels(6, n_classes=4)
    before, weighted, plain = objective(logits, targets, context=LossContext(progress=0.59))
    after = objective(logits, targets, context=LossContext(progress=0.6))[0]
    assert_close(before, plain)
    assert_close(after, weighted)
    assert not torch.allclose(weighted, plain)
    with pytest.raises(InputError, match=r"must be given progress, but got LossContext\.progress"):
        objective(logits, targets)


PRIORS = [
    {"prior": "effective_number", "effective_number.decay": 0.05},
    {"prior": "given_weights"},
    {"prior": "vector_scaling", "vector_scaling.gamma": 0.3},
    {"prior": "balanced", "target": "similarity_smoothing", "similarity_smoothing.epsilon": 0.2},
]


@pytest.mark.parametrize("around", PRIORS, ids=lambda around: around["prior"])
@pytest.mark.parametrize("base", ["cross_entropy", "brier", "focal", "bi_tempered", "spherical"])
def test_the_posterior_is_read_through_prior_and_target(base: str, around):
    objective = objective_of({"base": base, **around})
    best = minimum(lambda z: objective(z[None, None], POSTERIOR[None])[0, 0], 4)
    read = objective.log_links(best[None, None])[0, 0].exp()
    assert_close(read, POSTERIOR, atol=3e-6, rtol=0)


# Targets


@pytest.mark.parametrize("base", ["cross_entropy", "weston_watkins", "focal"])
def test_similarity_smoothing_is_the_loss_of_the_spread_label(base: str):
    epsilon = 0.15
    spec = {
        "base": base,
        "target": "similarity_smoothing",
        "similarity_smoothing.epsilon": epsilon,
    }
    logits, targets = draw(1, 6, 4), draw_labels(6, n_classes=4)
    labels = (1 - epsilon) * torch.eye(4, dtype=torch.float64)[targets] + epsilon * ALIKE[targets]
    expected = losses.get(base)(logits[0], labels)
    objective = objective_of(spec)
    assert_close(objective(logits, targets)[0], expected)
    one_hot = functional.one_hot(targets, 4).double()
    assert_close(objective(logits, one_hot)[0], expected)


def test_similarity_by_equal_shares_is_label_smoothing():
    even = ClassFacts(COUNTS, similarity=torch.ones(4, 4))
    objective = objective_of(
        {"target": "similarity_smoothing", "similarity_smoothing.epsilon": 0.1},
        {"target": "smoothing", "smoothing.epsilon": 0.1},
        facts=even,
    )
    logits, targets = draw(1, 6, 4).expand(2, -1, -1), draw_labels(6, n_classes=4)
    similar, even_values = objective(logits, targets)
    assert_close(similar, even_values)
    links = objective.log_links(logits)
    assert_close(links[0], links[1])


def test_a_similarity_must_be_given_and_be_one():
    with pytest.raises(InputError, match="class_similarity must be given"):
        objective_of({"target": "similarity_smoothing"}, facts=ClassFacts(COUNTS))
    with pytest.raises(InputError, match="class_similarity must be 4 rows of 4 numbers"):
        ClassFacts(COUNTS, similarity=torch.ones(3, 4))


@pytest.mark.parametrize("base", ["cross_entropy", "brier", "crammer_singer", "focal"])
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_mixup_is_the_loss_of_the_mixed_label(base: str, soft: bool):
    logits, labels = draw(2, 5, 4), draw_labels(5, n_classes=4)
    probs = functional.one_hot(labels, 4).double()
    targets = probs if soft else labels
    partner = torch.tensor([3, 4, 0, 1, 2])
    share = torch.tensor([[0.7, 0.2, 0.5, 0.9, 0.4], [1.0] * 5], dtype=torch.float64)
    objective = objective_of({"base": base, "target": "mixup"}, {"base": base})
    values = objective(logits, targets, mix=Mix(partner[None], share))
    mixed = share[0][:, None] * probs + (1 - share[0][:, None]) * probs[partner]
    assert_close(values[0], losses.get(base)(logits[0], mixed))
    assert_close(values[1], losses.get(base)(logits[1], labels))


def test_mixup_of_labels_of_yes_and_no_mixes_each():
    facts = ClassFacts(torch.ones(3, 2), "multilabel")
    objective = Objective([LossSpec(target="mixup")], facts, dtype=torch.float64)
    logits, labels = draw(1, 4, 3), draw_labels(4, 3, n_classes=2)
    partner, share = torch.tensor([[1, 0, 3, 2]]), torch.tensor([[0.3]], dtype=torch.float64)
    mixed = 0.3 * labels.double() + 0.7 * labels.double()[partner[0]]
    expected = functional.binary_cross_entropy_with_logits(logits[0], mixed, reduction="none")
    assert_close(objective(logits, labels, mix=Mix(partner, share))[0], expected)


@pytest.mark.parametrize("per_example", [0, 1])
def test_a_module_mixes_inputs_and_labels_alike(per_example: int):
    torch.manual_seed(0)
    settings = {"mixup.alpha": 0.5, "mixup.per_example": per_example}
    module = LossSpec(target="mixup", parameters=settings).module(COUNTS)
    labels = torch.arange(64) % 4
    # An input that equals its label shows the partners.
    inputs = functional.one_hot(labels, 4).double()[:, :, None].expand(-1, -1, 3)
    mixed, probs = module.mix(inputs, labels)
    assert_close(mixed, probs[:, :, None].expand(-1, -1, 3))
    assert_close(probs.sum(-1), torch.ones(64, dtype=torch.float64))
    shares = {round(share, 6) for share in probs.max(-1).values.tolist()} - {1.0}
    assert (len(shares) > 10) if per_example else (len(shares) == 1)
    plain = LossSpec().module(COUNTS)
    assert plain.mix(inputs, labels)[0] is inputs


def test_a_module_mixes_whole_sequences():
    torch.manual_seed(0)
    module = LossSpec(target="mixup").module(ClassFacts(COUNTS, "sequence"))
    labels = draw_labels(6, 5, n_classes=4)
    labels[2, 3:] = -100
    inputs = functional.one_hot(labels.clamp_min(0), 4).double()
    mixed, probs = module.mix(inputs, labels)
    known = ~probs.isnan()
    assert_close(mixed[known], probs[known])
    # The sequence and its partner of the missing tags have none there.
    assert probs.isnan().any(-1).nonzero()[:, 1].unique().tolist() == [3, 4]
    assert module(torch.zeros(6, 5, 4), probs).isfinite()


def test_the_shares_of_mixup_are_those_of_its_distribution():
    torch.manual_seed(0)
    settings = {"mixup.alpha": 0.3, "mixup.per_example": 1}
    module = LossSpec(target="mixup", parameters=settings).module(torch.ones(2))
    inputs = torch.arange(20_000, dtype=torch.float64)[:, None]
    targets = torch.zeros(20_000, dtype=torch.int64)
    targets[::2] = 1
    probs = module.mix(inputs, targets)[1][:, 1]
    # Half of the pairs have two labels, and their share has the variance 1 / (4 (2 alpha + 1)).
    inside = probs[(probs > 0) & (probs < 1)]
    assert inside.mean().item() == pytest.approx(0.5, abs=0.02)
    assert inside.var().item() == pytest.approx(1 / (4 * 1.6), abs=0.01)


def test_mixup_in_a_module_must_know_the_classes():
    with pytest.raises(InputError, match="class_counts must be given for target='mixup'"):
        LossSpec(target="mixup").module()


def test_distillation_is_hintons_formula():
    heat, weight = 3.0, 0.4
    spec = {"target": "distillation", "distillation.T": heat, "distillation.weight": weight}
    logits, teacher = draw(1, 5, 4).requires_grad_(), draw(5, 4, seed=8)
    targets = draw_labels(5, n_classes=4)
    taught = functional.kl_div(
        (logits[0] / heat).log_softmax(-1), (teacher / heat).softmax(-1), reduction="none"
    ).sum(-1)
    hard = functional.cross_entropy(logits[0], targets, reduction="none")
    expected = (1 - weight) * hard + weight * heat**2 * taught
    values = objective_of(spec)(logits, targets, context=LossContext(teacher_logits=teacher))[0]
    assert_close(values, expected)
    assert_close(slope(values, logits), slope(expected, logits))


def test_the_gradient_of_distillation_has_its_printed_values():
    student = torch.tensor([[[1.0, 2.0, 0.0, 0.0]]], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([[4.0, 1.0, 0.0, -1.0]], dtype=torch.float64)
    spec = {"target": "distillation", "distillation.T": 20.0, "distillation.weight": 1.0}
    value = objective_of(spec)(
        student, torch.tensor([0]), context=LossContext(teacher_logits=teacher)
    )
    expected = torch.tensor([-0.72477, 0.34015, 0.07685, 0.30778], dtype=torch.float64)
    assert_close(slope(value, student)[0, 0], expected, atol=6e-6, rtol=0)


def test_the_gradient_of_distillation_tends_to_matching_logits():
    student = torch.tensor([[[1.0, 2.0, 0.0, 0.0]]], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([[4.0, 1.0, 0.0, -1.0]], dtype=torch.float64)
    spec = {"target": "distillation", "distillation.T": 1e5, "distillation.weight": 1.0}
    value = objective_of(spec)(
        student, torch.tensor([0]), context=LossContext(teacher_logits=teacher)
    )
    expected = torch.tensor([-0.6875, 0.3125, 0.0625, 0.3125], dtype=torch.float64)
    assert_close(slope(value, student)[0, 0], expected, atol=1e-4, rtol=0)


def test_distillation_must_have_a_teacher():
    objective = objective_of({"target": "distillation"})
    with pytest.raises(InputError, match="distillation must be given teacher_logits"):
        objective(draw(1, 3, 4), draw_labels(3, n_classes=4))


def test_the_teacher_of_a_cosine_head_is_matched_at_the_scale_of_its_softmax():
    spec = {"base": "am_softmax", "target": "distillation", "distillation.weight": 1.0}
    cosines, teacher = draw(1, 5, 4).tanh(), draw(5, 4, seed=8)
    s, heat = 16.0, 4.0
    values = objective_of({**spec, "am_softmax.s": s, "distillation.T": heat})(
        cosines, draw_labels(5, n_classes=4), context=LossContext(teacher_logits=teacher)
    )
    taught = functional.kl_div(
        (s * cosines[0] / heat).log_softmax(-1), (teacher / heat).softmax(-1), reduction="none"
    ).sum(-1)
    assert_close(values[0], heat**2 * taught)


# Penalties


def test_a_penalty_is_added_with_its_weight_to_its_candidates_alone():
    objective = objective_of({"penalty": "confidence", "confidence.weight": 0.3}, {})
    logits, targets = draw(1, 6, 4).expand(2, -1, -1), draw_labels(6, n_classes=4)
    punished, plain = objective(logits, targets)
    log_p = logits[0].log_softmax(-1)
    assert_close(punished - plain, 0.3 * (log_p.exp() * log_p).sum(-1))


@pytest.mark.parametrize("around", [{}, {"prior": "balanced"}, {"target": "smoothing"}], ids=str)
@pytest.mark.parametrize("base", ["cross_entropy", "focal", "brier", "spherical", "power"])
def test_the_slope_of_a_penalty_is_undone_in_the_readout(base: str, around):
    spec = {"base": base, "penalty": "confidence", "confidence.weight": 0.4, **around}
    objective = objective_of(spec)
    kind = "closed" if losses.get(base).local else "slopes"
    assert LossSpec.from_dict(spec).readout_kind(4) == kind
    best = minimum(lambda z: objective(z[None, None], POSTERIOR[None])[0, 0], 4)
    read = objective.log_links(best[None, None])[0, 0].exp()
    assert_close(read, POSTERIOR, atol=3e-6, rtol=0)


def test_the_readout_under_a_confidence_penalty_is_its_closed_form():
    beta = 0.3
    objective = objective_of({"penalty": "confidence", "confidence.weight": beta})
    logits = draw(1, 6, 4)
    log_p = logits.log_softmax(-1)
    entropy = -(log_p.exp() * log_p).sum(-1, keepdim=True)
    expected = log_p.exp() * (1 + beta * (log_p + entropy))
    inside = (expected > 0).all(-1)
    assert inside.any()
    assert_close(objective.log_links(logits).exp()[inside], expected[inside])


UNREADABLE = [{"target": "mixup"}, {"target": "distillation"}, {"penalty": "margin_smoothing"}]


@pytest.mark.parametrize("penalty", ["mmce", "soft_ece"])
def test_a_penalty_that_is_least_at_the_posterior_leaves_the_readout(penalty: str):
    adjusted = {"base": "brier", "prior": "logit_adjust"}
    objective = objective_of({**adjusted, "penalty": penalty}, adjusted)
    links = objective.log_links(draw(1, 6, 4).expand(2, -1, -1))
    assert objective.has_link.all()
    assert_close(links[0], links[1])


@pytest.mark.parametrize(
    "other", [{"base": "focal"}, {"prior": "balanced"}, {"target": "smoothing"}]
)
@pytest.mark.parametrize("penalty", ["mmce", "soft_ece"])
def test_a_penalty_that_pulls_another_way_than_the_base_leaves_nothing_to_read(penalty, other):
    assert not objective_of({"penalty": penalty, **other}).has_link.any()


@pytest.mark.parametrize("settings", UNREADABLE, ids=str)
def test_nothing_exact_is_claimed_where_the_minimum_is_unknown(settings):
    objective = objective_of({"base": "focal", **settings})
    logits = draw(1, 5, 4)
    assert not objective.has_link.any()
    assert_close(objective.log_links(logits), logits.log_softmax(-1))


def test_slopes_are_not_read_for_more_than_a_hundred_classes():
    spec = LossSpec("brier", penalty="confidence")
    assert spec.readout_kind(100) == "slopes"
    assert spec.readout_kind(101) == "none"
    assert LossSpec("focal", penalty="confidence").readout_kind(1000) == "closed"


# Memory


def test_what_a_loss_remembers_follows_its_rows_and_its_candidate():
    specs = [LossSpec("elr"), LossSpec("focal"), LossSpec("elr", {"elr.beta": 0.5})]
    targets = draw_labels(4, n_classes=3)
    steps = [(draw(3, 4, 3, seed=s), torch.tensor([2 * s, 1, 7, 2 * s + 9])) for s in range(4)]
    counts = torch.ones(3)
    together = Objective(specs, counts, dtype=torch.float64)
    alone = Objective(specs[2:], counts, dtype=torch.float64)
    for number, (logits, rows) in enumerate(steps):
        if number == 2:
            together = together.keep([2, 0])
            specs = [specs[2], specs[0]]
        kept = logits if number < 2 else logits[[2, 0]]
        context = LossContext(row_ids=rows)
        mine = together(kept, targets, context=context)[2 if number < 2 else 0]
        assert_close(mine, alone(logits[2:], targets, context=context)[0])
    fresh = Objective(specs[:1], counts, dtype=torch.float64)
    last = steps[-1]
    forgotten = fresh(last[0][2:], targets, context=LossContext(row_ids=last[1]))
    assert not torch.allclose(forgotten[0], mine)


def test_a_memory_must_know_the_rows():
    objective = objective_of({"base": "elr"})
    with pytest.raises(InputError, match="elr must be given row_ids"):
        objective(draw(1, 3, 4), draw_labels(3, n_classes=4))


# Class counts of a loss that needs them


def test_every_candidate_has_the_margins_of_its_own_counts():
    counts = torch.tensor([[90.0, 10.0], [20.0, 80.0]])
    spec = LossSpec("ldam")
    cosines, targets = draw(2, 5, 2).tanh(), draw_labels(5, n_classes=2)
    both = Objective([spec, spec], counts, dtype=torch.float64)
    values, links = both(cosines, targets), both.log_links(cosines)
    for k in range(2):
        alone = Objective([spec], counts[k], dtype=torch.float64)
        assert_close(values[k], alone(cosines[k : k + 1], targets)[0])
        assert_close(links[k], alone.log_links(cosines[k : k + 1])[0])
        direct = losses.get("ldam")(
            cosines[k], targets, context=LossContext(class_counts=counts[k].double())
        )
        assert_close(values[k], direct)
    assert not math.isclose(values[0, 0].item(), values[1, 0].item())
