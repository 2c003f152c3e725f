"""A loss as Python code that needs torch alone."""

from __future__ import annotations

import ast
import functools
import re
from importlib import metadata
from typing import Any

import torch

from autoloss.core.task import TaskKind, kind_of_classes
from autoloss.core.templates import code_templates
from autoloss.losses.components import KINDS
from autoloss.losses.facts import ClassFacts
from autoloss.losses.module import LossModule
from autoloss.losses.source.layout import fitted, paragraph, tensor
from autoloss.losses.source.parts import SourceParts
from autoloss.losses.spec_data import SpecData
from autoloss.losses.targets import FLOOR
from autoloss.losses.tuned import Tuned

# The number of classes if it is unknown and does not matter.
_SOME = 3
_TEMPLATES = ("loss.py.j2", "file.py.j2")
_IMPORTS = {
    "SimpleNamespace": "from types import SimpleNamespace",
    "Tensor": "from torch import Tensor",
    "functional": "from torch.nn import functional",
    "math": "import math",
    "nn": "from torch import nn",
    "torch": "import torch",
}
_ENVIRONMENT = code_templates("autoloss.losses.source")


def loss_source(
    spec: SpecData,
    class_counts: Any = None,
    *,
    task: TaskKind = "multiclass",
    class_weights: Any = None,
    class_similarity: Any = None,
    tuned: Tuned | None = None,
) -> str:
    """Return a loss as Python code; see `LossSpec.source`."""
    if tuned is not None:
        class_counts = tuned.class_counts if class_counts is None else class_counts
        class_weights = tuned.class_weights if class_weights is None else class_weights
        class_similarity = tuned.class_similarity if class_similarity is None else class_similarity
    if task == "multiclass" and class_counts is not None:
        task = kind_of_classes(len(class_counts))
    classes = LossModule(
        spec,
        class_counts,
        task=task,
        class_weights=class_weights,
        class_similarity=class_similarity,
    ).facts
    if classes is None:
        similarity = None if class_similarity is None else torch.as_tensor(class_similarity)
        n_classes = 2 if task == "binary" else _SOME if similarity is None else len(similarity)
        counts = torch.ones((1, 2) if task == "multilabel" else n_classes)
        classes = ClassFacts(counts, task=task, similarity=similarity)
    parts = SourceParts(spec, classes, task=task, tuned=tuned, reserved=_reserved())
    body, file = map(_ENVIRONMENT.get_template, _TEMPLATES)
    code = fitted(body.render(vars(parts), parts=parts, floor=FLOOR)).strip()
    others = [KINDS[kind].get(getattr(spec, kind)) for kind in KINDS]
    return file.render(
        vars(parts),
        code=code,
        fitted=fitted,
        imports=_imports(_IMPORTS | parts.functions.imports, code),
        named=[parts.loss, *(part for part in others if part is not None)],
        paragraph=paragraph,
        tensor=tensor,
        version=metadata.version("autoloss"),
    )


def _imports(known: dict[str, str], text: str) -> str:
    """Return the lines that import the names of a text."""
    named = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    merged: dict[str, list[str]] = {}
    for name in named & known.keys():
        start, _, member = known[name].partition(" import ")
        merged.setdefault(start, []).append(member)
    # A formatter sorts constants, classes and functions apart.
    for members in merged.values():
        members.sort(key=lambda one: (not one.isupper(), one[:1].islower(), one))
    lines = [" import ".join([start, ", ".join(members)]) for start, members in merged.items()]
    lines = [line.removesuffix(" import ") for line in lines]
    lines.sort(key=lambda line: (line.startswith("from "), line))
    groups: tuple[list[str], list[str]] = ([], [])
    for line in lines:
        groups[line.split()[1].partition(".")[0] == "torch"].append(line)
    return "\n\n".join("\n".join(group) for group in groups if group)


@functools.cache
def _reserved() -> frozenset[str]:
    """Return the words of the templates, which no function may have as its name."""
    loader = _ENVIRONMENT.loader
    assert loader is not None
    texts = [loader.get_source(_ENVIRONMENT, name)[0] for name in _TEMPLATES]
    code = re.sub(r"{[%#].*?[%#]}", "", "\n".join(texts))
    return frozenset(re.findall(r"[A-Za-z_]\w*", code)) | _IMPORTS.keys()
