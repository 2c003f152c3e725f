"""Templates of pages and markdown: the functions that they call, and the files beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from autoloss.report.about import (
    AGAIN,
    class_rows,
    data_pairs,
    key_figures,
    report_command,
    setting_pairs,
    study_pairs,
)
from autoloss.report.beside import cost_table, edge_texts, reference_facts, tail_facts
from autoloss.report.class_facts import (
    class_score_facts,
    cost_curve_table,
    ranking_table,
    ranking_text,
)
from autoloss.report.code_lengths import code_facts
from autoloss.report.comparison import comparison_bars, comparison_rows, metric_rows
from autoloss.report.doubts import doubts
from autoloss.report.finalists import finalist_rows, rule_rows
from autoloss.report.gains import gain_rows, gain_sentences
from autoloss.report.importance import importance_pairs, importance_text
from autoloss.report.insights import (
    SIGNAL_AT,
    confusion_facts,
    disagreement_facts,
    signal_owner,
    signal_rows,
    threshold_text,
)
from autoloss.report.labels import label_facts
from autoloss.report.ood import stranger_facts
from autoloss.report.policies import policy_note, policy_rows
from autoloss.report.power import power_text
from autoloss.report.recipe import recipes
from autoloss.report.roles import model_title, positive_quoted
from autoloss.report.rows import (
    all_metrics_title,
    resampling_text,
    rows_name,
    steps_text,
    unseen_text,
)
from autoloss.report.rule_costs import rule_cost_facts
from autoloss.report.shipped import judged_start, verdict_now
from autoloss.report.tags import tag_facts
from autoloss.report.trials import family_rows, trial_columns, trial_rows
from autoloss.report.verdict import BADGES, challenger_text, coverage_text, headline, ships_text
from autoloss.report.words import capital, family_words, metric_in_sentence, share_text

# A template reads the summary itself. These functions compute the rest from it.
COMPUTED = (
    all_metrics_title,
    challenger_text,
    class_rows,
    class_score_facts,
    code_facts,
    comparison_bars,
    comparison_rows,
    confusion_facts,
    cost_curve_table,
    cost_table,
    coverage_text,
    data_pairs,
    disagreement_facts,
    doubts,
    edge_texts,
    family_rows,
    finalist_rows,
    gain_rows,
    gain_sentences,
    headline,
    importance_pairs,
    importance_text,
    judged_start,
    key_figures,
    label_facts,
    metric_in_sentence,
    metric_rows,
    policy_note,
    policy_rows,
    positive_quoted,
    power_text,
    ranking_table,
    ranking_text,
    recipes,
    reference_facts,
    report_command,
    resampling_text,
    rows_name,
    rule_cost_facts,
    rule_rows,
    setting_pairs,
    ships_text,
    signal_owner,
    signal_rows,
    steps_text,
    stranger_facts,
    study_pairs,
    tag_facts,
    tail_facts,
    threshold_text,
    trial_columns,
    trial_rows,
    unseen_text,
    verdict_now,
)


def make_template(
    name: str, *, finalize: Callable[[Any], Any] | None = None, **filters: Callable[..., Any]
) -> Template:
    """Return a template, which can call the functions of a summary by their names.

    Args:
        name: Its file. Whatever a ``.html.j2`` prints is escaped.
        finalize: Function that is applied to every printed value.
        filters: Further filters.
    """
    environment = Environment(
        loader=PackageLoader("autoloss.report"),
        autoescape=name.endswith(".html.j2"),
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {one.__name__: one for one in COMPUTED}
    environment.globals |= {"AGAIN": AGAIN, "BADGES": BADGES, "SIGNAL_AT": SIGNAL_AT}
    environment.filters |= {
        "capital": capital,
        "family_words": family_words,
        "model_title": model_title,
        "share": share_text,
        **filters,
    }
    return environment.get_template(name)


@cache
def page_file(name: str) -> str:
    """Return a file beside the templates."""
    folder = resources.files("autoloss.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")
