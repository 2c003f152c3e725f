"""Stores the results of trials: scores, facts and rows, written before a trial ends."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from optuna.trial import FrozenTrial, TrialState
from torch import Tensor

from autoloss.core.devices import scored_together
from autoloss.core.errors import InputError
from autoloss.metrics import Scores
from autoloss.readout import Items, Readout
from autoloss.records import (
    REFINED_LOG_LOSS,
    CurvePoint,
    TrainingReport,
    TrainingState,
    TrialRecord,
)
from autoloss.records.ood import PREFIX
from autoloss.search.examples import ExampleFiles
from autoloss.search.journal import Ledger
from autoloss.search.scoring import Scorer, rows_fingerprint
from autoloss.search.space import METRIC
from autoloss.search.told import told
from autoloss.search.trial_facts import FACTS, Asked, TrialFacts, record_of
from autoloss.verdict.metric_rows import example_losses

Measure = Callable[[int, Readout], Mapping[str, float]]
"""From the place of a trial among the told trials, and its read-out, to the model's metrics."""
EndState = Literal["diverged", "stopped", "pruned", "failed"]
ENDS = {"complete": TrialState.COMPLETE, "failed": TrialState.FAIL}
_ROWS_KEY = "validation_rows"


@dataclass(frozen=True)
class Teller:
    """Stores the results of the trials of one study.

    Args:
        ledger: The storage of the trials.
        examples: The storage of their losses on validation rows.
        scorer: Scores them.
        objectives: The metrics that the sampler learns from.
        lock: Held while the ledger is read or written.
        on_told: Called with the record of every trial that ends.
        curves: The reported points of running trials, by number.
    """

    ledger: Ledger
    examples: ExampleFiles
    scorer: Scorer
    objectives: Sequence[str]
    lock: threading.RLock
    on_told: Callable[[TrialRecord], None] | None
    curves: dict[int, list[CurvePoint]] = field(default_factory=dict)

    def tell(
        self,
        numbers: Sequence[int],
        val_logits: Any,
        val_labels: Any,
        reports: Sequence[TrainingReport],
        *,
        folds: Tensor | None,
        clusters: Tensor | None = None,
        figures: Sequence[Mapping[str, float]] | None = None,
        row_costs: Tensor | None = None,
        measure: Measure | None = None,
    ) -> tuple[TrialRecord, ...]:
        """Score trials and end them; see `Study.tell_many`."""
        told_besides = [{}] * len(numbers) if figures is None else figures
        self._check_figures(told_besides, is_measured=measure is not None)
        logits, items = told(
            val_logits, val_labels, self.scorer.facts, candidates=len(numbers), part="val"
        )
        items = self._same_items(_dependent(items.clustered(clusters).costing(row_costs)))
        specs = [Asked.of(self._running(number)).spec for number in numbers]
        finite = [k for k in range(len(numbers)) if bool(torch.isfinite(logits[k]).all())]
        now = time.time()
        facts = [TrialFacts(replace(report, state="diverged"), now) for report in reports]
        size = len(items) * self.scorer.facts.n_classes
        for places in scored_together(len(finite), logits=size):
            some = [finite[i] for i in places]
            scores = self.scorer.score(logits[some], items, [specs[k] for k in some], folds=folds)
            losses = example_losses(scores, items, facts=self.scorer.facts, seed=self.scorer.seed)
            for row, k in enumerate(some):
                besides = dict(told_besides[k])
                if measure is not None:
                    besides |= measure(k, scores.readouts.row(row))
                facts[k] = _scored(reports[k], scores, row, besides)
                # Before the trial ends, so that none is complete without its rows.
                self.examples.save(numbers[k], losses[row])
        with self.lock, self.ledger.together():
            records = tuple(map(self._end, numbers, facts))
        self._show(records)
        return records

    def _check_figures(self, figures: Sequence[Mapping[str, float]], *, is_measured: bool) -> None:
        """Refuse trials without a figure that no logits show.

        Args:
            figures: The figures that are told with the trials.
            is_measured: Whether the metrics of models are measured.

        Raises:
            InputError: An objective or a metric of models is missing.
        """
        wanted = {one: "an objective of the study" for one in self.objectives if _is_ood(one)}
        every = () if is_measured else (*self.scorer.own, self.scorer.metric)
        wanted |= {one.name: "a metric of the model" for one in every if one.is_of_models}
        for name, what in wanted.items():
            if any(name not in one for one in figures):
                raise InputError(
                    f"figures must have {name!r}, {what}: tell it with each trial,"
                    f" figures={{{name!r}: ...}}."
                )

    def report_of(
        self,
        number: int,
        state: TrainingState,
        *,
        seconds: float | None,
        curve: Sequence[CurvePoint] | None,
    ) -> TrainingReport:
        """Return the report of a trial that a custom training loop trained.

        Args:
            number: The trial.
            state: The state in which it ended.
            seconds: Training time; None for the time since it was asked.
            curve: Its learning curve; None for the reported curve.
        """
        started = record_of(self._running(number)).started
        return TrainingReport(
            state,
            tuple(self.curves.get(number, ()) if curve is None else curve),
            seconds=time.time() - started if seconds is None else float(seconds),
        )

    def report(self, number: int, epoch: int, val_logits: Any, val_labels: Any) -> int | None:
        """Add a point to a trial's learning curve.

        Returns:
            Reports since the best report; None if the trial diverged.
        """
        logits, items = told(val_logits, val_labels, self.scorer.facts, part="val")
        if not bool(torch.isfinite(logits).all()):
            return None
        spec = Asked.of(self._running(number)).spec
        refined = self.scorer.refined(logits, items, spec)
        curve = self.curves.setdefault(number, [])
        curve.append(CurvePoint(epoch, *refined))
        best = min(range(len(curve)), key=lambda i: curve[i].refined_log_loss)
        return len(curve) - 1 - best

    def fail(self, number: int, report: TrainingReport) -> TrialRecord:
        """End a trial without logits."""
        self._running(number)
        record = self._end(number, TrialFacts(report, time.time()))
        self._show([record])
        return record

    def _running(self, number: int) -> FrozenTrial:
        """Return a trial that can be told.

        Raises:
            InputError: If there is no trial of that number, or it has ended.
        """
        with self.lock:
            trial = self.ledger.find(number)
        if trial.state != TrialState.RUNNING:
            raise InputError(
                f"A trial must be running to be told, but got number={number}, which has ended."
            )
        return trial

    def _show(self, records: Sequence[TrialRecord]) -> None:
        if self.on_told is not None:
            for record in records:
                self.on_told(record)

    def _same_items(self, items: Items) -> Items:
        """Return the validation items, which must be the same for all trials."""
        rows = rows_fingerprint(items)
        with self.lock:
            known = self.ledger.attributes().get(_ROWS_KEY)
            if known is not None and known != rows:
                raise InputError(
                    "val_labels must be of the same rows in the same order for all trials of a "
                    f"study, but got other labels for {items.n_rows} rows than before."
                )
            if known is None or self.examples.load_targets() is None:
                self.examples.save_targets(items)
            if known is None:
                self.ledger.set_attribute(_ROWS_KEY, rows)
        return items

    def _end(self, number: int, facts: TrialFacts) -> TrialRecord:
        """Write the end of a trial: first its facts, then its state."""
        report, values = facts.report, None
        if report.state == "complete":
            metric = self.scorer.metric.name
            names = [metric if name == METRIC else name for name in self.objectives]
            values = [facts.metrics[name] for name in names]
            if not all(map(math.isfinite, values)):
                report, values = replace(report, state="diverged"), None
                facts = replace(facts, report=report)
        with self.lock:
            self.curves.pop(number, None)
            self.ledger.note(number, FACTS, facts.to_dict())
            if report.state == "pruned" and (points := report.rungs or report.curve):
                self._report(number, points[-1])
            self.ledger.end(number, ENDS.get(report.state, TrialState.PRUNED), values)
            return record_of(self.ledger.find(number))

    def _report(self, number: int, last: CurvePoint) -> None:
        """Tell the sampler the last values of a trial; a trial without values counts as the worst.

        The sampler refuses values of trials with several objectives.
        """
        value = {REFINED_LOG_LOSS: last.refined_log_loss, "error": last.error}
        objective, *others = self.objectives
        name = self.scorer.metric.name if objective == METRIC else objective
        if not others and name in value:
            self.ledger.report(number, last.epoch, value[name])


def _is_ood(objective: str) -> bool:
    return objective.startswith(PREFIX)


def _scored(
    report: TrainingReport, scores: Scores, row: int, figures: Mapping[str, float]
) -> TrialFacts:
    """Return the facts of a trial with its scores, and with figures that were told besides."""
    readout = scores.readouts.row(row)
    return TrialFacts(
        report,
        time.time(),
        metrics={**scores.row(row), **figures},
        readout=readout.name,
        readout_state=readout.to_dict(),
    )


def _dependent(items: Items) -> Items:
    """Return items without clusters if each is its own cluster."""
    if items.clusters is None or len(np.unique(items.clusters.cpu())) < len(items):
        return items
    return replace(items, clusters=None)
