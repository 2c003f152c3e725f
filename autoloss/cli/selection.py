"""``autoloss select``: a trial that a rule names, its figures, its loss as code, its shipping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.text import Text

from autoloss.cli.search_progress import watched
from autoloss.cli.search_result import command_line
from autoloss.cli.search_run import results_only
from autoloss.cli.tables import show_pairs, show_places, show_table
from autoloss.cli.terminal import messages
from autoloss.cli.verbosity import is_quiet, note
from autoloss.core.errors import InputError
from autoloss.core.files import write_whole
from autoloss.records import REFINED_LOG_LOSS, Summary, TrialRecord
from autoloss.report.document import SCHEMA_VERSION, json_text
from autoloss.report.recipe import loss_toml
from autoloss.report.words import metric_words, value_text
from autoloss.verdict.rules import RULES, rule_sentence, select_trial

_NOTE = "On the validation rows, which took part in the choice: expect slightly worse on new rows."


def rule_of(by: str | None, trial: int | None) -> str | int:
    """Return the rule or the trial number that the options name.

    Raises:
        InputError: If they name neither or both.
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
    """Print the rule, the trial, its metrics and settings, and the next commands.

    Args:
        console: The console.
        before: The study before the trial shipped; the same study if the trial is only shown.
        summary: The study.
        by: The rule.
        next_commands: Titles and words of the next commands.
    """
    trial = select_trial(summary, by)
    if is_quiet():
        console.print(Text(f"trial {trial.number}: {trial.label}"), soft_wrap=True)
        return
    show_pairs(console, list(_pairs(summary, trial, by)))
    console.print()
    has_shipped = summary.recommended != before.recommended
    _show_figures(console, before, trial, other="Shipped before" if has_shipped else "Ships now")
    console.print(Text(_NOTE))
    console.print()
    console.print(Text(settings_toml(trial)), soft_wrap=True)
    show_places(console, [(name, command_line(words)) for name, words in next_commands])


def commands_after(
    study: str, number: int, *, out: Sequence[str], dry_run: bool, has_code: bool
) -> list[tuple[str, list[str]]]:
    """Return titles and words of the commands that may follow.

    Args:
        study: The study, as the user named it.
        number: The trial.
        out: The words of ``--out``; empty for the default folder.
        dry_run: Whether the trial was only shown.
        has_code: Whether its code was written.
    """
    start = ["autoloss", "select", study, "--trial", str(number)]
    found = [("To ship it", [*start, *out])] if dry_run else []
    if not has_code:
        found.append(("As code", [*start, "--dry-run", "--source", "loss.py", *out]))
    return found


def document(summary: Summary, by: str | int, *, source: Path | None) -> str:
    """Return the rule and the trial as one JSON document; NaN and infinities become ``null``."""
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
    return json_text(content)


def settings_toml(trial: TrialRecord) -> str:
    """Return loss and nuisance settings as TOML, with the dotted keys of a space."""
    return loss_toml(replace(trial, loss={**trial.loss, **trial.nuisance}))


def write_source(code: str, file: Path) -> None:
    """Write the code of a loss, whole or not at all.

    Raises:
        InputError: If the file cannot be written.
    """
    try:
        if file.exists() and not file.is_file():
            # Such as /dev/stdout, which nothing can replace.
            file.write_text(code, encoding="utf-8", newline="\n")
        else:
            write_whole(file, code)
    except OSError as error:
        raise InputError(
            f"FILE must be writable, but got FILE={str(file)!r}: {error.strerror or error}."
        ) from error


def source_of(folder: Path, summary: Summary, number: int, *, losses: Sequence[Path]) -> str:
    """Return the code of a trial's loss with its tuned settings and its read-out.

    Args:
        folder: The study's folder; its model has the read-out if the trial ships.
        summary: The study.
        number: The trial's number.
        losses: Files that declare the custom losses, if they have moved since the search.

    Raises:
        InputError: If the loss is unknown, or its code needs more than torch.
    """
    from autoloss.core.task import TaskKind
    from autoloss.inference.loading import read_model
    from autoloss.losses.own import recall, take_in
    from autoloss.search.config import StudyConfig
    from autoloss.search.naming import CONFIG
    from autoloss.search.result import SearchResult

    take_in(tuple(losses))
    if (folder / CONFIG).is_file():
        recall(StudyConfig.read(folder).losses, given=tuple(losses), study=summary.name)
    ships = number == summary.recommended and (folder / "model").is_dir()
    result = SearchResult(summary, model=read_model(folder, predicts=False) if ships else None)
    return result.select(by=number).source(task=cast(TaskKind, summary.data.task))


