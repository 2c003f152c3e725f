"""The code of a loss computes the same as the loss, without autoloss."""

from __future__ import annotations

import ast
import functools
import json
import math
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from autoloss import losses
from autoloss.core.errors import InputError
from autoloss.losses import (
    ClassFacts,
    FloatParam,
    LossContext,
    LossSpec,
    Objective,
    by_gradient,
    declare,
)
from autoloss.losses.labels import is_label, pick
from autoloss.losses.numerics import log_softmax as ours
from autoloss.losses.own import load_losses, register
from autoloss.losses.registry import get
from autoloss.losses.tuned import Tuned
from autoloss.readout import Readout, fit_temperature

from .cases import draw, draw_labels, inside, slope, within_head

KNOWN = {"torch", *sys.stdlib_module_names}
COUNTS = {
    "binary": [60, 20],
    "multiclass": [40, 25, 10, 5],
    "sequence": [40, 25, 10, 5],
    "multilabel": [[50, 50], [90, 10], [30, 70]],
}
SHAPES = {
    "binary": (9, 2),
    "multiclass": (9, 4),
    "sequence": (4, 5, 4),
    "multilabel": (9, 3),
}
GIVEN = {
    "class_weights": [1.0, 2.0, 3.0, 10.0],
    "class_similarity": [[0, 3, 1, 0], [3, 0, 1, 0], [1, 1, 0, 2], [0, 0, 1, 0]],
}
EXACT = {"atol": 1e-12, "rtol": 1e-12}
SINGLE = {"atol": 1e-6, "rtol": 1e-6}


