"""The saved view "Studies", which compares the studies of an experiment, and links to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from autoloss.records import Comparison, Summary
from autoloss.tracking.content import MetricPoint, points
from autoloss.tracking.view import ML_PAGE, STUDIES, page_state, saved_view, view_query

NAME = "Studies"
KIND, ML_KIND = "mlflow.experimentKind", "custom_model_development"
NOTE = "mlflow.note.content"
GAIN, ERROR, LOG_LOSS = "study/gain", "study/error", "study/log_loss"
ROWS, SECONDS = "study/rows", "study/seconds"
_FILTER = "tags.`autoloss.role` = 'study'"
# Widths in pixels: all but the last column fit into 1440 pixels.
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


def study_points(summary: Summary, timestamp: int) -> tuple[MetricPoint, ...]:
    """Return the metrics that compare studies.

    ``study/gain`` is the gain of the challenger over tuned cross-entropy on the rows of the
    verdict, in the unit of the verdict's primary metric: positive is better.

    Args:
        summary: The finished study.
        timestamp: Time of the choice of the winner, in milliseconds since the epoch.
    """
    data, primary, measured = summary.data, _primary_comparison(summary), shipped_metrics(summary)
    values = {
        ERROR: measured.get("error", math.nan),
        LOG_LOSS: measured.get("log_loss", math.nan),
        SECONDS: summary.seconds.get("total", math.nan),
    }
    if primary is not None:
        values[GAIN] = -primary.difference if primary.lower_is_better else primary.difference
    # The table does not round.
    rounded = {name: float(f"{value:.4g}") for name, value in values.items()}
    rows = {ROWS: float(data.n_train + data.n_valid + data.n_test)}
    # MLflow deletes no metric, and the metrics of the former winner are not the new winner's.
    lost = () if measured or not summary.choices else (ERROR, LOG_LOSS)
    return (
        *points("", rounded | rows, timestamp),
        *(MetricPoint(name, math.nan, timestamp) for name in lost),
    )


def shipped_metrics(summary: Summary) -> Mapping[str, float]:
    """Return the winner's metrics on the rows of the verdict; empty for none."""
    shipped, verdict = summary.recommended, summary.verdict
    names = {verdict.baseline: "cross-entropy", verdict.challenger: "challenger"}
    # If cross-entropy is the challenger too, its figures stand under one name.
    measured = summary.test_metrics.get(names.get(shipped, ""), {})
    if not measured and shipped == verdict.baseline:
        measured = summary.test_metrics.get("cross-entropy", {})
    return measured


def primary_metric(summary: Summary) -> str:
    """Return the primary metric of the verdict and of the gain."""
    primary = _primary_comparison(summary)
    return primary.metric if primary else summary.verdict.primary or summary.metric


def _primary_comparison(summary: Summary) -> Comparison | None:
    """Return the comparison by the primary metric; None for none."""
    found = {one.metric: one for one in summary.verdict.comparisons}
    return found.get(summary.verdict.primary) or found.get(summary.metric)


def studies_tag(*, now_ms: int) -> str:
    """Return the view as the value of a tag of the experiment.

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
    """Return the link to an experiment's studies, relative to the address of MLflow.

    Args:
        experiment_id: ID of the experiment.
        has_views: Whether the page has saved views; otherwise a plain list of studies opens.
    """
    page = f"#/experiments/{experiment_id}/runs"
    if has_views:
        return page + view_query(STUDIES)
    return f"{page}?{urlencode({'searchFilter': _FILTER, **ML_PAGE}, quote_via=quote)}"


def experiment_note(experiment_id: str, *, has_views: bool) -> str:
    """Return the description of the experiment, with the link that MLflow's pages lack."""
    page = studies_page(experiment_id, has_views=has_views)
    return f"Studies of autoloss: [compare verdict, gain, error, log loss, rows and time]({page})"
