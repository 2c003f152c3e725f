"""The user's knowledge of the classes, a teacher, and a network: their options, opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from autoloss.core.errors import InputError
from autoloss.core.option import full_path, full_place, option, path_of
from autoloss.core.task import Task
from autoloss.data import StudyData
from autoloss.data.class_knowledge import (
    Similarity,
    Weights,
    check_similarity,
    check_weights,
    ordered_similarity,
    ordered_weights,
)
from autoloss.data.costs import Costs, check_costs, ordered_costs
from autoloss.data.values import label_of
from autoloss.experiment.own_network import provided, space_for
from autoloss.experiment.teachers.opening import GivenTeacher, full_teacher, open_teacher
from autoloss.experiment.teachers.teacher import Teacher, TeacherSource
from autoloss.losses.own import Losses, files_of
from autoloss.metrics import Metric, MetricFunction, Metrics, resolve_metric
from autoloss.metrics.given import places_of
from autoloss.models import OwnModel
from autoloss.models.custom.own import AUTO, Model, open_model
from autoloss.search import Space

NO_FILE = "FILE.py:NAME"
"""Stands for a network that is a function, as DATA stands for a DataFrame."""
PROVIDED = (
    *("row_ids", "progress", "norms", "memory", "mixup"),
    *("cosine head", "unbiased head"),
)
"""The fields of `LossContext` that the trainer gives to every loss that needs them."""
TEACHER = "teacher"
"""The key of a study's origin that holds the record of the teacher."""
OF_TOKENS = ("progress", "norms", "mixup", "cosine head", "unbiased head")
"""Its values for losses of the tags of sequences, whose tokens have no row numbers."""


def _network_text(model: Model) -> str:
    """Return a network as the command line names it."""
    return model if isinstance(model, str) else NO_FILE


@dataclass(frozen=True, eq=False, kw_only=True)
class KnowledgeOptions:
    """The options of the user's knowledge and code: objects, or paths of files.

    The study keeps the numbers of the classes and the places of losses and network. A teacher and
    a network that no file holds must be given again to go on.

    Args:
        class_weights: Weight of each class.
        class_similarity: Similarity of each pair of classes.
        cost_matrix: Cost of each decision for each true class.
        label_decision: The decision on several labels a row: ``"metric"`` (by the metric: at
            thresholds for F1 or for the costs, else the likelier answer), ``"likelier"``,
            ``"f1"``, or the number of labels of each row.
        teacher: A teacher, whose probabilities for the training rows are targets.
        trust_pickle: Whether a teacher's file may be unpickled, which runs any code in it.
        losses: The custom losses, which join the search.
        metrics: The custom metrics, which every trial has.
        model: ``"auto"``, or a network that replaces the built-in network.
    """

    class_weights: Weights | None = option(None, plain=path_of, full=full_path)
    class_similarity: Similarity | None = option(None, plain=path_of, full=full_path)
    cost_matrix: Costs | None = option(None, plain=path_of, full=full_path)
    label_decision: str | int = option("metric", plain=str)
    teacher: GivenTeacher | None = option(None, plain=path_of, full=full_teacher, unkept="objects")
    trust_pickle: bool = False
    losses: Losses | None = option(None, plain=files_of, full=full_path)
    metrics: Metrics | None = option(None, plain=places_of, full=full_place)
    model: Model = option(AUTO, plain=_network_text, full=full_place, unkept="objects")