def imported(code: str) -> set[str]:
    """Return the packages that a text imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(code)))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named = [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in (*plain, *named)}


def pasted(code: str) -> types.SimpleNamespace:
    """Return the names that a text defines; it imports torch and the standard library alone."""
    assert imported(code) <= KNOWN
    namespace: dict[str, Any] = {"__name__": "pasted"}
    exec(compile(code, "pasted.py", "exec", dont_inherit=True), namespace)
    return types.SimpleNamespace(**namespace)


class Both:
    """A loss as a module and as code, side by side."""

    def __init__(self, spec: LossSpec, task: str) -> None:
        self.spec, self.task, self.shape = spec, task, SHAPES[task]
        facts = dict(GIVEN)
        if task == "multilabel":
            facts = {"class_weights": [[1.0, 2.0], [1.0, 9.0], [2.0, 1.0]]}
        elif task == "binary":
            facts = {"class_weights": [1.0, 3.0], "class_similarity": [[1.0, 1.0], [0.5, 1.5]]}
        self.facts, self.counts = facts, torch.tensor(COUNTS[task])
        self.code = spec.source(COUNTS[task], task=task, **facts)
        self.pasted = pasted(self.code)

    def loss(self, dtype: torch.dtype) -> torch.nn.Module:
        remembers = get(self.spec.base).memory is not None
        loss = self.pasted.Loss(20, *self.shape[1:]) if remembers else self.pasted.Loss()
        return loss.to(dtype)

    def module(self) -> torch.nn.Module:
        return self.spec.module(self.counts, task=self.task, **self.facts)

    def objective(self, dtype: torch.dtype) -> Objective:
        weights, similarity = (
            None if one is None else torch.as_tensor(one)
            for one in (self.facts.get("class_weights"), self.facts.get("class_similarity"))
        )
        facts = ClassFacts(self.counts, self.task, weights=weights, similarity=similarity)
        return Objective([self.spec], facts, dtype=dtype)

    def logits(self, dtype: torch.dtype, *, scale: float = 1.0) -> Tensor:
        return within_head(get(self.spec.base), draw(*self.shape, scale=scale)).to(dtype)

    def targets(self) -> dict[str, Tensor]:
        """Return labels of every kind, with and without gaps."""
        pairs = self.task == "multilabel"
        items = self.shape if pairs else self.shape[:-1]
        hard = draw_labels(*items, n_classes=2 if pairs else self.shape[-1])
        soft = draw(*self.shape, seed=3).sigmoid() if pairs else draw(*self.shape).softmax(-1)
        gaps, holes = hard.clone(), soft.clone()
        gaps[1], holes[2, 0] = -1, torch.nan
        return {"hard": hard, "soft": soft, "gaps": gaps, "holes": holes, "none": -1 + 0 * hard}

    def inputs(self, logits: Tensor) -> dict[str, Any]:
        """Return the context of the loss."""
        size, dtype = logits.detach().abs(), logits.dtype
        every = {
            "progress": 0.7,
            "row_ids": torch.arange(len(logits)) + 3,
            "norms": size * (1.0 + draw(*logits.shape, seed=5).abs().to(dtype)) + 0.5,
            "teacher_logits": draw(*logits.shape, seed=6).to(dtype),
        }
        needs = set(self.spec.needs)
        if self.spec.base == "elr":
            needs.add("row_ids")
        return {name: value for name, value in every.items() if name in needs}

    def assert_same_losses(self, dtype: torch.dtype, **close: float) -> None:
        """Compare mean loss and gradient for labels of every kind, twice in a row."""
        found, expected = self.loss(dtype), self.module()
        for scale, (name, targets) in zip(
            (1.0, 3.0, 1.0, 0.3, 1.0), self.targets().items(), strict=True
        ):
            logits = self.logits(dtype, scale=scale).requires_grad_()
            inputs = self.inputs(logits)
            weights = (
                draw(len(logits), seed=8).abs().to(dtype) if name in ("hard", "holes") else None
            )
            context = LossContext(**inputs) if inputs else None
            theirs = expected(logits, targets, weights=weights, context=context)
            mine = found(logits, targets, weights=weights, **inputs)
            # Logits that are scaled have rounding that is.
            size = max(1.0, float(theirs.detach().abs()))
            tolerance = {"atol": close["atol"] * size, "rtol": close["rtol"]}
            assert_close(mine, theirs, **tolerance)
            assert_close(slope(mine, logits), slope(theirs, logits), **tolerance)

    def assert_same_probabilities(self, dtype: torch.dtype, **close: float) -> None:
        """Compare the probabilities with those of the exact read-out, else without the prior."""
        objective, logits = self.objective(dtype), self.logits(dtype)
        if self.spec.readout_kind(objective.facts.n_classes) == "none":
            expected = objective.prior_corrected(logits[None])[0].softmax(-1)
        else:
            expected = objective.log_links(logits[None])[0].exp()
        expected = expected[..., 1] if self.task == "multilabel" else expected
        assert_close(self.loss(dtype).probabilities(logits), expected, **close)

    def assert_finite(self, dtype: torch.dtype) -> None:
        """Check values, gradients and probabilities at the extremes of a network's outputs."""
        loss, targets = self.loss(dtype), self.targets()["hard"]
        logits = self.logits(dtype, scale=1e4).requires_grad_()
        value = loss(logits, targets, **self.inputs(logits))
        assert value.isfinite()
        assert slope(value, logits).isfinite().all()
        assert loss.probabilities(logits.detach()).isfinite().all()


BASES = [(name, task) for name in losses.names() for task in get(name).tasks]


def specs_of(base: str) -> list[LossSpec]:
    """Return a base at its default and at both ends of the range of a search."""
    declared = get(base).parameters
    ends = [
        {f"{base}.{name}": inside(parameter)[place] for name, parameter in declared.items()}
        for place in (0, -1)
    ]
    return list(dict.fromkeys([LossSpec(base), *(LossSpec(base, end) for end in ends)]))


@pytest.mark.parametrize(("base", "task"), BASES, ids="-".join)
def test_the_code_of_every_base_is_the_loss(base: str, task: str):
    for spec in specs_of(base):
        both = Both(spec, task)
        both.assert_same_losses(torch.float64, **EXACT)
        both.assert_same_losses(torch.float32, **SINGLE)
        both.assert_same_probabilities(torch.float64, atol=1e-9, rtol=0.0)
        both.assert_same_probabilities(torch.float32, atol=1e-5, rtol=0.0)
        both.assert_finite(torch.float32)
        both.assert_finite(torch.float64)