def _pairs(summary: Summary, trial: TrialRecord, by: str | int) -> Iterator[tuple[str, str]]:
    ships = " (ships)" if summary.shipping == (trial.number,) else ""
    yield "Rule", rule_sentence(summary, by)
    yield "Trial", f"{trial.number}{ships}"
    yield "Loss", trial.label


def _show_figures(console: Console, summary: Summary, trial: TrialRecord, *, other: str) -> None:
    """Print the trial's metrics, beside the shipped trial's if it is another."""
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


@dataclass(frozen=True)
class ShippingOptions:
    """The options that only a shipping reads.

    Args:
        because: The reason, which is recorded.
        register: Name in the model registry.
        tracking_uri: MLflow's tracking URI.
    """

    because: str | None = None
    register: str | None = None
    tracking_uri: str | None = None


def check_shipping(shipping: ShippingOptions, *, dry_run: bool, from_dashboard: bool) -> None:
    """Refuse options of a shipping beside ``--dry-run``.

    Args:
        shipping: The options.
        dry_run: Whether the trial is only shown.
        from_dashboard: Whether MLflow names the trial, so that `tracking_uri` is read anyway.

    Raises:
        InputError: If one of them is given.
    """
    for field in fields(shipping):
        is_used = not dry_run or (from_dashboard and field.name == "tracking_uri")
        if getattr(shipping, field.name) is not None and not is_used:
            option = "--" + field.name.replace("_", "-")
            raise InputError(
                f"{option} must stand without --dry-run, but got both: nothing ships then."
            )


def chosen_in_dashboard(
    folder: Path, shipping: ShippingOptions, *, by: str | None, trial: int | None
) -> tuple[int, ShippingOptions]:
    """Return the trial that is tagged in the dashboard, and the options with its reason.

    Args:
        folder: The study's folder.
        shipping: The options.
        by: The value of ``--by``, which must be None.
        trial: The value of ``--trial``, which must be None.

    Raises:
        InputError: If the trial is named twice, or not exactly one run has the tag.
    """
    from autoloss.tracking import read_chosen_trial

    if by is not None or trial is not None:
        raise InputError(
            "--from-dashboard must stand without --by and --trial, because the dashboard names "
            f"the trial, but got {'--by' if by is not None else '--trial'}."
        )
    chosen = read_chosen_trial(folder, uri=shipping.tracking_uri)
    return chosen.number, replace(shipping, because=shipping.because or chosen.reason)


def ship_trial(
    folder: Path,
    summary: Summary,
    rule: str | int,
    shipping: ShippingOptions,
    *,
    losses: Sequence[Path],
    metrics: Sequence[str] = (),
    model: str | None = None,
    as_json: bool,
) -> Summary:
    """Ship a trial, report it, and return the new state of the study.

    Args:
        folder: The study's folder.
        summary: The study.
        rule: The rule or the number that names the trial.
        shipping: The options.
        losses: Files that declare the custom losses.
        metrics: The custom metrics, as FILE.py:NAME.
        model: The custom network, as FILE.py:NAME.
        as_json: Whether standard output is one JSON document.
    """
    from autoloss import api

    with results_only(as_json), watched(messages()) as progress:
        shipped = api.ship(
            folder,
            rule,
            reason=shipping.because or "",
            register=shipping.register,
            losses=losses or None,
            metrics=metrics or None,
            model=model,
            tracking_uri=shipping.tracking_uri,
            out=folder.parent,
            progress=progress,
        ).summary
    _report_shipped(summary, shipped, shipping)
    return shipped


def _report_shipped(before: Summary, after: Summary, shipping: ShippingOptions) -> None:
    """Report the trial that ships now, or that it shipped already."""
    new, old = after.trial(after.recommended), before.trial(before.recommended)
    if new.number != old.number:
        note(
            f"trial {new.number} ({new.label}) ships now, in place of trial {old.number} "
            f"({old.label})."
        )
        return
    unused = "; the reason is not recorded" if shipping.because else ""
    named = f"; it is registered as {shipping.register}" if shipping.register else ""
    note(f"trial {new.number} ({new.label}) ships already, nothing changed{named}{unused}.")
