"""The search as one call: where data, study, training, tracking and report are joined."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from autoloss.classifier import load
from autoloss.clock import Clock
from autoloss.costs import Costs
from autoloss.data import Source
from autoloss.devices import find_device
from autoloss.divisions import Divisions
from autoloss.errors import InputError
from autoloss.estimate import expected_seconds
from autoloss.given import Given, Similarity, Teacher, Weights
from autoloss.losses.own import Losses, files_of, take_in
from autoloss.metrics import Metric, MetricFunction, resolve_metric
from autoloss.options import SearchOptions, Tables, Track
from autoloss.progress import Progress, Silent
from autoloss.rare import sampling_rates
from autoloss.records import Plan, StudyListing
from autoloss.running import final_work, finished, make_plan, make_tracker, run
from autoloss.search import (
    SearchResult,
    Space,
    Study,
    load_space,
    plan_families,
    safe_name,
)
from autoloss.search.listing import list_studies as list_in
from autoloss.task import Label
from autoloss.tracking.uri import resolve as resolve_uri
from autoloss.training.together import choose_together

__all__ = ["list_studies", "load", "plan", "resume", "search"]


def search(
    data: Source,
    target: str | None = None,
    *,
    metric: str | MetricFunction | Metric | None = None,
    space: str | Path = "default",
    trials: int = 128,
    time_limit: float | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    groups: str | None = None,
    split_by: str | None = None,
    drop: Iterable[str] = (),
    positive: Label | None = None,
    class_weights: Weights | None = None,
    class_similarity: Similarity | None = None,
    cost_matrix: Costs | None = None,
    teacher: Teacher | None = None,
    losses: Losses | None = None,
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
        metric: What takes the place of the error: ``"error"`` (the default),
            ``"balanced_error"``, ``"average_precision"``, ``"auroc"``, ``"expected_cost"`` (the
            default where a cost matrix is given), or a function of probabilities ``(N, C)`` and
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
        class_weights: Weight of each class, or the path of a table of two columns, the class and
            its weight. They join the priors as ``"given_weights"``.
        class_similarity: Likeness of each class to each, a square table with the classes in its
            index (first column of a file) and header; larger is more alike, rows are scaled to sum
            1. It joins the targets as ``"similarity_smoothing"``.
        cost_matrix: Cost of deciding for a class (column) where another is true (row), in any
            unit: a square table with the classes in its index (first column of a file) and
            header, or a mapping of true classes to mappings of decisions. The model then decides
            for the least expected cost, and every trial shows it.
        teacher: A model that autoloss saved, a `Classifier`, or a fitted estimator with
            ``predict_proba`` on the columns of `data`, which has not seen the validation and test
            rows. It joins the targets as ``"distillation"``.
        losses: Losses of your own that are searched too: made with `autoloss.losses.declare`, or
            paths of Python files that declare some, which are run; one or several.
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
    own = tuple(take_in(losses))
    given = Given.of(class_weights, class_similarity, teacher, cost_matrix)
    tables = Tables.of(data, valid, test)
    asked = SearchOptions(
        target=target,
        metric=given.metric(metric).name,
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
        class_weights=_path(class_weights),
        class_similarity=_path(class_similarity),
        cost_matrix=_path(cost_matrix),
        teacher=_path(teacher),
        losses=files_of(losses),
        objects=("teacher",) if teacher is not None and _path(teacher) is None else (),
    )
    options, out = tables.named_in(asked), Path(out)
    _check_seed(seed)
    find_device(device)
    if track != "off":
        # A study that can never be tracked is not begun.
        resolve_uri(tracking_uri)
    wanted = given.join(load_space(space, losses=own))
    prepared = tables.read(options, wanted)
    taught = given.teacher_logits(options.table(tables.frames), prepared)
    study = Study(
        name or _free_name(options.source, out),
        prepared.class_counts,
        trials=trials,
        space=wanted,
        metric=metric,
        seed=seed,
        storage=storage,
        out=out,
        losses=losses,
        fingerprint=prepared.fingerprint,
        sampling=_sampling(prepared.class_counts, wanted),
        origin={"command": options.command(), "options": options.to_dict()},
        **given.for_study(prepared.task),
    )
    tracker = make_tracker(study, options, tracking_uri)
    watcher = progress or Silent()
    return run(study, prepared, options, tracker, progress=watcher, clock=clock, teacher=taught)


def resume(
    study: str | Path,
    *,
    out: str | Path = "reports",
    storage: str | None = None,
    data: Source | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    metric: MetricFunction | Metric | None = None,
    teacher: Teacher | None = None,
    losses: Losses | None = None,
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
        teacher: The teacher, where the study began with one that was not given as a folder.
        losses: Losses of your own, where the study began with some that no file holds, or whose
            file is at another place now.
        tracking_uri: MLflow's tracking URI; by default that of the study.
        progress: Who watches.

    Raises:
        StudyNotFoundError: There is none.
        InputError: The data are not those that the study began with.
    """
    clock = Clock(time.monotonic())
    opened = Study.open(study, out=out, storage=storage, metric=metric, losses=losses)
    origin = opened.config.origin
    if "options" not in origin:
        opened.close()
        raise InputError(
            f"{opened.name} must be a study that autoloss trained itself, but a loop of its own "
            "asks its trials: go on there with autoloss.Study.open(name)."
        )
    options = SearchOptions.from_dict(origin["options"])
    clock.limit = options.time_limit
    tracker = make_tracker(opened, options, tracking_uri)
    if (result := finished(opened, tracker)) is not None:
        return result
    try:
        options.check_objects(teacher=teacher)
        given = Given.of(teacher=options.teacher if teacher is None else teacher)
        tables = Tables.of(data, valid, test)
        prepared = tables.read(options, opened.space)
        if prepared.fingerprint != opened.config.fingerprint:
            raise InputError(
                f"The data must be those that {opened.name} began with, but they have changed: "
                "search them under another --name."
            )
        source = tables.named_in(options).table(tables.frames)
        taught = given.teacher_logits(source, prepared)
    except BaseException:
        opened.close()
        raise
    watcher = progress or Silent()
    return run(opened, prepared, options, tracker, progress=watcher, clock=clock, teacher=taught)