AROUND = [
    *({"prior": name} for name in losses.PRIORS),
    {"prior": "balanced", "class_weight.start": 0.5},
    {"prior": "balanced", "class_weight.start": 0.8},
    *({"target": name} for name in losses.TARGETS),
    *({"penalty": name} for name in losses.PENALTIES),
    {"penalty": "margin_smoothing", "margin_smoothing.m": 2.0},
    {"temperature": 2.0},
    {"prior": "balanced", "penalty": "confidence"},
    {"prior": "vector_scaling", "target": "smoothing", "temperature": 0.7},
    {"prior": "given_weights", "target": "similarity_smoothing", "penalty": "confidence"},
    {"prior": "balanced", "target": "distillation", "penalty": "mmce"},
]


def name_of(value: object) -> str:
    return "-".join(map(str, value.values())) if isinstance(value, dict) else str(value)


@pytest.mark.parametrize("task", SHAPES)
@pytest.mark.parametrize("around", AROUND, ids=name_of)
@pytest.mark.parametrize("base", ["cross_entropy", "focal", "bi_tempered", "ldam", "elr"])
def test_the_code_of_what_stands_around_a_base_is_the_loss(base: str, around, task: str):
    spec = LossSpec.from_dict({"base": base, **around})
    if not spec.fits(task):
        with pytest.raises(InputError, match="must be used for"):
            spec.source(COUNTS[task], task=task)
        return
    both = Both(spec, task)
    both.assert_same_losses(torch.float64, **EXACT)
    both.assert_same_probabilities(torch.float64, atol=1e-8, rtol=0.0)


@pytest.mark.parametrize("base", ["brier", "entmax", "logit_norm", "square"])
def test_a_product_of_everything_is_the_loss_in_single_precision(base: str):
    around = {"prior": "vector_scaling", "target": "smoothing", "penalty": "confidence"}
    both = Both(LossSpec.from_dict({"base": base, **around}), "multiclass")
    both.assert_same_losses(torch.float32, atol=2e-6, rtol=2e-6)
    both.assert_same_probabilities(torch.float32, atol=1e-5, rtol=0.0)


def test_without_counts_any_number_of_classes_will_do():
    loss = pasted(LossSpec("focal", target="smoothing").source()).Loss()
    module = LossSpec("focal", target="smoothing").module()
    for n_classes in (2, 3, 11):
        logits, targets = draw(6, n_classes), draw_labels(6, n_classes=n_classes)
        assert_close(loss(logits, targets), module(logits, targets), **EXACT)


def test_half_precision_is_read_in_single():
    loss = pasted(LossSpec("focal", prior="balanced").source([9, 1])).Loss()
    logits, targets = draw(6, 2).half(), draw_labels(6, n_classes=2)
    assert loss(logits, targets).dtype == torch.float32
    assert_close(loss(logits, targets), loss(logits.float(), targets))


def test_the_memory_is_saved_with_the_loss():
    loss = pasted(LossSpec("elr").source(COUNTS["multiclass"])).Loss(20, 4)
    loss(draw(3, 4).float(), torch.tensor([0, 1, 2]), row_ids=torch.tensor([7, 2, 19]))
    again = pasted(LossSpec("elr").source()).Loss(20, 4)
    again.load_state_dict(loss.state_dict())
    assert again.memory[[7, 2, 19]].ne(0).all()
    assert_close(again.memory, loss.memory)


# Mixup


@pytest.mark.parametrize("each", [0, 1])
@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_inputs_and_labels_are_mixed_alike(task: str, each: int):
    spec = LossSpec(
        "cross_entropy", {"mixup.alpha": 0.7, "mixup.per_example": each}, target="mixup"
    )
    mix = pasted(spec.source(COUNTS[task], task=task)).mix
    labels = (
        draw_labels(50, 3, n_classes=2) if task == "multilabel" else draw_labels(50, n_classes=4)
    )
    plain = labels.double() if task == "multilabel" else functional.one_hot(labels, 4).double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        images, probs = mix(plain.unsqueeze(-1).expand(-1, -1, 5), labels)
    assert_close(images, probs.unsqueeze(-1).expand_as(images))
    shares = probs[(probs > 0) & (probs < 1)]
    assert len(shares) > 20
    n_distinct = len(shares.minimum(1 - shares).mul(1e9).round().unique())
    assert n_distinct > 5 if each else n_distinct == 1
    if task == "multiclass":
        assert_close(probs.sum(-1), torch.ones(50, dtype=torch.float64))


