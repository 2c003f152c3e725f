"""The full description of a loss, prior, target or penalty, as pairs of title and text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from autoloss.cli import catalogue
from autoloss.cli.declared import Declared
from autoloss.cli.docstrings import plain
from autoloss.cli.letters import spelt
from autoloss.cli.signal import Signal, signals
from autoloss.cli.signal_view import PROBS, show_signal
from autoloss.cli.tables import show_pairs
from autoloss.cli.wording import (
    AROUND,
    FAMILIES,
    HEADS,
    NEEDS,
    READOUTS,
    TASKS,
    allowed_text,
    joined,
    range_text,
)
from autoloss.losses import ChoiceParam, Loss, get
from autoloss.losses.domain import sizes_for

_KEYWORDS = {"class_weights": "class_weights", "similarity": "class_similarity"}


def show(console: Console, declared: Declared) -> None:
    """Print a declaration in full, and the signal of a loss."""
    pairs = [(title, spelt(plain(text), console.encoding)) for title, text in lines(declared)]
    show_pairs(console, pairs)
    if declared.kind == "loss":
        console.print()
        show_signal(console, get(declared.name))


def document(declared: Declared) -> dict[str, Any]:
    """Return a declaration and its signal as JSON values."""
    found = catalogue.document(declared)
    if declared.kind == "loss":
        found["signal"] = [
            {
                "n_classes": one.n_classes,
                "label": one.label,
                "p": list(PROBS),
                "phi": one.values(PROBS),
            }
            for one in signals(get(declared.name))
        ]
    return found


def lines(declared: Declared) -> Iterator[tuple[str, str]]:
    """Yield a declaration as pairs of title and text."""
    yield declared.kind.capitalize(), declared.name
    yield "", declared.summary
    for alias, meaning in declared.aliases.items():
        yield "Other name", f"{alias} ({meaning})" if meaning else alias
    if declared.family:
        yield "Family", f"{declared.family}: {FAMILIES[declared.family]}"
    if declared.use:
        yield "When", declared.use
    if declared.formula:
        yield "Formula", declared.formula
    for name, parameter in declared.parameters.items():
        allowed = allowed_text(parameter)
        ranges = range_text(parameter) + (f"; allowed {allowed}" if allowed else "")
        yield name, f"{ranges}. {declared.meanings[name]}".strip()
    yield "Read-out", readout_text(declared)
    for number, one in enumerate(declared.equals):
        yield "" if number else "Equals", one
    if declared.same_as:
        yield "Same as", f"{declared.same_as} up to a factor, which is searched in its place"
    yield "Labels", joined(TASKS[task] for task in declared.tasks)
    yield "Needs", needs_text(declared)
    if declared.remarks:
        yield "Remarks", declared.remarks
    yield "Source", declared.source
    for number, line in enumerate(in_space(declared)):
        yield "" if number else "In a space", line
    yield "In Python", in_python(declared)


def readout_text(declared: Declared) -> str:
    """Describe how to read the posterior, with an example if it is not the softmax."""
    if declared.kind != "loss":
        return f"{declared.readout}: {AROUND[declared.readout]}"
    text = f"{declared.readout}: {READOUTS[declared.readout]}"
    if declared.readout in ("link", "slopes") and (found := _means(get(declared.name))):
        return f"{text}; {found}"
    return text


def needs_text(declared: Declared) -> str:
    """Describe the inputs that it needs."""
    head = [HEADS[declared.head]] if declared.head in HEADS else []
    needs = [*head, *(NEEDS[need] for need in declared.needs)]
    return "; ".join(needs) or "nothing but logits and labels"


def in_space(declared: Declared) -> list[str]:
    """Return the lines of a space file that name it, with one of its parameters if any."""
    first = "cross_entropy" if declared.kind == "loss" else "none"
    key = {"loss": "bases", "penalty": "penalties"}.get(declared.kind, f"{declared.kind}s")
    listed = ", ".join(f'"{name}"' for name in dict.fromkeys((first, declared.name)))
    found = [f"{key} = [{listed}]"]
    for name, parameter in list(declared.parameters.items())[:1]:
        if isinstance(parameter, ChoiceParam):
            value = f"{{ choices = {list(parameter.choices)} }}"
        else:
            value = f"{{ low = {parameter.low}, high = {parameter.high} }}"
        found.append(f"{declared.name}.{name} = {value}  # or a number")
    return found


def in_python(declared: Declared) -> str:
    """Return the Python code that makes a module of it."""
    settings = ", ".join(
        f'"{declared.name}.{name}": {parameter.default!r}'
        for name, parameter in declared.parameters.items()
    )
    base = declared.name if declared.kind == "loss" else "cross_entropy"
    around = "" if declared.kind == "loss" else f'{declared.kind}="{declared.name}"'
    values = f"{{{settings}}}" if settings else ""
    given = ", ".join(filter(None, [f'"{base}"', values, around]))
    counts = ["class_counts"] if {"class_counts", "mixup"} & set(declared.needs) else []
    words = [f"{_KEYWORDS[need]}={need}" for need in declared.needs if need in _KEYWORDS]
    words += [] if "multiclass" in declared.tasks else [f'task="{declared.tasks[-1]}"']
    return f"autoloss.LossSpec({given}).module({', '.join([*counts, *words])})"


def _means(loss: Loss) -> str:
    """Describe the meaning of a softmax of 0.90; empty if there is none."""
    setting = {name: one.default for name, one in loss.parameters.items()}

    def means(n_classes: int, label: int) -> str:
        value = Signal(loss, setting, n_classes, label, "").means(0.9)
        return "" if value != value else f"{value:.3f}"

    two, *more = sizes_for(loss, 2, 10)
    yes, no = means(two, 1), means(two, 0)
    if not yes:
        return ""
    if yes != no:
        return f"a softmax of 0.90 means {yes} for yes and {no} for no"
    ten = [means(n, n // 2) for n in more]
    if ten and ten[0] != yes:
        return f"a softmax of 0.90 means {yes} with two classes and {ten[0]} with ten"
    return f"a softmax of 0.90 means {yes}"
