"""A loss as text to paste: TOML for a search space, Python for a training loop."""

from __future__ import annotations

import json
import math
from typing import Any

from autoloss.records import TrialRecord


def loss_toml(trial: TrialRecord) -> str:
    """Return the trial's loss as TOML with the same dotted keys as everywhere else."""
    return "".join(f"{key} = {_toml_value(value)}\n" for key, value in trial.loss.items())


def loss_python(trial: TrialRecord, class_counts: tuple[int, ...] = ()) -> str:
    """Return Python code that makes the trial's loss an ``nn.Module``.

    Args:
        trial: The trial.
        class_counts: Rows of each class, written out where the loss has a prior.
    """
    lines = [
        f"        {_python_value(key)}: {_python_value(value)},\n"
        for key, value in trial.loss.items()
    ]
    needs_counts = trial.loss.get("prior", "none") != "none"
    counts = f"class_counts={list(class_counts)}" if needs_counts else ""
    return (
        "import autoloss\n\n"
        + "spec = autoloss.LossSpec.from_dict(\n    {\n"
        + "".join(lines)
        + "    }\n)\n"
        + ("# Put the counts of your training rows here.\n" if needs_counts else "")
        + f"loss = spec.module({counts})\n"
        + "value = loss(logits, targets)\n"
    )


def _python_value(value: Any) -> str:
    """Return a Python literal, strings in double quotes."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _toml_value(value: Any) -> str:
    """Return a TOML literal."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    # TOML's basic strings have the escapes of JSON, and want DEL escaped too.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
