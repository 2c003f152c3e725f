"""What a report says, as plain text: the page and the markdown are two ways to set it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from autoloss.records import Reliability, Summary, TrialRecord
from autoloss.report.about import (
    ClassRow,
    Pairs,
    class_rows,
    data_pairs,
    setting_pairs,
    study_pairs,
)
from autoloss.report.bars import comparison_bars
from autoloss.report.beside import (
    CostTable,
    ReferenceFacts,
    TailFacts,
    cost_table,
    edge_texts,
    reference_facts,
    tail_facts,
)
from autoloss.report.class_facts import (
    ClassScoreFacts,
    CurveTable,
    class_score_facts,
    cost_curve_table,
    ranking_table,
    ranking_text,
)
from autoloss.report.doubts import doubts
from autoloss.report.finalists import FinalistRow, RuleRow, finalist_rows, rule_rows
from autoloss.report.gains import GainRow, gain_rows, gain_sentences
from autoloss.report.importance import importance_pairs, importance_text
from autoloss.report.insights import (
    SIGNAL_AT,
    ConfusionFacts,
    DisagreementFacts,
    SignalRow,
    confusion_facts,
    disagreement_facts,
    signal_owner,
    signal_rows,
    threshold_text,
)
from autoloss.report.power import power_text
from autoloss.report.recipe import loss_python, loss_toml
from autoloss.report.roles import find_trial, model_title, positive_quoted
from autoloss.report.rows import parts_text, resampling_text, rows_name, unseen_text
from autoloss.report.shipped import judged_start, verdict_now
from autoloss.report.trials import (
    FamilyRow,
    TrialRow,
    family_rows,
    trial_columns,
    trial_rows,
)
from autoloss.report.verdict import (
    BADGES,
    ComparisonRow,
    challenger_text,
    comparison_rows,
    coverage_text,
    headline,
    ships_text,
)
from autoloss.report.words import (
    count_text,
    duration_text,
    in_sentence,
    metric_words,
    setting_text,
    share_text,
    value_text,
)

AGAIN = """\
from pathlib import Path

from autoloss.report import summary_from_json, write_report

