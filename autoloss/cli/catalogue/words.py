"""Words of the catalogue: families, kinds of label, ranges, read-outs, needs and sources."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from autoloss.core.task import TaskKind
from autoloss.losses.parameters import ChoiceParam, FloatParam, Parameter

# In the order in which losses are shown.
FAMILIES = {
    "proper": "scores that the posterior itself minimises",
    "focusing": "weight on hard or on easy examples",
    "robust": "wrong labels",
    "margin": "a margin between the classes",
    "normalised": "logits of bounded norm",
    "ordinal": "classes in an order",
    "own": "custom losses",
}
TASKS: dict[TaskKind, str] = {
    "binary": "binary",
    "multiclass": "multiclass",
    "multilabel": "multi-label",
    "sequence": "sequence",
}
KINDS = {"prior": "Priors", "target": "Targets", "penalty": "Penalties"}
READOUTS = {
    "proper": "softmax is the posterior at the minimum of the expected loss",
    "link": "a formula gives the posterior at the minimum of the expected loss",
    "slopes": "the gradients give the posterior at the minimum of the expected loss",
    "none": "softmax with a fitted temperature, not exact",
}
COMPONENT_READOUTS = {
    "undone": "its effect on the posterior is undone",
    "kept": "beside a proper loss, the minimum stays where it is",
    "slope": "the posterior is read with its slope",
    "lost": "softmax with a fitted temperature, not exact",
}
HEADS = {
    "unbiased": "a last layer without bias",
    "cosine": "a last layer of cosines: no bias, features and weights of norm 1",
}
NEEDS = {
    "class_counts": "the training rows of each class",
    "row_ids": "the row numbers of the examples",
    "progress": "the share of the training that is done",
    "teacher_logits": "the logits of a teacher",
    "features": "the inputs of the last layer",
    "mask": "a mask of the items that have a label",
    "norms": "the norms of features and weights",
    "memory": "earlier predictions for each training row",
    "class_weights": "a weight of each class",
    "similarity": "a matrix of similarities between the classes",
    "mixup": "a training loop that mixes inputs, such as the module's mix(inputs, targets)",
    "cutmix": "images, or a loop that mixes them, such as the module's mix(inputs, targets)",
}
_YEAR = re.compile(r".*?\b(?:1[89]|20)\d\d\b")


def task_letters(tasks: Iterable[TaskKind]) -> str:
    """Return the first letters of the supported tasks, a dash for each other task.

    Examples:
        >>> task_letters(("binary", "multilabel"))
        'b-l-'
    """
    letters = {"binary": "b", "multiclass": "m", "multilabel": "l", "sequence": "s"}
    supported = set(tasks)
    return "".join(letter if task in supported else "-" for task, letter in letters.items())


def short_source(source: str) -> str:
    """Return the authors and the year of a source.

    Examples:
        >>> short_source("Lin et al. 2017, Focal Loss for Dense Object Detection")
        'Lin et al. 2017'
    """
    found = _YEAR.match(source)
    return found.group() if found else source.partition(",")[0]


def range_text(parameter: Parameter) -> str:
    """Return the searched range of a parameter, and its default.

    Examples:
        >>> range_text(FloatParam(0.0, 5.0, default=2.0))
        '0 to 5, default 2'
        >>> range_text(ChoiceParam((1, 2), default=1))
        '1 or 2, default 1'
    """
    scale = " (log)" if not isinstance(parameter, ChoiceParam) and parameter.log else ""
    kept = "" if parameter.searched else ", fixed there unless a space names it"
    return f"{_range(parameter, ' or')}{scale}, default {parameter.default:g}{kept}"


def short_range(parameter: Parameter) -> str:
    """Return the searched range of a parameter, with the default in brackets.

    Examples:
        >>> short_range(FloatParam(0.0, 5.0, default=2.0))
        '0 to 5 (2)'
        >>> short_range(FloatParam(1.0, 30.0, default=1.0, searched=False))
        'fixed (1)'
    """
    searched = _range(parameter, ",") if parameter.searched else "fixed"
    return f"{searched} ({parameter.default:g})"


def allowed_text(parameter: Parameter) -> str:
    """Return the allowed range if it is wider than the searched range; empty otherwise.

    Examples:
        >>> from autoloss.losses import Interval
        >>> allowed_text(FloatParam(0.0, 5.0, default=2.0, valid=Interval(0.0, float("inf"))))
        'from 0'
    """
    if not isinstance(parameter, FloatParam) or parameter.valid is None:
        return ""
    low, high = parameter.valid.low, parameter.valid.high
    start = f"above {low:g}" if parameter.valid.open_low else f"from {low:g}"
    if math.isinf(high):
        return start
    return f"{start} to {'below ' if parameter.valid.open_high else ''}{high:g}"


def _range(parameter: Parameter, last: str) -> str:
    """Return the searched range or choices.

    Args:
        parameter: The parameter.
        last: The separator before the last of several choices.
    """
    if isinstance(parameter, ChoiceParam):
        *first, end = (f"{choice:g}" for choice in parameter.choices)
        return f"{', '.join(first)}{last} {end}" if first else end
    return f"{parameter.low:g} to {parameter.high:g}"
