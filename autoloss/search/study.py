"""A study: settings are asked from it, what became of them is told to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from torch import Tensor

from autoloss.core.errors import AutolossError, InputError
from autoloss.losses import ClassFacts, LossSpec
from autoloss.losses.own import Losses
from autoloss.metrics import Metric, MetricFunction
from autoloss.readout import Readout
from autoloss.records import CurvePoint, Edge, Finalist, Optimism, TrialRecord
from autoloss.search.config import StudyConfig
from autoloss.search.facts import FACTS
from autoloss.search.finish import finish
from autoloss.search.importance import importance
from autoloss.search.opening import create, find, new_config
from autoloss.search.session import Session
from autoloss.search.snapshot import StudySnapshot
from autoloss.search.space import Space
from autoloss.search.spans import Span
from autoloss.search.telling import Costs, EndState
from autoloss.search.trial import Trial
from autoloss.verdict.baseline import comparable, is_plain_cross_entropy
from autoloss.verdict.finalists import FinalistChoice, pick_finalists
from autoloss.verdict.optimism import study_optimism
from autoloss.verdict.replicates import Replicates, choose_on_replicates, finalist_records
from autoloss.verdict.select import Choice, choose

if TYPE_CHECKING:
    from autoloss.records import DataSummary
    from autoloss.search.result import SearchResult


class Study:
    """The search for a loss, around any training loop.

    Settings are asked with `ask`, trained by whatever loop, and told with their logits on the
    validation rows. The study lies in ``out/name``; it survives the process, `open` goes on with
    it, and with the same seed and budget it asks the same trials, interrupted or not.

    Args:
        name: Its name, and that of its folder.
        class_counts: Training rows of each class; (C,).
        trials: The budget.
        space: Name of a space, path of a TOML file, or a `Space`.
        overrides: Settings in the place of the space's, with the same dotted keys:
            ``{"lr": {"low": 1e-5, "high": 1e-3}}``.
        metric: What takes the place of the error: a name or a function, as in
            `autoloss.metrics.resolve_metric`; by default the expected cost where there is a cost
            matrix, else the error.
        seed: Seed of the settings that are asked, and of the trainings.
        storage: URL of a database in the place of the journal file in the folder.
        out: The folder of all studies.
        time_limit: Seconds, from now, after which nothing more is asked.
        class_weights: Weights of the classes for the prior ``"given_weights"``; (C,).
        class_similarity: How a label is spread over the classes by the target
            ``"similarity_smoothing"``, one row a class; (C, C).
        cost_matrix: Cost of deciding for a class (column) where another is true (row); (C, C).
        sampling: Share of each class's rows that the trials train on, drawn at random; the
            read-outs of the trials undo it, and finalists train on all rows; (C,).
        provides: What the training loop gives to the losses besides logits and targets, where the
            space has losses that need it: fields of `LossContext` (``"row_ids"``,
            ``"progress"``, ``"teacher_logits"``, ``"norms"``), ``"mixup"``, ``"cosine head"``,
            ``"unbiased head"``.
        losses: Losses of your own that join the space: made with `autoloss.losses.declare`, or
            paths of Python files that declare some; one or several.
        fingerprint: Fingerprint of the data, for whoever goes on with the study.
        origin: What else to find again then, as JSON values: the command and its options.
        on_told: Called with the record of every trial that ends.

    Raises:
        InputError: If an argument cannot be, the space has mistakes or the folder is not writable.
        StudyExistsError: If there is a study of that name.

    Examples:
        >>> import tempfile, torch
        >>> out = tempfile.TemporaryDirectory()
        >>> with Study("mine", class_counts=[50, 50], trials=4, out=out.name) as study:
        ...     while not study.done:
        ...         trial = study.ask()
        ...         record = study.tell(trial, torch.randn(40, 2), torch.arange(40) % 2)
        >>> trial.spec.base, record.state
        ('cross_entropy', 'complete')
        >>> out.cleanup()
    """

    def __init__(
        self,
        name: str,
        class_counts: Sequence[float] | Tensor,
        *,
        trials: int = 128,
        space: str | Path | Space = "default",
        overrides: Mapping[str, Any] | None = None,
        metric: str | MetricFunction | Metric | None = None,
        seed: int = 0,
        storage: str | None = None,
        out: str | Path = "reports",
        time_limit: float | None = None,
        class_weights: Sequence[float] | None = None,
        class_similarity: Sequence[Sequence[float]] | None = None,
        cost_matrix: Sequence[Sequence[float]] | None = None,
        sampling: Sequence[float] | None = None,
        provides: Collection[str] = (),
        losses: Losses | None = None,
        fingerprint: str = "",
        origin: Mapping[str, Any] | None = None,
        on_told: Callable[[TrialRecord], None] | None = None,
    ) -> None:
        config, resolved = new_config(
            name,
            class_counts,
            trials=trials,
            space=space,
            overrides=overrides,
            metric=metric,
            seed=seed,
            storage=storage,
            fingerprint=fingerprint,
            origin=origin,
            class_weights=class_weights,
            class_similarity=class_similarity,
            cost_matrix=cost_matrix,
            sampling=sampling,
            provides=provides,
            losses=losses,
        )
        opened = create(config, resolved, out=Path(out), url=storage)
        self._begin(Session(opened, on_told=on_told), time_limit)

    @classmethod
    def open(
        cls,
        name_or_folder: str | Path,
        *,
        out: str | Path = "reports",
        storage: str | None = None,
        metric: MetricFunction | Metric | None = None,
        losses: Losses | None = None,
        time_limit: float | None = None,
        on_told: Callable[[TrialRecord], None] | None = None,
    ) -> Study:
        """Go on with a study. Trials whose process is gone will be asked again.

        Args:
            name_or_folder: Its name, or its folder.
            out: The folder of all studies.
            storage: URL of its database, where it has one with a password or no folder here.
            metric: The function, where the study's metric is one.
            losses: Losses of your own, where the study began with some that no file holds, or
                whose file is at another place now.
            time_limit: As for a new study, from now.
            on_told: As for a new study.

        Raises:
            StudyNotFoundError: If there is none.
            InputError: If something that it needs is missing.
        """
        opened = find(name_or_folder, out=Path(out), url=storage, metric=metric, losses=losses)
        study = cls.__new__(cls)
        study._begin(Session(opened, on_told=on_told), time_limit)
        study.reap()
        return study

    def _begin(self, session: Session, time_limit: float | None) -> None:
        self._session = session
        self._deadline = None if time_limit is None else time.monotonic() + time_limit
        self.config: StudyConfig = session.opened.config
        self.metric: Metric = session.opened.metric
        self.folder: Path = session.opened.folder
        self._take_up(session)
        self.examples = session.examples
        self.facts: ClassFacts = session.facts
        self.class_counts: Tensor = session.facts.counts
        self.name = self.config.name
        self.seed = self.config.seed
        self.budget = self.config.trials

    def _take_up(self, session: Session) -> None:
        """Take over what a session plans."""
        self.space: Space = session.space
        plan = self.plan = session.plan
        # The families that are searched, those that the budget is too small for, and the trials
        # that each of the former gets before the sampler may neglect it.
        self.families, self.dropped, self.quota = plan.families, plan.dropped, plan.quota

    @property
    def asked_epochs(self) -> int:
        """Return the epochs of the schedule that the space asks for."""
        return self._session.asked_epochs

    @property
    def limited(self) -> tuple[int, int] | None:
        """Return the trials and epochs that a time limit was seen to allow; None for none."""
        return self._session.limited

    def limit(self, *, trials: int, epochs: int) -> None:
        """Plan for fewer trials or epochs than were asked for, before the first is asked.

        The families and quotas are those of so many trials; more may be asked, up to the budget.
        Whoever goes on with the study goes on with this plan.

        Args:
            trials: Trials that the time allows.
            epochs: Epochs of every schedule.
        """
        self._session.limit(trials=trials, epochs=epochs)
        self._take_up(self._session)

    def fit_finals(self, finalists: int, replicates: int) -> None:
        """Train fewer finalists, or each less often, than the space asks for."""
        protocol = replace(
            self.space.protocol,
            finalists=min(finalists, self.space.protocol.finalists),
            replicates=min(replicates, self.space.protocol.replicates),
        )
        self.space = replace(self.space, protocol=protocol)

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """Return all trials but those that were lost and asked again, in order of number."""
        return self._session.records()

    @property
    def left(self) -> int:
        """Return how many trials can still be asked, whatever the time."""
        return self._session.left()

    @property
    def time_is_up(self) -> bool:
        """Return whether the time limit has passed."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    @property
    def done(self) -> bool:
        """Return whether nothing more is to be asked: the budget is spent or the time is up."""
        return self.time_is_up or self.left == 0

    def reap(self) -> int:
        """Give up running trials whose process is gone, to be asked again; return how many."""
        return self._session.reap()

    @overload
    def ask(self) -> Trial: ...

    @overload
    def ask(self, n: int) -> list[Trial]: ...

    def ask(self, n: int | None = None) -> Trial | list[Trial]:
        """Return a trial to train, or at most `n` of them to train together.

        Args:
            n: How many; the list is shorter at the end of the budget and at the end of a batch
                that was interrupted, and empty when the study is done.

        Raises:
            InputError: If `n` is not positive.
            AutolossError: If one is asked and the study is done.
        """
        if n is not None and n < 1:
            raise InputError(f"n must be at least 1, but got n={n}.")
        found = [] if self.time_is_up else self._session.ask(n or 1)
        if n is None and not found:
            raise AutolossError(
                f"A study must have trials and time left to be asked, but got left={self.left}; "
                "`study.done` says when to stop."
            )
        asked = [Trial.of(trial, self.config) for trial in found]
        return asked[0] if n is None else asked

    def refill(self, n: int, *, start: int) -> list[Trial]:
        """Return at most `n` trials that join others which still train.

        Args:
            n: How many; as in `ask`.
            start: Epochs that the search has trained so far.
        """
        found = [] if self.time_is_up else self._session.ask(n, start=start)
        return [Trial.of(trial, self.config) for trial in found]

    def spans(self) -> list[Span]:
        """Return when trials began and ended, on the clock of a search that refills."""
        return self._session.spans()

    def trial(self, number: int) -> Trial:
        """Return a trial of the study, running or ended, with the settings to train it again.

        Raises:
            InputError: If there is none of that number.
        """
        trials = self._session.trials()
        if not 0 <= number < len(trials):
            raise InputError(f"A trial must be of this study, but got number={number}.")
        return Trial.of(trials[number], self.config)

    def tell(
        self, trial: Trial | int, val_logits: Any, val_labels: Any, *, seconds: float | None = None
    ) -> TrialRecord:
        """Score a trained trial on the validation rows and keep what it did.

        Args:
            trial: The trial, or its number.
            val_logits: Its logits; (N, C). A trial with a NaN or infinity among them diverged.
            val_labels: Classes of the rows, the same for all trials; (N,).
            seconds: Training time; by default the time since it was asked.

        Returns:
            Its record.
        """
        cost = None if seconds is None else [seconds]
        return self.tell_many([trial], [val_logits], val_labels, seconds=cost)[0]

    def tell_many(
        self,
        trials: Sequence[Trial | int],
        val_logits: Any,
        val_labels: Any,
        *,
        seconds: Sequence[float] | None = None,
        curves: Sequence[Sequence[CurvePoint]] | None = None,
        stopped: Sequence[bool] | None = None,
        epochs: Sequence[int] | None = None,
        rungs: Sequence[Sequence[CurvePoint]] | None = None,
        folds: Tensor | None = None,
        clusters: Tensor | None = None,
    ) -> tuple[TrialRecord, ...]:
        """Score trained trials on the validation rows and keep what they did.

        Args:
            trials: K trials, or their numbers.
            val_logits: Their logits, a tensor, an array or a sequence of them; (K, N, C).
            val_labels: Classes of the rows, the same for all trials; (N,).
            seconds: Training time of each.
            curves: Learning curve of each; by default what was reported.
            stopped: Whether each was cut off before its training was over.
            epochs: Epochs that each trained.
            rungs: What each was compared by in a race, at the epochs it came to.
            folds: Folds of the rows for the cross-fitted read-out; (N,). By default five.
            clusters: Which rows belong together, such as those of one group; (N,). By default
                each stands alone.

        Returns:
            Their records.

        Raises:
            InputError: If something does not fit, or the rows are not those of earlier trials.
        """
        if not trials:
            return ()
        costs = Costs(seconds, curves, stopped, epochs, rungs)
        numbers = [_number(trial) for trial in trials]
        return self._session.teller.tell(
            numbers, val_logits, val_labels, costs, folds=folds, clusters=clusters
        )

    def report(self, trial: Trial | int, epoch: int, val_logits: Any, val_labels: Any) -> bool:
        """Note how a trial does after an epoch.

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
        epochs: int = 0,
        rungs: Sequence[CurvePoint] = (),
    ) -> TrialRecord:
        """End a trial without logits.

        Args:
            trial: The trial, or its number.
            state: ``"failed"``, ``"diverged"``, ``"stopped"``, or ``"pruned"`` where it fell
                behind others: the sampler then learns from what it was compared by last.
            seconds: Training time; by default the time since it was asked.
            curve: Its learning curve; by default what was reported.
            epochs: Epochs that it trained.
            rungs: As for `tell_many`.
        """
        costs = Costs(
            None if seconds is None else [seconds],
            None if curve is None else [curve],
            epochs=[epochs],
            rungs=[rungs],
        )
        return self._session.teller.fail(_number(trial), state, costs)

    def passed(self, trial: Trial | int, point: CurvePoint) -> None:
        """Note what a trial was compared by in a race: the sampler learns from it at once.

        Args:
            trial: The trial, or its number.
            point: Its best epoch so far, at the rung that it came to.
        """
        self._session.teller.passed(_number(trial), point)

    def readout(self, number: int) -> Readout:
        """Return the read-out of a trial: the map from its logits to probabilities.

        Raises:
            InputError: If the trial has none.
        """
        trials = self._session.trials()
        facts = trials[number].user_attrs.get(FACTS) if 0 <= number < len(trials) else None
        if not facts or facts["readout_state"] is None:
            raise InputError(
                f"A trial must have ended with logits to have a read-out, but got number={number}."
            )
        return Readout.from_dict(facts["readout_state"])

    def finalists(self) -> Choice:
        """Return the challenger and tuned cross-entropy, chosen on the validation rows alone.

        Raises:
            AutolossError: If no trial, or none of cross-entropy, ended with a model.
        """
        return self._choose(comparable(self.trials))

    def pick_finalists(self) -> tuple[FinalistChoice, ...]:
        """Return the trials to train again before one of them is chosen, and why.

        Raises:
            AutolossError: If no trial, or none of cross-entropy, ended with a model.
        """
        return pick_finalists(
            self.trials,
            metric=self.metric.name,
            lower_is_better=self.metric.lower_is_better,
            families=self.space.protocol.finalists,
        )

    def choose(
        self,
        picked: Sequence[FinalistChoice],
        replicates: Replicates,
        *,
        by_log_loss: bool = False,
    ) -> tuple[Choice, tuple[Finalist, ...]]:
        """Choose among the finalists by what they did when they were trained again.

        Args:
            picked: The finalists.
            replicates: What they did.
            by_log_loss: Whether the log loss alone decides, where too little was trained for a
                comparison.

        Returns:
            Challenger, tuned cross-entropy and the rule; and the finalists as plain data.
        """
        by_number = {record.number: record for record in comparable(self.trials)}
        competing = [by_number[one.number] for one in picked if one.competes]
        among = self._choose(competing)
        plain = [n for n in replicates.numbers if is_plain_cross_entropy(by_number[n].loss)]
        baseline = replicates.lowest(plain or [among.baseline.number])
        if baseline not in [record.number for record in competing]:
            competing.append(by_number[baseline])
        chosen = choose_on_replicates(
            replicates,
            competing=competing,
            baseline=baseline,
            simplicity=_complexity,
            metric=self.metric.name,
            lower_is_better=self.metric.lower_is_better,
            by_log_loss=by_log_loss,
            fallback=among,
        )
        records = finalist_records(
            picked, replicates, chosen, baseline=baseline, seed=self.config.seed
        )
        choice = replace(
            self.finalists(),
            challenger=by_number[chosen.challenger],
            baseline=by_number[baseline],
            admissible=chosen.admissible,
            rule=chosen.rule,
            best=replicates.lowest([chosen.challenger, baseline]),
            chance=chosen.chance,
        )
        return choice, records

    def _choose(self, records: Sequence[TrialRecord]) -> Choice:
        return choose(
            records,
            self.examples.load(record.number for record in records if record.state == "complete"),
            simplicity=_complexity,
            metric=self.metric.name,
            lower_is_better=self.metric.lower_is_better,
            targets=self.examples.load_targets(),
            clusters=self.examples.load_clusters(),
        )

    def finish(
        self,
        test_logits: Mapping[int, Any],
        test_labels: Any,
        *,
        data: DataSummary | None = None,
        readouts: Mapping[int, Readout] | None = None,
        settings: Mapping[str, Any] | None = None,
        seconds: Mapping[str, float] | None = None,
    ) -> SearchResult:
        """Confirm the challenger against tuned cross-entropy, once, on rows no trial has seen.

        Args:
            test_logits: Logits of the two `finalists` on the test rows, or of more trials, by
                number; each (N, C), or a sequence of such from several trainings, whose
                probabilities are averaged.
            test_labels: Classes of the test rows; (N,).
            data: What the data was, for the report.
            readouts: Read-outs in the place of those fitted when the trials were told, by number.
            settings: What else the report should show.
            seconds: Wall time, by what it was spent on; by default the sum of the trainings.

        Raises:
            InputError: If logits are missing or do not fit.
        """
        choice = self.finalists()
        numbers = (choice.challenger.number, choice.baseline.number)
        return finish(
            self.snapshot(),
            choice,
            test_logits,
            test_labels,
            data,
            {number: self.readout(number) for number in numbers} | dict(readouts or {}),
            settings or {},
            seconds,
        )

    def snapshot(self) -> StudySnapshot:
        """Return the study as it stands, as values that nothing changes any more."""
        targets = self.examples.load_targets()
        return StudySnapshot(
            config=self.config,
            metric=self.metric,
            space=self.space,
            plan=self.plan,
            facts=self.facts,
            trials=self.trials,
            n_valid=0 if targets is None else len(targets),
            importance=self.importance(),
            optimism=self.optimism(),
            edges=self.edges(),
        )

    def importance(self) -> tuple[tuple[str, float], ...]:
        """Return how much each parameter matters to the refined log loss, largest first."""
        return importance(self._session.trials())

    def optimism(self) -> Optimism | None:
        """Return how much better the selection looks than it is; None where no rows were kept."""
        records = self.trials
        return study_optimism(
            records,
            self.examples.load(record.number for record in records),
            metric=self.metric.name,
            targets=self.examples.load_targets(),
            clusters=self.examples.load_clusters(),
            seed=self.seed,
        )

    def edges(self) -> tuple[Edge, ...]:
        """Return the settings whose best value lies on the edge of its range."""
        return self._session.edges()

    def close(self) -> None:
        """Give back the trials that this object asked and did not tell."""
        self._session.close()

    def __enter__(self) -> Study:
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


def _complexity(record: TrialRecord) -> tuple[Any, ...]:
    return LossSpec.from_dict(record.loss).complexity
