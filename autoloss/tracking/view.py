"""The saved view "Choose a winner" on the experiment's page of MLflow.

MLflow (since 3.15) stores a saved view as a tag of the experiment, in a form that is internal to
its page and may change. The report does not depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from autoloss.records import REFINED_LOG_LOSS, TrialRecord
from autoloss.verdict.phrases import metric_words

SINCE, TESTED = (3, 15), (3, 17)
"""The first version of MLflow with such views, and the last version that was tested."""
TAG = "mlflow.sharedViewState."
MAX_TAG = 20_000
NAME = "Choose a winner"
STUDIES = "autoloss-studies"
"""Key of the view that compares studies."""
ML_PAGE = {"workflowType": "machine_learning"}
"""Parameters of a link, without which MLflow 3 opens a page for traces of language models."""

_COMMON = ("base", "lr", "weight_decay", "dropout")
_FAMILIES = 3
_LEAST_TRIALS = 3
_CHARTED = 100
_COLUMNS, _HEIGHT = 2, 400


@dataclass(frozen=True)
class ViewContent:
    """The content of a study's view.

    Args:
        study: The study's name.
        parent: ID of the parent run, whose children are shown.
        metric: The study's metric, which sorts the runs.
        lower_is_better: Its direction.
        calibration: The metric on the other axis of the scatter plot.
        params: Parameters of all runs.
        families: Parameters of single losses by family, best family first.
        own: The custom metrics.
    """

    study: str
    parent: str
    metric: str = "error"
    lower_is_better: bool = True
    calibration: str = "debiased_calibration_error"
    params: tuple[str, ...] = _COMMON[:3]
    families: tuple[tuple[str, tuple[str, ...]], ...] = ()
    own: tuple[str, ...] = ()


def view_key(study_id: str) -> str:
    """Return the key of a study's view."""
    return f"autoloss-{study_id[:16]}"


def view_query(key: str | None) -> str:
    """Return the query of a link to the page of runs, with a view if `key` names one."""
    query = {"viewStateShareKey": key} if key else {}
    # A table compares studies; charts compare the trials of a study.
    charts = {"compareRunsMode": "CHART"} if key and key != STUDIES else {}
    return "?" + urlencode({**query, **charts, **ML_PAGE})


def params_of(trials: Iterable[TrialRecord], metric: str, *, lower: bool) -> dict[str, Any]:
    """Return `params` and `families` of a `ViewContent`.

    A chart of parallel coordinates omits runs without one of its parameters. The parameters of
    single losses therefore have their own charts, for the families with the best trials.
    """
    whole = [trial for trial in trials if trial.metrics]
    keys = [{**trial.loss, **trial.nuisance}.keys() for trial in whole]
    common = tuple(
        key
        for key in _COMMON
        # An axis with one value is useless.
        if len({{**trial.loss, **trial.nuisance}.get(key) for trial in whole}) > 1
        and all(key in one for one in keys)
    )
    sign = 1.0 if lower else -1.0
    whole.sort(key=lambda trial: sign * trial.metrics.get(metric, sign * float("inf")))
    families: dict[str, tuple[str, ...]] = {}
    for trial in whole:
        prefix = f"{trial.family}."
        own = [one for one in whole if one.family == trial.family]
        shared = set(own[0].loss).intersection(*(one.loss for one in own))
        names = tuple(sorted(key for key in shared if key.startswith(prefix)))
        if names and len(own) >= _LEAST_TRIALS:
            families.setdefault(trial.family, names)
    return {"params": common, "families": tuple(families.items())[:_FAMILIES]}


def view_tag(content: ViewContent, *, now_ms: int) -> str:
    """Return the view as the value of a tag of the experiment.

    Args:
        content: Content of the view.
        now_ms: The time, in milliseconds since the epoch.
    """
    sections, charts = _sections(content)
    state = page_state(
        search_filter=f"tags.`mlflow.parentRunId` = '{content.parent}'",
        order_by=f"metrics.`val/{content.metric}`",
        is_ascending=content.lower_is_better,
        columns=_columns(content),
        sections=sections,
        charts=charts,
    )
    return saved_view(f"{NAME}: {content.study}", state, now_ms=now_ms)


