"""The full description of an entry, as pairs of title and text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from autoloss.cli.catalogue import tables
from autoloss.cli.catalogue.docstrings import plain
from autoloss.cli.catalogue.drawing import PROBS, show_signal
from autoloss.cli.catalogue.entries import Entry
from autoloss.cli.catalogue.signal import LogitSignal, signals
from autoloss.cli.catalogue.words import (
    COMPONENT_READOUTS,
    FAMILIES,
    HEADS,
    NEEDS,
    READOUTS,
    TASKS,
    allowed_text,
    range_text,
)
from autoloss.cli.tables import show_pairs
from autoloss.cli.terminal import spelt
from autoloss.losses import ChoiceParam, Loss, get
from autoloss.losses.components import MIXTURES
from autoloss.losses.samples import sizes_for
from autoloss.report.words import listed

_KEYWORDS = {"class_weights": "class_weights", "similarity": "class_similarity"}


def show(console: Console, entry: Entry) -> None:
    """Print an entry in full, and the signal of a loss."""
    pairs = [(title, spelt(plain(text), console.encoding)) for title, text in lines(entry)]
    show_pairs(console, pairs)
    if entry.kind == "loss":
        console.print()
        show_signal(console, get(entry.name))


def document(entry: Entry) -> dict[str, Any]:
    """Return an entry and the signal of a loss as JSON values."""
    found = tables.document(entry)
    if entry.kind == "loss":
        found["signal"] = [
            {
                "n_classes": one.n_classes,
                "label": one.label,
                "p": list(PROBS),
                "phi": one.values(PROBS),
            }
            for one in signals(get(entry.name))
        ]
    return found


def lines(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield an entry as pairs of title and text."""
    yield entry.kind.capitalize(), entry.name
    yield "", entry.summary
    for alias, meaning in entry.aliases.items():
        yield "Other name", f"{alias} ({meaning})" if meaning else alias
    if entry.family:
        yield "Family", f"{entry.family}: {FAMILIES[entry.family]}"
    if entry.use:
        yield "When", entry.use
    if entry.formula:
        yield "Formula", entry.formula
    for name, parameter in entry.parameters.items():
        allowed = allowed_text(parameter)
        ranges = range_text(parameter) + (f"; allowed {allowed}" if allowed else "")
        yield name, f"{ranges}. {entry.meanings[name]}".strip()
    yield "Read-out", readout_text(entry)
    for number, one in enumerate(entry.equals):
        yield "" if number else "Equals", one
    if entry.same_as:
        yield "Same as", f"{entry.same_as} up to a factor, which is searched in its place"
    yield "Labels", listed([TASKS[task] for task in entry.tasks])
    yield "Needs", needs_text(entry)
    if entry.remarks:
        yield "Remarks", entry.remarks
    yield "Source", entry.source
    for number, line in enumerate(in_space(entry)):
        yield "" if number else "In a space", line
    yield "In Python", in_python(entry)


def readout_text(entry: Entry) -> str:
    """Describe the read-out, with an example if it is not the softmax."""
    if entry.kind != "loss":
        return f"{entry.readout}: {COMPONENT_READOUTS[entry.readout]}"
    text = f"{entry.readout}: {READOUTS[entry.readout]}"
    if entry.readout in ("link", "slopes") and (found := _means(get(entry.name))):
        return f"{text}; {found}"
    return text


def needs_text(entry: Entry) -> str:
    """Describe the inputs that a loss or component needs."""
    head = [HEADS[entry.head]] if entry.head in HEADS else []
    needs = [*head, *(NEEDS[need] for need in entry.needs)]
    return "; ".join(needs) or "nothing but logits and labels"


def in_space(entry: Entry) -> list[str]:
    """Return lines of a space file that name it, with its first parameter if it has any."""
    first = "cross_entropy" if entry.kind == "loss" else "none"
    key = {"loss": "bases", "penalty": "penalties"}.get(entry.kind, f"{entry.kind}s")
    names = ", ".join(f'"{name}"' for name in dict.fromkeys((first, entry.name)))
    found = [f"{key} = [{names}]"]
    for name, parameter in list(entry.parameters.items())[:1]:
        if isinstance(parameter, ChoiceParam):
            value = f"{{ choices = {list(parameter.choices)} }}"
        else:
            value = f"{{ low = {parameter.low}, high = {parameter.high} }}"
        found.append(f"{entry.name}.{name} = {value}  # or a number")
    return found


def in_python(entry: Entry) -> str:
    """Return the Python code that makes a module of it."""
    settings = ", ".join(
        f'"{entry.name}.{name}": {parameter.default!r}'
        for name, parameter in entry.parameters.items()
    )
    base = entry.name if entry.kind == "loss" else "cross_entropy"
    part = "" if entry.kind == "loss" else f'{entry.kind}="{entry.name}"'
    values = f"{{{settings}}}" if settings else ""
    arguments = ", ".join(filter(None, [f'"{base}"', values, part]))
    counts = ["class_counts"] if {"class_counts", *MIXTURES} & set(entry.needs) else []
    words = [f"{_KEYWORDS[need]}={need}" for need in entry.needs if need in _KEYWORDS]
    words += [] if "multiclass" in entry.tasks else [f'task="{entry.tasks[-1]}"']
    return f"autoloss.LossSpec({arguments}).module({', '.join([*counts, *words])})"


def _means(loss: Loss) -> str:
    """Describe the probability that a softmax of 0.90 means; empty if there is none."""
    setting = {name: one.default for name, one in loss.parameters.items()}

    def means(n_classes: int, label: int) -> str:
        value = LogitSignal(loss, setting, n_classes, label, "").posterior(0.9)
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