def test_what_is_mixed_with_a_missing_label_has_none():
    source = LossSpec(target="mixup").source(COUNTS["multiclass"])
    mix, loss = pasted(source).mix, pasted(source).Loss()
    inputs, labels = torch.eye(8, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1, 2, -1])
    with torch.random.fork_rng():
        torch.manual_seed(1)
        mixed, probs = mix(inputs, labels)
    assert_close(probs.isnan().any(-1), mixed[:, 7] > 0)
    assert loss(draw(8, 4), probs).isfinite()


@pytest.mark.parametrize("each", [0, 1])
@pytest.mark.parametrize("form", ["source", "module"])
def test_images_are_cut_and_labels_mixed_by_the_area(form: str, each: int):
    spec = LossSpec("focal", {"cutmix.per_example": each}, target="cutmix")
    counts = COUNTS["multiclass"]
    mix = pasted(spec.source(counts)).mix if form == "source" else spec.module(counts).mix
    labels = torch.tensor([0, 1, 2, 3] * 10)
    pictures = labels.double().view(-1, 1, 1, 1).expand(-1, 3, 20, 10)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        images, probs = mix(pictures, labels)
    areas = torch.stack([(images == label).double().mean((1, 2, 3)) for label in range(4)], 1)
    assert_close(probs, areas, atol=1e-6, rtol=0)
    assert_close(images[:, :1].expand_as(images), images)
    inside = areas[(areas > 0) & (areas < 1)]
    assert len(inside) > 10
    assert (len({round(area, 6) for area in inside.tolist()}) > 2) == bool(each)


# The findings of a search


@pytest.mark.parametrize("source", ["softmax", "prior", "link"])
@pytest.mark.parametrize(
    "settings",
    [
        {"base": "focal", "prior": "balanced"},
        {"base": "mae", "prior": "logit_adjust"},
        {"base": "am_softmax", "prior": "logit_adjust", "temperature": 2.0},
        {"base": "brier", "target": "smoothing"},
        {"base": "cross_entropy"},
    ],
    ids=name_of,
)
def test_the_read_out_that_was_chosen_is_in_the_code(settings: dict, source: Any):
    counts = COUNTS["multiclass"]
    tuned = Tuned(0.002, 0.01, None, source, 1.7, 0.001, tuple(counts))
    spec = LossSpec.from_dict(settings)
    loss = pasted(spec.source(tuned=tuned)).Loss()
    logits = within_head(get(spec.base), draw(6, 4))
    expected = Readout(source, 1.7, 0.001, spec).log_probs(logits, torch.tensor(counts)).exp()
    assert_close(loss.probabilities(logits), expected, atol=1e-12, rtol=0.0)


def test_the_settings_of_the_training_are_in_the_code():
    tuned = Tuned(0.002, 0.01, dropout=0.3, inverse_temperature=0.8)
    found = pasted(LossSpec("focal").source(tuned=tuned))
    assert (found.LR, found.WEIGHT_DECAY, found.DROPOUT) == (0.002, 0.01, 0.3)
    assert pytest.approx(1.25) == found.TEMPERATURE
    assert not {"LR", "DROPOUT"} & vars(pasted(LossSpec("focal").source())).keys()


def test_tuned_values_are_no_part_of_the_loss():
    tuned = Tuned(0.002, 0.01, class_counts=(9.0, 1.0))
    plain, known = LossSpec(prior="balanced"), LossSpec(prior="balanced", tuned=tuned)
    assert known == plain
    assert hash(known) == hash(plain)
    assert known.to_dict() == plain.to_dict()
    assert repr(known) == repr(plain)
    assert known.source() == plain.source(tuned=tuned)
    with pytest.raises(InputError, match="class_counts must be given for prior='class_weight'"):
        plain.source()


