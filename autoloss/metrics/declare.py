"""The declaration of a metric: its words, direction, needs and function; read without torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["share", "nats", "plain"]
Decision = Literal["error", "balanced_error", "expected_cost"]
Judges = Literal["decisions", "probabilities"]
Mean = Literal["rows", "classes"]
Reads = Literal["items", "segments", "entities"]
# Maps a `Judged` to a tensor or an array (K,). It is untyped here, because `judged` imports torch.
Function = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """The declaration of a metric, which scoring, comparison, display and completion read.

    Args:
        name: The name, that of scikit-learn's scorer where there is one.
        function: Maps predictions to a value for each of K candidates, a tensor or an array (K,);
            NaN where the metric is undefined.
        title: The name in reports.
        kind: ``"share"`` is shown as a percentage, ``"nats"`` and ``"plain"`` with four decimals.
        meaning: Its meaning, one sentence.
        lower_is_better: The direction.
        aliases: Other names.
        judges: ``"decisions"``, or ``"probabilities"`` where no decision enters the value.
        decision: The risk that its decisions minimise: ``"error"`` (the likeliest class),
            ``"balanced_error"`` (the largest probability divided by the class's share of the
            rows) or ``"expected_cost"``.
        two_classes: Whether it needs two classes.
        several_labels: Whether it needs several labels a row.
        reads: ``"items"`` one by one, or the ``"segments"`` of the tags of sequences, or the
            ``"entities"`` that tags with prefixes mark.
        for_more_classes: The metric to suggest for more classes; empty for none.
        needs_costs: Whether it needs a cost matrix.
        mean_of_wrong: How a share of wrong decisions is averaged: over all ``"rows"``, or over the
            rows of each class and then over the ``"classes"``. Standard errors and the bootstrap
            then work row by row. None for other metrics, whose standard errors leave out groups
            of rows.
        complement_of: The metric m where this metric is 1 - m; empty for none.
        always: Whether every trial and every test part has it, whatever the metric of the study.
        is_named_after: Whether the title begins with the name of a person and keeps its capital.
    """

    name: str
    function: Function
    title: str
    kind: Kind
    meaning: str
    lower_is_better: bool
    aliases: tuple[str, ...] = ()
    judges: Judges = "decisions"
    decision: Decision = "error"
    two_classes: bool = False
    several_labels: bool = False
    reads: Reads = "items"
    for_more_classes: str = ""
    needs_costs: bool = False
    mean_of_wrong: Mean | None = None
    complement_of: str = ""
    always: bool = False
    is_named_after: bool = False

    def __post_init__(self) -> None:
        """Check that the title and the meaning are there.

        Raises:
            TypeError: If the title is empty or the meaning is not a sentence.
        """
        if not self.title or not self.meaning.endswith("."):
            shown = f"title={self.title!r}, meaning={self.meaning!r}"
            raise TypeError(f"{self.name} must have a title and a sentence, but got {shown}.")


def declare(
    *,
    title: str,
    meaning: str,
    lower_is_better: bool,
    kind: Kind = "plain",
    aliases: tuple[str, ...] = (),
    judges: Judges = "decisions",
    decision: Decision = "error",
    two_classes: bool = False,
    several_labels: bool = False,
    reads: Reads = "items",
    for_more_classes: str = "",
    needs_costs: bool = False,
    mean_of_wrong: Mean | None = None,
    complement_of: str = "",
    always: bool = False,
    is_named_after: bool = False,
) -> Callable[[Function], Declaration]:
    """Return a decorator that declares a function under its own name; see `Declaration`."""

    def declared(function: Function) -> Declaration:
        return Declaration(
            name=function.__name__,
            function=function,
            title=title,
            kind=kind,
            meaning=meaning,
            lower_is_better=lower_is_better,
            aliases=aliases,
            judges=judges,
            decision=decision,
            two_classes=two_classes,
            several_labels=several_labels,
            reads=reads,
            for_more_classes=for_more_classes,
            needs_costs=needs_costs,
            mean_of_wrong=mean_of_wrong,
            complement_of=complement_of,
            always=always,
            is_named_after=is_named_after,
        )

    return declared
