"""The parts of a loss in source text: its functions, their settings, and class constants."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from autoloss.core.task import TaskKind
from autoloss.losses.component import Scored
from autoloss.losses.components import PENALTIES
from autoloss.losses.context import tilted
from autoloss.losses.facts import ClassFacts
from autoloss.losses.from_gradients import (
    by_gradient,
    local_log_posterior,
    log_posterior,
    pushed_log_posterior,
)
from autoloss.losses.priors import STARTS, PriorTerms
from autoloss.losses.registry import get
from autoloss.losses.source.collect import Collector
from autoloss.losses.spec_data import SpecData
from autoloss.losses.targets import Spread
from autoloss.losses.tuned import Tuned

# A neutral prior may differ from 0 by this much, by rounding in float64.
_NOTHING = 1e-12
_INPUTS = ("progress", "row_ids", "norms", "teacher_logits", "features")
_OF_CLASSES = ("class_counts", "scale", "shift")


class SourceParts:
    """The parts of a loss in source text, as the template reads them.

    Args:
        spec: The loss.
        classes: The facts about the classes.
        task: The kind of label.
        tuned: Settings of the training and the read-out by a search; None for no search.
        reserved: Names that no function may have.

    Raises:
        InputError: If the loss lacks a value that it needs, or has no source text.
    """

    def __init__(
        self,
        spec: SpecData,
        classes: ClassFacts,
        *,
        task: TaskKind,
        tuned: Tuned | None,
        reserved: Iterable[str],
    ) -> None:
        self.spec, self.classes, self.task, self.tuned = spec, classes, task, tuned
        self.loss, self.penalty = get(spec.base), PENALTIES.get(spec.penalty)
        terms = PriorTerms.of([spec], classes)
        Spread.of([spec], classes, dtype=torch.float64, device=torch.device("cpu"))
        heat, log_weights, shift = spec.temperature, terms.log_weights[0], terms.shift[0]
        scale = terms.scale[0] / heat
        self.tensors: dict[str, Tensor | None] = {
            "CLASS_COUNTS": classes.counts,
            "CLASS_WEIGHTS": log_weights.exp() if log_weights.abs().max() > _NOTHING else None,
            "SCALE": scale if (scale - 1.0 / heat).abs().max() > _NOTHING else None,
            "SHIFT": shift if shift.abs().max() > _NOTHING else None,
            "SIMILARITY": classes.similarity,
        }
        self.mixture = spec.mixture
        self.weighted = self.tensors["CLASS_WEIGHTS"] is not None
        self.start = max(spec.get(key, 0.0) for key in STARTS) if self.weighted else 0.0
        even = spec.get("smoothing.epsilon", 0.0)
        self.epsilon = even or spec.get("similarity_smoothing.epsilon", 0.0)
        needed = {name for name in spec.needs if name != "progress"}
        if self.start or "progress" in self.loss.needs:
            needed.add("progress")
        self.inputs = [name for name in _INPUTS if name in needed]
        is_seen = self.penalty is not None or spec.target == "distillation"
        self.sees_view = self.loss.view is not None and is_seen
        self._read()
        is_scaled = self.tensors["SCALE"] is not None or heat != 1.0
        tilt = " * context.scale" if is_scaled else ""
        tilt += " + context.shift" if self.tensors["SHIFT"] is not None else ""
        self.functions = Collector(
            self._roots(), inlined={tilted: tilt}, reserved={*reserved, *self.tensors}
        )

    def call(self, function: Any, arguments: str) -> str:
        """Return the call of a function, with the context if the function reads it."""
        context = ", context=context" if self.functions.takes_context(function) else ""
        return f"{self.functions.name(function)}({arguments}{context})"

    def context(self, *, every: bool = False, reading: bool = False) -> str:
        """Return the expression that makes the context.

        Args:
            every: Whether the logits have an axis of length 1 before the classes.
            reading: Whether it is for the read-out, which has class constants only.
        """
        inputs = [] if reading else [*self.inputs, "memory"]
        known = dict(zip(inputs, inputs, strict=True)) | ({} if reading else {"mask": "known"})
        if self.spec.temperature != 1.0:
            known["scale"] = repr(1.0 / self.spec.temperature)
        for name in _OF_CLASSES:
            if self.tensors[name.upper()] is not None:
                known[name] = f"{name.upper()}.to(scores)"
        if every:
            # Most class constants have no axis of the examples.
            alike = _OF_CLASSES if self.task != "multilabel" else ("scale",)
            for name in {*_OF_CLASSES, "norms", "memory"} - {*alike}:
                if name in known:
                    known[name] += ".unsqueeze(-2)"
        fields = (f"{one}={known.get(one)}" for one in self.functions.context_fields)
        return f"SimpleNamespace({', '.join(fields)})"

    def batch(self, known: str = "") -> str:
        """Return the expression that makes the batch of a penalty."""
        seen = "view" if self.sees_view else "scores"
        is_known = known and self.loss.local and not self.sees_view
        log_probs = "log_probs" if is_known else f"{seen}.log_softmax(-1)"
        parts = [f"{one}[None]" for one in (seen, log_probs, "labels", known) if one]
        if self.task in ("multilabel", "sequence"):
            parts.append(f'task="{self.task}"')
        return f"{self.functions.name(Scored)}({', '.join(parts)})"

    @property
    def steps(self) -> dict[str, str]:
        """Return the steps from logits to inputs of the loss: expressions, each with a word."""
        found = {}
        if self.task == "multilabel":
            found["torch.stack([torch.zeros_like(logits), logits], -1)"] = "as pairs of no and yes"
        if self.loss.view is None:
            if self.tensors["SCALE"] is not None:
                found["logits * SCALE.to(logits)"] = "scaled"
            elif self.spec.temperature != 1.0:
                found[f"logits / {self.spec.temperature}"] = "divided"
            if self.tensors["SHIFT"] is not None:
                found["logits + SHIFT.to(logits)"] = "shifted"
        return found

    def _read(self) -> None:
        """Set the scores that become probabilities, and the function that reads them, if any."""
        kind = self.spec.readout_kind(self.classes.n_classes)
        asked = None if self.tuned is None else self.tuned.readout
        self.read = asked or ("prior" if kind == "none" else "link")
        if self.read == "link" and kind == "none":
            self.read = "softmax"
        self.is_pushed = self.penalty is not None and self.penalty.readable == "slope"
        reader: Callable[..., Any] | None = self.loss.link
        reader = local_log_posterior if reader is by_gradient else reader
        reader = pushed_log_posterior if self.is_pushed else reader
        reader = log_posterior if kind == "slopes" else reader
        self.reader = reader if self.read == "link" else None

    def _roots(self) -> dict[Callable[..., Any], dict[str, float]]:
        """Return the functions of the loss, each with the numbers of its parameters."""

        def settings(owner: Any) -> dict[str, float]:
            return {
                name: float(self.spec[f"{owner.name}.{name}"])
                for name in owner.parameters
                if owner is self.loss or name != "weight"
            }

        loss, penalty, own = self.loss, self.penalty, settings(self.loss)
        found: dict[Callable[..., Any], dict[str, float]] = {}
        if penalty is not None:
            found[Scored] = {}
        found[loss.function] = own
        if loss.view is not None and (self.sees_view or self.read == "prior"):
            found[loss.view] = own
        if loss.memory is not None:
            found[loss.memory] = own
        if penalty is not None:
            found[penalty.function] = settings(penalty)
        if self.reader is not None:
            found[self.reader] = own if self.reader is loss.link else {}
        return found
