"""All metrics that have a name, found in `autoloss.metrics.declared` without torch."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from autoloss.core.errors import InputError, closest
from autoloss.metrics import declared
from autoloss.metrics.declare import Declaration


def _declarations() -> Iterator[Declaration]:
    """Yield the declarations of all files, one by one or in a tuple."""
    for info in pkgutil.iter_modules(declared.__path__):
        module = importlib.import_module(f"{declared.__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, Declaration):
                yield value
            elif isinstance(value, tuple):
                yield from (one for one in value if isinstance(one, Declaration))


def _read() -> tuple[Mapping[str, Declaration], Mapping[str, str]]:
    """Return the metrics by name, the error first, and the name of the metric behind each alias.

    Raises:
        TypeError: If a name or alias stands for two metrics, or a metric names an unknown metric.
    """
    found = sorted(_declarations(), key=lambda one: (one.name != "error", one.name))
    every = [name for one in found for name in (one.name, *one.aliases)]
    for name in every:
        if every.count(name) > 1:
            raise TypeError(f"A name must stand for one metric, but got {name} twice.")
    metrics = {one.name: one for one in found}
    for one in found:
        for other in filter(None, (one.for_more_classes, one.complement_of)):
            if other not in metrics:
                raise TypeError(f"{one.name} must name a metric, but got {other!r}.")
    aliases = {alias: one.name for one in found for alias in one.aliases}
    return MappingProxyType(metrics), MappingProxyType(aliases)


DECLARED, ALIASES = _read()
"""The metrics by name; the name behind each alias, such as the names of scikit-learn's scorers."""
NAMES = tuple(DECLARED)


def canonical(name: str) -> str:
    """Return the name of the metric that has this name or alias.

    Raises:
        InputError: If there is no such metric; the message has the closest metric.

    Examples:
        >>> canonical("roc_auc"), canonical("accuracy")
        ('auroc', 'accuracy')
    """
    found = ALIASES.get(name, name)
    if found not in DECLARED:
        hint = closest(name, (*NAMES, *ALIASES))
        raise InputError(f"A metric must be known, but got metric={name!r}{hint}")
    return found


def is_balanced(name: str) -> bool:
    """Return whether decisions divide the probability of a class by its share of the rows.

    Examples:
        >>> is_balanced("balanced_accuracy"), is_balanced("error"), is_balanced("my_metric")
        (True, False, False)
    """
    return name in DECLARED and DECLARED[name].decision == "balanced_error"


def is_of_error(name: str) -> bool:
    """Return whether a metric is the error or its complement, the accuracy.

    Examples:
        >>> is_of_error("error"), is_of_error("accuracy"), is_of_error("f1")
        (True, True, False)
    """
    return name == "error" or (name in DECLARED and DECLARED[name].complement_of == "error")


def mean_of_wrong(name: str) -> str | None:
    """Return how a metric averages wrong decisions: ``"rows"``, ``"classes"`` or None.

    Examples:
        >>> mean_of_wrong("error"), mean_of_wrong("balanced_error"), mean_of_wrong("my_metric")
        ('rows', 'classes', None)
    """
    return DECLARED[name].mean_of_wrong if name in DECLARED else None
