"""Another winner from the command line: ordered by an option or in the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from autoloss.cli.console import messages
from autoloss.cli.guard import note
from autoloss.cli.progress import watched
from autoloss.cli.running import results_only
from autoloss.core.errors import InputError
from autoloss.records import Summary


@dataclass(frozen=True)
class Order:
    """What belongs to the shipping of a trial.

    Args:
        because: Why it ships.
        register: Name in the model registry.
        tracking_uri: MLflow's tracking URI.
    """

    because: str | None = None
    register: str | None = None
    tracking_uri: str | None = None


def check_order(order: Order, *, dry_run: bool, from_dashboard: bool) -> None:
    """Check that nothing is asked for that only a shipping does, where none is wanted.

    Args:
        order: The order.
        dry_run: Whether the trial is only shown.
        from_dashboard: Whether MLflow names the trial, so that its place matters.

    Raises:
        InputError: If something is.
    """
    for field in fields(order):
        is_used = not dry_run or (from_dashboard and field.name == "tracking_uri")
        if getattr(order, field.name) is not None and not is_used:
            option = "--" + field.name.replace("_", "-")
            raise InputError(
                f"{option} must stand without --dry-run, but got both: nothing ships then."
            )


def wished(folder: Path, order: Order, *, by: str | None, trial: int | None) -> tuple[int, Order]:
    """Return the trial that somebody chose in the dashboard, and the order with the reason.

    Args:
        folder: The study's folder.
        order: The order.
        by: The rule that was given too, which must not be.
        trial: The trial that was given too, likewise.

    Raises:
        InputError: If the trial is named twice, or not exactly one run has the tag.
    """
    from autoloss.tracking import read_wish

    if by is not None or trial is not None:
        raise InputError(
            "--from-dashboard must stand without --by and --trial, because the dashboard names "
            f"the trial, but got {'--by' if by is not None else '--trial'}."
        )
    wish = read_wish(folder, uri=order.tracking_uri)
    return wish.number, replace(order, because=order.because or wish.reason)


def ship_trial(
    folder: Path,
    summary: Summary,
    rule: str | int,
    order: Order,
    *,
    losses: Sequence[Path],
    model: str | None = None,
    as_json: bool,
) -> Summary:
    """Let a trial ship, say so, and return the study as it is then.

    Args:
        folder: The study's folder.
        summary: The study.
        rule: The rule or the number that names the trial.
        order: What belongs to it.
        losses: Files that declare losses of one's own.
        model: A network of one's own, as FILE.py:NAME.
        as_json: Whether standard output is one JSON document.
    """
    from autoloss import api

    with results_only(as_json), watched(messages()) as progress:
        shipped = api.ship(
            folder,
            rule,
            reason=order.because or "",
            register=order.register,
            losses=losses or None,
            model=model,
            tracking_uri=order.tracking_uri,
            out=folder.parent,
            progress=progress,
        ).summary
    _tell(summary, shipped, order)
    return shipped


def _tell(before: Summary, after: Summary, order: Order) -> None:
    """Say what ships now, or that it did already."""
    new, old = after.trial(after.recommended), before.trial(before.recommended)
    if new.number != old.number:
        note(
            f"trial {new.number} ({new.label}) ships now, in place of trial {old.number} "
            f"({old.label})."
        )
        return
    unused = "; the reason is not recorded" if order.because else ""
    named = f"; it is registered as {order.register}" if order.register else ""
    note(f"trial {new.number} ({new.label}) ships already, nothing changed{named}{unused}.")
