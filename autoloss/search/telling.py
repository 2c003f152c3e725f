"""Takes in what became of trials: scores, facts and rows, written before a trial ends."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from optuna.trial import TrialState
from torch import Tensor

from autoloss.core.devices import scored_together
from autoloss.core.errors import InputError
from autoloss.losses import LossSpec
from autoloss.records import REFINED_LOG_LOSS, CurvePoint, TrialRecord
from autoloss.search.examples import ExampleFiles
from autoloss.search.journal import Ledger
from autoloss.search.scoring import Scorer, as_classes, as_logits, rows_fingerprint
from autoloss.search.space import METRIC
from autoloss.search.trial_facts import FACTS, TrialFacts, record_of
from autoloss.verdict.metric_rows import example_losses

EndState = Literal["diverged", "stopped", "pruned", "failed"]
ENDS = {"complete": TrialState.COMPLETE, "failed": TrialState.FAIL}
_ROWS_KEY = "validation_rows"


@dataclass(frozen=True)
class Costs:
    """What the trainings of K trials cost and how they went.

    Args:
        seconds: Training time of each; None for the time since it was asked.
        curves: Learning curve of each; None for what was reported.
        stopped: Whether each was cut off; None for no.
        epochs: Epochs that each trained; None where unknown.
        rungs: What each was compared by in a race; None for nothing.
    """

    seconds: Sequence[float] | None = None
    curves: Sequence[Sequence[CurvePoint]] | None = None
    stopped: Sequence[bool] | None = None
    epochs: Sequence[int] | None = None
    rungs: Sequence[Sequence[CurvePoint]] | None = None


@dataclass(frozen=True)
class Teller:
    """Takes in the trials of one study.

    Args:
        ledger: Where the trials are kept.
        examples: Where their rows are kept.
        scorer: Scores them.
        objectives: What the sampler is told.
        lock: Held while the ledger is read or written.
        on_told: Called with the record of every trial that ends.
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
        costs: Costs,
        *,
        folds: Tensor | None,
        clusters: Tensor | None = None,
    ) -> tuple[TrialRecord, ...]:
        """Score trials and end them; see `Study.tell_many`."""
        logits = as_logits(
            val_logits, shape=(len(numbers), None, self._n_classes), name="val_logits"
        )
        together = _clusters(clusters)
        classes = self._same_classes(val_labels, logits, together)
        running = [self.running(number) for number in numbers]
        facts = [self._facts(one, "diverged", k, costs) for k, one in enumerate(running)]
        finite = [k for k in range(len(numbers)) if bool(torch.isfinite(logits[k]).all())]
        for places in scored_together(len(finite), logits=logits[:1].numel()):
            some = [finite[i] for i in places]
            specs = [LossSpec.from_dict(running[k].loss) for k in some]
            scores = self.scorer.score(logits[some], classes, specs, folds=folds)
            losses = example_losses(
                scores,
                classes,
                class_counts=self.scorer.class_counts,
                seed=self.scorer.seed,
                clusters=together,
            )
            for row, k in enumerate(some):
                readout = scores.readouts.row(row)
                facts[k] = replace(
                    facts[k],
                    state="stopped" if costs.stopped and costs.stopped[k] else "complete",
                    metrics=scores.row(row),
                    readout=readout.name,
                    readout_state=readout.to_dict(),
                )
                # Before the trial ends, so that none is complete without its rows.
                self.examples.save(running[k].number, losses[row])
        with self.lock, self.ledger.together():
            pairs = zip(running, facts, strict=True)
            records = tuple(self._end(one.number, fact) for one, fact in pairs)
        if self.on_told is not None:
            for record in records:
                self.on_told(record)
        return records

    def report(self, number: int, epoch: int, val_logits: Any, val_labels: Any) -> int | None:
        """Add a point to a trial's learning curve.

        Returns:
            Reports since the best one; None if the trial diverged.
        """
        logits = as_logits(val_logits, shape=(None, self._n_classes), name="val_logits")
        if not bool(torch.isfinite(logits).all()):
            return None
        classes = as_classes(val_labels, n_classes=self._n_classes, like=logits, name="val_labels")
        running = self.running(number)
        refined = self.scorer.refined(logits, classes, LossSpec.from_dict(running.loss))
        curve = self.curves.setdefault(number, [])
        curve.append(CurvePoint(epoch, *refined))
        best = min(range(len(curve)), key=lambda i: curve[i].refined_log_loss)
        return len(curve) - 1 - best

    def passed(self, number: int, point: CurvePoint) -> None:
        """Note what a trial was compared by in a race; see `Study.passed`."""
        with self.lock:
            self._report(number, point)

    def fail(self, number: int, state: EndState, costs: Costs) -> TrialRecord:
        """End a trial without logits."""
        running = self.running(number)
        record = self._end(number, self._facts(running, state, 0, costs))
        if self.on_told is not None:
            self.on_told(record)
        return record

    def running(self, number: int) -> TrialRecord:
        """Return a trial that can be told.

        Raises:
            InputError: If there is none of that number, or it has ended.
        """
        with self.lock:
            trial = self.ledger.find(number)
        if trial.state != TrialState.RUNNING:
            raise InputError(
                f"A trial must be running to be told, but got number={number}, which has ended."
            )
        return record_of(trial)

    @property
    def _n_classes(self) -> int:
        return len(self.scorer.class_counts)

    def _same_classes(
        self, val_labels: Any, logits: Tensor, clusters: npt.NDArray[np.int64] | None = None
    ) -> Tensor:
        """Return the validation labels, which must be the same for every trial."""
        classes = as_classes(val_labels, n_classes=self._n_classes, like=logits, name="val_labels")
        rows = rows_fingerprint(classes)
        with self.lock:
            known = self.ledger.attributes().get(_ROWS_KEY)
            if known is not None and known != rows:
                raise InputError(
                    "val_labels must be of the same rows in the same order for all trials of a "
                    f"study, but got other labels for {len(classes)} rows than before."
                )
            if known is None or self.examples.load_targets() is None:
                self.examples.save_targets(classes.cpu().numpy(), clusters)
            if known is None:
                self.ledger.set_attribute(_ROWS_KEY, rows)
        return classes

    def _facts(self, record: TrialRecord, state: EndState, k: int, costs: Costs) -> TrialFacts:
        now = time.time()
        curve = self.curves.pop(record.number, [])
        if costs.curves is not None:
            curve = list(costs.curves[k])
        return TrialFacts(
            state=state,
            ended=now,
            curve=tuple(curve),
            seconds=now - record.started if costs.seconds is None else float(costs.seconds[k]),
            epochs=0 if costs.epochs is None else costs.epochs[k],
            rungs=() if costs.rungs is None else tuple(costs.rungs[k]),
        )

    def _end(self, number: int, facts: TrialFacts) -> TrialRecord:
        """Write how a trial ended: first the facts, then the end."""
        values = None
        if facts.state == "complete":
            metric = self.scorer.metric.name
            names = [metric if name == METRIC else name for name in self.objectives]
            values = [facts.metrics[name] for name in names]
            if not all(map(math.isfinite, values)):
                facts, values = replace(facts, state="diverged"), None
        with self.lock:
            self.ledger.note(number, FACTS, facts.to_dict())
            if facts.state == "pruned" and (points := facts.rungs or facts.curve):
                self._report(number, points[-1])
            self.ledger.end(number, ENDS.get(facts.state, TrialState.PRUNED), values)
            return record_of(self.ledger.find(number))

    def _report(self, number: int, last: CurvePoint) -> None:
        """Tell the sampler, which else takes it for the worst, where a trial left.

        It refuses values of trials with several objectives.
        """
        value = {REFINED_LOG_LOSS: last.refined_log_loss, "error": last.error}
        objective, *others = self.objectives
        name = self.scorer.metric.name if objective == METRIC else objective
        if not others and name in value:
            self.ledger.report(number, last.epoch, value[name])


def _clusters(clusters: Tensor | None) -> npt.NDArray[np.int64] | None:
    """Return clusters as an array, None where every row is one of its own."""
    if clusters is None:
        return None
    found: npt.NDArray[np.int64] = np.asarray(clusters.cpu(), dtype=np.int64)
    return None if len(np.unique(found)) == len(found) else found
