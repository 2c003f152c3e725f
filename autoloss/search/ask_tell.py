"""Asking a study for trials, and telling it their results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

from torch import Tensor

from autoloss.core.errors import AutolossError, InputError
from autoloss.core.settings import Numbers
from autoloss.core.task import Task
from autoloss.losses import ClassFacts
from autoloss.metrics import Metric
from autoloss.readout import Readout
from autoloss.records import CurvePoint, TrainingReport, TrialRecord
from autoloss.search.conclusion_claim import ConclusionClaim
from autoloss.search.config import StudyConfig
from autoloss.search.session import Ascent, StudySession
from autoloss.search.space import Space
from autoloss.search.telling import EndState, Measure
from autoloss.search.tracked import Tracked
from autoloss.search.trial import Trial
from autoloss.search.trial_facts import FACTS


class AskTell:
    """The trials of a study: asked, reported, told or failed, under the lease of this process.

    A `Study` adds the choice among its trials and the conclusion.
    """

    def _begin(self, session: StudySession, time_limit: float | None) -> None:
        self._session = session
        self._deadline = None if time_limit is None else time.monotonic() + time_limit
        self.config: StudyConfig = session.opened.config
        self.metric: Metric = session.opened.metric
        # The custom metrics, with that of the study if it is one.
        self.own_metrics: tuple[Metric, ...] = session.opened.own
        self.task: Task = self.config.task
        self.folder: Path = session.opened.folder
        self._take_up(session)
        self.examples = session.examples
        self.facts: ClassFacts = session.facts
        self.class_counts: Tensor = session.facts.item_counts
        self.name = self.config.name
        self.seed = self.config.seed
        self.budget = self.config.trials

    @property
    def metrics_of_models(self) -> tuple[Metric, ...]:
        """Return the custom metrics that judge models, not their predictions."""
        return tuple(one for one in self.own_metrics if one.is_of_models)

    def _take_up(self, session: StudySession) -> None:
        """Adopt the plan of a session."""
        self.space: Space = session.space
        plan = self.plan = session.plan
        # Families that are searched, families that the budget is too small for, and the trials
        # of each searched family before the sampler may neglect it.
        self.families, self.dropped, self.quota = plan.families, plan.dropped, plan.quota

    @property
    def asked_epochs(self) -> int:
        """Return the epochs of the schedule in the space."""
        return self._session.asked_epochs

    @property
    def limited(self) -> tuple[int, int] | None:
        """Return the trials and epochs that fit into the time limit; None without a plan."""
        return self._session.limited

    def limit(self, *, trials: int, epochs: int) -> None:
        """Plan for fewer trials or epochs than requested, before the first trial is asked.

        The number of trials decides the families and quotas; more trials may be asked, up to the
        budget. A resumed study keeps this plan.

        Args:
            trials: Trials that the time allows.
            epochs: Epochs of every schedule.
        """
        self._session.limit(trials=trials, epochs=epochs)
        self._take_up(self._session)

    def embed_numbers(self, numbers: Numbers) -> None:
        """Fix the embedding of numbers that the space leaves open; a resumed study keeps it."""
        self._session.embed_numbers(numbers)
        self._take_up(self._session)

    def compare_on(self, rows: int) -> None:
        """Fix the training rows that candidates are compared on; see `StudySession.compare_on`."""
        self._session.compare_on(rows)
        self._take_up(self._session)

    def teach_by(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """Fix the trials that teach the late trials; see `StudySession.teach_by`."""
        return self._session.teach_by(numbers)

    @property
    def teachers(self) -> tuple[int, ...] | None:
        """Return the trials that teach the late trials; None if they are not fixed yet."""
        return self._session.teachers

    def fit_finalists(self, finalists: int) -> None:
        """Plan for fewer finalists than requested."""
        fewer = min(finalists, self.space.protocol.finalists)
        protocol = replace(self.space.protocol, finalists=fewer)
        self.space = replace(self.space, protocol=protocol)

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """Return all trials in order of number, without lost trials that were asked again."""
        return self._session.records()

    @property
    def left(self) -> int:
        """Return the number of trials that the budget has left, whatever the time."""
        return self._session.left()

    def still_ours(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials that were not given to another process meanwhile.

        A machine that slept for longer than its lease loses its trials.
        """
        held = self._session.are_ours([trial.number for trial in trials])
        return [trial for trial, is_ours in zip(trials, held, strict=True) if is_ours]

    @property
    def conclusion(self) -> ConclusionClaim:
        """Return the right to conclude the study, and the conclusion that a process reached."""
        return ConclusionClaim(self._session)

    @property
    def tracked(self) -> Tracked:
        """Return the place of the study in MLflow, on which its processes agree."""
        return Tracked(self._session)

    @property
    def age(self) -> float:
        """Return the seconds since the study began or went on, on the clock of its storage."""
        return self._session.age()

    def restart(self) -> None:
        """Count the time of the study, which other processes see, from now on."""
        self._session.restart()

    def hear(self, told: Callable[[str], object]) -> None:
        """Tell a function when the database does not answer, and when it does again."""
        self._session.opened.ledger.steady.told = told

    @property
    def elsewhere(self) -> int:
        """Return the number of trials that other living processes train."""
        return self._session.elsewhere()

    @property
    def time_is_up(self) -> bool:
        """Return whether the time limit has passed."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    @property
    def done(self) -> bool:
        """Return whether the budget is spent or the time is up."""
        return self.time_is_up or self.left == 0

    def reap(self) -> int:
        """Mark running trials of dead processes as lost; return their number."""
        return self._session.reap()

    @overload
    def ask(self) -> Trial: ...

    @overload
    def ask(self, n: int, *, until: int | None = None) -> list[Trial]: ...

    def ask(self, n: int | None = None, *, until: int | None = None) -> Trial | list[Trial]:
        """Return a trial to train, or a list of up to `n` trials to train together.

        Args:
            n: The number of trials. The list is shorter at the end of the budget or of an
                interrupted group, and empty when the study is done.
            until: The place in the plan (`Trial.slot`) of the first trial that is not asked, such
                as `study.plan.early`; by default the end of the budget.

        Raises:
            InputError: If `n` is not positive.
            AutolossError: If a single trial is asked and the study is done.
        """
        if n is not None and n < 1:
            raise InputError(f"n must be at least 1, but got n={n}.")
        is_over = self.time_is_up or self.conclusion.is_over
        found = [] if is_over else self._session.ask(n or 1, until)
        if n is None and not found:
            raise AutolossError(
                f"A study must have trials and time left to be asked, but got left={self.left}; "
                "`study.done` says when to stop."
            )
        asked = [Trial.of(trial, self.config) for trial in found]
        return asked[0] if n is None else asked

    def ascents(self) -> list[Ascent]:
        """Return the trials that ended at or after a rung of a race, in order of number."""
        return self._session.ascents()

    def trial(self, number: int) -> Trial:
        """Return a running or ended trial of the study, with its settings.

        Raises:
            InputError: If no trial has that number.
        """
        trials = self._session.trials()
        if not 0 <= number < len(trials):
            raise InputError(f"A trial must be of this study, but got number={number}.")
        return Trial.of(trials[number], self.config)

    def tell(
        self,
        trial: Trial | int,
        val_logits: Any,
        val_labels: Any,
        *,
        seconds: float | None = None,
        figures: Mapping[str, float] | None = None,
    ) -> TrialRecord:
        """Score a trained trial on the validation rows and store its results.

        Args:
            trial: The trial, or its number.
            val_logits: Its logits; (N, C). NaN or infinity means that the trial diverged.
            val_labels: Classes of the rows, the same for all trials; (N,).
            seconds: Training time; by default the time since it was asked.
            figures: Figures that these logits do not show, by name: your own metrics of models,
                and ``"ood_auroc"`` and the like, where the objectives of the space have them.

        Several labels: logits and labels (N, L), 0 and 1. Sequences: lists of (T, C) and (T,). In
        both, -1, -100 and NaN mean a missing label.

        Returns:
            Its record.
        """
        cost = None if seconds is None else [seconds]
        also = None if figures is None else [figures]
        found = self.tell_many([trial], [val_logits], val_labels, seconds=cost, figures=also)
        return found[0]

    def tell_many(
        self,
        trials: Sequence[Trial | int],
        val_logits: Any,
        val_labels: Any,
        *,
        seconds: Sequence[float] | None = None,
        curves: Sequence[Sequence[CurvePoint]] | None = None,
        stopped: Sequence[bool] | None = None,
        reports: Sequence[TrainingReport] | None = None,
        folds: Tensor | None = None,
        clusters: Tensor | None = None,
        figures: Sequence[Mapping[str, float]] | None = None,
        row_costs: Tensor | None = None,
        measure: Measure | None = None,
    ) -> tuple[TrialRecord, ...]:
        """Score trained trials on the validation rows and store their results.

        Args:
            trials: K trials, or their numbers.
            val_logits: Their logits, a tensor, an array or a sequence of them; (K, N, C).
            val_labels: Classes of the rows, the same for all trials; (N,).
            seconds: Training time of each; by default the time since it was asked.
            curves: Learning curve of each; by default the reported curve.
            stopped: Whether each was cut off before the end of its training.
            reports: How the training of each went, in place of the three arguments above.
            folds: Folds of the rows for the cross-fitted read-out; (N,). By default five.
            clusters: The cluster of each row, such as its group; (N,). By default rows are
                independent.
            figures: Further figures of each trial; see `tell`.
            row_costs: Cost of each row, by which those of its decisions are multiplied; (N,).
            measure: Measures your own metrics of models for a trial by its place among these and
                its read-out.

        Returns:
            Their records.

        Raises:
            InputError: If shapes do not fit, or the rows differ from earlier trials' rows.
        """
        if not trials:
            return ()
        teller, numbers = self._session.teller, [_number(trial) for trial in trials]
        if reports is None:
            reports = [
                teller.report_of(
                    number,
                    "stopped" if stopped is not None and stopped[k] else "complete",
                    seconds=None if seconds is None else seconds[k],
                    curve=None if curves is None else curves[k],
                )
                for k, number in enumerate(numbers)
            ]
        return teller.tell(
            numbers,
            val_logits,
            val_labels,
            reports,
            folds=folds,
            clusters=clusters,
            figures=figures,
            row_costs=row_costs,
            measure=measure,
        )

    def report(self, trial: Trial | int, epoch: int, val_logits: Any, val_labels: Any) -> bool:
        """Report the validation logits of a trial after an epoch.

        Args:
            trial: The trial, or its number.
            epoch: Epochs done, from 1.
            val_logits: Its logits; (N, C).
            val_labels: Classes of the rows; (N,).

        Returns:
            Whether to stop: it diverged, its refined log loss did not fall for as many reports as
            the space's `training.patience`, or the time is up.
        """
        teller = self._session.teller
        since_best = teller.report(_number(trial), epoch, val_logits, val_labels)
        if since_best is None or self.time_is_up:
            return True
        return since_best >= self.space.training.patience

    def fail(
        self,
        trial: Trial | int,
        state: EndState = "failed",
        *,
        seconds: float | None = None,
        curve: Sequence[CurvePoint] | None = None,
        report: TrainingReport | None = None,
    ) -> TrialRecord:
        """End a trial without logits.

        Args:
            trial: The trial, or its number.
            state: ``"failed"``, ``"diverged"``, ``"stopped"``, or ``"pruned"`` if it fell behind
                others: the sampler then learns from its values at the last rung.
            seconds: Training time; by default the time since it was asked.
            curve: Its learning curve; by default the reported curve.
            report: How its training went, in place of the three arguments above.
        """
        teller, number = self._session.teller, _number(trial)
        if report is None:
            report = teller.report_of(number, state, seconds=seconds, curve=curve)
        return teller.fail(number, report)

    def readout(self, number: int) -> Readout:
        """Return the read-out of a trial: the map from its logits to probabilities.

        Raises:
            InputError: If the trial has no read-out.
        """
        trials = self._session.trials()
        facts = trials[number].user_attrs.get(FACTS) if 0 <= number < len(trials) else None
        if not facts or facts["readout_state"] is None:
            raise InputError(
                f"A trial must have ended with logits to have a read-out, but got number={number}."
            )
        return Readout.from_dict(facts["readout_state"])

    def close(self) -> None:
        """Release the trials that this object asked and did not tell."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<study {self.name!r} in {self.folder}, {self.left} trials left>"


def _number(trial: Trial | int) -> int:
    return trial.number if isinstance(trial, Trial) else trial
