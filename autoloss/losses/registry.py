"""All losses by name: the losses of `autoloss.losses.bases`, and losses that a user registers."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, cast

from autoloss.core.errors import InputError, closest
from autoloss.core.task import ALL_TASKS, TaskKind
from autoloss.losses import bases
from autoloss.losses.loss import Loss

_F = TypeVar("_F", bound=Callable[..., Any])
OWN: dict[str, Loss] = {}
"""The registered losses by name; only `autoloss.losses.own` changes it."""
_CACHES: list[Callable[[], None]] = []


def cached(function: _F) -> _F:
    """Return a function whose results are cached until a loss is registered."""
    remembering = functools.cache(function)
    _CACHES.append(remembering.cache_clear)
    return cast(_F, remembering)


def forget_results() -> None:
    """Empty the caches of `cached`, because the losses have changed."""
    for clear in _CACHES:
        clear()


@functools.cache
def shipped() -> Mapping[str, Loss]:
    """Return the losses of autoloss by name: cross-entropy, then the others in alphabetical order.

    Raises:
        TypeError: If a name or an alias stands for two losses.
    """
    found: dict[str, Loss] = {}
    for module_info in pkgutil.iter_modules(bases.__path__):
        module = importlib.import_module(f"{bases.__name__}.{module_info.name}")
        for value in vars(module).values():
            if isinstance(value, Loss) and value.function.__module__ == module.__name__:
                if value.name in found:
                    raise TypeError(f"a loss must be declared once, but got {value.name} twice.")
                found[value.name] = value
    every = [name for loss in found.values() for name in (loss.name, *loss.aliases)]
    for name in every:
        if every.count(name) > 1:
            raise TypeError(f"a name must stand for one loss, but got {name} twice.")
    order = sorted(found, key=lambda name: (name != "cross_entropy", name))
    return MappingProxyType({name: found[name] for name in order})


@cached
def discover() -> Mapping[str, Loss]:
    """Return all losses by name: first the losses of autoloss, then the registered losses."""
    return MappingProxyType({**shipped(), **OWN})


def names(task: TaskKind | None = None) -> tuple[str, ...]:
    """Return the names, without aliases, of all losses or of the losses for a kind of label.

    Examples:
        >>> names(task="multilabel")[:3]
        ('cross_entropy', 'asymmetric', 'bi_tempered')

    Raises:
        InputError: If there is no such kind.
    """
    if task is not None and task not in ALL_TASKS:
        near = closest(str(task), ALL_TASKS)
        raise InputError(f"task must be a kind of label, but got task={task!r}{near}")
    return tuple(name for name, loss in discover().items() if task is None or task in loss.tasks)


def get(name: str) -> Loss:
    """Return the loss of a name or an alias.

    Raises:
        InputError: If the name is unknown; the message has the closest name.

    Examples:
        >>> get("brier"), get("cosface")
        (<loss brier>, <loss am_softmax>)
    """
    found = discover().get(name) or by_alias().get(name)
    if found is None:
        known = (*names(), *by_alias())
        raise InputError(f"base must be a known loss, but got base={name!r}{closest(name, known)}")
    return found


@cached
def by_alias() -> Mapping[str, Loss]:
    """Return the losses by their other names."""
    return MappingProxyType(
        {alias: loss for loss in discover().values() for alias in loss.aliases}
    )


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