def test_two_classes_are_told_by_their_counts():
    tuned = Tuned(0.002, 0.01, class_counts=(9.0, 1.0))
    loss = pasted(LossSpec("asymmetric", tuned=tuned).source()).Loss()
    expected = LossSpec("asymmetric").module([9, 1], task="binary")
    logits, targets = draw(6, 2), draw_labels(6, n_classes=2)
    assert_close(loss(logits, targets), expected(logits, targets), **EXACT)


# Temperature


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("base", ["cross_entropy", "focal", "brier"])
def test_the_fitted_temperature_is_that_of_the_read_out(base: str, n_classes: int):
    spec = LossSpec(base, prior="balanced")
    counts = [40, 25, 10, 5, 5][:n_classes]
    loss = pasted(spec.source(counts)).Loss()
    logits, targets = 3.0 * draw(400, n_classes), draw_labels(400, n_classes=n_classes)
    targets = torch.where(draw(400, seed=4) > 0, logits.argmax(-1), targets)
    scores = Objective([spec], torch.tensor(counts), dtype=torch.float64).log_links(logits[None])
    expected = (-fit_temperature(scores, targets)).exp().item()
    assert loss.fit_temperature(logits, targets) == pytest.approx(expected, rel=1e-6)
    some = targets.masked_fill(torch.arange(400) < 50, -1)
    left = (-fit_temperature(scores[:, 50:], targets[50:])).exp().item()
    assert loss.fit_temperature(logits, some) == pytest.approx(left, rel=1e-6)


@pytest.mark.parametrize("task", ["sequence", "multilabel"])
def test_one_temperature_serves_all_labels_of_an_example(task: str):
    loss = pasted(LossSpec().source(COUNTS[task], task=task)).Loss()
    logits = 2.0 * draw(60, *SHAPES[task][1:])
    if task == "multilabel":
        targets = (draw(60, 3, seed=2) + logits > 0).long()
        scores = torch.stack([torch.zeros_like(logits), logits], -1).view(1, -1, 2)
    else:
        targets = (logits + 2.0 * draw(*logits.shape, seed=2)).argmax(-1)
        scores = logits.view(1, -1, 4)
    expected = (-fit_temperature(scores, targets.flatten())).exp().item()
    assert loss.fit_temperature(logits, targets) == pytest.approx(expected, rel=1e-6)


def test_scores_that_say_nothing_or_all_have_a_finite_temperature():
    loss = pasted(LossSpec().source()).Loss()
    targets = torch.tensor([0, 1, 2])
    assert loss.fit_temperature(torch.zeros(3, 3), targets) == 1.0
    sure = 1e4 * torch.eye(3)
    assert 0.0 < loss.fit_temperature(sure, targets) < math.inf
    assert 0.0 < loss.fit_temperature(-sure, targets) < math.inf


# The text


HANDFUL = {
    "cross_entropy": {"base": "cross_entropy"},
    "focal": {"base": "focal", "prior": "balanced", "target": "smoothing"},
    "bi_tempered": {"base": "bi_tempered", "penalty": "soft_ece"},
    "ldam": {"base": "ldam", "prior": "logit_adjust", "penalty": "confidence"},
    "entmax": {"base": "entmax", "penalty": "confidence"},
    "asymmetric": {"base": "poly1", "prior": "vector_scaling", "penalty": "mmce"},
}
BLOCKED = """
import importlib.abc, json, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "autoloss":
            raise ImportError(name)

sys.meta_path.insert(0, Blocker())
import torch
logits, targets = torch.linspace(-0.9, 0.9, 12).view(3, 4), torch.tensor([0, 1, 3])
values = []
for code in json.load(sys.stdin):
    space = {"__name__": "pasted"}
    exec(code, space)
    values.append(space["Loss"]()(logits, targets).item())
assert not any(name.startswith("autoloss") for name in sys.modules)
print(json.dumps(values))
"""


def test_the_code_runs_where_autoloss_cannot_be_imported(tmp_path: Path):
    specs = [LossSpec.from_dict(one) for one in HANDFUL.values()]
    codes = [spec.source(COUNTS["multiclass"]) for spec in specs]
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED],
        input=json.dumps(codes),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    logits, targets = torch.linspace(-0.9, 0.9, 12).view(3, 4), torch.tensor([0, 1, 3])
    expected = [spec.module(COUNTS["multiclass"])(logits, targets).item() for spec in specs]
    assert json.loads(done.stdout) == pytest.approx(expected, rel=1e-5)


