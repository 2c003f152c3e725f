"""The content of a run as plain values within MLflow's limits; does not import mlflow."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from autoloss.records import REFINED_LOG_LOSS, Summary, TrialRecord
from autoloss.report.shipped import is_promoted

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

# Okabe and Ito 2008, then Paul Tol's "muted", for every kind of colour vision; without black and
# yellow, which vanish on a dark and on a light page.
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#332288",
    "#882255",
    "#999933",
    "#44AA99",
    "#AA4499",
    "#117733",
)

# Each family of the catalogue has its own colour, the commonest a plain colour; custom losses
# take a colour by a hash.
_PLACES = (
    *("cross_entropy", "focal", "brier", "generalized_cross_entropy", "poly1", "power"),
    *("sm_softmax", "weston_watkins", "crammer_singer", "bi_tempered", "asymmetric", "spherical"),
    *("ldam", "dual_focal", "inverse_focal", "flsd53", "elr", "nce_rce", "mae", "entmax"),
    *("squared_hinge", "taylor_cross_entropy", "jensen_shannon", "symmetric_cross_entropy"),
    *("square", "am_softmax", "arcface", "l_softmax", "logit_norm", "squared_emd"),
)


def _shades() -> tuple[str, ...]:
    """Return the palette, then each colour darker, then each lighter."""
    shades = [*PALETTE]
    for towards in (0x00, 0xFF):
        for colour in PALETTE:
            parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
            mixed = (round(0.6 * part + 0.4 * towards) for part in parts)
            shades.append("#" + "".join(f"{part:02X}" for part in mixed))
    return tuple(shades)


COLOURS = _shades()
"""The colours of families, ``#RRGGBB``."""


@dataclass(frozen=True)
class MetricPoint:
    """A value of a metric, with its time in milliseconds since the epoch and its step."""

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
    points: tuple[MetricPoint, ...]


def trial_content(record: TrialRecord, *, parent: str) -> RunContent:
    """Return the content of a trial's run below the run `parent`.

    The same record gives the same content and times, so that MLflow stores a repeat once.
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


def stranger_figures(summary: Summary) -> dict[int, dict[str, float]]:
    """Return the OOD figures of each finalist by its number; none without OOD rows."""
    if summary.strangers is None:
        return {}
    return {one.number: one.chosen.figures for one in summary.strangers.finalists}


def stranger_points(summary: Summary, timestamp: int) -> tuple[MetricPoint, ...]:
    """Return the OOD figures of the shipped model; NaN if a person ships another."""
    if summary.strangers is None:
        return ()
    figures = summary.strangers.ships.figures
    if not is_promoted(summary):
        return points("ood", figures, timestamp)
    # MLflow deletes no metric, and the figures of the former model are not the new model's.
    return tuple(MetricPoint(f"ood/{name}", math.nan, timestamp) for name in figures)


def run_name(record: TrialRecord) -> str:
    """Return the name of a trial's run."""
    return clip(f"#{record.number:03d} {record.label}", MAX_KEY)


def trial_tag(number: int) -> str:
    """Return a trial's number as a tag, padded with zeros because tags sort as text."""
    return f"{number:05d}"


def family_colour(family: str) -> str:
    """Return the colour of a family as ``#RRGGBB``, the same in every study.

    Examples:
        >>> family_colour("cross_entropy")
        '#0072B2'
    """
    place = _PLACES.index(family) if family in _PLACES else zlib.crc32(family.encode())
    return COLOURS[place % len(COLOURS)]


def to_ms(seconds: float) -> int:
    """Return seconds since the epoch as whole milliseconds, not negative."""
    return max(0, round(1000 * seconds))


def ranked(summary: Summary) -> list[int]:
    """Return the trials with the study's metric, best first; ties by the refined log loss."""
    sign = 1.0 if summary.lower_is_better else -1.0
    places = [
        (sign * value, trial.metrics.get(REFINED_LOG_LOSS, math.inf), trial.number)
        for trial in summary.trials
        if math.isfinite(value := trial.metrics.get(summary.metric, math.nan))
    ]
    return [number for *_, number in sorted(places)]


def ranked_front(summary: Summary) -> list[int]:
    """Return the trials of the front, best metric first."""
    return [number for number in ranked(summary) if number in summary.pareto]


def clip(text: str, limit: int) -> str:
    """Return the text, cut to `limit` characters with an ellipsis at the end.

    Examples:
        >>> clip("refined log loss", 10)
        'refined l…'
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clipped_params(values: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as text under keys that MLflow accepts; floats to six digits."""
    texts = {key: f"{v:.6g}" if isinstance(v, float) else str(v) for key, v in values.items()}
    return {_key(key): clip(value, MAX_PARAM) for key, value in texts.items()}


def clipped_tags(values: Mapping[str, str]) -> dict[str, str]:
    """Return tags under keys that MLflow accepts."""
    return {_key(key): clip(value, MAX_TAG) for key, value in values.items()}


def points(section: str, metrics: Mapping[str, float], timestamp: int) -> tuple[MetricPoint, ...]:
    """Return the finite metrics, named ``section/name``."""
    prefix = f"{section}/" if section else ""
    return tuple(
        MetricPoint(_key(prefix + name), float(value), timestamp)
        for name, value in metrics.items()
        if math.isfinite(value)
    )


def _key(name: str) -> str:
    """Return a name without the characters that MLflow refuses, at most `MAX_KEY` long."""
    return _FORBIDDEN.sub("_", name)[:MAX_KEY]


def _curve_points(record: TrialRecord, started: int, ended: int) -> Iterable[MetricPoint]:
    """Yield at most `MAX_CURVE` epochs of the learning curve, always with the last epoch."""
    n = len(record.curve)
    kept = sorted(
        {round(i * (n - 1) / max(1, min(n, MAX_CURVE) - 1)) for i in range(min(n, MAX_CURVE))}
    )
    for place in kept:
        point = record.curve[place]
        # Epochs take about the same time; single times are not recorded.
        timestamp = started + round((ended - started) * (place + 1) / n)
        for name, value in (
            ("epoch/val_error", point.error),
            ("epoch/val_refined_log_loss", point.refined_log_loss),
        ):
            if math.isfinite(value):
                yield MetricPoint(name, float(value), timestamp, point.epoch)