@dataclass(frozen=True, eq=False)
class ClassKnowledge:
    """The user's knowledge besides the data, opened; None for anything that is not given.

    Args:
        class_weights: Weight of each class.
        class_similarity: Similarity of each pair of classes.
        teacher: A teacher, whose probabilities for the training rows are targets.
        cost_matrix: Cost of each decision for each true class.
        model: A network that replaces the built-in network.
    """

    class_weights: Mapping[str, float] | None = None
    class_similarity: Mapping[str, Mapping[str, float]] | None = None
    teacher: TeacherSource | None = None
    cost_matrix: Mapping[str, Mapping[str, float]] | None = None
    model: OwnModel | None = None

    @classmethod
    def of(cls, options: KnowledgeOptions) -> Self:
        """Return the knowledge that options name, after the checks that need no data.

        Raises:
            InputError: A table, teacher or network is not usable.
        """
        return cls(
            check_weights(options.class_weights),
            check_similarity(options.class_similarity),
            open_teacher(options.teacher, trust_pickle=options.trust_pickle),
            check_costs(options.cost_matrix),
            open_model(options.model),
        )

    def metric_name(self, metric: str | MetricFunction | Metric | None) -> str | None:
        """Return the name of the metric that the user asks for, or None.

        A cost matrix asks for the expected cost if no metric is named.

        Raises:
            InputError: As in `resolve_metric`.
        """
        costs = self.cost_matrix
        if metric is None and costs is None:
            return None
        rows = None if costs is None else [list(row.values()) for row in costs.values()]
        return resolve_metric(metric, cost_matrix=rows).name

    def with_row_costs(self, data: StudyData) -> Self:
        """Return the knowledge for data with a cost for each row.

        Without a cost matrix every wrong decision costs the cost of its row.

        Raises:
            InputError: The rows have several labels, are sequences or no table, or nested folds
                would judge them.
        """
        if data.task.names or data.train.costs is None:
            raise InputError(
                "cost_column must be left out for several labels per row, for sequences and for "
                "data that are not a table: their decisions have no cost of a row."
            )
        if data.resampling.verdict == "nested":
            raise InputError(
                "cost_column must be left out where nested cross-validation judges: lock rows for"
                " the verdict with lock (--lock)."
            )
        if self.cost_matrix is not None:
            return self
        names = list(map(label_of, data.task.classes))
        return replace(self, cost_matrix={a: {b: float(a != b) for b in names} for a in names})

    def join(self, space: Space, own: Iterable[str] = ()) -> Space:
        """Return the space with the priors and targets that the knowledge allows.

        Args:
            space: The space.
            own: The custom losses.

        Raises:
            InputError: One of these losses cannot train the network.
        """
        if self.class_weights is not None:
            space = space.joined_by("prior", "given_weights")
        if self.class_similarity is not None:
            space = space.joined_by("target", "similarity_smoothing")
        if self.teacher is not None:
            space = space.joined_by("target", "distillation")
        return space_for(space, self.model, own=own)

    def for_study(
        self, task: Task, *, can_mix: bool = True, of_inputs: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the arguments of a `Study` for a task.

        Args:
            task: The task.
            can_mix: Whether the inputs can be mixed.
            of_inputs: Values for losses that the kind of input provides.

        Raises:
            InputError: A similarity of classes is given for several labels.
        """
        if task.names and self.class_similarity is not None:
            raise InputError(
                "class_similarity must be left out for several labels: search the target"
                " smoothing."
            )
        costs = ordered_costs(self.cost_matrix, task)
        return {
            "task": task,
            **({} if costs is None else {"cost_matrix": costs}),
            "class_weights": ordered_weights(self.class_weights, task),
            "class_similarity": ordered_similarity(self.class_similarity, task),
            "provides": (
                *provided(
                    OF_TOKENS if task.kind == "sequence" else PROVIDED, self.model, can_mix=can_mix
                ),
                *of_inputs,
                *(["teacher_logits"] if self.teacher is not None else ()),
            ),
            "late": self.late,
        }

    @property
    def origin(self) -> dict[str, Any]:
        """Return the study's record of the teacher's file, as JSON values; empty for none."""
        sha256 = "" if self.teacher is None else self.teacher.sha256
        return {TEACHER: {"sha256": sha256}} if sha256 else {}

    @property
    def late(self) -> tuple[str, ...]:
        """Return the targets whose trials come last."""
        is_late = self.teacher is not None and self.teacher.is_late
        return ("distillation",) if is_late else ()

    def teacher_of(self, data: StudyData, seed: int) -> Teacher | None:
        """Return the teacher of the rows of the data, or None without a teacher.

        Args:
            data: The data.
            seed: Seed of a teacher that is trained here.

        Raises:
            InputError: The teacher cannot teach these rows; one line says why.
        """
        return None if self.teacher is None else self.teacher.of(data, seed)
