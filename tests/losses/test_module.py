"""A loss as a module: labels of the wrong kind, masked classes, and `torch.compile`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from autoloss import losses
from autoloss.core.errors import InputError
from autoloss.losses import PENALTIES, LossContext, LossModule, LossSpec

from .cases import ALL, draw, draw_labels, label, sizes_for, within_head

LOGITS = draw(8, 3)
LABELS = draw_labels(8, n_classes=3)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (LABELS.float(), "of shape (8,): use targets.long()."),
        (LABELS[:, None], "torch.int64 of shape (8, 1): use targets.squeeze(-1)."),
        (LABELS[:, None].double(), "of shape (8, 1): use targets.squeeze(-1).long()."),
        (LABELS[:7], "torch.int64 of shape (7,)."),
        (torch.rand(8, 2), "floats of shape (8, 3), but got torch.float32 of shape (8, 2)."),
        (LABELS - 2, "classes from 0 to 2"),
        (LABELS.where(LABELS > 0, -7), "-7."),
        (LABELS + 1, "but got targets["),
    ],
)
@pytest.mark.parametrize("name", ["focal", "brier", "weston_watkins"])
def test_labels_of_the_wrong_kind_are_told_in_one_line(name: str, targets, words: str) -> None:
    for called in (LossSpec(name).module(), losses.get(name)):
        with pytest.raises(InputError, match=r"^targets must be ") as told:
            called(LOGITS, targets)
        assert words in str(told.value)
        assert "\n" not in str(told.value)


def test_a_wrong_label_is_named_by_its_place() -> None:
    module = LossSpec("focal").module()
    with pytest.raises(InputError, match=r"0 to 2, or -1 or -100 where missing, but got targ.*=3"):
        module(LOGITS, torch.tensor([0, 1, -1, -100, 3, 0, 0, 0]))
    shares = torch.full((8, 3), 0.4)
    shares[5, 2] = -0.25
    with pytest.raises(InputError, match=r"got targets\[5, 2\]=-0.25\."):
        module(LOGITS, shares)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (
            torch.zeros(8),
            "a yes or no for each logit, shape (8, 3), but got torch.float32 of",
        ),
        (torch.full((8, 3), 2), "classes from 0 to 1"),
        (torch.full((8, 3), -1.0), "probabilities of yes from 0 to 1, NaN where missing"),
        (torch.full((8, 3), 1.5), "but got targets[0, 0]=1.5."),
    ],
)
def test_labels_of_several_yes_and_no_are_checked(targets, words: str) -> None:
    with pytest.raises(InputError) as told:
        LossSpec("focal").module(task="multilabel")(LOGITS, targets)
    assert words in str(told.value)


def test_a_wrong_label_that_does_not_count_is_none() -> None:
    mask = torch.tensor([True] * 7 + [False])
    targets = LABELS.clone()
    targets[7] = 99
    found = LossSpec("brier").module()(LOGITS, targets, context=LossContext(mask=mask))
    assert_close(found, LossSpec("brier").module()(LOGITS[:7], LABELS[:7]))


def masked(logits: torch.Tensor) -> torch.Tensor:
    """Return logits of which the last class has none, as a leaf."""
    found = logits.clone()
    found[..., -1] = -torch.inf
    return found.requires_grad_()


def test_masked_cross_entropy_is_that_of_torch() -> None:
    targets = LABELS % 2
    ours, theirs = masked(LOGITS), masked(LOGITS)
    value = LossSpec("cross_entropy").module()(ours, targets)
    expected = functional.cross_entropy(theirs, targets)
    value.backward()
    expected.backward()
    assert_close(value, expected)
    assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("penalty", ["none", *PENALTIES])
@pytest.mark.parametrize("loss", ALL, ids=label)
def test_a_masked_class_leaves_a_module_finite_or_is_refused(loss, penalty: str) -> None:
    module, logits, targets, given = case(loss, penalty=penalty)
    if module is None:
        return
    logits = masked(logits)
    targets = targets.clamp_max(logits.shape[-1] - 2)
    if penalty == "margin_smoothing":
        with pytest.raises(InputError, match="logits must be finite for"):
            module(logits, targets, **given)
        return
    shares = functional.one_hot(targets, logits.shape[-1]).float()
    for labels in (targets, shares):
        at = logits.detach().requires_grad_()
        value = module(at, labels, **given)
        value.backward()
        assert at.grad is not None
        assert value.isfinite()
        assert at.grad.isfinite().all()
        assert (at.grad[..., -1] == 0.0).all()


@pytest.mark.parametrize("name", ["logit_norm", "nce_rce", "square", "brier", "entmax"])
def test_a_masked_class_is_as_one_that_is_not_there(name: str) -> None:
    module, targets = LossSpec(name).module(), LABELS % 2
    ours, without = masked(LOGITS), LOGITS[:, :2].clone().requires_grad_()
    value, expected = module(ours, targets), module(without, targets)
    value.backward()
    expected.backward()
    assert_close(value, expected)
    assert ours.grad is not None
    assert_close(ours.grad[:, :2], without.grad)


def test_every_shipped_loss_takes_masks_and_one_of_ones_own_refuses_them() -> None:
    assert all(loss.masked for loss in ALL)

    @losses.declare(source="here")
    def own(logits, targets):
        """Squares."""
        return logits.square().sum(-1)

    with pytest.raises(InputError, match="logits must be finite for own"):
        own(masked(LOGITS), LABELS % 2)


@pytest.mark.parametrize("target", ["smoothing", "distillation"])
def test_targets_that_give_every_class_a_share_refuse_masks(target: str) -> None:
    context = LossContext(teacher_logits=LOGITS)
    with pytest.raises(InputError, match=f"logits must be finite for {target}"):
        LossSpec(target=target).module()(masked(LOGITS), LABELS % 2, context=context)


def test_a_label_that_is_masked_is_refused() -> None:
    module = LossSpec("focal").module()
    wrong, soft = torch.tensor([0] * 5 + [2] + [0] * 2), torch.full((8, 3), 1 / 3)
    with pytest.raises(InputError, match=r"minus infinity there for targets\[5\]: mask other"):
        module(masked(LOGITS), wrong)
    with pytest.raises(InputError, match=r"targets\[0\]"):
        module(masked(LOGITS), soft)
    with pytest.raises(InputError, match=r"targets\[5\]"):
        losses.get("focal")(masked(LOGITS), wrong)
    # A missing label has no class.
    assert module(masked(LOGITS), wrong.where(wrong != 2, -1)).isfinite()
    yes = LossSpec("focal").module(task="multilabel")
    assert yes(masked(LOGITS), torch.zeros(8, 3, dtype=torch.int64)).isfinite()
    with pytest.raises(InputError, match=r"targets\[0, 2\]"):
        yes(masked(LOGITS), torch.ones(8, 3, dtype=torch.int64))


def case(loss: losses.Loss, *, task: str | None = None, **settings: str) -> Any:
    """Return a module with logits, labels and context; None if it has no such form."""
    (n_classes,) = sizes_for(loss, 3)
    task = task or ("multiclass" if n_classes > 2 else "binary")
    names = [loss.name, *settings.values()]
    parts = [losses.get(loss.name), *(PENALTIES.get(one) for one in settings.values())]
    if any(task not in one.tasks for one in parts if one is not None):
        return None, None, None, None
    shape = {"sequence": (6, 4, n_classes), "multilabel": (6, 3)}.get(task, (6, n_classes))
    items = shape if task == "multilabel" else shape[:-1]
    pairs = (*shape, 2) if task == "multilabel" else shape
    counts: Any = [3, 2, 1][:n_classes]
    if task == "multilabel":
        counts = torch.tensor([[4, 2]] * 3)
    given = {}
    needs = {*loss.needs, *(["teacher_logits"] if "distillation" in names else [])}
    if needs - {"class_counts"}:
        context = LossContext(
            row_ids=torch.arange(6),
            progress=0.5,
            teacher_logits=draw(*shape, seed=5).float(),
            norms=torch.full(pairs, 5.0),
        )
        given["context"] = context
    module = LossSpec(loss.name, **settings).module(
        counts, task="multiclass" if task == "binary" else task
    )
    targets = draw_labels(*items, n_classes=2 if task == "multilabel" else n_classes)
    return module, within_head(loss, draw(*shape)).float(), targets, given


@contextlib.contextmanager
def compiled(module: LossModule, backend: str) -> Iterator[Any]:
    """Compile a module into one graph."""
    torch.compiler.reset()
    with torch.random.fork_rng():
        yield torch.compile(module, fullgraph=True, backend=backend)
    torch.compiler.reset()


def check_compiled(made: Any, backend: str) -> None:
    """Check that one graph has values and slopes of the module, also with a missing label."""
    module, logits, targets, given = made
    if module is None:
        return
    again = LossModule(module.spec, module.facts, task=module.task)
    with compiled(module, backend) as called:
        for labels in (
            targets,
            targets.masked_fill(torch.arange(targets.numel()) == 1, -1)
            if targets.ndim == 1
            else targets,
        ):
            ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
            value, expected = called(ours, labels, **given), again(theirs, labels, **given)
            value.backward()
            expected.backward()
            assert_close(value, expected)
            assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("loss", ALL, ids=label)
def test_every_loss_is_one_graph(loss: losses.Loss) -> None:
    check_compiled(case(loss), "eager")


AROUND: list[dict[str, str]] = [
    *({"prior": name} for name in ("class_weight", "logit_adjust", "vector_scaling")),
    {"target": "smoothing"},
    {"target": "distillation"},
    *({"penalty": name} for name in PENALTIES),
]


@pytest.mark.parametrize("settings", AROUND, ids=lambda one: next(iter(one.values())))
def test_what_stands_around_a_loss_is_in_the_graph(settings: dict[str, str]) -> None:
    task = "sequence" if settings.get("penalty") == "jsd" else None
    check_compiled(case(losses.get("focal"), task=task, **settings), "aot_eager")


@pytest.mark.parametrize("name", ["focal", "brier", "elr"])
@pytest.mark.parametrize("task", ["multilabel", "sequence"])
def test_every_task_is_one_graph(task: str, name: str) -> None:
    check_compiled(case(losses.get(name), task=task), "aot_eager")


def test_a_graph_tells_by_nan_what_it_cannot_refuse() -> None:
    targets = LABELS.clone()
    targets[2] = -7
    with compiled(LossSpec("focal").module(), "eager") as called:
        assert called(LOGITS, LABELS).isfinite()
        assert called(LOGITS, targets).isnan()
        assert called(masked(LOGITS), LABELS).isnan()
        assert called(masked(LOGITS), LABELS % 2).isfinite()
    with compiled(LossSpec(target="smoothing").module(), "eager") as called:
        assert called(masked(LOGITS), LABELS % 2).isnan()


@pytest.mark.slow
@pytest.mark.parametrize("loss", ALL, ids=label)
def test_every_loss_is_one_compiled_graph(loss: losses.Loss) -> None:
    check_compiled(case(loss), "inductor")


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (torch.zeros(3, 1), torch.tensor([0, 1, 1]), r"two or more, but got shape \(3, 1\)"),
        (torch.zeros(3), torch.tensor([0, 1, 1]), r"two or more, but got shape \(3,\).*stack"),
        (torch.zeros(3, 2).long(), torch.tensor([0, 1, 1]), "must be floats, but got torch.int64"),
    ],
)
@pytest.mark.parametrize(
    "loss", [losses.get("focal"), losses.get("spherical"), LossSpec("brier").module()]
)
def test_a_single_logit_and_whole_numbers_are_no_logits(loss, logits, targets, message) -> None:
    with pytest.raises(InputError, match=message):
        loss(logits, targets)


def test_a_single_logit_is_a_label_of_several() -> None:
    of_labels = LossSpec("brier").module(task="multilabel")
    assert of_labels(torch.zeros(3, 1), torch.ones(3, 1)) == pytest.approx(0.5)


def test_names_refuse_an_unknown_kind_of_label() -> None:
    with pytest.raises(InputError, match=r"task='multi', did you mean 'multilabel'"):
        losses.names(task="multi")  # type: ignore[arg-type]
