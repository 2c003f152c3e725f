"""The verdict on the locked test rows."""

from __future__ import annotations

import functools
from dataclasses import replace

from torch import Tensor

from autoloss.data import LockedPart
from autoloss.data.protocol import carried_out
from autoloss.experiment.gain_steps import StepPredictions, gains
from autoloss.experiment.reference import boost, compared
from autoloss.experiment.replication import Selection
from autoloss.experiment.session import SearchSession
from autoloss.inference.classifier import Classifier
from autoloss.readout import Items
from autoloss.search import Evidence, confirmed, earlier_looks, look_sentence


class LockedPredictions:
    """The predictions of models for the locked rows.

    Args:
        locked: The locked rows.
    """

    def __init__(self, locked: LockedPart) -> None:
        # Members of several models have the encoding of the same division.
        self._opened = functools.cache(locked.open)

    def of(self, model: Classifier, items: Items, *, raw: bool = False) -> Tensor:
        """Return a model's log probabilities of the items, (M, C), float64."""
        inputs = [self._opened(member.encoding).inputs for member in model.members]
        return items.scores(model.encoded_log_probs(inputs, raw=raw)[None])[0]


def confirm_on_locked(
    session: SearchSession, locked: LockedPart, selection: Selection
) -> Evidence:
    """Open the locked rows and compare the challenger with tuned cross-entropy on them.

    Args:
        session: The search.
        locked: Its locked rows, which only this function opens.
        selection: Challenger and tuned cross-entropy, chosen without these rows.
    """
    study, data, choice = session.study, session.opened.data, selection.choice
    models = selection.replication.models
    test = locked.open()
    items = Items.of(test.targets, study.facts).clustered(test.clusters)
    on_locked = LockedPredictions(locked)

    def predicted(number: int, *, raw: bool = False) -> Tensor:
        return on_locked.of(replace(models[number], temperature=1.0), items, raw=raw)

    challenger, baseline = choice.challenger.number, choice.baseline.number
    means = predicted(challenger), predicted(baseline)
    raw = predicted(challenger, raw=True), predicted(baseline, raw=True)
    verdict = confirmed(
        selection.snapshot,
        choice,
        means,
        items,
        coverage=selection.coverage,
    )
    default = selection.default
    steps = StepPredictions(
        default=predicted(default if default in models else baseline, raw=True).numpy(),
        tuned=raw[1].numpy(),
        calibrated=means[1].numpy(),
        challenger=means[0].numpy(),
    )
    # The verdict compares the losses; what ships has a temperature of its mean besides.
    shipped = _tempered(means[0], models[challenger]), _tempered(means[1], models[baseline])
    boosted = boost(session, (data.train, data.valid), test)
    ships = shipped[choice.place_of_shipped(verdict.decision)]
    looks = earlier_looks(study.folder.parent, locked.sha256, study.name)
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
