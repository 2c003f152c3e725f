"""The note on the parent run's page, in Markdown: the request, then the verdict."""

from __future__ import annotations

from collections.abc import Mapping

from autoloss.records import REFINED_LOG_LOSS, Comparison, Summary
from autoloss.report.doubts import correction_text
from autoloss.report.policies import blend_text, policy_rows
from autoloss.report.shipped import verdict_now
from autoloss.tracking.content import ranked_front

_TITLES = {
    "better": "Better than tuned cross-entropy",
    "no_evidence": "No evidence that it beats tuned cross-entropy",
    "worse": "Worse than tuned cross-entropy",
    "undecided": "Undecided: the models did not learn enough to be compared",
}
_MOST_ROWS = 10


def opening_note(study_name: str, description: Mapping[str, str]) -> str:
    """Return the note of a running study."""
    rows = [f"| {_cell(key)} | {_cell(value)} |" for key, value in description.items()]
    return "\n".join([f"### {study_name}: searching", "", "| | |", "|---|---|", *rows])


def verdict_note(summary: Summary, *, links: str = "") -> str:
    """Return the note of a finished study: verdict, figures, winner and front.

    Args:
        summary: The study.
        links: Links to other pages, in Markdown.
    """
    verdict = summary.verdict
    shipped, correction = summary.trial(summary.recommended), correction_text(summary)
    alone = f"#{shipped.number:03d} `{shipped.label}` with read-out {shipped.readout}"
    lines = [
        f"### {_TITLES[verdict.decision]}",
        "",
        verdict_now(summary),
        "",
        *([links, ""] if links else []),
        blend_text(summary) or f"**Shipped model:** {alone}.",
        "",
        *_choice_lines(summary),
        *_comparison_table(verdict.comparisons, f"{verdict.n_test} {_rows(summary)}"),
        "",
        *([correction, ""] if correction else []),
        *_policy_table(summary),
        "The front, on the validation rows:",
        "",
        *_front_table(summary),
        "",
        f"Selection rule: {summary.rule}",
    ]
    if summary.command:
        lines += ["", "Command:", "", f"    {summary.command}"]
    return "\n".join(lines)


def _choice_lines(summary: Summary) -> list[str]:
    """Return the users' choices of another winner, the latest first."""
    lines = []
    for choice in reversed(summary.choices):
        chosen, before = summary.trial(choice.number), summary.trial(choice.before)
        lines += [
            f"Chosen on {choice.created[:10]} by {_cell(choice.by)}: #{chosen.number:03d} "
            f"`{chosen.label}` in place of #{before.number:03d} `{before.label}`, because: "
            f"{_cell(choice.reason)}",
            "",
        ]
    return lines


def _rows(summary: Summary) -> str:
    judge = "locked" if summary.resampling is None else summary.resampling.verdict
    names = {"nested": "rows, nested cross-validation", "out_of_fold": "held-out rows"}
    return names.get(judge, "test rows")


def _comparison_table(comparisons: tuple[Comparison, ...], rows: str) -> list[str]:
    """Return the table of challenger and tuned cross-entropy on the rows of the verdict."""
    head = f"| {rows} | tuned cross-entropy | challenger | difference | 95% interval |"
    return [head, "|---|---|---|---|---|"] + [
        f"| {_cell(c.metric)} | {c.baseline:.4f} | {c.challenger:.4f} | {c.difference:+.4f} "
        f"| {c.low:+.4f} to {c.high:+.4f} |"
        for c in comparisons
    ]


def _policy_table(summary: Summary) -> list[str]:
    """Return the table of the models that could ship."""
    if not summary.policies:
        return []
    head = f"| shipping policy | {_cell(summary.metric)} | log loss | change | 95% interval |"
    rows = [
        f"| {row.policy}{' (ships)' if row.ships else ''} | {row.metric} | {row.log_loss} "
        f"| {row.change} | {row.interval} |"
        for row in policy_rows(summary)
    ]
    return [head, "|---|---|---|---|---|", *rows, ""]


def _front_table(summary: Summary) -> list[str]:
    """Return the table of the front's best trials on the validation rows."""
    metric = summary.metric
    rows = [
        f"| trial | {_cell(metric)} | log loss after calibration |",
        "|---|---|---|",
    ]
    for number in ranked_front(summary)[:_MOST_ROWS]:
        trial = summary.trial(number)
        figures = [trial.metrics.get(name, float("nan")) for name in (metric, REFINED_LOG_LOSS)]
        rows.append(
            f"| #{number:03d} `{_cell(trial.label)}` | {figures[0]:.4f} | {figures[1]:.4f} |"
        )
    return rows


def _cell(text: str) -> str:
    """Return text that fits into one cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