def plan(
    data: Source,
    target: str | None = None,
    *,
    metric: str | MetricFunction | Metric | None = None,
    space: str | Path = "default",
    trials: int = 128,
    time_limit: float | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    groups: str | None = None,
    split_by: str | None = None,
    drop: Iterable[str] = (),
    positive: Label | None = None,
    class_weights: Weights | None = None,
    class_similarity: Similarity | None = None,
    cost_matrix: Costs | None = None,
    teacher: Teacher | None = None,
    losses: Losses | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Plan:
    """Return what `search` would do with the same arguments; nothing is trained or written.

    The expected time comes from a few steps with weights that are thrown away.

    Raises:
        InputError: As in `search`.
    """
    _checked_limit(time_limit)
    _check_seed(seed)
    tables = Tables.of(data, valid, test)
    options = SearchOptions(
        target=target,
        groups=groups,
        split_by=split_by,
        drop=tuple(drop),
        positive=positive,
        seed=seed,
    )
    own = tuple(take_in(losses))
    given = Given.of(class_weights, class_similarity, teacher, cost_matrix)
    found, wanted = find_device(device), given.join(load_space(space, losses=own))
    prepared = tables.read(options, wanted)
    wanted.check_trainable(own, prepared.class_counts.tolist())
    chosen = wanted.for_classes(prepared.class_counts.tolist())
    fitting = given.for_study(prepared.task)
    costs = fitting.get("cost_matrix")
    resolved = resolve_metric(metric, n_classes=prepared.task.n_classes, cost_matrix=costs)
    here = {"class_weights": given.class_weights, "similarity": given.class_similarity}
    chosen.check_provided(
        {*fitting["provides"], *(name for name, one in here.items() if one is not None)}
    )
    budget = plan_families(chosen.bases, trials)
    divisions = Divisions.of(
        prepared.folds,
        prepared.task.n_classes,
        chosen.network,
        chosen.training,
        device=found,
        seed=seed,
        negatives=chosen.protocol.negatives,
    )
    after = final_work(chosen.protocol, budget, prepared, trials)
    trainings = trials * len(divisions) + after
    together = choose_together(divisions.jobs, chosen.together, at_most=trainings).candidates
    seconds = expected_seconds(divisions, together=together, trainings=trainings)
    return make_plan(
        prepared,
        budget,
        trials=trials,
        protocol=chosen.protocol,
        together=together,
        device=found,
        metric=resolved,
        batch_size=chosen.training.batch_size,
        has_weights=given.class_weights is not None,
        expected_seconds=min(seconds, time_limit or seconds),
    )


def list_studies(out: str | Path = "reports") -> tuple[StudyListing, ...]:
    """Return the studies of a folder, the newest first."""
    return list_in(Path(out))


def _sampling(class_counts: Tensor, space: Space) -> list[float] | None:
    """Return the share of each class's rows that the search trains on; None for all of them."""
    negatives = space.protocol.negatives
    return sampling_rates(class_counts, negatives).tolist() if negatives else None


def _path(given: object) -> str | None:
    """Return the path that something is given as, None where it is given otherwise."""
    return str(given) if isinstance(given, str | Path) else None


def _free_name(source: str | None, out: Path) -> str:
    """Return a name after the data that no study of the folder has yet."""
    stem = safe_name(Path(source.removeprefix("sklearn:")).stem if source else "study")
    taken = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in taken if not (out / name).exists())


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 1 << 32:
        raise InputError(f"seed must be at least 0 and less than 2 ** 32, but got seed={seed}.")


def _checked_limit(seconds: float | None) -> float | None:
    if seconds is not None and not seconds > 0:
        raise InputError(f"time_limit must be more than 0 seconds, but got time_limit={seconds}.")
    return seconds
