"""The OOD score of predictions, and the threshold above which it flags a row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.messages import listed, unknown_name
from autoloss.metrics.ood import OF_LOGITS, OF_TEMPERATURE
from autoloss.metrics.ood_figures import spread_places

OWN = "model"
"""Stands for the model's own score."""
RECALL = 0.95
"""The share of in-distribution rows that are accepted by default."""
_KEPT = 2000
"""The most values of each score, on in-distribution rows, that a model keeps."""


@dataclass(frozen=True)
class OodScore:
    """An OOD score, a function of logits.

    Args:
        name: A name of `OF_LOGITS`.
        temperature: Divides the logits; 1 for scores without a temperature.
    """

    name: str = "energy"
    temperature: float = 1.0

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the score of a text ``NAME`` or ``NAME@T``.

        Raises:
            InputError: The score is unknown, or has no such temperature.

        Examples:
            >>> OodScore.of("energy@10")
            OodScore(name='energy', temperature=10.0)
        """
        name, mark, number = text.partition("@")
        if name not in OF_LOGITS:
            known = [*OF_LOGITS, OWN]
            raise unknown_name("--ood-score must be a known OOD score", name, known)
        try:
            temperature = float(number) if mark else 1.0
        except ValueError:
            temperature = math.nan
        if not 0.0 < temperature < math.inf:
            raise InputError(
                f"--ood-score must have a temperature above 0 after @, but got {text!r}."
            )
        if temperature != 1.0 and name not in OF_TEMPERATURE:
            raise InputError(
                f"--ood-score must have no temperature for {name}, but got {text!r}: leave"
                f" @{number} out."
            )
        return cls(name, temperature)

    def __str__(self) -> str:
        """Return the text that `of` reads."""
        return self.name if self.temperature == 1.0 else f"{self.name}@{self.temperature:.12g}"

    def __call__(
        self, logits: Iterable[Tensor], *, weights: Sequence[float] | None = None
    ) -> Tensor:
        """Return the scores of rows, higher for OOD rows.

        Args:
            logits: Of R training runs.
            weights: The weight of each; None for equal ones.

        Shape:
            logits R times ``(N, C)``, result ``(N,)``, float64.
        """
        settings = (self.temperature,) if self.name in OF_TEMPERATURE else ()
        return OF_LOGITS[self.name](logits, *settings, weights=weights)


@dataclass(frozen=True, eq=False)
class StrangerRule:
    """The OOD score of a model, and the scores of in-distribution rows, which make thresholds.

    Args:
        score: The score; it flags rows above a threshold.
        familiar: Of each score the scores of rows that the training runs did not see, ascending,
            at most `_KEPT` of them.
        is_chosen: Whether the score was chosen on OOD rows.

    Shape:
        familiar each ``(Q,)``, float64.
    """

    score: OodScore = OodScore()
    familiar: Mapping[str, Tensor] = field(default_factory=dict)
    is_chosen: bool = False

    @classmethod
    def fit(
        cls, scores: Mapping[OodScore, NDArray[np.floating]], score: OodScore, *, is_chosen: bool
    ) -> Self:
        """Return the rule of a model by the scores of in-distribution rows.

        Args:
            scores: Each score of rows that the training runs did not see.
            score: The score that the model carries, one of them.
            is_chosen: Whether it was chosen on OOD rows.

        Shape:
            scores each ``(N,)``.
        """
        familiar = {}
        for one, values in scores.items():
            ranked = np.sort(np.asarray(values, dtype=np.float64))
            familiar[str(one)] = torch.from_numpy(ranked[spread_places(len(ranked), _KEPT)])
        return cls(score, familiar, is_chosen)

    def threshold(self, score: OodScore | None = None, recall: float = RECALL) -> float:
        """Return the score above which a row is flagged; infinite with too few stored scores.

        It is the smallest score of an in-distribution row that accepts a new in-distribution row
        with the probability `recall` or more: the split conformal quantile,
        ``ceil((n + 1) recall)`` of n.

        Args:
            score: A score; None for the model's own.
            recall: The share of in-distribution rows to accept, in (0, 1).

        Source: Vovk, Gammerman and Shafer 2005, Algorithmic Learning in a Random World.

        Examples:
            >>> rule = StrangerRule.fit({OodScore(): np.arange(99.0)}, OodScore(), is_chosen=False)
            >>> rule.threshold(), rule.threshold(recall=0.995)
            (94.0, inf)
        """
        known = self.familiar[str(self.score if score is None else score)]
        # Without the rounding, (99 + 1) * 0.95 would be 95.00000000000001.
        rank = math.ceil(round((len(known) + 1) * recall, 9))
        return float(known[rank - 1]) if rank <= len(known) else math.inf

    def to_dict(self) -> dict[str, Any]:
        """Return the rule without its tensors as JSON values."""
        threshold = self.threshold()
        return {
            "score": str(self.score),
            "is_chosen": self.is_chosen,
            "recall": RECALL,
            "threshold": threshold if math.isfinite(threshold) else None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], familiar: Mapping[str, Tensor]) -> Self:
        """Return the rule that `to_dict` wrote, with its tensors."""
        return cls(OodScore.of(values["score"]), familiar, bool(values["is_chosen"]))


def check_strangers(task: Task, *, subject: str) -> None:
    """Refuse a task whose rows have no single class.

    Args:
        task: The task.
        subject: The option.

    Raises:
        InputError: A row of the task has several labels or is a sequence.
    """
    if has_strangers(task):
        return
    raise InputError(
        f"{subject} must be left out for several labels per row and for sequences: an OOD score "
        "needs one class per row."
    )


def has_strangers(task: Task) -> bool:
    """Return whether a row has a single class, so that it may belong to none."""
    return not task.names and task.kind != "sequence"


def ood_score(task: Task, rule: StrangerRule | None, name: str | None) -> OodScore:
    """Return an OOD score by its name.

    Args:
        task: The task of the model.
        rule: The rule that the model carries; None for none.
        name: The name, with ``@T`` for a temperature; `OWN` or None for the model's own.

    Raises:
        InputError: The score is unknown, or a row of the task has several labels or is a sequence.
    """
    check_strangers(task, subject="--ood-score")
    if name is None or name == OWN:
        return OodScore() if rule is None else rule.score
    return OodScore.of(name)


def is_known(rule: StrangerRule | None, score: OodScore) -> bool:
    """Return whether a model has scores of in-distribution rows, so that it can flag OOD rows."""
    return rule is not None and str(score) in rule.familiar


def threshold_of(rule: StrangerRule | None, score: OodScore, recall: float) -> float:
    """Return the score above which a row is flagged.

    Args:
        rule: The rule that the model carries; None for none.
        score: The score.
        recall: The share of in-distribution rows to accept.

    Raises:
        InputError: The share is not between 0 and 1, or the model cannot tell.
    """
    if not 0.0 < recall < 1.0:
        raise InputError(f"--ood-recall must be between 0 and 1, but got {recall:g}.")
    if rule is not None and is_known(rule, score):
        return rule.threshold(score, recall)
    known = [] if rule is None else list(rule.familiar)
    raise InputError(
        "A row can be flagged only by an OOD score whose in-distribution values the model "
        f"has, but it has {f'those of {listed(known)}' if known else 'none'}, and the score is "
        f"{score}: {'take such a score' if known else 'search again'}."
    )
