"""The search as one call: where data, study, training, tracking and report are joined."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from autoloss.classifier import load
from autoloss.clock import Clock
from autoloss.conclusion import MODEL, PENDING_SECONDS, conclude, report_files
from autoloss.data import Source, StudyData, prepare
from autoloss.devices import find_device
from autoloss.errors import InputError
from autoloss.estimate import expected_seconds
from autoloss.metrics import Metric, MetricFunction, resolve_metric
from autoloss.options import SearchOptions, Track
from autoloss.progress import Progress, Silent
from autoloss.records import Plan, StudyListing
from autoloss.report import summary_from_json
from autoloss.search import (
    SearchResult,
    Study,
    detectable_difference,
    load_space,
    plan_families,
    safe_name,
)
from autoloss.search.listing import SUMMARY
from autoloss.search.listing import list_studies as list_in
from autoloss.session import SearchSession, make_job
from autoloss.task import Label
from autoloss.tracking import NullTracker, Tracker, Tracking
from autoloss.tracking.uri import resolve as resolve_uri

EXPERIMENT = "autoloss"
CLOSING_SECONDS = 5.0
"""How long an interrupted search waits for MLflow; what is missing is written at `resume`."""

__all__ = ["list_studies", "load", "plan", "resume", "search"]


def search(
    data: Source,
    target: str | None = None,
    *,
    metric: str | MetricFunction | Metric = "error",
    space: str | Path = "default",
    trials: int = 128,
    time_limit: float | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    groups: str | None = None,
    split_by: str | None = None,
    drop: Iterable[str] = (),
    positive: Label | None = None,
    seed: int = 0,
    device: str = "auto",
    name: str | None = None,
    storage: str | None = None,
    tracking_uri: str | None = None,
    track: Track = "all",
    out: str | Path = "reports",
    progress: Progress | None = None,
) -> SearchResult:
    """Search the loss that should train a classifier, and compare it with tuned cross-entropy.

    Args:
        data: A DataFrame, the path of a CSV, TSV, Parquet, Feather or ARFF file, or
            ``sklearn:NAME``.
        target: The column to predict; may be left out for ``sklearn:NAME``.
        metric: What takes the place of the error: ``"error"``, ``"balanced_error"``,
            ``"average_precision"``, ``"auroc"``, or a function of probabilities ``(N, C)`` and
            classes ``(N,)`` with an attribute ``lower_is_better``.
        space: Name of a search space, or path of a TOML file.
        trials: Candidates to train.
        time_limit: Seconds that all may take, the final trainings included; with one, a search is
            no longer a function of its seed.
        valid: Rows to validate on; by default a part of `data`.
        test: Rows to confirm on; by default a part of `data`.
        groups: Column whose values never stand in two parts.
        split_by: Column of time: train on the past, lock the latest rows.
        drop: Columns to leave out.
        positive: The positive label of two.
        seed: Seed of the split, the settings and the trainings.
        device: ``"auto"`` (the GPU where there is one), ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        name: The study's name; by default that of the data, with a number where it is taken.
        storage: URL of a database in place of the journal file in the study's folder.
        tracking_uri: MLflow's tracking URI; by default that of the environment, else
            ``sqlite:///mlflow.db``.
        track: ``"all"`` trials are written to MLflow, or ``"off"``.
        out: The folder of all studies; this one is written to ``out/name``.
        progress: Who watches.

    Returns:
        The verdict, what is recommended, every trial and the trained model.

    Raises:
        InputError: The data or an option is at fault; one line says what, where and what to do.
        TrainingError: No candidate could be trained.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as out:
        ...     result = search("sklearn:iris", space="quick", trials=4, track="off", out=out)
        >>> result.verdict.decision in {"better", "no_evidence", "worse"}
        True
    """
    clock = Clock(time.monotonic(), _checked_limit(time_limit))
    resolved = resolve_metric(metric)
    options, frames = _collect(
        {"source": data, "valid": valid, "test": test},
        target=target,
        metric=resolved.name,
        space=str(space),
        trials=trials,
        time_limit=time_limit,
        groups=groups,
        split_by=split_by,
        drop=tuple(drop),
        positive=positive,
        seed=seed,
        device=device,
        track=track,
    )
    out = Path(out)
    find_device(device)
    if track != "off":
        # A study that can never be tracked is not begun.
        resolve_uri(tracking_uri)
    wanted = load_space(space)
    prepared = _prepare(options, frames, bins=wanted.network.bins)
    study = Study(
        name or _free_name(options.source, out),
        prepared.class_counts,
        trials=trials,
        space=wanted,
        metric=resolved,
        seed=seed,
        storage=storage,
        out=out,
        fingerprint=prepared.fingerprint,
        origin={"command": options.command(), "options": options.to_dict()},
    )
    tracker = _tracker(study, options, tracking_uri)
    return _run(study, prepared, options, tracker, progress=progress or Silent(), clock=clock)


def resume(
    study: str | Path,
    *,
    out: str | Path = "reports",
    storage: str | None = None,
    data: Source | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    metric: MetricFunction | Metric | None = None,
    tracking_uri: str | None = None,
    progress: Progress | None = None,
) -> SearchResult:
    """Go on with a study where it stopped; a finished one is read from its folder.

    Args:
        study: Its name or its folder.
        out: The folder of all studies.
        storage: URL of its database, where that has a password.
        data: The data, where the study began with a DataFrame; `valid` and `test` likewise.
        valid: See `data`.
        test: See `data`.
        metric: The function, where the study's metric is one.
        tracking_uri: MLflow's tracking URI; by default that of the study.
        progress: Who watches.

    Raises:
        StudyNotFoundError: There is none.
        InputError: The data are not those that the study began with.
    """
    clock = Clock(time.monotonic())
    opened = Study.open(study, out=out, storage=storage, metric=metric)
    origin = opened.config.origin
    if "options" not in origin:
        opened.close()
        raise InputError(
            f"{opened.name} must be a study that autoloss trained itself, but a loop of its own "
            "asks its trials: go on there with autoloss.Study.open(name)."
        )
    options = SearchOptions.from_dict(origin["options"])
    clock.limit = options.time_limit
    tracker = _tracker(opened, options, tracking_uri)
    if (finished := _finished(opened, tracker)) is not None:
        return finished
    tables = {"source": data, "valid": valid, "test": test}
    try:
        prepared = _same_data(opened, options, tables)
    except BaseException:
        opened.close()
        raise
    return _run(opened, prepared, options, tracker, progress=progress or Silent(), clock=clock)


def plan(
    data: Source,
    target: str | None = None,
    *,
    metric: str | MetricFunction | Metric = "error",
    space: str | Path = "default",
    trials: int = 128,
    time_limit: float | None = None,
    device: str = "auto",
    seed: int = 0,
    valid: Source | None = None,
    test: Source | None = None,
    **split: Any,
) -> Plan:
    """Return what `search` would do with the same arguments; nothing is trained or written.

    The expected time comes from a few steps with weights that are thrown away.

    Raises:
        InputError: As in `search`.
    """
    _checked_limit(time_limit)
    names = ("groups", "split_by", "drop", "positive")
    options, frames = _collect(
        {"source": data, "valid": valid, "test": test},
        target=target,
        space=str(space),
        trials=trials,
        time_limit=time_limit,
        seed=seed,
        device=device,
        **{key: split[key] for key in names if split.get(key) is not None},
    )
    found, wanted = find_device(device), load_space(space)
    prepared = _prepare(options, frames, bins=wanted.network.bins)
    resolve_metric(metric, n_classes=prepared.task.n_classes)
    chosen = wanted.for_classes(prepared.class_counts.tolist())
    budget = plan_families(chosen.bases, trials)
    job = make_job(prepared, chosen.network, chosen.training, device=found, seed=seed)
    together = min(chosen.together, trials)
    seconds = expected_seconds(job, together=together, trials=trials)
    return Plan(
        data=prepared.summary,
        families=budget.families,
        dropped=budget.dropped,
        trials=trials,
        quota=budget.quota,
        together=together,
        expected_seconds=min(seconds, time_limit or seconds),
        detectable=detectable_difference(prepared.locked.n_rows),
        device=found.type,
        notes=prepared.notes,
    )


def list_studies(out: str | Path = "reports") -> tuple[StudyListing, ...]:
    """Return the studies of a folder, the newest first."""
    return list_in(Path(out))


def _run(
    study: Study,
    data: StudyData,
    options: SearchOptions,
    tracker: Tracking,
    *,
    progress: Progress,
    clock: Clock,
) -> SearchResult:
    """Search with an open study until it is finished, and let go of it whatever happens."""
    space = study.space
    device = find_device(options.device)
    with _closing(study, tracker):
        tracker.start(_description(study, data))
        tracker.sync(study.trials)
        progress.planned(_plan_of(study, data, device))
        job = make_job(data, space.network, space.training, device=device, seed=study.seed)
        session = SearchSession(study, job, tracker=tracker, progress=progress, clock=clock)
        session.search()
        return conclude(session, data)


@contextmanager
def _closing(study: Study, tracker: Tracking) -> Iterator[None]:
    """Give back what was asked and write what was told, also after an interruption."""
    try:
        yield
    except KeyboardInterrupt as stop:
        # So that whoever catches it can say how to go on.
        stop.study = study.name  # type: ignore[attr-defined]
        raise
    finally:
        study.close()
        tracker.close(CLOSING_SECONDS)


def _finished(study: Study, tracker: Tracking) -> SearchResult | None:
    """Return the result of a study that was finished before, None where it was not."""
    folder = study.folder
    if not (folder / SUMMARY).is_file():
        return None
    summary = summary_from_json((folder / SUMMARY).read_text(encoding="utf-8"))
    with _closing(study, tracker):
        tracker.start({})
        tracker.sync(study.trials)
        tracker.finish(summary, report_files(folder))
        tracker.close(PENDING_SECONDS)
    return SearchResult(summary, model=load(folder / MODEL))


def _tracker(study: Study, options: SearchOptions, uri: str | None) -> Tracking:
    if options.track == "off":
        return NullTracker()
    return Tracker(uri, experiment=EXPERIMENT, study_name=study.name, folder=study.folder)


def _description(study: Study, data: StudyData) -> dict[str, str]:
    """Return what the parent run says of the study."""
    summary = data.summary
    return {
        "data": summary.source,
        "target": summary.target,
        "task": summary.task,
        "metric": study.metric.name,
        "space": study.config.space_name,
        "trials": str(study.budget),
        "seed": str(study.seed),
        "families": ", ".join(study.families),
        "test_sha256": data.locked.sha256,
    }


def _plan_of(study: Study, data: StudyData, device: torch.device) -> Plan:
    return Plan(
        data=data.summary,
        families=study.families,
        dropped=study.dropped,
        trials=study.budget,
        quota=study.quota,
        together=study.space.together,
        expected_seconds=None,
        detectable=detectable_difference(data.locked.n_rows),
        device=device.type,
        notes=data.notes,
        name=study.name,
        metric=study.metric.name,
    )


def _collect(
    tables: Mapping[str, Source | None], **rest: Any
) -> tuple[SearchOptions, dict[str, pd.DataFrame]]:
    """Return the options, with the paths of tables, and the tables that came as DataFrames."""
    paths, frames = _paths_and_frames(tables)
    options = SearchOptions(
        source=paths.get("source"),
        valid=paths.get("valid"),
        test=paths.get("test"),
        frames=tuple(frames),
        **rest,
    )
    return options, frames


def _paths_and_frames(
    tables: Mapping[str, Source | None],
) -> tuple[dict[str, str], dict[str, pd.DataFrame]]:
    """Return the tables that came as paths and those that came as DataFrames."""
    frames = {key: table for key, table in tables.items() if isinstance(table, pd.DataFrame)}
    paths = {
        key: str(table) for key, table in tables.items() if table is not None and key not in frames
    }
    return paths, frames


def _prepare(
    options: SearchOptions, frames: Mapping[str, pd.DataFrame], *, bins: int
) -> StudyData:
    table = options.table(frames)
    return prepare(table, options.data_options(frames), bins=max(bins, 1))


def _same_data(
    study: Study, options: SearchOptions, tables: Mapping[str, Source | None]
) -> StudyData:
    """Return the data that a study began with, read again or given again.

    Raises:
        InputError: They are not the same.
    """
    paths, frames = _paths_and_frames(tables)
    given = replace(
        options,
        source=paths.get("source", options.source),
        valid=paths.get("valid", options.valid),
        test=paths.get("test", options.test),
    )
    data = _prepare(given, frames, bins=study.space.network.bins)
    if data.fingerprint != study.config.fingerprint:
        raise InputError(
            f"The data must be those that {study.name} began with, but they have changed: "
            "search them under another --name."
        )
    return data


def _free_name(source: str | None, out: Path) -> str:
    """Return a name after the data that no study of the folder has yet."""
    stem = safe_name(Path(source.removeprefix("sklearn:")).stem if source else "study")
    taken = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in taken if not (out / name).exists())


def _checked_limit(seconds: float | None) -> float | None:
    if seconds is not None and not seconds > 0:
        raise InputError(f"time_limit must be more than 0 seconds, but got time_limit={seconds}.")
    return seconds
