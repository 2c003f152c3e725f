"""The declaration of a metric, which is read without torch: words, direction, needs, function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["share", "nats", "plain"]
Decision = Literal["error", "balanced_error", "expected_cost"]
Judges = Literal["decisions", "probabilities"]
Mean = Literal["rows", "classes"]
# Of a `Judged`, to a tensor or an array (K,); `judged` says so, as it may import torch.
Function = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A metric, as everything that scores, compares, shows or completes it reads it.

    Args:
        name: Its name, that of scikit-learn's scorer where there is one.
        function: Its value for each of K candidates, (K,), as a tensor or an array; NaN where it
            is undefined.
        title: The name that a reader sees.
        kind: ``"share"`` is shown as a percentage, ``"nats"`` and ``"plain"`` with four decimals.
        meaning: One sentence that says what it measures.
        lower_is_better: Its direction.
        aliases: Other names.
        judges: ``"decisions"``, or ``"probabilities"`` where no decision enters the value.
        decision: What its decisions minimise: the ``"error"`` (the likeliest class), the
            ``"balanced_error"`` (the probability over the class's share of the rows) or the
            ``"expected_cost"``.
        two_classes: Whether it needs two classes.
        for_more_classes: The metric that takes its place for more classes; empty for none.
        needs_costs: Whether it needs a cost matrix.
        mean_of_wrong: Where it is the share of wrong decisions: the mean over all ``"rows"``, or
            the mean over the ``"classes"`` of the mean over their rows. Standard errors and the
            bootstrap then work row by row. None for others, whose standard errors leave out groups
            of rows.
        rest_of: The metric that it is 1 minus; empty for none.
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
    for_more_classes: str = ""
    needs_costs: bool = False
    mean_of_wrong: Mean | None = None
    rest_of: str = ""
    always: bool = False
    is_named_after: bool = False

    def __post_init__(self) -> None:
        """Refuse a declaration without words.

        Raises:
            TypeError: If the title is empty or the meaning is no sentence.
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
    for_more_classes: str = "",
    needs_costs: bool = False,
    mean_of_wrong: Mean | None = None,
    rest_of: str = "",
    always: bool = False,
    is_named_after: bool = False,
) -> Callable[[Function], Declared]:
    """Return a decorator that declares a function under its own name; see `Declared`."""

    def declared(function: Function) -> Declared:
        return Declared(
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
            for_more_classes=for_more_classes,
            needs_costs=needs_costs,
            mean_of_wrong=mean_of_wrong,
            rest_of=rest_of,
            always=always,
            is_named_after=is_named_after,
        )

    return declared
