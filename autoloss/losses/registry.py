"""All losses: every module of `autoloss.losses.bases` is read, so a new loss is one new file."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from autoloss.errors import InputError, closest
from autoloss.losses import bases
from autoloss.losses.loss import Loss
from autoloss.task import TaskKind


@functools.cache
def discover() -> Mapping[str, Loss]:
    """Return all losses by name, cross-entropy first, the others in the order of their names."""
    found: dict[str, Loss] = {}
    for module_info in pkgutil.iter_modules(bases.__path__):
        module = importlib.import_module(f"{bases.__name__}.{module_info.name}")
        for value in vars(module).values():
            if isinstance(value, Loss) and value.function.__module__ == module.__name__:
                if value.name in found:
                    raise TypeError(f"a loss must be declared once, but got {value.name} twice.")
                found[value.name] = value
    order = sorted(found, key=lambda name: (name != "cross_entropy", name))
    return MappingProxyType({name: found[name] for name in order})


def names(task: TaskKind | None = None) -> tuple[str, ...]:
    """Return the names of all losses, or of those that can train a kind of label.

    Examples:
        >>> names(task="binary")[:3]
        ('cross_entropy', 'bi_tempered', 'brier')
    """
    return tuple(name for name, loss in discover().items() if task is None or task in loss.tasks)


def get(name: str) -> Loss:
    """Return the loss of a name.

    Raises:
        InputError: If there is none; the message has the closest known name.

    Examples:
        >>> get("brier")
        <loss brier>
    """
    try:
        return discover()[name]
    except KeyError:
        raise InputError(
            f"base must be a known loss, but got base={name!r}{closest(name, names())}"
        ) from None


def is_proper_at(loss: Loss, parameters: Mapping[str, float]) -> bool:
    """Return whether ``softmax(logits)`` is the posterior at the minimum for these parameters.

    Examples:
        >>> is_proper_at(get("focal"), {"gamma": 0.0}), is_proper_at(get("focal"), {"gamma": 1.0})
        (True, False)
    """
    return loss.proper or any(
        get(special.equals).proper
        for special in loss.special
        if all(parameters[name] == value for name, value in special.at.items())
    )
