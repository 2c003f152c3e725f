"""The multi-label and per-position forms of every loss, missing labels and example weights."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from autoloss import losses
from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts, LossContext, LossSpec, Objective

from .cases import draw, draw_labels, slope

COUNTS = torch.tensor([50.0, 30.0, 15.0, 5.0], dtype=torch.float64)
LABEL_COUNTS = torch.tensor([[50.0, 50.0], [90.0, 10.0], [30.0, 70.0]], dtype=torch.float64)
PLAIN = [name for name in losses.names() if losses.get(name).head == "linear"]
AROUND = [
    {},
    {"prior": "class_weight", "class_weight.power": 1.0},
    {"prior": "effective_number", "effective_number.decay": 0.05},
    {"prior": "logit_adjust"},
    {"prior": "vector_scaling", "vector_scaling.gamma": 0.3},
    {"target": "smoothing", "smoothing.epsilon": 0.2, "temperature": 2.0},
]


def specs_for(task: str, names=PLAIN) -> list[LossSpec]:
    """Return every loss for a task, each with other parts."""
    fitting = [name for name in names if task in losses.get(name).tasks]
    return [
        LossSpec.from_dict({"base": name, **AROUND[i % len(AROUND)]})
        for i, name in enumerate(sorted(fitting * len(AROUND)))
        if not losses.get(name).memory
    ]


def test_labels_of_yes_and_no_are_pairs_of_two_classes_each():
    specs = specs_for("multilabel")
    objective = Objective(specs, ClassFacts(LABEL_COUNTS, "multilabel"), dtype=torch.float64)
    logits, targets = draw(len(specs), 6, 3), draw_labels(6, 3, n_classes=2)
    together, links = objective(logits, targets), objective.log_links(logits)
    soft = draw(6, 3, seed=4).sigmoid()
    together_soft = objective(logits, soft)
    assert together.shape == (len(specs), 6, 3)
    for label in range(3):
        alone = Objective(specs, LABEL_COUNTS[label], dtype=torch.float64)
        pair = torch.stack([torch.zeros_like(logits[..., label]), logits[..., label]], -1)
        assert_close(together[..., label], alone(pair, targets[:, label]))
        assert_close(links[..., label, :], alone.log_links(pair))
        probs = torch.stack([1 - soft[:, label], soft[:, label]], -1)
        assert_close(together_soft[..., label], alone(pair, probs))


def test_multilabel_cross_entropy_is_that_of_torch_with_its_weights():
    spec = LossSpec("cross_entropy", {"class_weight.power": 1.0}, prior="class_weight")
    objective = Objective([spec], ClassFacts(LABEL_COUNTS, "multilabel"), dtype=torch.float64)
    logits, targets = draw(1, 6, 3).requires_grad_(), draw_labels(6, 3, n_classes=2)
    weights = (LABEL_COUNTS.sum(-1, keepdim=True) / (2 * LABEL_COUNTS)).numpy()
    plain = functional.binary_cross_entropy_with_logits(
        logits[0], targets.double(), reduction="none"
    )
    chosen = torch.from_numpy(weights)[torch.arange(3), targets]
    found = objective(logits, targets)
    assert_close(found[0], plain * chosen)
    assert_close(slope(found, logits), slope((plain * chosen)[None], logits))


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_positions_are_examples_of_their_own(soft: bool):
    specs = specs_for("sequence")
    logits = draw(len(specs), 3, 5, 4)
    targets = draw(3, 5, 4, seed=2).softmax(-1) if soft else draw_labels(3, 5, n_classes=4)
    sequences = Objective(specs, ClassFacts(COUNTS, "sequence"), dtype=torch.float64)
    examples = Objective(specs, COUNTS, dtype=torch.float64)
    flat = examples(logits.flatten(1, 2), targets.flatten(0, 1))
    assert_close(sequences(logits, targets), flat.view(len(specs), 3, 5))
    links = examples.log_links(logits.flatten(1, 2)).view_as(logits)
    assert_close(sequences.log_links(logits), links)


@pytest.mark.parametrize(
    ("settings", "task", "message"),
    [
        ({"base": "crammer_singer"}, "multilabel", "crammer_singer must be used for binary or"),
        ({"base": "squared_emd"}, "multilabel", "squared_emd must be used for"),
        ({"base": "asymmetric"}, "multiclass", "asymmetric must be used for binary or multilabel"),
        ({"penalty": "jsd"}, "multiclass", "jsd must be used for sequence labels"),
        ({"target": "similarity_smoothing"}, "multilabel", "similarity_smoothing must be used"),
        ({"target": "cutmix"}, "sequence", "cutmix must be used for binary or multiclass or"),
    ],
)
def test_a_part_without_a_form_for_the_task_is_refused(settings, task, message):
    spec = LossSpec.from_dict(settings)
    counts = {"multilabel": LABEL_COUNTS}.get(task, COUNTS)
    with pytest.raises(InputError, match=message):
        Objective([spec], ClassFacts(counts, task))
    with pytest.raises(InputError, match=message):
        spec.module(counts, task=task)


def cases() -> list[tuple[str, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Return a task with logits, targets with gaps, and the places of the gaps."""
    gaps = draw(6, 3, seed=9) > 0.3
    hard = draw_labels(6, 3, n_classes=2)
    return [
        ("multilabel", draw(6, 3), hard.masked_fill(gaps, -1), gaps),
        ("multilabel", draw(6, 3), hard.double().masked_fill(gaps, torch.nan), gaps),
        ("sequence", draw(6, 3, 4), hard.masked_fill(gaps, -100), gaps),
        ("multiclass", draw(6, 4), hard[:, 0].masked_fill(gaps[:, 0], -100), gaps[:, 0]),
    ]


