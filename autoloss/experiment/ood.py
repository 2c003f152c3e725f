"""The OOD rows at the end of a search: the scores of the finalists and of the model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from autoloss.experiment.confirmation import LockedPredictions
from autoloss.experiment.familiar import USUAL, with_familiar
from autoloss.experiment.held_out import HeldOutFinalists, Weights
from autoloss.experiment.ood_rows import StrangerRows
from autoloss.experiment.replication import Replication, Selection
from autoloss.experiment.session import SearchSession
from autoloss.inference.classifier import Classifier
from autoloss.inference.ood import OodScore, StrangerRule
from autoloss.metrics.ood import OF_TEMPERATURE, auroc
from autoloss.metrics.ood_figures import (
    TEMPERATURES,
    Pair,
    cluster_weights,
    distance_pair,
    estimate,
    mean_detection,
    score_with_intervals,
    spread_places,
)
from autoloss.records.ood import (
    FinalistStrangers,
    SearchStrangers,
    StrangerScore,
    TemperatureCurve,
)

DRAWS = 200
WORTH = 0.005
"""The area under the ROC curve that a temperature must gain on the choosing OOD rows."""
GRID = tuple(
    OodScore(name, temperature)
    for name in OF_TEMPERATURE
    for temperature in TEMPERATURES
    if temperature != 1.0
)
DRAWN = ("max_probability", "energy")
"""The scores that are drawn over the temperature."""
_ROWS = 4096
"""The most rows of a part whose scores are compared."""


class StrangerJudge:
    """The scores of finalists for OOD rows and for the rows that their training runs held out.

    Args:
        rows: The OOD rows.
        replication: The training runs of the finalists.
        numbers: The finalists.
        seed: Seed of the bootstrap.
    """

    def __init__(
        self, rows: StrangerRows, replication: Replication, numbers: Sequence[int], seed: int
    ) -> None:
        self.rows, self.replication = rows, replication
        members = next(iter(replication.models.values())).members
        inputs = rows.taken([member.encoding for member in members])
        of = replication.held_out[numbers[0]].of
        ends = np.cumsum([0, *of.sizes])
        self._places = [
            first + spread_places(int(end - first), _ROWS)
            for first, end in itertools.pairwise(ends)
        ]
        self._known: dict[int, list[Tensor]] = {}
        self._strange: dict[int, list[Tensor]] = {}
        for number in numbers:
            logits = torch.from_numpy(replication.held_out[number].scores())
            self._known[number] = [logits[place] for place in self._places]
            model = replication.models[number]
            self._strange[number] = [model.member_logits(*one) for one in enumerate(inputs)]
        self._targets = torch.from_numpy(of.targets)
        random = np.random.default_rng([seed, 19])
        every = np.concatenate(self._places)
        whole = cluster_weights(of.clusters[every], random, DRAWS)
        known = np.split(whole, np.cumsum([len(place) for place in self._places])[:-1], axis=1)
        self.strange_weights = cluster_weights(rows.clusters[rows.locked], random, DRAWS)
        self._weights: list[Pair] = [(own, self.strange_weights) for own in known]
        self._clusters = of.clusters
        self._n_choosing = len(rows.choosing)

    def pairs(self, weights: Weights, score: OodScore, *, locked: bool) -> list[Pair]:
        """Return each training run's scores of in-distribution rows and half of the OOD rows."""
        shares, found = list(weights.values()), []
        for place in range(len(self._places)):
            known = score([self._known[number][place] for number in weights], weights=shares)
            strange = [self._half(self._strange[number][place], locked) for number in weights]
            found.append((known.numpy(), score(strange, weights=shares).numpy()))
        return found

    def _half(self, rows: Tensor, locked: bool) -> Tensor:
        return rows[self._n_choosing :] if locked else rows[: self._n_choosing]

    def area(self, weights: Weights, score: OodScore, *, locked: bool) -> float:
        """Return the area under the ROC curve, the mean over the training runs."""
        pairs = self.pairs(weights, score, locked=locked)
        return float(np.mean([auroc(*pair) for pair in pairs]))

    def choose(self, weights: Weights, *, tempered: bool) -> OodScore:
        """Return the score with the largest area on the OOD rows that choose.

        Args:
            weights: The finalists of a mean.
            tempered: Whether temperatures other than 1 may be chosen too.
        """

        def best(scores: Sequence[OodScore]) -> tuple[float, OodScore]:
            areas = [self.area(weights, score, locked=False) for score in scores]
            return max(areas), scores[int(np.argmax(areas))]

        usual = best(USUAL)
        other = best(GRID) if tempered else usual
        # Below chance a temperature would gain by luck.
        return other[1] if other[0] > max(usual[0], 0.5) + WORTH else usual[1]

    def judged(self, weights: Weights, score: OodScore) -> StrangerScore:
        """Return the figures of a score on the locked OOD rows."""
        pairs = self.pairs(weights, score, locked=True)
        return score_with_intervals(str(score), pairs, self._weights)

    def finalist(self, number: int, *, is_side: bool) -> FinalistStrangers:
        """Return the OOD rows of a finalist.

        Args:
            number: The finalist.
            is_side: Whether it is a side of the verdict, which is shown in full.
        """
        weights = {number: 1.0}
        chosen = self.judged(weights, self.choose(weights, tempered=is_side))
        if not is_side:
            return FinalistStrangers(number, chosen)
        scores = [self.judged(weights, score) for score in USUAL]
        distance = score_with_intervals("class_distance", self._distances(number), self._weights)
        curves = tuple(self._curve(weights, name) for name in DRAWN)
        return FinalistStrangers(number, chosen, (*scores, distance), curves)

    def _distances(self, number: int) -> list[Pair]:
        """Return the distances to the class means, of in-distribution rows from the other half."""
        found = []
        for place, (known, strange) in enumerate(
            zip(self._known[number], self._strange[number], strict=True)
        ):
            rows = self._places[place]
            first = np.unique(self._clusters[rows], return_inverse=True)[1] % 2 == 0
            strangers = self._half(strange, locked=True)[None]
            found.append(distance_pair(known[None], self._targets[rows], strangers, first))
        return found

    def _curve(self, weights: Weights, name: str) -> TemperatureCurve:
        """Return the area over the temperature, with the gain of the chosen temperature."""
        scores = [OodScore(name, temperature) for temperature in TEMPERATURES]
        chosen = int(np.argmax([self.area(weights, one, locked=False) for one in scores]))
        ours, plain = (
            mean_detection(self.pairs(weights, one, locked=True), self._weights).auroc
            for one in (scores[chosen], OodScore(name))
        )
        return TemperatureCurve(
            name,
            auroc=tuple(self.area(weights, one, locked=True) for one in scores),
            best=TEMPERATURES[chosen],
            gain=estimate(ours - plain),
        )


