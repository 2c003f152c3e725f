"""The read-outs of K candidates, and the read-out of a shipped model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.readout.fit import Fitted, chosen_scores, fit_and_predict
from autoloss.readout.items import Items
from autoloss.readout.predictions import (
    SOURCES,
    Predictions,
    Source,
    calibrated,
    finite_logits,
    predict,
    scores_of,
)


@dataclass(frozen=True)
class Readout:
    """The map of a model from logits to probabilities, as plain data.

    Args:
        source: ``"softmax"``, ``"prior"`` (softmax with the loss's shift of the prior undone) or
            ``"link"`` (the loss's own posterior).
        inverse_temperature: Factor of the scores; 1 for none.
        mix: Weight of the uniform distribution in the probabilities.
        spec: The loss, which declares the link and the prior.
        has_temperature: Whether the inverse temperature was fitted.
        of_labels: The inverse temperature of each of several labels a row; empty if all have the
            same.
    """

    source: Source
    inverse_temperature: float
    mix: float
    spec: LossSpec
    has_temperature: bool = True
    of_labels: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """Return a name such as ``"softmax+temperature"``."""
        return f"{self.source}+temperature" if self.has_temperature else self.source

    @property
    def betas(self) -> tuple[float, ...]:
        """Return the inverse temperature, or that of each of several labels."""
        return self.of_labels or (self.inverse_temperature,)

    def log_probs(self, logits: Tensor, class_counts: Tensor | ClassFacts) -> Tensor:
        """Return log probabilities.

        Args:
            logits: Logits.
            class_counts: Training rows of each class, shape (C,), or all facts of the classes.

        Returns:
            Log probabilities; NaN for items whose logits are not finite.

        Shape:
            (N, C) -> (N, C); several labels (N, L) -> (N, L, 2); sequences (N, T, C) -> the same.
        """
        logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        objective = Objective([self.spec], class_counts, dtype=logits.dtype, device=logits.device)
        is_finite = torch.isfinite(objective.facts.over_classes(logits)).all(-1, keepdim=True)
        clean = torch.where(torch.isfinite(logits), logits, 0.0).unsqueeze(0)
        scores = scores_of(self.source, clean, objective, [0])
        log_beta = torch.tensor(self.betas, dtype=torch.float64, device=logits.device).log()
        log_probs = calibrated(
            scores.flatten(1, -2), log_beta.expand(scores.shape[:-1]).flatten(1), mix=self.mix
        ).view(scores.shape)[0]
        return torch.where(is_finite, log_probs, torch.nan)

    def to_dict(self) -> dict[str, Any]:
        """Return the read-out as JSON values."""
        return {
            "source": self.source,
            "inverse_temperature": self.inverse_temperature,
            "mix": self.mix,
            "has_temperature": self.has_temperature,
            "spec": self.spec.to_dict(),
            **({"of_labels": list(self.of_labels)} if self.of_labels else {}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Readout:
        """Return the read-out that `to_dict` wrote.

        Raises:
            InputError: If a key is missing or a value is not allowed.
        """
        missing = {"source", "inverse_temperature", "mix", "has_temperature", "spec"} - set(values)
        if missing:
            raise InputError(
                f"A read-out must have {sorted(missing)[0]!r}, but got {dict(values)}."
            )
        if values["source"] not in SOURCES:
            known = ", ".join(SOURCES)
            raise InputError(
                f"A read-out's source must be one of {known}, but got source={values['source']!r}."
            )
        return cls(
            source=values["source"],
            inverse_temperature=float(values["inverse_temperature"]),
            mix=float(values["mix"]),
            spec=LossSpec.from_dict(values["spec"]),
            has_temperature=bool(values["has_temperature"]),
            of_labels=tuple(map(float, values.get("of_labels", ()))),
        )


@dataclass(frozen=True)
class Readouts:
    """The read-outs of K candidates, fitted on the same rows.

    Args:
        fitted: The choice and the fitted temperatures.
        predictions: Cross-fitted predictions on the rows of the fit.
        specs: The losses of the candidates.
    """

    fitted: Fitted
    predictions: Predictions
    specs: tuple[LossSpec, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the name of each read-out, such as ``"link+temperature"``."""
        return tuple(self.row(k).name for k in range(len(self.specs)))

    @property
    def log_beta(self) -> Tensor:
        """Return the log inverse temperature of each candidate, 0 for none, shape (K,)."""
        return self.fitted.log_beta

    @property
    def refined(self) -> Tensor:
        """Return the refined log loss in nats, shape (K,)."""
        return self.fitted.refined

    @property
    def example_log_loss(self) -> Tensor:
        """Return the cross-fitted log loss of each example in nats, shape (K, N)."""
        return self.predictions.example_log_loss

    @property
    def log_probs(self) -> Tensor:
        """Return the cross-fitted log probabilities, shape (K, N, C)."""
        return self.predictions.log_probs

    @property
    def start(self) -> Tensor:
        """Return the start of the next fit, shape (K, 3)."""
        return self.fitted.state

    def row(self, k: int) -> Readout:
        """Return the read-out of candidate k as it is shipped: fitted on all rows."""
        own = self.fitted.of_labels
        is_own = own is not None and bool((own.every[k] != self.log_beta[k]).any())
        return Readout(
            source=SOURCES[int(self.fitted.source[k])],
            inverse_temperature=float(self.log_beta[k].exp()),
            mix=self.fitted.mix,
            spec=self.specs[k],
            has_temperature=bool(self.fitted.has_temperature[k]),
            of_labels=tuple(own.every[k].exp().tolist()) if own is not None and is_own else (),
        )

    def predict(
        self, logits: Tensor, targets: Tensor | Items, objective: Objective
    ) -> Predictions:
        """Return predictions for other rows; nothing is fitted.

        Args:
            logits: Logits of the same candidates, shape (K, N, C).
            targets: Classes of the rows, shape (N,), or their items.
            objective: The losses of the candidates.
        """
        items = Items.of(targets, objective.facts)
        logits, is_finite = finite_logits(logits, items, objective)
        return predict(
            chosen_scores(logits, items, objective, self.fitted.source),
            self.fitted.of_items(items),
            items.labels,
            mix=self.fitted.mix,
            is_finite=is_finite,
            is_yes_or_no=objective.facts.is_yes_or_no,
        )


def fit_readouts(
    logits: Tensor,
    targets: Tensor | Items,
    objective: Objective,
    *,
    folds: Tensor,
    start: Tensor | None = None,
) -> Readouts:
    """Fit for each candidate the read-out with the lowest cross-fitted log loss.

    Args:
        logits: Logits of the validation rows.
        targets: Their classes, or their items.
        objective: The losses of the candidates.
        folds: Fold of each row, from `fold_numbers`.
        start: State of an earlier fit, which only saves time.

    Shape:
        logits (K, N, C), targets (N,), folds (N,), start (K, 3). Several labels: logits (K, N, L),
        targets (N, L); sequences: logits (K, N, T, C), targets (N, T). Both give items, M in all.
    """
    items = Items.of(targets, objective.facts)
    fitted, predictions = fit_and_predict(logits, items, objective, folds, start)
    specs = tuple(LossSpec.of(data) for data in objective.specs)
    return Readouts(fitted=fitted, predictions=predictions, specs=specs)
