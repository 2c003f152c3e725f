"""Plans a search without training: takes the arguments of `search` and returns a `Plan`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from autoloss.core.clock import Clock
from autoloss.core.devices import find_device
from autoloss.core.errors import InputError
from autoloss.core.task import Label
from autoloss.data import Source
from autoloss.data.costs import Costs
from autoloss.data.options import Columns, DataOptions
from autoloss.experiment.given import Given, Similarity, Teacher, Weights
from autoloss.experiment.options import SearchOptions, Tables
from autoloss.experiment.own_network import settle
from autoloss.experiment.running import make_plan, make_timetable
from autoloss.losses.own import Losses, take_in
from autoloss.metrics import Metric, MetricFunction, resolve_metric
from autoloss.models.custom.own import AUTO, Model
from autoloss.records import Plan
from autoloss.search import load_space, plan_families
from autoloss.training.divisions import Divisions


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
    columns: Columns = (),
    decimal: str | None = None,
    date_format: str | None = None,
    missing: Iterable[str] = (),
    classes: bool = False,
    positive: Label | None = None,
    class_weights: Weights | None = None,
    class_similarity: Similarity | None = None,
    cost_matrix: Costs | None = None,
    teacher: Teacher | None = None,
    losses: Losses | None = None,
    model: Model = AUTO,
    seed: int = 0,
    device: str = "auto",
) -> Plan:
    """Return the plan of `search` for the same arguments, without training or writing.

    The expected time comes from a few training steps, whose weights are discarded.

    Raises:
        InputError: As in `search`.
    """
    clock = Clock.start(checked_limit(time_limit))
    check_seed(seed)
    tables = Tables.of(data, valid, test)
    cells = DataOptions(columns=columns, decimal=decimal, date_format=date_format, missing=missing)
    cells.check()
    options = SearchOptions(
        target=target,
        groups=groups,
        split_by=split_by,
        drop=tuple(drop),
        column=cells.pairs,
        decimal=decimal,
        date_format=date_format,
        missing=cells.marks,
        classes=classes,
        positive=positive,
        seed=seed,
    )
    own = tuple(take_in(losses))
    given = Given.of(class_weights, class_similarity, teacher, cost_matrix, model)
    found, loaded = find_device(device), load_space(space, losses=own)
    wanted = given.join(loaded, own)
    prepared = tables.read(options, wanted)
    settled = settle(given.model, prepared, wanted, loaded=loaded, device=found)
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
        model=settled.model,
    )
    timetable, together = make_timetable(
        prepared, divisions, clock, space=chosen, budget=budget, trials=trials
    )
    budget = plan_families(chosen.bases, timetable.plan.trials)
    return make_plan(
        prepared,
        budget,
        trials=trials,
        protocol=chosen.protocol,
        together=together.candidates,
        device=found,
        metric=resolved,
        batch_size=chosen.training.batch_size,
        has_weights=given.class_weights is not None,
        expected_seconds=clock.elapsed + timetable.left,
        allowed=timetable.allowed(budget.dropped),
        notes=settled.notes,
    )


def check_seed(seed: int) -> None:
    """Refuse a seed that torch and numpy do not accept."""
    if not 0 <= seed < 1 << 32:
        raise InputError(f"seed must be at least 0 and less than 2 ** 32, but got seed={seed}.")


def checked_limit(seconds: float | None) -> float | None:
    """Return a time limit in seconds, which must be positive."""
    if seconds is not None and not seconds > 0:
        raise InputError(f"time_limit must be more than 0 seconds, but got time_limit={seconds}.")
    return seconds