def saved_view(name: str, state: Mapping[str, Any], *, now_ms: int) -> str:
    """Return a saved view as the value of an experiment's tag.

    Args:
        name: Its name in the menu.
        state: The state of the page.
        now_ms: The time, in milliseconds since the epoch.
    """
    times = {"createdAt": now_ms, "updatedAt": now_ms}
    return json.dumps({"name": name, **times, "state": json.dumps(state)})


def page_state(
    *,
    search_filter: str,
    order_by: str,
    is_ascending: bool,
    columns: Sequence[str],
    widths: Mapping[str, int] | None = None,
    sections: Sequence[Mapping[str, Any]] = (),
    charts: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the state of MLflow's page of runs.

    Args:
        search_filter: Filter of the runs.
        order_by: Key of the column that sorts the runs.
        is_ascending: Whether the lowest value comes first.
        columns: Keys of the columns, in order.
        widths: Widths of columns in pixels; None for MLflow's own.
        sections: Sections of charts.
        charts: Charts of the sections.
    """
    return {
        "searchFilter": search_filter,
        "orderByKey": order_by,
        "orderByAsc": is_ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": [*columns],
        "columnOrder": [*columns],
        "columnWidths": {**(widths or {})},
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOW_ALL",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": False,
        "hideEmptyCharts": False,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {
            "xAxisKey": "step",
            "lineSmoothness": 0,
            "selectedXAxisMetricKey": "",
        },
        "compareRunSections": [*sections],
        "compareRunCharts": [*charts],
    }


def _columns(content: ViewContent) -> list[str]:
    """Return the columns of the table, first the columns to choose by."""
    metrics = dict.fromkeys((content.metric, *content.own, REFINED_LOG_LOSS, content.calibration))
    return [
        *(f"metrics.`val/{name}`" for name in metrics),
        "tags.`autoloss.pareto_rank`",
        "tags.`autoloss.loss`",
        *(f"params.`{name}`" for name in content.params if name != "base"),
    ]


def _sections(content: ViewContent) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the sections of the page, and their charts."""
    metric, calibration = f"val/{content.metric}", f"val/{content.calibration}"
    log_loss, words = "val/refined_log_loss", metric_words(content.metric)
    figures = list(dict.fromkeys((metric, log_loss)))
    planned: Mapping[str, Sequence[dict[str, Any]]] = {
        f"{words[0].upper()}{words[1:]} against calibration": (
            _scatter(metric, calibration),
            _scatter(metric, log_loss),
            *(_scatter(f"val/{name}", log_loss) for name in content.own if name != content.metric),
        ),
        "Loss and parameters": (
            _parallel(content.params, figures),
            *(_parallel((*names, "lr"), figures) for _, names in content.families),
        ),
        "Learning curves": (_line("epoch/val_error"), _line("epoch/val_refined_log_loss")),
    }
    sections, charts = [], []
    for place, (name, drawn) in enumerate(planned.items()):
        section = f"autoloss-section-{place}"
        sections.append(
            {
                "uuid": section,
                "name": name,
                "display": True,
                "isReordered": True,
                "deleted": False,
                "isGenerated": False,
                "columns": _COLUMNS,
                "cardHeight": _HEIGHT,
            }
        )
        charts += [
            {
                "uuid": f"autoloss-chart-{place}-{number}",
                "metricSectionId": section,
                "deleted": False,
                "isGenerated": False,
                "displayName": "",
                "runsCountToCompare": _CHARTED,
                **chart,
            }
            for number, chart in enumerate(drawn)
        ]
    return sections, charts


def _scatter(x: str, y: str) -> dict[str, Any]:
    axes = {"xaxis": {"key": x, "type": "METRIC"}, "yaxis": {"key": y, "type": "METRIC"}}
    return {"type": "SCATTER", **axes}


def _parallel(params: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "PARALLEL",
        "selectedParams": list(params),
        "selectedMetrics": list(metrics),
        "showAllRuns": True,
    }


def _line(metric: str) -> dict[str, Any]:
    return {
        "type": "LINE",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "lineSmoothness": 0,
        "range": {"xMin": None, "xMax": None, "yMin": None, "yMax": None},
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }
