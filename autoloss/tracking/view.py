"""The saved view "Choose a winner": what an experiment's page of MLflow shows when it is opened.

MLflow keeps a saved view as a tag of the experiment in a form that is internal to its page (since
3.15). It is written as well as is known; the report is the surface that stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from autoloss.records import REFINED_LOG_LOSS, TrialRecord

SINCE, LOOKED_AT = (3, 15), (3, 17)
"""Versions of MLflow: the first that has such views, and the one whose pages were looked at."""
TAG = "mlflow.sharedViewState."
MAX_TAG = 20_000
NAME = "Choose a winner"
STUDIES = "autoloss-studies"
"""Key of the view that compares studies."""
ML_PAGE = {"workflowType": "machine_learning"}
"""Without it MLflow 3 opens an empty page for traces of language models."""

_COMMON = ("base", "lr", "weight_decay", "dropout")
_FAMILIES = 3
_FEWEST = 3
_CHARTED = 100
_COLUMNS, _HEIGHT = 2, 400


@dataclass(frozen=True)
class ViewContent:
    """What the view of a study shows.

    Args:
        study: The study's name.
        parent: The parent run, whose children are shown.
        metric: The study's metric, which sorts them.
        lower_is_better: Its direction.
        calibration: The metric on the other axis of the scatter.
        params: Parameters that every run has.
        families: Parameters of single losses, by family, the best family first.
    """

    study: str
    parent: str
    metric: str = "error"
    lower_is_better: bool = True
    calibration: str = "debiased_calibration_error"
    params: tuple[str, ...] = _COMMON[:3]
    families: tuple[tuple[str, tuple[str, ...]], ...] = ()


def view_key(study_id: str) -> str:
    """Return under which key the view of a study is kept."""
    return f"autoloss-{study_id[:16]}"


def view_query(key: str | None) -> str:
    """Return the end of a link that opens the page of runs, with the view where there is one."""
    query = {"viewStateShareKey": key} if key else {}
    # Studies are compared in a table, the trials of one in charts.
    charts = {"compareRunsMode": "CHART"} if key and key != STUDIES else {}
    return "?" + urlencode({**query, **charts, **ML_PAGE})


def params_of(trials: Iterable[TrialRecord], metric: str, *, lower: bool) -> dict[str, Any]:
    """Return `params` and `families` of a `ViewContent`.

    A chart of parallel coordinates leaves out runs that lack one of its parameters, so that the
    parameters of single losses have charts of their own, of the families with the best trials.
    """
    whole = [trial for trial in trials if trial.metrics]
    keys = [{**trial.loss, **trial.nuisance}.keys() for trial in whole]
    common = tuple(
        key
        for key in _COMMON
        # An axis with one value on it shows nothing.
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
        if names and len(own) >= _FEWEST:
            families.setdefault(trial.family, names)
    return {"params": common, "families": tuple(families.items())[:_FAMILIES]}


def view_tag(content: ViewContent, *, now_ms: int) -> str:
    """Return the value of the experiment's tag.

    Args:
        content: What is shown.
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
        search_filter: Which runs are shown.
        order_by: Key of the column that sorts them.
        is_ascending: Whether the lowest value comes first.
        columns: Keys of the columns, in their order.
        widths: Widths of columns in pixels; None for the usual ones.
        sections: Sections of charts.
        charts: Charts, each in one of the sections.
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
    """Return the columns of the table, the ones to choose by first."""
    metrics = dict.fromkeys((content.metric, REFINED_LOG_LOSS, content.calibration))
    return [
        *(f"metrics.`val/{name}`" for name in metrics),
        "tags.`autoloss.pareto_rank`",
        "tags.`autoloss.loss`",
        *(f"params.`{name}`" for name in content.params if name != "base"),
    ]


def _sections(content: ViewContent) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the sections of the page, and the charts in them."""
    metric, calibration = f"val/{content.metric}", f"val/{content.calibration}"
    log_loss = "val/refined_log_loss"
    figures = list(dict.fromkeys((metric, log_loss)))
    planned: Mapping[str, Sequence[dict[str, Any]]] = {
        "Error against calibration": (
            _scatter(metric, calibration),
            _scatter(metric, log_loss),
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
