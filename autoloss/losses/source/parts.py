"""The functions that a loss is written with, and how its code calls them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from autoloss.losses import numerics
from autoloss.losses.context import tilted
from autoloss.losses.from_gradients import by_gradient, local_log_posterior, log_posterior
from autoloss.losses.part import Scored
from autoloss.losses.source import plain
from autoloss.losses.source.facts import SourceFacts
from autoloss.losses.source.gather import Gathered
from autoloss.losses.source.rewrite import Rewriter

# What the code around the functions calls its own.
RESERVED = frozenset(
    [
        "CLASS_COUNTS",
        "CLASS_WEIGHTS",
        "DROPOUT",
        "LR",
        "Loss",
        "SCALE",
        "SHIFT",
        "SIMILARITY",
        "SimpleNamespace",
        "TEMPERATURE",
        "Tensor",
        "UNIFORM",
        "WEIGHT_DECAY",
        "axes",
        "batch",
        "beta",
        "class_weights",
        "context",
        "cost",
        "divergence",
        "every",
        "features",
        "functional",
        "high",
        "inputs",
        "known",
        "labels",
        "links",
        "log_p",
        "log_probs",
        "logits",
        "low",
        "math",
        "memory",
        "middle",
        "mix",
        "mixed",
        "n_classes",
        "nn",
        "norms",
        "of_label",
        "own",
        "partner",
        "probs",
        "progress",
        "row_ids",
        "scores",
        "share",
        "shares",
        "slope",
        "soft",
        "spread",
        "student",
        "targets",
        "teacher",
        "teacher_logits",
        "torch",
        "values",
        "view",
        "weights",
        "yes",
    ]
)
_OF_CLASSES = ("class_counts", "scale", "shift")
_PER_CLASS = (*_OF_CLASSES, "norms", "memory")
_INPUTS = ("progress", "row_ids", "norms", "teacher_logits", "features")


class SourceParts:
    """The functions that a loss is written with.

    Args:
        facts: What the loss has.
    """

    def __init__(self, facts: SourceFacts) -> None:
        self.facts = facts
        loss, penalty = facts.loss, facts.penalty
        tilt = self._tilt
        inlined = {numerics.log_softmax: ".log_softmax(-1)", numerics.softmax: ".softmax(-1)"}
        self.gathered = Gathered(
            [function for function in self._roots() if function is not None],
            instead={} if tilt is None else {tilted: tilt},
            inlined=inlined | ({tilted: ""} if tilt is None else {}),
            reserved=RESERVED,
        )
        own = (loss.function, loss.view, loss.memory, loss.link)
        defaults = {one: facts.parameters(loss) for one in own if one is not None}
        if penalty is not None:
            defaults[penalty.function] = facts.parameters(penalty)
        self.rewriter = Rewriter(self.gathered, defaults)

    def name(self, function: Callable[..., Any] | None) -> str | None:
        """Return what a function is called in the code, None where it is not there."""
        found = None if function is None else self.gathered.code(function)
        return None if found is None else self.gathered.name(found.value)

    def takes_context(self, function: Callable[..., Any] | None) -> bool:
        """Return whether a function reads the context."""
        return function is not None and self.rewriter.contexts.keeps(self.gathered.code(function))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Return what the loss is given besides logits and targets."""
        needed = {name for name in self.facts.spec.needs if name != "progress"}
        if self.facts.start or "progress" in self.facts.loss.needs:
            needed.add("progress")
        return tuple(name for name in _INPUTS if name in needed)

    def context(self, *, every: bool = False, reading: bool = False) -> str:
        """Return the context as it is made, empty where nothing reads it.

        Args:
            every: Whether the logits have an axis of length 1 before the classes.
            reading: Whether it is for the read-out, which knows the classes alone.
        """
        found = []
        for field in sorted(self.rewriter.contexts.fields):
            value = self._field(field, reading=reading)
            # Of the classes alone, these have no axis of the examples.
            alike = field in _OF_CLASSES and self.facts.task != "multilabel"
            is_tensor = value[0].isalpha() and value != "None"
            turned = every and field in _PER_CLASS and not alike and is_tensor
            found.append(f"{field}={value}{'.unsqueeze(-2)' if turned else ''}")
        return f"SimpleNamespace({', '.join(found)})" if found else ""

    def call(self, function: Callable[..., Any] | None, *arguments: str) -> str:
        """Return the call of a function, with the context where it reads that."""
        context = ", context=context" if self.takes_context(function) else ""
        return f"{self.name(function)}({', '.join(arguments)}{context})"

    def batch(self, scores: str, labels: str, known: str | None) -> str:
        """Return what a penalty sees of a batch."""
        is_known = known and scores == "scores" and self.facts.loss.local
        log_probs = "log_probs" if is_known else f"{scores}.log_softmax(-1)"
        parts = [f"{scores}[None]", f"{log_probs}[None]", f"{labels}[None]"]
        parts += [f"{known}[None]"] if known else []
        if self.facts.task in ("multilabel", "sequence"):
            parts.append(f'task="{self.facts.task}"')
        return f"{self.name(Scored)}({', '.join(parts)})"

    @property
    def _tilt(self) -> Callable[..., Any] | None:
        """Return what a loss with a view does for the prior, None where there is nothing."""
        facts = self.facts
        scaled = facts.scale is not None or facts.spec.temperature != 1.0
        if facts.shift is None:
            return plain.rescaled if scaled else None
        return plain.rescaled_and_shifted if scaled else plain.shifted

    def _roots(self) -> list[Callable[..., Any] | None]:
        facts, loss, penalty = self.facts, self.facts.loss, self.facts.penalty
        sees = penalty is not None or facts.spec.target == "distillation" or facts.read == "prior"
        found = [
            None if penalty is None else Scored,
            loss.function,
            loss.view if sees else None,
            loss.memory,
            None if penalty is None else penalty.function,
        ]
        if facts.read == "link":
            found.append(self.reader)
        return found

    @property
    def reader(self) -> Callable[..., Any] | None:
        """Return what reads the posterior, None where it is the softmax."""
        facts, link = self.facts, self.facts.loss.link
        if facts.kind == "slopes":
            return log_posterior
        if facts.is_pushed:
            return plain.pushed_posterior
        return local_log_posterior if link is by_gradient else link

    def _field(self, field: str, *, reading: bool) -> str:
        facts = self.facts
        if field == "scale" and facts.scale is None:
            return repr(1.0 / facts.spec.temperature)
        if field in ("class_counts", "scale", "shift"):
            return f"{field.upper()}.to(scores)"
        if field == "mask" and not reading:
            return "known"
        return field if not reading and (field in self.inputs or field == "memory") else "None"