def ruff(code: str, *arguments: str) -> str:
    """Return the output of ruff for a text."""
    command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--line-length", "99", "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


CLEAN = [
    ("multiclass", {"base": "elr", "target": "similarity_smoothing"}),
    ("multiclass", {"base": "l_softmax", "prior": "given_weights", "target": "distillation"}),
    ("multiclass", {"base": "square", "prior": "balanced", "class_weight.start": 0.8}),
    ("multilabel", {"base": "focal", "target": "mixup", "prior": "effective_number"}),
    ("multilabel", {"base": "asymmetric", "target": "distillation"}),
    ("sequence", {"base": "squared_emd", "penalty": "jsd", "target": "smoothing"}),
    *(("multiclass", one) for one in HANDFUL.values()),
]


@pytest.mark.parametrize(("task", "settings"), CLEAN, ids=name_of)
def test_the_code_is_clean_and_laid_out_as_a_formatter_would(task: str, settings: dict):
    tuned = Tuned(0.002, 0.01, 0.1, None, 0.8, 0.001)
    given = {} if task == "multilabel" else GIVEN
    code = LossSpec.from_dict(settings).source(COUNTS[task], task=task, tuned=tuned, **given)
    assert ruff(code, "check", "--select", "E,F,W,I") == ""
    assert ruff(code, "format", "--check", "--diff") == ""


def test_many_classes_take_few_lines():
    code = LossSpec("focal", prior="balanced").source(list(range(1, 1001)))
    assert max(map(len, code.splitlines())) <= 99
    assert code.count("\n") < 400
    assert ruff(code, "check", "--select", "E,F,W") == ""
    assert ruff(code, "format", "--check", "--diff") == ""


def test_a_simple_loss_has_little_code():
    lines = LossSpec("focal", {"focal.gamma": 2.0}).source().splitlines()
    assert len(lines) < 130
    assert "    return -(miss_probs(log_p) ** gamma) * log_p" in lines
    assert len(LossSpec().source().splitlines()) < 95


def test_what_is_not_there_is_not_written():
    code = LossSpec("focal").source()
    assert not any(
        word in code for word in ("EVERY", "CLASS_WEIGHTS", "mix(", "penalty", "memory")
    )


# Losses of one's own


SHARPNESS = 0.5


def _sharpened(logits: Tensor, a: Tensor) -> Tensor:
    return logits * (1.0 + SHARPNESS * a[..., None])


def around(factor: float):
    """Return a function of a function that keeps a number."""

    def scaled(values: Tensor) -> Tensor:
        return factor * values

    return scaled


doubled = around(2.0)


@declare(source="here", link=by_gradient, a=FloatParam(0.0, 1.0, default=0.5))
def of_ones_own(logits: Tensor, targets: Tensor, *, a: Tensor) -> Tensor:
    """Sharpened cross-entropy, twice.

    ``L = -2 log p``
    """
    # A comment that stays.
    log_probs = ours(_sharpened(logits, a))
    return doubled(-pick(log_probs, targets) + math.pi * functional.relu(a - 7.0))


@pytest.mark.parametrize("task", SHAPES)
def test_a_loss_of_ones_own_is_written_like_any_other(task: str):
    register(of_ones_own)
    both = Both(LossSpec("of_ones_own", prior="logit_adjust"), task)
    both.assert_same_losses(torch.float64, **EXACT)
    both.assert_same_probabilities(torch.float64, atol=1e-9, rtol=0.0)
    assert "# A comment that stays." in both.code
    assert "SHARPNESS = 0.5" in both.code


MINE = '''
import torch.nn.functional as F
from autoloss.losses import FloatParam, declare, numerics
from autoloss.losses.bases import poly1

LIMIT = 20.0


@declare(
    source="here",
    local=True,
    a=FloatParam(0.1, 2.0, default=0.5),
)
def mine(log_p, *, a):
    """Poly loss in a file of one's own."""
    base = poly1.poly1.function(log_p, epsilon=a)
    return base + 0.0 * F.softplus(numerics.miss_probs(log_p), threshold=LIMIT)
'''


