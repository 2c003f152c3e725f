"""The verdict on the locked test rows."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.data import LockedPart
from autoloss.data.protocol import carried_out
from autoloss.experiment.gain_steps import StepPredictions, gains
from autoloss.experiment.reference import boost, compared
from autoloss.experiment.replication import Selection
from autoloss.experiment.session import SearchSession
from autoloss.inference.classifier import Classifier
from autoloss.losses import ClassFacts
from autoloss.readout import Items
from autoloss.search import Evidence, confirmed, earlier_looks, look_sentence

KEPT_NUMBERS = 1 << 25
"""The most raw scores that are kept between the models of the verdict and of the policies."""


class LockedPredictions:
    """The predictions of models for the locked rows.

    Models share members, whose raw scores are computed once.

    Args:
        locked: The locked rows, which are opened.

    Attributes:
        rows: The rows.
        sha256: Their hash.
    """

    def __init__(self, locked: LockedPart) -> None:
        self.rows, self.sha256 = locked.open(), locked.sha256
        # Members of several models have the encoding of the same division.
        self._opened = functools.cache(locked.open)
        # By the weights, which are kept with them, so that no other tensor gets their number.
        self._scores: dict[int, tuple[Tensor, Tensor]] = {}
        self._room = KEPT_NUMBERS

    def items(self, facts: ClassFacts) -> Items:
        """Return the items of the rows, with their clusters."""
        return (
            Items.of(self.rows.targets, facts)
            .clustered(self.rows.clusters)
            .costing(self.rows.costs)
        )

    def of(self, model: Classifier, items: Items, *, raw: bool = False) -> Tensor:
        """Return a model's log probabilities of the items, (M, C), float64."""
        logits = (self._scores_of(model, number) for number in range(len(model.members)))
        return items.scores(model.mean(model.read(logits, raw=raw), raw=raw)[None])[0]

    def logits(self, model: Classifier, rows: NDArray[np.integer]) -> list[Tensor]:
        """Return the raw scores of each member of a model for some rows, each (n, C)."""
        places, found = torch.from_numpy(rows), []
        for number, member in enumerate(model.members):
            known = self._scores.get(id(member.weights))
            if known is None:
                inputs = self._opened(member.encoding).inputs.take(places)
                found.append(model.member_logits(number, inputs))
            else:
                found.append(known[1][places])
        return found

    def _scores_of(self, model: Classifier, number: int) -> Tensor:
        member = model.members[number]
        if (known := self._scores.get(id(member.weights))) is not None:
            return known[1]
        found = model.member_logits(number, self._opened(member.encoding).inputs)
        if found.numel() <= self._room:
            self._room -= found.numel()
            self._scores[id(member.weights)] = member.weights, found
        return found


def confirm_on_locked(
    session: SearchSession, selection: Selection, predictions: LockedPredictions
) -> Evidence:
    """Compare the challenger with tuned cross-entropy on the locked rows.

    Args:
        session: The search.
        selection: Challenger and tuned cross-entropy, chosen without these rows.
        predictions: Predicts the rows.
    """
    study, data, choice = session.study, session.opened.data, selection.choice
    models = selection.replication.models
    test, items = predictions.rows, predictions.items(study.facts)

    def predicted(number: int, *, raw: bool = False) -> Tensor:
        return predictions.of(replace(models[number], temperature=1.0), items, raw=raw)

    challenger, baseline = choice.challenger.number, choice.baseline.number
    means = predicted(challenger), predicted(baseline)
    raw = predicted(challenger, raw=True), predicted(baseline, raw=True)
    verdict = confirmed(
        selection.snapshot,
        choice,
        means,
        items,
        coverage=selection.coverage,
        paired=selection.replication.paired(study, choice),
    )
    default = selection.default
    steps = StepPredictions(
        default=predicted(default if default in models else baseline, raw=True).numpy(),
        tuned=raw[1].numpy(),
        calibrated=means[1].numpy(),
        challenger=means[0].numpy(),
    )
    # The verdict compares the losses; the shipped model also has a temperature of its mean.
    shipped = _tempered(means[0], models[challenger]), _tempered(means[1], models[baseline])
    boosted = boost(session, (data.train, data.valid), test)
    ships = shipped[choice.place_of_shipped(verdict.decision)]
    looks = earlier_looks(study.folder.parent, predictions.sha256, study.name)
    return Evidence(
        choice=choice,
        verdict=verdict,
        log_probs=shipped,
        items=items,
        resampling=carried_out(data.resampling, replicates=selection.replication.figures.count),
        finalists=selection.finalists,
        gains=gains(selection, steps, items),
        reference=compared(boosted, selection.snapshot, ships, items),
        looks=len(looks),
        notes=(look_sentence(looks),) if looks else (),
        raw=raw,
        rows=items.of_rows(test.rows),
        table=test.table,
        coverage=selection.coverage,
    )


def _tempered(mean: Tensor, model: Classifier) -> Tensor:
    """Return the mean of a model's members at its temperature, as log probabilities, (N, C)."""
    return (mean / model.temperature).log_softmax(-1)
