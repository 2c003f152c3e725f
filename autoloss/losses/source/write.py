"""A loss as Python code that needs torch alone."""

from __future__ import annotations

import ast
import functools
import re
from importlib import metadata
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from torch import Tensor

from autoloss.losses.parts import KINDS
from autoloss.losses.source.facts import SourceFacts
from autoloss.losses.source.layout import fitted, paragraph, tensor
from autoloss.losses.source.parts import SourceParts
from autoloss.losses.source.readout import reading_of
from autoloss.losses.spec import LossSpec
from autoloss.losses.tuned import Tuned
from autoloss.task import TaskKind

_IMPORTS = {
    "SimpleNamespace": "from types import SimpleNamespace",
    "Tensor": "from torch import Tensor",
    "functional": "from torch.nn import functional",
    "math": "import math",
    "nn": "from torch import nn",
    "torch": "import torch",
}
_HEADS = {
    "linear": "Raw scores",
    "unbiased": "Raw scores of a last layer without bias",
    "cosine": "Cosines of the angles between features and class weights",
}
_KINDS = {"progress": "float"}
_MEANINGS = {
    "progress": "Share of the training that is done, 0 to 1.",
    "row_ids": "Numbers of the examples among the training rows, ``(B,)``.",
    "norms": "Norm of the features times that of each class's weights, ``(B, C)``.",
    "teacher_logits": "Logits of a teacher for the same inputs, of the shape of the logits.",
    "features": "What the last layer sees, ``(B, H)``.",
}


def loss_source(
    spec: LossSpec,
    class_counts: Any = None,
    *,
    task: TaskKind = "multiclass",
    class_weights: Any = None,
    class_similarity: Any = None,
    tuned: Tuned | None = None,
) -> str:
    """Return a loss as Python code; see `LossSpec.source`."""
    facts = SourceFacts.of(
        spec,
        class_counts,
        task=task,
        class_weights=class_weights,
        class_similarity=class_similarity,
        tuned=tuned,
    )
    parts = SourceParts(facts)
    functions = [_written(parts, place) for place in range(len(parts.gathered.codes))]
    body = fitted("\n\n\n".join([*functions, _class(parts)]))
    constants = "\n".join(_constants(parts, body))
    imports = _imports({**_IMPORTS, **parts.gathered.imports}, f"{constants}\n{body}")
    return "\n".join([_header(parts), "", imports, "", constants, "", "", body]) + "\n"


def _written(parts: SourceParts, place: int) -> str:
    """Return a function, or of a class what is used of it."""
    code = parts.gathered.codes[place]
    others = [one for one in parts.gathered.codes if one is not code]
    used = {
        node.attr
        for one in others
        for node in ast.walk(one.tree)
        if isinstance(node, ast.Attribute)
    }
    return parts.rewriter.text(code, methods=used)


def _class(parts: SourceParts) -> str:
    facts, loss, spec = parts.facts, parts.facts.loss, parts.facts.spec
    scores = _scores(facts)
    is_taught = spec.target == "distillation"
    sees = loss.view is not None and (is_taught or facts.penalty is not None)
    penalty = facts.penalty
    code: str = _template().render(
        task=facts.task,
        local=loss.local,
        base=parts.name(loss.function),
        context=parts.context() if parts.takes_context(loss.function) else "",
        context_for_every=parts.context(every=True),
        context_for_view=sees and parts.takes_context(loss.view),
        view_in_forward=parts.call(loss.view, "scores") if sees else "",
        seen="view" if sees else "scores",
        memory=parts.name(loss.memory),
        inputs={name: _KINDS.get(name, "Tensor") for name in parts.inputs},
        inputs_are=[f"{name}: {_MEANINGS[name]}" for name in parts.inputs],
        logits_are=_HEADS[loss.head],
        weighted=facts.class_weights is not None,
        start=facts.start,
        spread=facts.spread,
        epsilon=facts.epsilon,
        kept=1.0 - facts.epsilon,
        taught={name: spec[f"distillation.{name}"] for name in ("T", "weight")}
        if is_taught
        else None,
        penalty=parts.name(None if penalty is None else penalty.function),
        penalty_weight=None if penalty is None else spec[f"{penalty.name}.weight"],
        batch=parts.batch("view" if sees else "scores", "labels", "known") if penalty else "",
        mixup={name: spec[f"mixup.{name}"] for name in ("alpha", "per_example")}
        if spec.target == "mixup"
        else None,
        n_classes=facts.classes.n_classes,
        scores=scores,
        scores_are=_scores_text(facts),
        readout=reading_of(parts, plain_scores=scores == ["logits"]),
        uniform=facts.tuned is not None and facts.tuned.mix > 0.0,
    )
    return code


def _scores(facts: SourceFacts) -> list[str]:
    """Return the expressions that make what the loss reads, one after the other, of `logits`."""
    found = []
    if facts.task == "multilabel":
        found.append("torch.stack([torch.zeros_like(logits), logits], -1)")
    if facts.loss.view is None:
        if facts.scale is not None:
            found.append("logits * SCALE.to(logits)")
        elif facts.spec.temperature != 1.0:
            found.append(f"logits / {facts.spec.temperature}")
        if facts.shift is not None:
            found.append("logits + SHIFT.to(logits)")
    return found or ["logits"]


