"""The OOD figures of trials, where they are objectives of the search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from autoloss.data import StudyData
from autoloss.data.encoding import Inputs
from autoloss.experiment.ood_rows import StrangerRows
from autoloss.inference.scoring import raw_scores
from autoloss.losses import LossSpec
from autoloss.metrics.ood import OF_LOGITS, Detection
from autoloss.metrics.ood_figures import Pair, distance_pair, mean_detection, plain_weights
from autoloss.records.ood import FIGURES, PREFIX, SCORES
from autoloss.training.divisions import Divisions, Trained

MOST = 2048
"""The most OOD rows on which trials are compared."""
_FIELDS = dict(zip(FIGURES, ("auroc", "average_precision", "false_acceptance"), strict=True))


class StrangerTrials:
    """Computes the figures of trials for the OOD rows that choose.

    Args:
        rows: The OOD rows; None for none.
        data: The data, whose divisions trials are compared on.
        objectives: The objectives of the search.
    """

    def __init__(
        self, rows: StrangerRows | None, data: StudyData, objectives: Sequence[str]
    ) -> None:
        self._rows, self._data = rows, data
        self._names = [name for name in objectives if name.startswith(PREFIX)]

    @property
    def are_compared(self) -> bool:
        """Return whether a figure is an objective, so that trials need their weights."""
        return bool(self._names)

    @cached_property
    def _inputs(self) -> list[Inputs]:
        """Return the OOD rows for each division."""
        assert self._rows is not None
        encodings = [fold.encoding for fold in self._data.folds]
        return self._rows.taken(encodings, self._rows.choosing[:MOST])

    def figures(
        self, divisions: Divisions, specs: Sequence[LossSpec], trained: Sequence[Trained]
    ) -> list[dict[str, float]] | None:
        """Return the figures of each trial by name; None if none is an objective.

        They are means over the divisions, at temperature 1.

        Args:
            divisions: The divisions.
            specs: The losses of the trials.
            trained: Their training runs.
        """
        if not self._names:
            return None
        return [self._of(divisions, *one) for one in zip(specs, trained, strict=True)]

    def _of(self, divisions: Divisions, spec: LossSpec, trained: Trained) -> dict[str, float]:
        pairs: dict[str, list[Pair]] = {name: [] for name in SCORES}
        for job, outcome, inputs in zip(
            divisions.jobs, trained.outcomes, self._inputs, strict=True
        ):
            weights = outcome.weights.cpu()
            strange = raw_scores(job.network, weights, spec, inputs, of_tokens=False)[None]
            known = outcome.logits.cpu()[None]
            for name, score in OF_LOGITS.items():
                pairs[name].append((score(known).numpy(), score(strange).numpy()))
            if any(name.endswith("class_distance") for name in self._names):
                pairs["class_distance"].append(_distances(known, job.valid.targets, strange))
        found = {
            name: mean_detection(own, plain_weights(own)) for name, own in pairs.items() if own
        }
        best = max((found[name] for name in OF_LOGITS), key=lambda one: float(one.auroc[0]))
        every = {PREFIX + figure: _figure(best, figure) for figure in FIGURES}
        for figure in FIGURES:
            every |= {
                f"{PREFIX}{figure}_{name}": _figure(one, figure) for name, one in found.items()
            }
        return {name: every[name] for name in (*(PREFIX + one for one in FIGURES), *self._names)}


def _distances(known: Tensor, targets: Tensor, strange: Tensor) -> Pair:
    first = np.arange(known.shape[1]) % 2 == 0
    return distance_pair(known, torch.as_tensor(targets).cpu(), strange, first)


def _figure(found: Detection, figure: str) -> float:
    return float(getattr(found, _FIELDS[figure])[0])
