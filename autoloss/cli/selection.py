"""A trial that a rule names: what it is, how it did, and its loss as code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.text import Text

from autoloss.cli.loudness import is_quiet
from autoloss.cli.screen import command_line
from autoloss.cli.tables import show_pairs, show_places, show_table
from autoloss.core.errors import InputError
from autoloss.records import REFINED_LOG_LOSS, Summary, TrialRecord
from autoloss.report.document import SCHEMA_VERSION, finite
from autoloss.report.recipe import loss_toml
from autoloss.report.words import metric_words, value_text
from autoloss.verdict.rules import RULES, rule_sentence, select_trial

_NOTE = "On the validation rows, which take part in the choice: expect a little worse elsewhere."


def rule_of(by: str | None, trial: int | None) -> str | int:
    """Return the rule or the number that the options give.

    Raises:
        InputError: If they give none or both.
    """
    if (by is None) == (trial is None):
        given = "neither" if by is None else "both"
        raise InputError(
            "autoloss select must have one of --by RULE, --trial N and --from-dashboard, but got "
            f"{given}; the rules are {', '.join(RULES)}, and the study's metric."
        )
    return cast("str | int", by if trial is None else trial)


def show(
    console: Console,
    before: Summary,
    summary: Summary,
    by: str | int,
    *,
    next_commands: Sequence[tuple[str, Sequence[str]]],
) -> None:
    """Print the rule, the trial, its figures and settings, and what can be done next.

    Args:
        console: Where to.
        before: The study before the trial shipped; the same where it is only shown.
        summary: The study.
        by: The rule.
        next_commands: Names and words of commands that may follow.
    """
    trial = select_trial(summary, by)
    if is_quiet():
        console.print(Text(f"trial {trial.number}: {trial.label}"), soft_wrap=True)
        return
    show_pairs(console, list(_pairs(summary, trial, by)))
    console.print()
    has_shipped = summary.recommended != before.recommended
    _show_figures(console, before, trial, other="Shipped before" if has_shipped else "What ships")
    console.print(Text(_NOTE))
    console.print()
    console.print(Text(settings_toml(trial)), soft_wrap=True)
    show_places(console, [(name, command_line(words)) for name, words in next_commands])


def commands_after(
    study: str, number: int, *, out: Sequence[str], dry_run: bool, has_code: bool
) -> list[tuple[str, list[str]]]:
    """Return the commands that may follow a trial that was named.

    Args:
        study: The study, as it was given.
        number: The trial.
        out: The option that names the folder of the studies; empty for the usual one.
        dry_run: Whether it was only shown.
        has_code: Whether its code was written.
    """
    start = ["autoloss", "select", study, "--trial", str(number)]
    found = [("To ship it", [*start, *out])] if dry_run else []
    if not has_code:
        found.append(("As code", [*start, "--dry-run", "--source", "loss.py", *out]))
    return found


def document(summary: Summary, by: str | int, *, source: Path | None) -> str:
    """Return the same as one JSON document; what is not a number is ``null``."""
    trial = select_trial(summary, by)
    content: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "study": summary.name,
        "rule": by,
        "sentence": rule_sentence(summary, by),
        "label": trial.label,
        "is_recommended": trial.number == summary.recommended,
        "trial": asdict(trial),
        "toml": settings_toml(trial),
        "source": None if source is None else str(source),
    }
    return json.dumps(finite(content), indent=1, ensure_ascii=False, allow_nan=False)


def settings_toml(trial: TrialRecord) -> str:
    """Return the loss and the settings beside it as TOML, with the dotted keys of a space."""
    return loss_toml(replace(trial, loss={**trial.loss, **trial.nuisance}))


def write_source(code: str, file: Path) -> None:
    """Write the code of a loss.

    Raises:
        InputError: If the file cannot be written.
    """
    try:
        file.write_text(code, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            f"FILE must be writable, but got FILE={str(file)!r}: {error.strerror or error}."
        ) from error


def source_of(folder: Path, summary: Summary, number: int, *, losses: Sequence[Path]) -> str:
    """Return the code of a trial's loss with what was tuned and its read-out.

    Args:
        folder: The study's folder; the model there has the read-out of what ships.
        summary: The study.
        number: The trial's number.
        losses: Files that declare losses of one's own, where the study's are elsewhere now.

    Raises:
        InputError: If the loss is not known, or is made of more than torch.
    """
    from autoloss.core.task import TaskKind
    from autoloss.inference.loading import read_model
    from autoloss.losses.own import recall, take_in
    from autoloss.search.config import CONFIG, StudyConfig
    from autoloss.search.result import SearchResult

    take_in(tuple(losses))
    if (folder / CONFIG).is_file():
        recall(StudyConfig.read(folder).losses, given=tuple(losses), study=summary.name)
    ships = number == summary.recommended and (folder / "model").is_dir()
    result = SearchResult(summary, model=read_model(folder, predicts=False) if ships else None)
    return result.select(by=number).source(task=cast(TaskKind, summary.data.task))


def _pairs(summary: Summary, trial: TrialRecord, by: str | int) -> Iterator[tuple[str, str]]:
    ships = " (ships)" if trial.number == summary.recommended else ""
    yield "Rule", rule_sentence(summary, by)
    yield "Trial", f"{trial.number}{ships}"
    yield "Loss", trial.label


def _show_figures(console: Console, summary: Summary, trial: TrialRecord, *, other: str) -> None:
    """Print the trial's metrics, beside those of what ships where that is another."""
    shown = [trial]
    if trial.number != summary.recommended:
        shown.append(summary.trial(summary.recommended))
    names = dict.fromkeys([summary.metric, REFINED_LOG_LOSS, *trial.metrics])
    rows = [
        (
            metric_words(name, lower_is_better=summary.lower_is_better).title,
            *(value_text(name, one.metrics.get(name)) for one in shown),
        )
        for name in names
        if name in trial.metrics
    ]
    show_table(console, ("", *("This trial", other)[: len(shown)]), rows)