@pytest.mark.parametrize("penalty", ["none", "confidence", "margin_smoothing"])
@pytest.mark.parametrize("base", ["focal", "brier", "weston_watkins", "bi_tempered"])
@pytest.mark.parametrize("case", range(4))
def test_a_missing_label_is_as_if_it_were_not_there(base: str, penalty: str, case: int):
    task, logits, targets, gaps = cases()[case]
    logits = logits.requires_grad_()
    module = LossSpec(base, penalty=penalty).module(task=task)
    value = module(logits, targets)
    if task == "multilabel":
        pair = torch.stack([torch.zeros_like(logits), logits], -1)[~gaps]
        plain = LossSpec(base, penalty=penalty).module()
        expected = plain(pair, targets[~gaps].long())
    else:
        expected = LossSpec(base, penalty=penalty).module()(logits[~gaps], targets[~gaps])
    assert_close(value, expected)
    found = slope(value[None], logits)
    assert_close(found, slope(expected[None], logits))
    assert (found[gaps] == 0.0).all()


def test_without_any_label_the_loss_is_zero():
    value = LossSpec("focal").module()(draw(3, 4), torch.full((3,), -100))
    assert value.item() == 0.0


@pytest.mark.parametrize("task", ["multiclass", "sequence", "multilabel"])
def test_a_weight_of_two_is_the_example_twice(task: str):
    shape = {"multiclass": (4, 3), "sequence": (4, 2, 3), "multilabel": (4, 3)}[task]
    items = (4, 3) if task == "multilabel" else shape[:-1]
    logits, targets = draw(*shape), draw_labels(*items, n_classes=2)
    module = LossSpec("poly1").module(task=task)
    weights = torch.tensor([1.0, 2.0, 0.0, 1.0], dtype=torch.float64)
    twice = torch.tensor([0, 1, 1, 3])
    assert_close(module(logits, targets, weights=weights), module(logits[twice], targets[twice]))


def test_a_given_mask_leaves_items_out():
    logits, targets = draw(5, 4), draw_labels(5, n_classes=4)
    mask = torch.tensor([True, False, True, True, False])
    module = LossSpec("cross_entropy").module()
    masked = module(logits, targets, context=LossContext(mask=mask))
    assert_close(masked, functional.cross_entropy(logits[mask], targets[mask]))
