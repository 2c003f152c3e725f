"""The saved view "Studies": the studies of an experiment side by side, and the way to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from autoloss.records import Comparison, Summary
from autoloss.tracking.content import Point, points
from autoloss.tracking.view import ML_PAGE, STUDIES, page_state, saved_view, view_query

NAME = "Studies"
KIND, ML_KIND = "mlflow.experimentKind", "custom_model_development"
NOTE = "mlflow.note.content"
GAIN, ERROR, LOG_LOSS = "study/gain", "study/error", "study/log_loss"
ROWS, SECONDS = "study/rows", "study/seconds"
_FILTER = "tags.`autoloss.role` = 'study'"
# Widths in pixels: a screen of 1440 has room for all but the last.
_COLUMNS = {
    "tags.`autoloss.verdict`": 120,
    f"metrics.`{GAIN}`": 95,
    "tags.`autoloss.primary`": 130,
    f"metrics.`{ERROR}`": 95,
    f"metrics.`{LOG_LOSS}`": 115,
    f"metrics.`{ROWS}`": 95,
    f"metrics.`{SECONDS}`": 115,
    "tags.`autoloss.recommended`": 240,
}


def study_points(summary: Summary, timestamp: int) -> tuple[Point, ...]:
    """Return the metrics of a study by which studies are compared.

    ``study/gain`` is how much better the challenger is than tuned cross-entropy, in the units of
    the metric that the verdict is about, on the rows of the verdict: positive is better.

    Args:
        summary: The finished study.
        timestamp: When it was decided what ships, in milliseconds since the epoch.
    """
    data, judged, measured = summary.data, _judged(summary), shipped_metrics(summary)
    values = {
        ERROR: measured.get("error", math.nan),
        LOG_LOSS: measured.get("log_loss", math.nan),
        SECONDS: summary.seconds.get("total", math.nan),
    }
    if judged is not None:
        values[GAIN] = -judged.difference if judged.lower_is_better else judged.difference
    # The table shows every digit.
    shown = {name: float(f"{value:.4g}") for name, value in values.items()}
    rows = {ROWS: float(data.n_train + data.n_valid + data.n_test)}
    # A metric cannot be taken back, and those of a former winner are not this one's.
    lost = () if measured or not summary.choices else (ERROR, LOG_LOSS)
    return (
        *points("", shown | rows, timestamp),
        *(Point(name, math.nan, timestamp) for name in lost),
    )


def shipped_metrics(summary: Summary) -> Mapping[str, float]:
    """Return the metrics of the trial that ships on the rows of the verdict, if there are any."""
    shipped, verdict = summary.recommended, summary.verdict
    names = {verdict.baseline: "cross-entropy", verdict.challenger: "challenger"}
    # A study in which cross-entropy met itself has the figures under one name.
    measured = summary.test_metrics.get(names.get(shipped, ""), {})
    if not measured and shipped == verdict.baseline:
        measured = summary.test_metrics.get("cross-entropy", {})
    return measured


def primary_metric(summary: Summary) -> str:
    """Return the metric that the verdict, and the gain, are about."""
    judged = _judged(summary)
    return judged.metric if judged else summary.verdict.primary or summary.metric


def _judged(summary: Summary) -> Comparison | None:
    """Return the comparison that the verdict is about; None if nothing was compared."""
    found = {one.metric: one for one in summary.verdict.comparisons}
    return found.get(summary.verdict.primary) or found.get(summary.metric)


def studies_tag(*, now_ms: int) -> str:
    """Return the value of the experiment's tag that holds the view.

    Args:
        now_ms: The time, in milliseconds since the epoch.
    """
    state = page_state(
        search_filter=_FILTER,
        order_by="attributes.start_time",
        is_ascending=False,
        columns=list(_COLUMNS),
        widths=_COLUMNS,
    )
    return saved_view(NAME, state, now_ms=now_ms)


def studies_page(experiment_id: str, *, has_views: bool) -> str:
    """Return the page of an experiment's studies, below the address of MLflow.

    Args:
        experiment_id: MLflow's number of the experiment.
        has_views: Whether the page has saved views; without, it is the plain list of studies.
    """
    page = f"#/experiments/{experiment_id}/runs"
    if has_views:
        return page + view_query(STUDIES)
    return f"{page}?{urlencode({'searchFilter': _FILTER, **ML_PAGE}, quote_via=quote)}"


def experiment_note(experiment_id: str, *, has_views: bool) -> str:
    """Return the description of the experiment; MLflow's own pages lead to this alone."""
    page = studies_page(experiment_id, has_views=has_views)
    return f"Studies of autoloss: [compare verdict, gain, error, log loss, rows and time]({page})"
