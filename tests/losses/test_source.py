"""The code of a loss does what the loss does, without autoloss."""

from __future__ import annotations

import ast
import subprocess
import sys
import types

import pytest
import torch
from torch.testing import assert_close

from autoloss import losses
from autoloss.losses import LossContext, LossSpec, Objective
from autoloss.losses.tuned import Tuned
from autoloss.readout import Readout

from .cases import draw, draw_labels, slope

KNOWN = {"torch", *sys.stdlib_module_names}
COUNTS = [40, 25, 10, 5]
LABEL_COUNTS = [[50, 50], [90, 10], [30, 70]]
AROUND = [
    {"prior": "balanced"},
    {"prior": "balanced", "class_weight.start": 0.5},
    {"prior": "effective_number"},
    {"prior": "given_weights"},
    {"prior": "logit_adjust"},
    {"prior": "vector_scaling"},
    {"target": "smoothing"},
    {"target": "similarity_smoothing"},
    {"target": "distillation"},
    {"temperature": 2.0},
    {"penalty": "confidence"},
    {"penalty": "margin_smoothing", "margin_smoothing.m": 2.0},
    {"penalty": "mmce"},
    {"penalty": "soft_ece"},
    {"prior": "balanced", "target": "smoothing", "penalty": "confidence", "temperature": 0.7},
]
GIVEN = {"class_weights": [1.0, 2.0, 3.0, 4.0], "class_similarity": torch.ones(4, 4).tolist()}