def test_a_loss_from_a_file_is_written_like_any_other(tmp_path: Path):
    path = tmp_path / "mine.py"
    path.write_text(MINE, encoding="utf-8")
    load_losses(path)
    both = Both(LossSpec("mine"), "multiclass")
    both.assert_same_losses(torch.float64, **EXACT)
    assert "import torch.nn.functional as F" in both.code


@declare(source="here")
def with_a_mixer(logits: Tensor, targets: Tensor) -> Tensor:
    """Ask a function that the code has a name for already."""
    return mix(ours(logits), targets)


def mix(log_probs: Tensor, targets: Tensor) -> Tensor:
    """Return cross-entropy, under a name that is taken."""
    return -log_probs.masked_fill(~is_label(log_probs, targets), 0.0).sum(-1)


def test_names_that_are_taken_are_changed():
    register(with_a_mixer)
    both = Both(LossSpec("with_a_mixer", target="mixup"), "multiclass")
    both.assert_same_losses(torch.float64, **EXACT)
    assert "def mix_(log_probs" in both.code


SCALE = 3.0


@declare(source="here", local=True)
def with_a_scale(log_p: Tensor) -> Tensor:
    """Ask a number that the code has a name for already, twice."""
    return -SCALE * _scaled_again(log_p)


def _scaled_again(log_p: Tensor) -> Tensor:
    return SCALE * log_p


def test_a_number_under_a_name_that_is_taken_has_one_other_name():
    register(with_a_scale)
    both = Both(LossSpec("with_a_scale", prior="vector_scaling"), "multiclass")
    both.assert_same_losses(torch.float64, **EXACT)
    assert both.code.count("= 3.0") == 1
    assert both.code.count("SCALE_ * ") == 2


OTHERWISE = '''
import math
from dataclasses import dataclass
from autoloss.losses import FloatParam, LossContext, declare
from autoloss.losses.labels import pick
from autoloss.losses.numerics import log_softmax

@dataclass
class Limits:
  low: float
  high: float = math.inf

  def moved(self, values):
    return (values + self.low).clamp_max(self.high)

def doubled(values): return 2.0 * values

def again(values, *more,  # one: of many
          times=1, context: "LossContext | None" = None, **rest):
  # A comment of its own.
  for one in more: values = values + one
  if times == 0: return values + 0.0 * context.row_ids.sum()
  return again(values, times=times - 1, context=context, **rest)

@declare(source="here", needs=("row_ids",), a=FloatParam(0.0, 1.0, default=0.5))
def otherwise(logits, targets, *, a, context: LossContext):
  """Loss in other manners,
  with a description of two lines."""
  limits = Limits(0.5)
  first, a = a[..., None], a + 0.1 * logits.mean(-1).sin()
  def moved(values): return limits.moved(values * (1.0 + a[..., None]))
  return -pick(log_softmax(doubled(again(moved(logits), first, context=context))), targets)
'''


def test_a_loss_need_not_be_laid_out_as_ours(tmp_path: Path):
    path = tmp_path / "otherwise.py"
    path.write_text(OTHERWISE, encoding="utf-8")
    load_losses(path)
    both = Both(LossSpec("otherwise"), "multiclass")
    both.assert_same_losses(torch.float64, **EXACT)


@declare(source="here", local=True)
def of_another_package(log_p: Tensor) -> Tensor:
    """Ask another package."""
    assert pytest
    return -log_p


@declare(source="here", local=True)
def of_an_object(log_p: Tensor) -> Tensor:
    """Ask an object."""
    return -log_p * (1.0 if PARTIAL else 0.0)


PARTIAL = functools.partial(math.pow, 2.0)


@pytest.mark.parametrize(
    ("loss", "named"), [(of_another_package, "pytest"), (of_an_object, "PARTIAL")]
)
def test_what_cannot_be_written_down_is_named(loss, named: str):
    register(loss)
    with pytest.raises(InputError, match=named) as error:
        LossSpec(loss.name).source()
    assert "\n" not in str(error.value)
