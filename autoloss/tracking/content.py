"""What a run shows, as plain values within MLflow's limits; no mlflow here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from autoloss.records import TrialRecord
from autoloss.tracking.colours import family_colour

MAX_KEY = 250
MAX_PARAM = 6000
MAX_TAG = 8000
MAX_CURVE = 20

_STATUS = {
    "complete": "FINISHED",
    "stopped": "KILLED",
    "pruned": "KILLED",
    "diverged": "FAILED",
    "failed": "FAILED",
}
_FORBIDDEN = re.compile(r"[^\w\-. :/]")


@dataclass(frozen=True)
class Point:
    """One value of a metric: its time in milliseconds since the epoch, and its step."""

    key: str
    value: float
    timestamp: int
    step: int = 0


@dataclass(frozen=True)
class RunContent:
    """A run from its start to its end; times in milliseconds since the epoch."""

    name: str
    status: str
    started: int
    ended: int
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: tuple[Point, ...]


def trial_content(record: TrialRecord, *, parent: str) -> RunContent:
    """Return what the run of a trial shows below the run `parent`.

    The same record gives the same content, times included: written twice, it is stored once.
    """
    started, ended = to_ms(record.started), to_ms(max(record.started, record.ended))
    return RunContent(
        name=run_name(record),
        status=_STATUS[record.state],
        started=started,
        ended=ended,
        tags=clipped_tags(
            {
                "mlflow.parentRunId": parent,
                "autoloss.role": "trial",
                "autoloss.trial": trial_tag(record.number),
                "autoloss.family": record.family,
                "autoloss.loss": record.label,
                "autoloss.state": record.state,
                "autoloss.origin": record.origin,
                "autoloss.readout": record.readout,
                "mlflow.runColor": family_colour(record.family),
            }
        ),
        params=clipped_params({**record.loss, **record.nuisance}),
        points=(
            *points("val", record.metrics, ended),
            *points("cost", {"seconds": record.seconds}, ended),
            *_curve_points(record, started, ended),
        ),
    )


def run_name(record: TrialRecord) -> str:
    """Return the name of a trial's run."""
    return clip(f"#{record.number:03d} {record.label}", MAX_KEY)


def trial_tag(number: int) -> str:
    """Return a trial's number as a tag; tags sort as text, so it is padded with zeros."""
    return f"{number:05d}"


def to_ms(seconds: float) -> int:
    """Return seconds since the epoch as whole milliseconds, not negative."""
    return max(0, round(1000 * seconds))


def clip(text: str, limit: int) -> str:
    """Return the text, cut to `limit` characters with an ellipsis at the end.

    Examples:
        >>> clip("refined log loss", 10)
        'refined l…'
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clipped_params(values: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as text under keys that MLflow accepts; floats to six digits."""
    shown = {key: f"{v:.6g}" if isinstance(v, float) else str(v) for key, v in values.items()}
    return {_key(key): clip(value, MAX_PARAM) for key, value in shown.items()}


def clipped_tags(values: Mapping[str, str]) -> dict[str, str]:
    """Return tags under keys that MLflow accepts."""
    return {_key(key): clip(value, MAX_TAG) for key, value in values.items()}


def points(section: str, metrics: Mapping[str, float], timestamp: int) -> tuple[Point, ...]:
    """Return metrics named ``section/name``; those that are not finite are left out."""
    before = f"{section}/" if section else ""
    return tuple(
        Point(_key(before + name), float(value), timestamp)
        for name, value in metrics.items()
        if math.isfinite(value)
    )


def _key(name: str) -> str:
    """Return a name without the characters that MLflow refuses, at most `MAX_KEY` long."""
    return _FORBIDDEN.sub("_", name)[:MAX_KEY]


def _curve_points(record: TrialRecord, started: int, ended: int) -> Iterable[Point]:
    """Yield the learning curve, at most `MAX_CURVE` epochs, the last one always among them."""
    n = len(record.curve)
    kept = sorted(
        {round(i * (n - 1) / max(1, min(n, MAX_CURVE) - 1)) for i in range(min(n, MAX_CURVE))}
    )
    for place in kept:
        point = record.curve[place]
        # Epochs take about equally long; their own times are not recorded.
        timestamp = started + round((ended - started) * (place + 1) / n)
        for name, value in (
            ("epoch/val_error", point.error),
            ("epoch/val_refined_log_loss", point.refined_log_loss),
        ):
            if math.isfinite(value):
                yield Point(name, float(value), timestamp, point.epoch)