def pasted(code: str):
    """Return the loss of a code that imports torch and the standard library alone."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            assert {name.name.split(".")[0] for name in node.names} <= KNOWN
        if isinstance(node, ast.ImportFrom):
            assert str(node.module).split(".")[0] in KNOWN
    module = types.ModuleType("pasted")
    # A dataclass looks its module up.
    sys.modules["pasted"] = module
    exec(compile(code, "pasted.py", "exec"), vars(module))
    return module.Loss(64, 4) if "n_rows" in code else module.Loss()


def inputs_for(spec: LossSpec, logits) -> dict:
    """Return what the loss takes besides logits and targets."""
    every = {
        "progress": 0.7,
        "row_ids": torch.arange(len(logits)),
        "norms": draw(*logits.shape, seed=5).to(logits.dtype).abs() + 3.0,
        "teacher_logits": draw(*logits.shape, seed=6).to(logits.dtype),
    }
    return {name: every[name] for name in every if name in spec.needs}


def check(spec: LossSpec, *, task: str = "multiclass", n_classes: int = 4) -> None:
    """Compare the code of a loss with the loss: values, slopes and probabilities."""
    counts = LABEL_COUNTS if task == "multilabel" else COUNTS[:n_classes]
    given = GIVEN if task == "multiclass" and n_classes == 4 else {}
    loss = pasted(spec.source(counts, task=task, **given))
    module = spec.module(torch.tensor(counts), task=task, **given)
    shape = {"multiclass": (7, n_classes), "sequence": (3, 5, 4), "multilabel": (7, 3)}[task]
    items = shape if task == "multilabel" else shape[:-1]
    width = 2 if task == "multilabel" else n_classes
    logits = draw(*shape).mul(0.4).requires_grad_()
    hard = draw_labels(*items, n_classes=width)
    soft = draw(*shape, seed=3).sigmoid() if task == "multilabel" else draw(*shape).softmax(-1)
    gap = hard.clone()
    gap[0] = -1
    for targets in (hard, soft, gap):
        inputs = inputs_for(spec, logits)
        weights = torch.rand(len(logits), dtype=torch.float64) + 0.1
        context = LossContext(**inputs)
        if "memory" in spec.needs:
            # It remembers what it saw, and begins anew.
            loss = pasted(spec.source(counts, task=task, **given))
            module = spec.module(torch.tensor(counts), task=task, **given)
        expected = module(logits, targets, weights=weights, context=context)
        found = loss(logits, targets, weights=weights, **inputs)
        assert_close(found, expected, atol=1e-10, rtol=1e-10)
        assert_close(
            slope(found[None], logits), slope(expected[None], logits), atol=1e-9, rtol=1e-9
        )
    objective = Objective([spec], module.facts, dtype=torch.float64)
    probs = loss.probabilities(logits.detach())
    if objective.has_link[0]:
        links = objective.log_links(logits.detach()[None])[0].exp()
        links = links[..., 1] if task == "multilabel" else links
        assert_close(probs, links, atol=1e-6, rtol=1e-6)
    if task == "multiclass":
        sharp = torch.eye(4)[:3, :n_classes] * 1e4
        loss = pasted(spec.source(counts, task=task, **given))
        value = loss(sharp, torch.tensor([0, 1, 0]), **inputs_for(spec, sharp))
        assert value.isfinite()


@pytest.mark.parametrize("base", losses.names())
def test_the_code_of_every_base_is_the_loss(base: str):
    n_classes = 4 if "multiclass" in losses.get(base).tasks else 2
    check(LossSpec(base), n_classes=n_classes)


@pytest.mark.parametrize("around", AROUND, ids=lambda around: "-".join(map(str, around.values())))
@pytest.mark.parametrize("base", ["cross_entropy", "focal", "brier", "bi_tempered", "am_softmax"])
def test_the_code_of_everything_around_a_base_is_the_loss(base: str, around):
    check(LossSpec.from_dict({"base": base, **around}))


@pytest.mark.parametrize("task", ["sequence", "multilabel"])
@pytest.mark.parametrize(
    "settings",
    [
        {"base": "focal", "prior": "balanced", "target": "smoothing"},
        {"base": "power", "prior": "logit_adjust", "penalty": "mmce"},
        {"base": "poly1", "penalty": "confidence"},
    ],
    ids=str,
)
def test_the_code_of_every_task_is_the_loss(settings, task):
    check(LossSpec.from_dict(settings), task=task)


def test_the_code_for_neighbours_of_a_sequence_is_the_loss():
    check(LossSpec(penalty="jsd"), task="sequence")


def test_what_was_tuned_travels_with_the_code():
    spec = LossSpec("focal", {"focal.gamma": 3.0}, prior="balanced")
    tuned = Tuned(0.002, 0.01, readout="link", inverse_temperature=1.7, mix=0.001)
    code = spec.source(COUNTS, tuned=tuned)
    loss, logits = pasted(code), draw(6, 4)
    readout = Readout("link", 1.7, 0.001, spec)
    expected = readout.log_probs(logits, torch.tensor(COUNTS)).exp()
    assert_close(loss.probabilities(logits), expected, atol=1e-6, rtol=1e-6)
    namespace: dict = {}
    exec(code, namespace)
    assert (namespace["LR"], namespace["WEIGHT_DECAY"]) == (0.002, 0.01)
    assert namespace["TEMPERATURE"] == pytest.approx(1 / 1.7)


def test_the_fitted_temperature_is_where_the_log_loss_is_least():
    loss = pasted(LossSpec().source())
    logits, targets = 3.0 * draw(500, 3), draw_labels(500, n_classes=3)
    targets = torch.where(draw(500, seed=4) > 0, logits.argmax(-1), targets)
    found = loss.fit_temperature(logits, targets)

    def cost(temperature: float) -> float:
        return torch.nn.functional.cross_entropy(logits / temperature, targets).item()

    assert cost(found) < min(cost(found * 1.01), cost(found / 1.01))


def test_the_code_runs_where_autoloss_is_not():
    code = LossSpec("bi_tempered", prior="balanced").source(COUNTS)
    script = (
        "import sys\nsys.modules['autoloss'] = None\n"
        f"exec({code!r})\n"
        "print(Loss()(torch.zeros(2, 4), torch.tensor([0, 1])).item())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    expected = LossSpec("bi_tempered", prior="balanced").module(COUNTS)
    value = expected(torch.zeros(2, 4), torch.tensor([0, 1])).item()
    assert float(done.stdout) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("base", ["cross_entropy", "focal", "ldam", "elr", "entmax"])
def test_the_code_is_clean(base: str):
    code = LossSpec(base).source(COUNTS)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E9,F,W", "-"],
        input=code,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
