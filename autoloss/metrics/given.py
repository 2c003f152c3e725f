"""Custom metrics: functions of a program, or functions that Python files declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autoloss.core.errors import InputError
from autoloss.core.own_code import (
    Origin,
    check_unchanged,
    digest_of,
    module_of,
    named_by,
    named_in,
)
from autoloss.metrics.judged import MetricFunction
from autoloss.metrics.known import ALIASES, DECLARED
from autoloss.metrics.resolve import Metric, metric_of

OwnMetric = str | MetricFunction | Metric
"""``"FILE.py:NAME"``, a function, or a `Metric` that has one."""
Metrics = Mapping[str, OwnMetric] | Sequence[OwnMetric] | OwnMetric
"""Custom metrics, by name or under their own names."""
_FIGURES = (
    *("raw_error", "refined_log_loss", "raw_log_loss", "calibration_loss"),
    *("debiased_calibration_error", "ece", "ece_null", "smooth_ece", "temperature"),
)
"""The other figures of a trial, whose names are taken too."""


@dataclass(frozen=True)
class OwnMetrics:
    """The custom metrics of a study.

    Args:
        metrics: The metrics, in order.
        origins: The file of each, by name; None for a function that a program passes.
    """

    metrics: tuple[Metric, ...] = ()
    origins: dict[str, Origin | None] = field(default_factory=dict)

    def named(self, name: str) -> Metric | None:
        """Return the metric of a name, or None."""
        return next((one for one in self.metrics if one.name == name), None)

    def resolved(
        self, metric: str | MetricFunction | Metric | None
    ) -> str | MetricFunction | Metric | None:
        """Return a metric as `resolve_metric` takes it: one of these in place of its name."""
        if isinstance(metric, str):
            return self.named(name_of_place(metric) if is_own_place(metric) else metric) or metric
        return metric


def is_own_place(metric: object) -> bool:
    """Return whether a metric is named as ``"FILE.py:NAME"``."""
    return isinstance(metric, str) and ".py:" in metric


def name_of_place(place: str) -> str:
    """Return the name in ``"FILE.py:NAME"``."""
    return place.rpartition(":")[2]


def places_of(given: Metrics | None) -> tuple[str, ...]:
    """Return the places among given metrics."""
    return tuple(one for _, one in _several(given) if isinstance(one, str))


def take_metrics(
    given: Metrics | None, metric: str | MetricFunction | Metric | None = None
) -> OwnMetrics:
    """Return custom metrics; files are run.

    Args:
        given: The metrics.
        metric: The metric of the study, which may be one too.

    Raises:
        InputError: A file cannot be read, or a metric cannot be used; the message says why.
    """
    every = list(_several(given))
    if metric is not None and (is_own_place(metric) or not isinstance(metric, str)):
        every.append(("", metric))
    found: dict[str, Metric] = {}
    origins: dict[str, Origin | None] = {}
    for name, one in every:
        own, origin = _opened(name, one)
        if own is None:
            continue
        if one is not metric:
            _check_name(own.name)
        if own.name in found and found[own.name] != own:
            raise InputError(f"A metric must have a unique name, but got {own.name} twice.")
        found[own.name], origins[own.name] = own, origin
    return OwnMetrics(tuple(found.values()), origins)


def recall_metrics(
    known: Mapping[str, Origin | None],
    given: Metrics | None,
    metric: str | MetricFunction | Metric | None,
    *,
    study: str,
) -> OwnMetrics:
    """Return the custom metrics that a study began with.

    Args:
        known: The file of each, as `take_metrics` returned it at the start of the study.
        given: The metrics that are given for its continuation.
        metric: The metric of the study, if it is given again.
        study: The name of the study.

    Raises:
        InputError: If a metric is missing, or its file has changed.
    """
    found = take_metrics(given, metric)
    for name, origin in known.items():
        if found.named(name) is None and origin is not None and Path(origin.file).is_file():
            check_unchanged(origin.file, digest_of(origin.file), origin.sha256, study=study)
            with named_by(study):
                more = take_metrics(f"{origin.file}:{name}")
            found = OwnMetrics((*found.metrics, *more.metrics), {**found.origins, **more.origins})
        now = found.origins.get(name)
        if origin is not None and now is not None:
            check_unchanged(now.file, now.sha256, origin.sha256, study=study)
        if found.named(name) is None:
            where = "no file has it" if origin is None else f"{origin.file} does not exist"
            raise InputError(
                f"metric must be given to continue, because {study} began with the function "
                f"{name!r} and {where}: give it by metric= or metrics=."
            )
    kept = {name: found.origins.get(name) or origin for name, origin in known.items()}
    return OwnMetrics(tuple(one for one in found.metrics if one.name in known), kept)


def _several(given: Metrics | None) -> Iterator[tuple[str, OwnMetric]]:
    """Yield given metrics with the names that they are given under."""
    if given is None:
        return
    if isinstance(given, Mapping):
        yield from given.items()
    elif isinstance(given, Sequence) and not isinstance(given, str):
        yield from (("", one) for one in given)
    else:
        yield "", given


def _opened(name: str, given: OwnMetric) -> tuple[Metric | None, Origin | None]:
    """Return a metric and its file; None for a declared metric."""
    if isinstance(given, Metric):
        return (replace(given, name=name or given.name) if given.is_own else None), None
    if not isinstance(given, str):
        return metric_of(given, name=name), None
    file, _, place = given.rpartition(":")
    if not file.endswith(".py") or (name and name != place):
        rule = f"FILE.py:{name or 'NAME'}"
        raise InputError(f"A custom metric must be named as {rule}, but got {given!r}.")
    module, origin = module_of(file, argument="metric")
    found = named_in(module, place, place=Path(file).name, argument="metric")
    own = replace(found, name=place) if isinstance(found, Metric) else metric_of(found, name=place)
    return own, origin


def _check_name(name: str) -> None:
    """Refuse a name that is taken, or is not a name.

    Raises:
        InputError: It is.
    """
    if not name.isidentifier():
        raise InputError(
            "A metric must be named by letters, digits and underscores, but got"
            f" metrics={{{name!r}: ...}}."
        )
    if name in DECLARED or name in ALIASES or name in _FIGURES:
        raise InputError(
            f"A custom metric must have a new name, but got {name!r}, which is a metric already."
        )
