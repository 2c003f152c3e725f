"""A study: it hands out settings, takes in their results, and draws the conclusion."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.losses.own import Losses
from autoloss.metrics import Metric, MetricFunction, Metrics
from autoloss.readout import Readout
from autoloss.records import Edge, Finalist, Optimism, PairOptimism, TrialRecord
from autoloss.search.ask_tell import AskTell
from autoloss.search.choosing import Selector
from autoloss.search.evidence import StudySnapshot
from autoloss.search.finish import finish
from autoloss.search.opening import create, find, new_config
from autoloss.search.session import StudySession
from autoloss.search.space import Space
from autoloss.verdict.finalists import FinalistChoice
from autoloss.verdict.replicates import Replicates
from autoloss.verdict.select import Choice

if TYPE_CHECKING:
    from autoloss.records import DataSummary
    from autoloss.search.result import SearchResult


class Study(AskTell):
    """The search for a loss, around any training loop.

    `ask` returns settings, your own loop trains them, and `tell` stores their logits on the
    validation rows. The study is stored in ``out/name``, and `open` resumes it after an
    interruption. The trials depend on seed and budget, not on interruptions.

    Args:
        name: The name of the study and of its folder.
        class_counts: Training rows of each class (C,), or training tokens; for several labels the
            rows without and with each label (L, 2).
        task: The kind of label, with the names of the classes and of the target; by default
            classes named by their codes, or several labels named by their numbers, by the shape of
            `class_counts`.
        trials: The budget.
        space: Name of a space, path of a TOML file, or a `Space`.
        overrides: Settings that replace the space's, with the same dotted keys:
            ``{"lr": {"low": 1e-5, "high": 1e-3}}``.
        metric: The metric, a name or a function as in `autoloss.metrics.resolve_metric`; by
            default the expected cost if there is a cost matrix, else the error.
        seed: Seed of the settings and of the training runs.
        storage: URL of a database, which replaces the journal file in the folder.
        out: The folder of all studies.
        time_limit: Seconds from now after which `ask` returns no more trials.
        class_weights: Weights of the classes for the prior ``"given_weights"``; (C,). Of several
            labels those of no and yes of each; (L, 2).
        class_similarity: Shares by which the target ``"similarity_smoothing"`` spreads a label
            over the classes, a row for each class; (C, C).
        cost_matrix: Cost of each decision (column) for each true class (row); (C, C), or
            (C, C + 1) with the decision for no class.
        sampling: Share of each class's rows that the trials train on, drawn at random; the
            read-outs of the trials undo it, and finalists train on all rows; (C,).
        provides: Values besides logits and targets that the training loop gives to losses which
            need them: fields of `LossContext` (``"row_ids"``, ``"progress"``,
            ``"teacher_logits"``, ``"norms"``), ``"mixup"``, ``"cutmix"``,
            ``"cosine head"``,
            ``"unbiased head"``.
        late: Targets whose trials come after the quotas of all others: ``("distillation",)`` if
            your loop makes the teacher from the study's trials before.
        losses: Custom losses that join the space: made with `autoloss.losses.declare`, or
            paths of Python files that declare some; one or several.
        metrics: Custom metrics, by name, or ``"FILE.py:NAME"``: functions of probabilities
            and targets, see `autoloss.metrics.Metric`. Every trial has their values.
        fingerprint: Fingerprint of the data, which a resumed search compares.
        origin: The record of the caller as JSON values: the command and its options.
        on_told: Called with the record of every trial that ends.

    Raises:
        InputError: If an argument is invalid, the space has mistakes or the folder is read-only.
        StudyExistsError: If a study has that name.

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
        task: Task | None = None,
        trials: int = 128,
        space: str | Path | Space = "default",
        overrides: Mapping[str, Any] | None = None,
        metric: str | MetricFunction | Metric | None = None,
        seed: int = 0,
        storage: str | None = None,
        out: str | Path = "reports",
        time_limit: float | None = None,
        class_weights: Sequence[Any] | None = None,
        class_similarity: Sequence[Sequence[float]] | None = None,
        cost_matrix: Sequence[Sequence[float]] | None = None,
        sampling: Sequence[float] | None = None,
        provides: Collection[str] = (),
        late: Sequence[str] = (),
        losses: Losses | None = None,
        metrics: Metrics | None = None,
        fingerprint: str = "",
        origin: Mapping[str, Any] | None = None,
        on_told: Callable[[TrialRecord], None] | None = None,
    ) -> None:
        config, resolved, own = new_config(
            name,
            class_counts,
            task=task,
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
            late=late,
            losses=losses,
            metrics=metrics,
        )
        opened = create(config, resolved, own, out=Path(out), url=storage)
        self._begin(StudySession(opened, on_told=on_told), time_limit)

    @classmethod
    def open(
        cls,
        name_or_folder: str | Path,
        *,
        out: str | Path = "reports",
        storage: str | None = None,
        metric: MetricFunction | Metric | None = None,
        losses: Losses | None = None,
        metrics: Metrics | None = None,
        time_limit: float | None = None,
        on_told: Callable[[TrialRecord], None] | None = None,
    ) -> Study:
        """Open a study to resume it; the running trials of dead processes are asked again.

        Args:
            name_or_folder: The name of the study, or its folder.
            out: The folder of all studies.
            storage: URL of its database, if the URL has a password or this machine has no folder
                of the study.
            metric: The metric, if it is a function.
            losses: Custom losses, if the study began with objects, or with files that have
                moved.
            metrics: Custom metrics, likewise.
            time_limit: As for a new study, from now.
            on_told: As for a new study.

        Raises:
            StudyNotFoundError: If there is no such study.
            InputError: If the metric, the losses or the URL of the study are missing.
        """
        opened = find(
            name_or_folder,
            out=Path(out),
            url=storage,
            metric=metric,
            losses=losses,
            metrics=metrics,
        )
        study = cls.__new__(cls)
        study._begin(StudySession(opened, on_told=on_told), time_limit)
        study.reap()
        return study

    def finalists(self) -> Choice:
        """Return the challenger and tuned cross-entropy, chosen on the validation rows alone.

        Raises:
            AutolossError: If no trial, or no trial of cross-entropy, ended with a model.
        """
        return self._selector.on_validation()

    def pick_finalists(self, families: int | None = None) -> tuple[FinalistChoice, ...]:
        """Return the trials that are trained again before the choice, with the reasons.

        Args:
            families: The number of families whose best trial is among them, 0 for the sides of the
                verdict alone; by default that of the space.

        Raises:
            AutolossError: If no trial, or no trial of cross-entropy, ended with a model.
        """
        own = self.space.protocol.finalists
        return self._selector.pick(families=own if families is None else families)

    def choose(
        self,
        picked: Sequence[FinalistChoice],
        replicates: Replicates,
        *,
        by_log_loss: bool = False,
    ) -> tuple[Choice, tuple[Finalist, ...]]:
        """Choose among the finalists by their replicates.

        Args:
            picked: The finalists.
            replicates: The results of their training runs.
            by_log_loss: Whether the log loss alone decides, for training runs too short for a
                comparison.

        Returns:
            Challenger, tuned cross-entropy and the rule; and the records of the finalists.
        """
        return self._selector.on_replicates(picked, replicates, by_log_loss=by_log_loss)

    @property
    def _selector(self) -> Selector:
        return Selector(
            trials=self.trials, examples=self.examples, metric=self.metric, seed=self.seed
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
        """Test the challenger against tuned cross-entropy, once, on rows that no trial has seen.

        Args:
            test_logits: Logits of the two `finalists` on the test rows, by number of the trial;
                each (N, C), or a sequence of them from several training runs, whose probabilities
                are averaged. More trials are allowed.
            test_labels: Classes of the test rows; (N,). Other kinds of label: as for `tell`.
            data: The description of the data, for the report.
            readouts: Read-outs that replace the stored read-outs of trials, by number.
            settings: Further settings for the report.
            seconds: Wall time by purpose; by default the sum of the training runs.

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
        """Return the present state of the study as frozen values."""
        return StudySnapshot(
            config=self.config,
            metric=self.metric,
            own=self.own_metrics,
            space=self.space,
            plan=self.plan,
            facts=self.facts,
            trials=self.trials,
            n_valid=self.examples.n_rows,
            importance=self.importance(),
            optimism=self.optimism(),
            edges=self.edges(),
        )

    def importance(self) -> tuple[tuple[str, float], ...]:
        """Return the importance of each parameter for the refined log loss, largest first."""
        # Loading it takes half a second, and a search needs it at its end.
        from autoloss.search.importance import importance

        return importance(self._session.trials())

    def check_examples(self) -> None:
        """Check that the losses of all trials on the validation rows are in the study's folder.

        Losses that other machines wrote into a database are fetched.

        Without the losses of some trials the optimism of the selection would look too small.

        Raises:
            InputError: Some are in the folder of another machine, or were removed.
        """
        scored = [record.number for record in self.trials if record.metrics]
        if lacking := self.examples.lacking(scored):
            raise InputError(
                "The folder of a study must have the losses of every trial on held-out rows, but "
                f"{self.examples.folder} lacks those of {len(lacking)} of {len(scored)} trials: "
                "copy them from the machine that trained these, or share one folder as --out."
            )

    def optimism(self) -> Optimism | None:
        """Return the optimism of the selection; None if the rows of a trial were not kept."""
        return self._selector.optimism()

    def pair_optimism(self) -> PairOptimism | None:
        """Return how much the selection flatters the challenger; None as for `optimism`."""
        return self._selector.pair_optimism()

    def edges(self) -> tuple[Edge, ...]:
        """Return the settings whose best value lies at an end of the searched range."""
        return self._session.edges()
