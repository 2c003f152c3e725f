"""The embedding of numbers, chosen by a short training run before the search.

Which embedding suits a table depends on its columns: learnt frequencies follow smooth functions of
a few numbers, quantile bins follow steps and heavy tails. Cross-entropy trains with each on the
same rows, at two settings, and learnt frequencies, which take more time, must be better by a
standard error. Rows decide that candidates are compared on, so locked rows stay unseen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic

import torch
from torch import Tensor

from autoloss.core.settings import Numbers
from autoloss.data import Fold, Part
from autoloss.executors import Work, executor_of
from autoloss.experiment.open_search import OpenSearch
from autoloss.losses import LossSpec
from autoloss.models import has_numbers
from autoloss.readout import Items
from autoloss.search.scoring import Scorer
from autoloss.training import Candidate
from autoloss.training.divisions import Divisions, Trained

ROWS, HELD_OUT, EPOCHS = 4_000, 8_000, 16
"""The most rows to train and to decide on, of each division, and the epochs."""
SETTINGS = ((1.0, 0.1), (2.0, 0.25))
"""Learning rates relative to the default, and dropout rates; an embedding has its best of them."""
CLEAR = 1.0
"""Standard errors by which learnt frequencies must lower the log loss."""
LEAST_LIMIT, LEAST_TRIALS = 45.0, 24
"""The seconds of a time limit, and the trials, from which the short run is worth its share."""


@dataclass(frozen=True)
class NumbersChoice:
    """The choice of an embedding.

    Args:
        numbers: The embedding.
        change: Log loss of learnt frequencies minus that of bins, in nats.
        error: The standard error of the change.
    """

    numbers: Numbers
    change: float = math.nan
    error: float = math.nan

    @property
    def text(self) -> str:
        """Return the choice in a sentence."""
        if math.isnan(self.change):
            return "Numbers are embedded by quantile bins, without a short training to choose."
        chosen = "learnt frequencies" if self.numbers == "waves" else "quantile bins"
        return (
            f"Numbers are embedded by {chosen}: in a short training, learnt frequencies changed "
            f"the log loss by {self.change:+.4f} nats (standard error {self.error:.4f})."
        )


def choose_numbers(opened: OpenSearch) -> NumbersChoice:
    """Return the better embedding; bins where there is no choice, or no time for it.

    Args:
        opened: A search whose space leaves the choice open.
    """
    limit, every = opened.clock.limit, opened.data.folds
    is_short = limit is not None and limit < LEAST_LIMIT
    is_short = is_short or opened.study.budget < LEAST_TRIALS
    if is_short or not has_numbers([fold.encoding.schema for fold in every], opened.model):
        return NumbersChoice("bins")
    folds = [_fewer(fold, opened.study.seed) for fold in every]
    losses = [_losses(opened, _divisions(opened, folds, one)) for one in ("bins", "waves")]
    if not all(one.isfinite().all() for one in losses):
        return NumbersChoice("bins")
    change = losses[1] - losses[0]
    mean, error = float(change.mean()), float(change.std() / math.sqrt(len(change)))
    return NumbersChoice("waves" if mean < -CLEAR * error else "bins", mean, error)


def _fewer(fold: Fold, seed: int) -> Fold:
    """Return a division with at most `ROWS` of its training rows and `HELD_OUT` of the others."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(part: Part, most: int) -> Part:
        if len(part) <= most:
            return part
        places = torch.randperm(len(part), generator=generator)[:most]
        return part.take(places.sort().values)

    return replace(fold, train=drawn(fold.train, ROWS), valid=drawn(fold.valid, HELD_OUT))


def _divisions(opened: OpenSearch, folds: Sequence[Fold], numbers: Numbers) -> Divisions:
    space, data = opened.study.space, opened.data
    return Divisions.of(
        folds,
        data.task.n_outputs,
        replace(space.network.sized(data.n_rows, data.task.n_outputs), numbers=numbers),
        replace(space.training, max_epochs=min(EPOCHS, space.training.max_epochs)),
        device=opened.device,
        seed=opened.study.seed,
        facts=opened.study.facts,
    )


def _losses(opened: OpenSearch, divisions: Divisions) -> Tensor:
    """Return the log loss of each held-out row in nats, of the setting whose mean is lowest."""
    study, count = opened.study, len(divisions)
    lr, decay = (float(study.space.default(name)) for name in ("lr", "weight_decay"))
    candidates = tuple(
        Candidate(LossSpec(), lr * factor, decay, dropout, seed=study.seed, fold=fold)
        for factor, dropout in SETTINGS
        for fold in range(count)
    )
    work = Work(divisions.jobs, candidates, at_once=True, needs_weights=False)
    executor, began = executor_of(opened.crew, together=len(candidates)), monotonic()
    outcomes = {one.place: one.outcome for one in executor.submit(work)}
    opened.clock.training += monotonic() - began
    starts = range(0, len(candidates), count)
    trained = [Trained.of([outcomes[k + fold] for fold in range(count)]) for k in starts]
    items = Items.of(divisions.targets, study.facts)
    scorer = Scorer(study.facts, study.metric, study.seed)
    scores = scorer.score(
        torch.stack([one.logits for one in trained]),
        items,
        [LossSpec()] * len(trained),
        folds=divisions.folds,
    )
    means = scores.example_log_loss.mean(-1).nan_to_num(math.inf)
    losses = scores.example_log_loss[means.argmin()].cpu()
    if items.rows is None:
        return losses
    rows = items.rows.cpu()
    sums, counts = (
        torch.zeros(items.n_rows, dtype=losses.dtype).index_add(0, rows, values)
        for values in (losses, torch.ones_like(losses))
    )
    return sums[counts > 0] / counts[counts > 0]