def _scores_text(facts: SourceFacts) -> str:
    """Return what the loss reads, in words."""
    words = ["the logits as the loss reads them: 32 bits or more"]
    if facts.task == "multilabel":
        words.append("as pairs of no and yes")
    if facts.loss.view is None:
        if facts.scale is not None:
            words.append("scaled")
        elif facts.spec.temperature != 1.0:
            words.append("divided")
        if facts.shift is not None:
            words.append("shifted")
    return ", ".join(words)


def _constants(parts: SourceParts, body: str) -> list[str]:
    """Return the definitions of the constants."""
    facts, tuned = parts.facts, parts.facts.tuned
    lines = []
    if tuned is not None:
        lines += [
            "# The settings of AdamW that the search found for this loss; the rate is the peak.",
            f"LR = {tuned.lr!r}",
            f"WEIGHT_DECAY = {tuned.weight_decay or 0.0!r}",
        ]
        lines += [f"DROPOUT = {tuned.dropout!r}"] if tuned.dropout is not None else []
    lines += [
        "# What scores are divided by to be read as probabilities; fit it to your own network.",
        f"TEMPERATURE = {1.0 / tuned.inverse_temperature if tuned else 1.0!r}",
    ]
    if tuned is not None and tuned.mix > 0.0:
        lines += [
            "# The share of equal probabilities in them, so that no surprise costs too much.",
            f"UNIFORM = {tuned.mix!r}",
        ]
    tensors: dict[str, Tensor | None] = {
        "CLASS_COUNTS": facts.classes.counts,
        "CLASS_WEIGHTS": facts.class_weights,
        "SCALE": facts.scale,
        "SHIFT": facts.shift,
        "SIMILARITY": facts.classes.similarity,
    }
    for name, value in tensors.items():
        if value is not None and re.search(rf"\b{name}\b", body):
            lines.append(tensor(name, value.tolist()))
    for name, text in parts.gathered.constants.items():
        if name == "EVERY":
            lines.append(
                "# In the place of labels it asks for the loss under every label at once."
            )
        lines.append(fitted(f"{name} = {text}"))
    return lines


def _header(parts: SourceParts) -> str:
    """Return the description of the module."""
    facts, spec = parts.facts, parts.facts.spec
    chosen = {kind: getattr(spec, kind) for kind in KINDS}
    parts_around = [KINDS[kind][name] for kind, name in chosen.items() if name != "none"]
    name = " + ".join([spec.base, *(part.name for part in parts_around)])
    version = metadata.version("autoloss")
    about = f"{name}: a training loss for PyTorch, written by autoloss {version}."
    owners = [(facts.loss.name, facts.loss.source)]
    owners += [(part.name, part.source) for part in parts_around]
    sources = [f"{owner}: {source}" for owner, source in owners]
    lines = [
        paragraph(f'"""{about}', indent=""),
        "",
        "Settings:",
        *(f"    {line}" for line in spec.to_toml().splitlines()),
        "",
        "Sources:",
        *(paragraph(source, hanging="    ") for source in sources),
        "",
        "Use:",
        *(f"    {line}" for line in _use(parts)),
        '"""',
    ]
    return "\n".join(lines)


def _use(parts: SourceParts) -> list[str]:
    """Return the lines of a training with the loss."""
    facts, loss = parts.facts, parts.facts.loss
    lines = []
    if loss.head != "linear":
        bias = "nn.Linear(width, n_classes, bias=False)"
        cosines = "cosines: functional.linear(normalize(features), normalize(weight))"
        lines.append(f"net = ...  # ends in {bias if loss.head == 'unbiased' else cosines}")
    rows = "n_rows, n_labels" if facts.task == "multilabel" else "n_rows, n_classes"
    if facts.task == "sequence":
        rows = "n_rows, n_positions, n_classes"
    lines.append(f"criterion = Loss({rows})" if loss.memory else "criterion = Loss()")
    if facts.tuned is not None:
        settings = "net.parameters(), LR, weight_decay=WEIGHT_DECAY"
        lines.append(f"optimiser = torch.optim.AdamW({settings})")
    given = "".join(f", {name}={name}" for name in parts.inputs)
    if facts.spec.target == "mixup":
        lines.append("inputs, targets = mix(inputs, targets)  # in training alone")
    lines.append(f"criterion(net(inputs), targets{given}).backward()")
    lines.append("temperature = criterion.fit_temperature(net(x_valid), y_valid)")
    lines.append("probabilities = criterion.probabilities(net(x_test), temperature)")
    return lines


def _imports(known: dict[str, str], text: str) -> str:
    """Return the lines that import what a text names."""
    tree = ast.parse(text)
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    merged: dict[str, list[str]] = {}
    for name, line in known.items():
        if name in named:
            module, _, what = line.removeprefix("from ").partition(" import ")
            merged.setdefault(module if what else line, []).append(what)
    lines = {
        line if not any(names) else f"from {line} import {', '.join(sorted(names, key=_order))}"
        for line, names in merged.items()
    }
    groups: tuple[list[str], list[str]] = ([], [])
    for line in sorted(lines, key=lambda line: (line.startswith("from "), line)):
        groups[line.split()[1].partition(".")[0] == "torch"].append(line)
    return "\n\n".join("\n".join(group) for group in groups if group)


def _order(name: str) -> tuple[int, str]:
    """Return where a name stands among others: constants, classes, functions."""
    rank = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return rank, name


@functools.cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("autoloss.losses.source", ""),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("loss.py.j2")