text = Path("summary.json").read_text(encoding="utf-8")
write_report(summary_from_json(text), ".")
"""


@dataclass(frozen=True)
class Recipe:
    """A loss to take away.

    Args:
        title: Whose loss.
        label: The loss in short.
        toml: It as TOML.
        python: It as Python code.
        settings: Name and value of what it was trained with.
        command: The command that writes it as Python without this package.
    """

    title: str
    label: str
    toml: str
    python: str
    settings: Pairs
    command: str


@dataclass(frozen=True)
class TestRow:
    """A metric on the test rows, one text for each column of `ReportFacts.test_columns`."""

    title: str
    meaning: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class ReportFacts:
    """All that a report says besides its figures.

    Args:
        headline: The verdict as a title.
        badge: The verdict in one or two words.
        text: The verdict in plain words.
        ships: What ships.
        judged: Whose figures on the verdict's rows the report has, at the start of a sentence.
        coverage: How much of the plan was trained; empty where all of it was.
        challenger: Which trial the challenger is; empty where it ships.
        rule: The selection rule.
        power: What the test part could have shown.
        resampling: How the rows were used; empty where it is not known.
        rows: What the rows of the verdict are called.
        unseen: On which rows challenger and baseline are compared.
        reference: A model of another kind, or None if there is none.
        doubts: Whether the winner is real: name and sentence.
        gains: Where the gain comes from, step by step.
        gains_text: The same in a sentence or two.
        finalists: The finalists, in the order of the selection.
        rules: What other rules would choose.
        edges: A sentence for each setting on the edge of its range.
        costs: The cost matrix, or None if there is none.
        tails: Calibration where positives are rare, or None if they are not.
        key_figures: The study in a few numbers.
        comparisons: The challenger against tuned cross-entropy.
        bar_scale: The change at both ends of the bars of `comparisons`.
        test_columns: Whose metrics on the test rows.
        test_rows: These metrics.
        columns: Titles of the number columns of the trials.
        trials: The ranked trials.
        families: The families, best first.
        metric: The metric in the place of error, as it stands in a sentence.
        recipes: The losses to take.
        classes: The classes.
        data: Facts about the data.
        settings: Settings of the study.
        reliability: Reliability diagrams, for tables.
        importance: Settings in words and their share.
        importance_text: What explains the variation among trials.
        positive: What the positive class of two is called.
        positive_reliability: Reliability diagrams of its probability, for tables.
        class_scores: Recall and precision by class, or None if they are not known.
        ranking_text: The areas under ROC and precision-recall curve; empty where there are none.
        ranking: Both curves as a table; None if there are none.
        cost_curve: The cost under other costs as a table, or None if there is none.
        confusion: What is taken for what, or None if it is not known.
        disagreements: On which rows challenger and tuned cross-entropy differ, or None if on none.
        threshold: Where decisions are moved; empty where they are not.
        signals: What the losses of the finalists tell the network.
        signal_at: The p at which `signals` has values.
        signal_owner: Whose p the histogram shows.
        again_command: The command that makes the report again.
        again_code: Python code that makes the report again, beside its ``summary.json``.
        again: Which study, when, by which version, in what time.
    """

    headline: str
    badge: str
    text: str
    ships: str
    judged: str
    coverage: str
    challenger: str
    rule: str
    power: str
    resampling: str
    rows: str
    unseen: str
    reference: ReferenceFacts | None
    doubts: Pairs
    gains: tuple[GainRow, ...]
    gains_text: str
    finalists: tuple[FinalistRow, ...]
    rules: tuple[RuleRow, ...]
    edges: tuple[str, ...]
    costs: CostTable | None
    tails: TailFacts | None
    key_figures: Pairs
    comparisons: tuple[ComparisonRow, ...]
    bar_scale: str
    test_columns: tuple[str, ...]
    test_rows: tuple[TestRow, ...]
    columns: tuple[str, ...]
    trials: tuple[TrialRow, ...]
    families: tuple[FamilyRow, ...]
    metric: str
    recipes: tuple[Recipe, ...]
    classes: tuple[ClassRow, ...]
    data: Pairs
    settings: Pairs
    reliability: tuple[Reliability, ...]
    importance: Pairs
    importance_text: str
    positive: str
    positive_reliability: tuple[Reliability, ...]
    class_scores: ClassScoreFacts | None
    ranking_text: str
    ranking: CurveTable | None
    cost_curve: CurveTable | None
    confusion: ConfusionFacts | None
    disagreements: DisagreementFacts | None
    threshold: str
    signals: tuple[SignalRow, ...]
    signal_at: tuple[str, ...]
    signal_owner: str
    again_command: str
    again_code: str
    again: Pairs


def report_facts(summary: Summary) -> ReportFacts:
    """Return all that a report of the study says."""
    return ReportFacts(
        headline=headline(summary),
        badge=BADGES[summary.verdict.decision],
        text=verdict_now(summary),
        ships=ships_text(summary),
        judged=judged_start(summary),
        coverage=coverage_text(summary),
        challenger=challenger_text(summary),
        rule=summary.rule,
        power=power_text(summary),
        resampling=resampling_text(summary),
        rows=rows_name(summary),
        unseen=unseen_text(summary),
        reference=reference_facts(summary),
        doubts=doubts(summary),
        gains=gain_rows(summary),
        gains_text=" ".join(gain_sentences(summary)),
        finalists=finalist_rows(summary),
        rules=rule_rows(summary),
        edges=edge_texts(summary),
        costs=cost_table(summary),
        tails=tail_facts(summary),
        key_figures=_key_figures(summary),
        comparisons=comparison_rows(summary),
        bar_scale=comparison_bars(summary).text,
        test_columns=tuple(map(model_title, summary.test_metrics)),
        test_rows=_test_rows(summary),
        columns=trial_columns(summary),
        trials=trial_rows(summary),
        families=family_rows(summary),
        metric=in_sentence(metric_words(summary.metric).title),
        recipes=_recipes(summary),
        classes=class_rows(summary),
        data=data_pairs(summary),
        settings=setting_pairs(summary),
        reliability=_titled(summary.reliability),
        importance=tuple((name, share_text(share)) for name, share in importance_pairs(summary)),
        importance_text=importance_text(summary),
        positive=positive_quoted(summary),
        positive_reliability=_titled(summary.positive_reliability),
        class_scores=class_score_facts(summary),
        ranking_text=ranking_text(summary),
        ranking=ranking_table(summary),
        cost_curve=cost_curve_table(summary),
        confusion=confusion_facts(summary),
        disagreements=disagreement_facts(summary),
        threshold=threshold_text(summary),
        signals=signal_rows(summary),
        signal_at=tuple(f"{prob:g}" for prob in SIGNAL_AT),
        signal_owner=signal_owner(summary),
        again_command=f"autoloss report {shlex.quote(summary.name)}",
        again_code=AGAIN,
        again=study_pairs(summary),
    )


def _titled(diagrams: tuple[Reliability, ...]) -> tuple[Reliability, ...]:
    """Return diagrams under the titles of their models."""
    return tuple(replace(one, name=model_title(one.name)) for one in diagrams)


def _key_figures(summary: Summary) -> Pairs:
    """Return the study in a few numbers."""
    data, trials = summary.data, summary.trials
    whole = sum(trial.state in ("complete", "stopped") for trial in trials)
    lost = f", {len(trials) - whole} without a result" if whole < len(trials) else ""
    families = len({trial.family for trial in trials})
    figures = [
        (
            "Trials",
            f"{len(trials)} in {count_text(families, 'family', 'families')}{lost}",
        ),
        ("Rows", parts_text(summary)),
        ("Classes", f"{len(data.classes)}"),
    ]
    if "total" in summary.seconds:
        figures.append(("Time", duration_text(summary.seconds["total"])))
    return tuple(figures)


def _test_rows(summary: Summary) -> tuple[TestRow, ...]:
    """Return the metrics on the test rows, those of the first column first."""
    names = dict.fromkeys(name for values in summary.test_metrics.values() for name in values)
    return tuple(
        TestRow(
            title=metric_words(name).title,
            meaning=metric_words(name).meaning,
            values=tuple(
                value_text(name, values.get(name)) for values in summary.test_metrics.values()
            ),
        )
        for name in names
    )


def _recipes(summary: Summary) -> tuple[Recipe, ...]:
    """Return the loss that ships, and the challenger's loss if it differs."""
    wanted = {"What ships": summary.recommended, "The challenger": summary.verdict.challenger}
    recipes: dict[int, Recipe] = {}
    for title, number in wanted.items():
        trial = find_trial(summary, number)
        if trial is not None and number not in recipes:
            recipes[number] = _recipe(summary, title, trial)
    return tuple(recipes.values())


def _recipe(summary: Summary, title: str, trial: TrialRecord) -> Recipe:
    """Return a trial's loss as text to take away."""
    return Recipe(
        title=f"{title}: trial {trial.number}",
        label=trial.label,
        toml=loss_toml(trial),
        python=loss_python(trial, summary.data.class_counts),
        settings=tuple((key, setting_text(value)) for key, value in trial.nuisance.items()),
        command=f"autoloss select {shlex.quote(summary.name)} --trial {trial.number} "
        "--dry-run --source loss.py",
    )
