"""The plan of a search, made without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autoloss.data import Fold
from autoloss.executors import crew_of
from autoloss.experiment.dividing import divisions_of
from autoloss.experiment.fewer_rows import rows_text
from autoloss.experiment.refit import wants_refit
from autoloss.experiment.request import Request
from autoloss.experiment.running import make_plan
from autoloss.experiment.starting import Start, start
from autoloss.experiment.timing import make_timetable
from autoloss.losses import ClassFacts
from autoloss.metrics import Metric, resolve_metric
from autoloss.records import Plan
from autoloss.search import Space, plan_families
from autoloss.training.divisions import Divisions
from autoloss.training.together import bytes_each


def plan(request: Request) -> Plan:
    """Return the plan of a search without training or writing.

    The expected time comes from a few training steps, whose weights are discarded.

    Raises:
        InputError: As in `autoloss.search`.
    """
    with crew_of(request.executor, request.address) as crew:
        return _planned(start(request, crew, begins=False))


def _planned(begun: Start) -> Plan:
    """Return the plan of a search that has started."""
    data, clock, trials = begun.data, begun.clock, begun.request.trials
    facts = ClassFacts(
        data.class_counts,
        task=data.task.kind,
        names=data.task.tags,
        constrained=data.task.constrained,
    )
    begun.space.check_trainable(begun.own, facts)
    space = begun.space.for_classes(facts)
    metric = _check_study(begun, space, facts)

    def divide(folds: Sequence[Fold]) -> Divisions:
        return divisions_of(
            folds,
            data,
            space,
            device=begun.device,
            seed=begun.request.seed,
            facts=facts,
            negatives=space.protocol.negatives,
            model=begun.network.model,
        )

    late = begun.knowledge.late
    budget = plan_families(space.bases, trials, space.targets, late=late)
    timed = make_timetable(
        data,
        divide,
        clock,
        space=space,
        budget=budget,
        trials=trials,
        seed=begun.request.seed,
        workers=begun.staffing.count,
        refit=wants_refit(begun.request.refit, data),
        teacher=begun.teacher,
        code_length=begun.request.code_length,
        strangers=begun.strangers,
    )
    timetable = timed.timetable
    budget = plan_families(space.bases, timetable.plan.trials, space.targets, late=late)
    rows = rows_text(data, timed.rows)
    taught = "" if begun.teacher is None else begun.teacher.note
    found = make_plan(
        data,
        budget,
        trials=trials,
        space=space,
        together=timed.together.candidates,
        device=begun.device,
        network=timed.divisions.jobs[0].network,
        metric=metric,
        has_weights=begun.knowledge.class_weights is not None,
        expected_seconds=clock.elapsed + timetable.left,
        allowed=timetable.allowed(budget.dropped),
        race=timetable.race,
        notes=(*begun.network.notes, *(one for one in (rows, taught) if one)),
    )
    memory = timed.together.candidates * bytes_each(timed.divisions.jobs)
    return replace(found, memory=memory)


def _check_study(begun: Start, space: Space, facts: ClassFacts) -> Metric:
    """Check a request as the study of a search does, and return its metric."""
    knowledge = begun.knowledge
    arguments = knowledge.for_study(
        begun.data.task, can_mix=begun.network.can_mix, of_inputs=begun.data.kind.provides
    )
    metric = resolve_metric(
        begun.metrics.resolved(begun.request.metric),
        facts=facts,
        cost_matrix=arguments.get("cost_matrix"),
    )
    tables = {
        "class_weights": knowledge.class_weights,
        "similarity": knowledge.class_similarity,
    }
    provided = (name for name, table in tables.items() if table is not None)
    space.check_provided({*arguments["provides"], *provided})
    return metric
