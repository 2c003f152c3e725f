"""A loss as text to paste: TOML for a search space, Python for a training loop."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass
from typing import Any

from autoloss.core.toml import toml_text
from autoloss.records import Summary, TrialRecord
from autoloss.report.roles import SHIPS, find_trial, recommended_role
from autoloss.report.words import setting_text


@dataclass(frozen=True)
class Recipe:
    """A loss as text to copy.

    Args:
        title: Its role and its trial.
        label: Its short name.
        toml: The loss as TOML.
        python: The loss as Python code.
        settings: Name and value of each training setting.
        command: The command that writes it as Python without this package.
    """

    title: str
    label: str
    toml: str
    python: str
    settings: tuple[tuple[str, str], ...]
    command: str


def recipes(summary: Summary) -> tuple[Recipe, ...]:
    """Return the loss that the verdict recommends, and the challenger's loss if it differs."""
    ships = recommended_role(summary) == SHIPS
    first = "The shipped loss" if ships else "The recommended loss"
    shown = {first: summary.recommended, "The challenger": summary.verdict.challenger}
    found: dict[int, Recipe] = {}
    for title, number in shown.items():
        trial = find_trial(summary, number)
        if trial is not None and number not in found:
            found[number] = _recipe(summary, title, trial)
    return tuple(found.values())


def loss_toml(trial: TrialRecord) -> str:
    """Return the trial's loss as TOML with the same dotted keys as everywhere else."""
    return toml_text(trial.loss)


def loss_python(
    trial: TrialRecord, class_counts: tuple[int, ...] = (), *, task: str = "multiclass"
) -> str:
    """Return Python code that makes the trial's loss an ``nn.Module``.

    Args:
        trial: The trial.
        class_counts: Rows of each class, written out where the loss has a prior.
        task: The kind of label.
    """
    lines = [
        f"        {_python_value(key)}: {_python_value(value)},\n"
        for key, value in trial.loss.items()
    ]
    needs_counts = trial.loss.get("prior", "none") != "none"
    is_several = task == "multilabel"
    counts = "counts" if is_several else str(list(class_counts))
    arguments = [f"class_counts={counts}"] if needs_counts else []
    arguments += [f'task="{task}"'] if is_several or task == "sequence" else []
    note = "Put the counts of your training rows here"
    note += ", a row (without, with) for each label." if is_several else "."
    return (
        "import autoloss\n\n"
        + "spec = autoloss.LossSpec.from_dict(\n    {\n"
        + "".join(lines)
        + "    }\n)\n"
        + (f"# {note}\n" if needs_counts else "")
        + f"loss = spec.module({', '.join(arguments)})\n"
        + "value = loss(logits, targets)\n"
    )


def _recipe(summary: Summary, title: str, trial: TrialRecord) -> Recipe:
    """Return a trial's loss as text to copy."""
    return Recipe(
        title=f"{title}: trial {trial.number}",
        label=trial.label,
        toml=loss_toml(trial),
        python=loss_python(trial, summary.data.class_counts, task=summary.data.task),
        settings=tuple((key, setting_text(value)) for key, value in trial.nuisance.items()),
        command=f"autoloss select {shlex.quote(summary.name)} --trial {trial.number} "
        "--dry-run --source loss.py",
    )


def _python_value(value: Any) -> str:
    """Return a Python literal, strings in double quotes."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