def judge_strangers(
    session: SearchSession,
    selection: Selection,
    model: Classifier,
    weights: Weights,
    on_locked: LockedPredictions | None,
) -> tuple[SearchStrangers, dict[int, Classifier], Classifier]:
    """Choose the scores of the finalists and of the shipped model, and judge them.

    Args:
        session: The search, which has OOD rows.
        selection: The finalists.
        model: The shipped model.
        weights: The weights of its finalists.
        on_locked: The predictions for the locked rows, if there are any.

    Returns:
        The figures, the finalists' models and the shipped model, each with its score.
    """
    rows, replication, seed = session.opened.strangers, selection.replication, session.study.seed
    assert rows is not None
    choice = selection.choice
    sides = {choice.challenger.number, choice.baseline.number}
    numbers = list(replication.models)
    if session.clock.is_up:
        numbers = [n for n in numbers if n in sides or n in weights]
        session.note(
            "The time was up: only the scores of the shipped model and of the verdict's two "
            "trials were judged on the out-of-distribution rows."
        )
    judge = StrangerJudge(rows, replication, numbers, seed)
    finalists = [judge.finalist(number, is_side=number in sides) for number in numbers]
    pool = HeldOutFinalists(replication.held_out)
    models = dict(replication.models)
    for one in finalists:
        own = {one.number: 1.0}
        score = OodScore.of(one.chosen.name)
        models[one.number] = with_familiar(models[one.number], pool, own, score=score)
    score = judge.choose(weights, tempered=True)
    model = with_familiar(model, pool, weights, score=score)
    ships, n_known = judge.judged(weights, score), len(np.unique(pool.every))
    if on_locked is not None:
        ships, n_known = _on_locked(session, judge, model, on_locked)
    found = SearchStrangers(
        rows.label,
        chose=len(rows.choosing),
        judged=len(rows.locked),
        known=n_known,
        ships=ships,
        finalists=tuple(finalists),
        temperatures=TEMPERATURES,
    )
    return found, models, model


def _on_locked(
    session: SearchSession, judge: StrangerJudge, model: Classifier, locked: LockedPredictions
) -> tuple[StrangerScore, int]:
    """Return the figures of a model on the locked rows and the locked OOD rows."""
    score, weights = _rule(model).score, [member.weight for member in model.members]
    items = locked.items(session.study.facts)
    places = spread_places(len(items), _ROWS)
    known = score(locked.logits(model, places), weights=weights).numpy()
    inputs = judge.rows.taken([one.encoding for one in model.members], judge.rows.locked)
    strange = score(
        (model.member_logits(*one) for one in enumerate(inputs)), weights=weights
    ).numpy()
    random = np.random.default_rng([session.study.seed, 23])
    clusters = np.asarray(items.cluster_numbers)[places]
    own = cluster_weights(clusters, random, DRAWS), judge.strange_weights
    return score_with_intervals(str(score), [(known, strange)], [own]), len(places)


def _rule(model: Classifier) -> StrangerRule:
    assert model.strangers is not None
    return model.strangers


def with_locked(model: Classifier, locked: LockedPredictions) -> Classifier:
    """Return a model with the scores of locked rows in place of held-out rows.

    Its mean is the mean of all members there, as for new rows; a row that was held out has the
    scores of few members, which differ more.

    Args:
        model: The model.
        locked: Its predictions for the locked rows.
    """
    rule = model.strangers
    if rule is None:
        return model
    logits = locked.logits(model, spread_places(len(locked.rows.rows), _ROWS))
    weights = [member.weight for member in model.members]
    scores = [OodScore.of(name) for name in rule.familiar]
    known = {one: one(logits, weights=weights).numpy() for one in scores}
    return replace(model, strangers=StrangerRule.fit(known, rule.score, is_chosen=rule.is_chosen))
