"""The penalties: against plain loops, and the laws that each declares."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch.testing import assert_close

from autoloss.core.task import ALL_TASKS
from autoloss.losses import PENALTIES, Penalty, Scored
from autoloss.losses.penalties.jsd import jensen_shannon
from autoloss.losses.penalties.mmce import kernel_sums

from .cases import draw, draw_labels, inside, label, slope, with_limits

NAMES = ("confidence", "jsd", "margin_smoothing", "mmce", "soft_ece")
ITEMS = {"binary": (7,), "multiclass": (7,), "sequence": (3, 5), "multilabel": (6, 3)}
CASES = [(PENALTIES[name], task) for name in NAMES for task in PENALTIES[name].tasks]
EVERY_CASE = pytest.mark.parametrize(
    ("penalty", "task"), CASES, ids=[f"{penalty.name}-{task}" for penalty, task in CASES]
)
# A value for each batch, not for each item.
STATISTICS = ("jsd", "mmce", "soft_ece")


def name_of(value) -> str:
    return value.name if isinstance(value, Penalty) else label(value)


def scored(logits, targets, mask=None, task="multiclass") -> Scored:
    return Scored(logits, logits.log_softmax(-1), targets, mask, task)


def make(task, *, k=3, soft=False, masked=False, seed=0, scale=2.0, dtype=torch.float64):
    """Return logits with a gradient, and the rest of a batch."""
    items = ITEMS[task]
    n_classes = 4 if task in ("multiclass", "sequence") else 2
    logits = draw(k, *items, n_classes, seed=seed, scale=scale).to(dtype).requires_grad_()
    if soft:
        targets = draw(k, *items, n_classes, seed=seed + 1).softmax(-1).to(dtype)
    else:
        targets = draw_labels(k, *items, n_classes=n_classes, seed=seed + 1)
    mask = draw_labels(k, *items, n_classes=4, seed=seed + 2) > 0 if masked else None
    return logits, targets, mask


def parameters(penalty, task, k=3, points=inside):
    """Return the parameters except the weight, a value for each candidate."""
    columns = {}
    for name, parameter in penalty.parameters.items():
        if name != "weight":
            values = list(itertools.islice(itertools.cycle(points(parameter)), k))
            column = torch.tensor(values, dtype=torch.float64)
            columns[name] = column.view(k, *[1] * len(ITEMS[task]))
    return columns


# The oracles, in plain Python: a candidate's items are a list of (logits, target).


def softmax(z):
    total = sum(math.exp(v - max(z)) for v in z)
    return [math.exp(v - max(z)) / total for v in z]


def confidence_of(z, y, task):
    p = softmax(z)
    decided = 1 if task == "multilabel" else p.index(max(p))
    return p[decided], (y[decided] if isinstance(y, list) else float(y == decided))


def plain_confidence(z):
    return sum(p * math.log(p) for p in softmax(z))


def plain_margin_smoothing(z, m):
    return sum(max(0.0, max(z) - v - m) for v in z) / len(z)


def plain_mmce(pairs):
    total = sum(
        (r - c) * (s - d) * math.exp(-abs(c - d) / 0.4) for c, r in pairs for d, s in pairs
    )
    return math.sqrt(total) / len(pairs)


def plain_soft_ece(pairs, T):
    middles = [(b + 0.5) / 15 for b in range(15)]
    shares = [softmax([-((c - middle) ** 2) / T for middle in middles]) for c, _ in pairs]
    found = 0.0
    for b in range(15):
        inside = sum(share[b] for share in shares)
        if inside > 0:
            conf = sum(share[b] * c for share, (c, _) in zip(shares, pairs, strict=True)) / inside
            acc = sum(share[b] * r for share, (_, r) in zip(shares, pairs, strict=True)) / inside
            found += inside / len(pairs) * (conf - acc) ** 2
    return math.sqrt(found)


def plain_jsd(z, others):
    p, q = softmax(z), softmax(others)
    return sum(
        0.5 * a * math.log(2 * a / (a + b)) + 0.5 * b * math.log(2 * b / (a + b))
        for a, b in zip(p, q, strict=True)
    )


def plain(penalty, logits, targets, mask, task, **options):
    """Return the values of one candidate by loops over the items that have a label."""
    items = list(itertools.product(*(range(n) for n in ITEMS[task])))
    kept = [item for item in items if mask is None or mask[item]]
    z = {item: logits[item].tolist() for item in kept}
    y = {item: targets[item].tolist() for item in kept}
    if penalty.name == "jsd":
        pairs = [(item, (item[0], item[1] + 1)) for item in kept]
        found = [plain_jsd(z[a], z[b]) for a, b in pairs if b in z]
        return torch.tensor([[sum(found) / len(found)]], dtype=torch.float64)
    if penalty.name in STATISTICS:
        of_batch = {"mmce": plain_mmce, "soft_ece": plain_soft_ece}[penalty.name]

        def statistic(members):
            return of_batch([confidence_of(z[i], y[i], task) for i in members], **options)

        if task == "multilabel":
            labels = range(ITEMS[task][1])
            found = [statistic([i for i in kept if i[1] == one]) for one in labels]
            return torch.tensor([found], dtype=torch.float64)
        return torch.full([1] * len(ITEMS[task]), statistic(kept), dtype=torch.float64)
    per_item = {"confidence": plain_confidence, "margin_smoothing": plain_margin_smoothing}
    values = torch.zeros(ITEMS[task], dtype=torch.float64)
    for item in kept:
        values[item] = per_item[penalty.name](z[item], **options)
    return values


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@EVERY_CASE
def test_values_are_those_of_plain_loops(penalty, task, soft, masked):
    logits, targets, mask = make(task, soft=soft, masked=masked)
    options = parameters(penalty, task)
    values = penalty.function(scored(logits, targets, mask, task), **options)
    for one in range(3):
        own = {name: column[one].item() for name, column in options.items()}
        one_mask = None if mask is None else mask[one]
        expected = plain(penalty, logits[one], targets[one], one_mask, task, **own)
        assert_close(values[one], expected, atol=1e-13, rtol=1e-12)


@EVERY_CASE
def test_candidates_do_not_see_each_other(penalty, task):
    k = ITEMS[task][0]
    logits, targets, mask = make(task, k=k, masked=True, seed=5)
    options = parameters(penalty, task, k)

    def of(rows):
        own = {name: column[rows] for name, column in options.items()}
        at = logits.detach()[rows].requires_grad_()
        value = penalty.function(scored(at, targets[rows], mask[rows], task), **own)
        return value.detach(), slope(value, at)

    together = of(slice(None))
    alone = [of(slice(one, one + 1)) for one in range(k)]
    for whole, parts in zip(together, zip(*alone, strict=True), strict=True):
        assert_close(whole, torch.cat(parts), atol=1e-15, rtol=1e-13)


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@EVERY_CASE
def test_slopes_are_those_of_the_values(penalty, task, soft):
    logits, targets, mask = make(task, soft=soft, masked=True, scale=3.0, seed=11)
    options = parameters(penalty, task)

    def values(at):
        return penalty.function(scored(at, targets, mask, task), **options)

    assert torch.autograd.gradcheck(values, logits, eps=1e-7, atol=1e-5)


@EVERY_CASE
def test_items_without_a_label_do_not_count(penalty, task):
    logits, targets, mask = make(task, masked=True, seed=20)
    options = parameters(penalty, task)
    other = torch.where(mask[..., None], logits.detach(), 50.0 * draw(*logits.shape, seed=9))
    other.requires_grad_()
    before = penalty.function(scored(logits, targets, mask, task), **options)
    after = penalty.function(scored(other, targets, mask, task), **options)
    assert_close(after, before, atol=1e-15, rtol=1e-14)
    gradient = slope(after, other)
    assert not gradient[~mask].any()
    assert gradient[mask].any()
    assert_close(gradient, slope(before, logits), atol=1e-15, rtol=1e-13)
    assert not mask.all(), "the law is tried on a mask that leaves something out"


@pytest.mark.parametrize("kept", [0, 1])
@EVERY_CASE
def test_almost_nothing_labelled_is_finite(penalty, task, kept):
    logits, targets, _ = make(task)
    mask = torch.zeros(logits.shape[:-1], dtype=torch.bool)
    mask[(slice(None), *[slice(0, kept)] * len(ITEMS[task]))] = True
    value = penalty.function(scored(logits, targets, mask, task), **parameters(penalty, task))
    assert value.isfinite().all()
    assert slope(value, logits).isfinite().all()
    if not kept:
        assert not value.any()


@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0, 1e4])
@EVERY_CASE
def test_large_logits_are_finite_in_single_precision(penalty, task, scale):
    for seed in range(3):
        logits, targets, _ = make(task, seed=seed, dtype=torch.float32)
        signs = logits.detach().sign() if seed else logits.detach().clamp(-1.0, 1.0)
        at = (scale * signs).requires_grad_()
        options = parameters(penalty, task, points=with_limits)
        options = {name: column.float() for name, column in options.items()}
        value = penalty.function(scored(at, targets, None, task), **options)
        assert value.dtype == torch.float32
        assert value.isfinite().all()
        assert slope(value, at).isfinite().all()


@pytest.mark.parametrize("penalty", [PENALTIES[name] for name in NAMES], ids=name_of)
def test_declarations_are_complete(penalty):
    assert "``R = " in penalty.doc
    assert "Shape:" in penalty.doc
    assert ">>>" in penalty.doc
    assert penalty.summary.endswith(".")
    assert penalty.use.endswith(".")
    assert set(penalty.tasks) <= set(ALL_TASKS)
    for name, parameter in penalty.parameters.items():
        assert parameter.mistake(name, parameter.default) is None


@EVERY_CASE
def test_shape_is_one_value_an_item_or_a_batch(penalty, task):
    logits, targets, _ = make(task)
    value = penalty.function(scored(logits, targets, None, task), **parameters(penalty, task))
    shape = [3, *ITEMS[task]]
    if penalty.name in STATISTICS:
        shape = [3, 1, shape[2]] if task == "multilabel" else [3] + [1] * len(ITEMS[task])
    assert value.shape == tuple(shape)


# The declared effect on the read-out.


@pytest.mark.parametrize(("penalty", "task"), [c for c in CASES if c[0].readable != "kept"])
def test_penalty_that_is_not_kept_does_not_look_at_the_label(penalty, task):
    logits, targets, mask = make(task, masked=True)
    options = parameters(penalty, task)
    one, other = (
        penalty.function(scored(logits, labels, mask, task), **options)
        for labels in (targets, 1 - targets.clamp_max(1))
    )
    assert torch.equal(one, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("penalty", "task"), [c for c in CASES if c[0].readable == "kept"])
def test_penalty_is_least_at_the_posterior(penalty, task, dtype):
    logits, _, _ = make(task, dtype=dtype, seed=3)
    truth = logits.detach().softmax(-1)
    options = {name: c.to(dtype) for name, c in parameters(penalty, task).items()}
    value = penalty.function(scored(logits, truth, None, task), **options)
    assert not value.any()
    assert not slope(value, logits).any()
    elsewhere = (1.3 * logits.detach()).requires_grad_()
    value = penalty.function(scored(elsewhere, truth, None, task), **options)
    assert (value > 0).all()
    assert slope(value, elsewhere).any()


@pytest.mark.parametrize("name", ["mmce", "soft_ece"])
def test_mean_square_over_drawn_labels_is_the_known_noise(name):
    chances = torch.tensor([0.55, 0.6, 0.6, 0.75, 0.9, 0.98, 0.7, 0.8], dtype=torch.float64)
    n = len(chances)
    draws = torch.tensor(list(itertools.product([0, 1], repeat=n)))
    likelihood = torch.where(draws == 0, chances, 1 - chances).prod(-1)
    logits = torch.stack([chances, 1 - chances], -1).log().expand(len(draws), n, 2)
    options = {"T": torch.tensor([[0.003]], dtype=torch.float64)} if name == "soft_ece" else {}
    values = PENALTIES[name].function(scored(logits, draws), **options).squeeze(1)
    variance = chances * (1 - chances)
    if name == "mmce":
        expected = variance.sum() / n**2
    else:
        middles = (torch.arange(15) + 0.5) / 15
        share = (-((chances[:, None] - middles.double()) ** 2) / 0.003).softmax(-1)
        expected = ((share**2 * variance[:, None]).sum(0) / share.sum(0)).sum() / n
    # Up to roots that are 0 by rounding.
    assert_close((likelihood * values**2).sum(), expected, atol=1e-8, rtol=1e-6)


# Confidence.


def test_confidence_is_minus_the_entropy():
    logits = draw(2, 5, 6, scale=3.0)
    value = PENALTIES["confidence"].function(scored(logits, draw_labels(2, 5, n_classes=6)))
    assert_close(value, -torch.distributions.Categorical(logits=logits).entropy())


def test_confidence_has_the_slope_that_its_readout_needs():
    logits = draw(1, 5, 4).requires_grad_()
    value = PENALTIES["confidence"].function(scored(logits, draw_labels(1, 5, n_classes=4)))
    probs = logits.detach().softmax(-1)
    entropy = torch.distributions.Categorical(probs=probs).entropy()[..., None]
    push = slope(value, logits)
    assert_close(push, probs * (probs.log() + entropy))
    # At the posterior that is read so, cross-entropy and the penalty have no slope together.
    posterior = probs * (1 + 0.1 * (probs.log() + entropy))
    assert (posterior > 0).all()
    assert_close(posterior.sum(-1), torch.ones(1, 5, dtype=torch.float64))
    assert_close(probs - posterior + 0.1 * push, torch.zeros_like(push), atol=1e-15, rtol=0)


def test_confidence_is_exact_where_the_probability_rounds_to_one():
    exact = torch.tensor([[[30.0, 0.0, 1.0], [0.0, 25.0, -4.0]]], dtype=torch.float64)
    found = {}
    for dtype in (torch.float32, torch.float64):
        at = exact.to(dtype).requires_grad_()
        value = PENALTIES["confidence"].function(scored(at, torch.zeros(1, 2).long()))
        found[dtype] = value.detach().double(), slope(value, at).double()
    for single, double in zip(*found.values(), strict=True):
        assert_close(single, double, atol=0, rtol=1e-5)
    assert (found[torch.float32][0] < 0).all()


# Margin smoothing.


def margin_cost(logits, posterior, *, m, weight):
    """Return cross-entropy in expectation with the penalty."""
    batch = scored(logits, torch.zeros(logits.shape[:-1]).long())
    penalty = PENALTIES["margin_smoothing"].function(batch, m=torch.tensor([[m]]))
    return -(posterior * logits.log_softmax(-1)).sum(-1) + weight * penalty


def test_margin_keeps_posteriors_within_it():
    posterior = torch.tensor([[[0.7, 0.2, 0.1]]], dtype=torch.float64)
    logits = posterior.log().requires_grad_()
    inside = math.log(7) + 1e-6
    gradient = slope(margin_cost(logits, posterior, m=inside, weight=1.0), logits)
    assert_close(gradient, torch.zeros_like(gradient), atol=1e-15, rtol=0)
    beyond = slope(margin_cost(logits, posterior, m=1.9, weight=1.0), logits)
    assert beyond.abs().max() > 0.3


@pytest.mark.parametrize("rare", [0.02, 0.05, 0.1])
def test_margin_has_one_minimum_for_many_posteriors_beyond_it(rare):
    m, weight = 2.0, 1.0
    posterior = torch.tensor([[[1 - rare, rare]]], dtype=torch.float64)
    around = torch.linspace(-0.5, 0.5, 101, dtype=torch.float64)
    logits = torch.stack([m + around, torch.zeros(101, dtype=torch.float64)], -1)[None]
    cost = margin_cost(logits, posterior, m=m, weight=weight)[0]
    assert cost.argmin() == 50


# MMCE.


def dense_mmce(confidence, hit):
    gap = hit - confidence
    kernel = (-(confidence[:, None] - confidence).abs() / 0.4).exp()
    return (gap @ kernel @ gap).sqrt() / len(gap)


def test_mmce_has_the_slopes_of_the_double_sum_also_at_ties():
    logits = draw(1, 12, 2)
    logits[0, 6:] = logits[0, :6]
    logits[0, 3] = logits[0, 0]
    targets = draw_labels(1, 12, n_classes=2)
    at = logits.clone().requires_grad_()
    value = PENALTIES["mmce"].function(scored(at, targets))
    other = logits.clone().requires_grad_()
    confidence, decided = other[0].softmax(-1).max(-1)
    expected = dense_mmce(confidence, (decided == targets[0]).double())
    assert_close(value.squeeze(), expected)
    assert_close(slope(value, at), slope(expected, other), atol=1e-14, rtol=1e-10)


def test_mmce_of_one_example_is_its_gap_and_not_the_square():
    log_probs = torch.tensor([[[0.7, 0.3]]], dtype=torch.float64).log()
    value = PENALTIES["mmce"].function(scored(log_probs, torch.tensor([[0]])))
    assert_close(value.item(), 0.3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["mmce", "soft_ece"])
def test_gaps_that_cancel_give_zero_and_no_slope(name, dtype):
    at = torch.zeros(1, 300, 3, dtype=dtype, requires_grad=True)
    targets = (torch.arange(300) % 3)[None]
    options = {"T": torch.tensor([[0.01]], dtype=dtype)} if name == "soft_ece" else {}
    value = PENALTIES[name].function(scored(at, targets), **options)
    assert value.item() == 0.0
    assert not slope(value, at).any()


def test_sums_over_many_positions_take_no_matrix():
    generator = torch.Generator().manual_seed(0)
    at = torch.rand(300_000, generator=generator, dtype=torch.float64)
    gap = torch.rand(300_000, generator=generator, dtype=torch.float64) - 0.5
    total, pull = kernel_sums(at, gap)
    for one in (0, 17, 299_999):
        terms = gap * (-(at[one] - at).abs() / 0.4).exp()
        assert_close(total[one], terms.sum(), atol=1e-8, rtol=1e-10)
        assert_close(pull[one], (terms * (at - at[one]).sign()).sum() / 0.4, atol=1e-8, rtol=1e-9)


# The soft-binned error.


def test_soft_bins_become_hard_ones():
    confidence = torch.tensor([0.55, 0.58, 0.7, 0.83, 0.84, 0.985, 0.99], dtype=torch.float64)
    hit = torch.tensor([1, 0, 0, 1, 1, 1, 0])
    log_probs = torch.stack([confidence, 1 - confidence], -1).log()[None]
    narrow = torch.tensor([[1e-5]], dtype=torch.float64)
    value = PENALTIES["soft_ece"].function(scored(log_probs, 1 - hit[None]), T=narrow)
    index = (confidence * 15).floor().long()
    gaps = torch.zeros(15, dtype=torch.float64).index_add(0, index, hit - confidence)
    counts = index.bincount(minlength=15).clamp_min(1)
    assert_close(value.item(), (gaps**2 / counts).sum().div(7).sqrt().item(), rtol=1e-6, atol=0)


def test_one_wide_bin_has_the_mean_gap():
    logits, targets, _ = make("multiclass", k=1)
    batch = scored(logits, targets)
    value = PENALTIES["soft_ece"].function(batch, T=torch.tensor([[1e9]], dtype=torch.float64))
    confidence, hit = batch.confidence_and_hit()
    assert_close(value.squeeze(), (hit - confidence).mean().abs())


# The divergence between neighbours.


def test_divergence_is_scipys():
    p, q = draw(20, 5, scale=3.0).softmax(-1), draw(20, 5, seed=1, scale=3.0).softmax(-1)
    expected = torch.from_numpy(jensenshannon(p.numpy(), q.numpy(), axis=-1)) ** 2
    assert_close(jensen_shannon(p.log(), q.log()), expected, atol=1e-14, rtol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_divergence_is_exact_for_equal_and_disjoint_distributions(dtype):
    logits = torch.tensor([[1e4, 0.0, 0.0], [3.0, 1.0, 0.5]], dtype=dtype)
    log_p = logits.log_softmax(-1).requires_grad_()
    value = jensen_shannon(log_p, log_p.detach())
    assert not value.any()
    assert not slope(value, log_p).any()
    one, other = logits[0].log_softmax(-1), logits[0].roll(1).log_softmax(-1)
    assert_close(jensen_shannon(one, other).item(), math.log(2.0), atol=0, rtol=1e-7)


@pytest.mark.parametrize("step", [1e-3, 1e-2, 0.1, 0.9, 1.1, 3.0, 20.0])
def test_divergence_of_near_distributions_loses_no_digits(step):
    exact = torch.tensor([[1.0, 0.5, -0.5], [1.0, 0.5 + step, -0.5]], dtype=torch.float64)
    exact = exact.float().double()
    found = []
    for dtype in (torch.float32, torch.float64):
        # Log-probabilities are given: their own rounding is another matter.
        log_probs = exact.log_softmax(-1).float().to(dtype)
        at = log_probs[0].clone().requires_grad_()
        value = jensen_shannon(at, log_probs[1])
        found.append((value.detach().double(), slope(value, at).double()))
    assert found[0][0] > 0
    assert_close(found[0][0], found[1][0], atol=0, rtol=2e-6 + 1e-6 / step * 1e-1)
    assert_close(found[0][1], found[1][1], atol=1e-7 * step, rtol=1e-5)


def test_slope_from_one_neighbour_is_the_known_one():
    logits = draw(1, 1, 2, 5, scale=2.0).requires_grad_()
    value = PENALTIES["jsd"].function(scored(logits, torch.zeros(1, 1, 2).long(), task="sequence"))
    p, q = logits.detach().softmax(-1)[0, 0]
    ratio = (2 * p / (p + q)).log()
    expected = 0.5 * p * (ratio - (p * ratio).sum())
    assert_close(slope(value, logits)[0, 0, 0], expected, atol=1e-15, rtol=1e-12)


def test_divergence_stops_at_gaps_and_at_the_end_of_a_row():
    logits = draw(1, 2, 6, 3)
    targets = torch.zeros(1, 2, 6).long()
    mask = torch.tensor([[[1, 1, 0, 1, 1, 1], [1, 1, 0, 0, 0, 0]]]).bool()
    jsd = PENALTIES["jsd"].function
    chains = [logits[:, :1, :2], logits[:, :1, 3:], logits[:, 1:, :2]]
    pieces = [
        jsd(scored(chain, torch.zeros(chain.shape[:-1]).long(), task="sequence")).item()
        for chain in chains
    ]
    # One pair, two pairs, one pair.
    expected = (pieces[0] + 2 * pieces[1] + pieces[2]) / 4
    assert_close(jsd(scored(logits, targets, mask, "sequence")).item(), expected)
    single = logits[:, :, :1]
    assert jsd(scored(single, targets[:, :, :1], None, "sequence")).item() == 0.0
