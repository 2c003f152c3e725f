"""The choice of a read-out by cross-fitting: {softmax, prior, link} × {none, temperature}."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autoloss.losses import Objective
from autoloss.readout.crossfit import crossfit
from autoloss.readout.items import Items
from autoloss.readout.label_temperatures import LabelTemperatures, fit_label_temperatures
from autoloss.readout.predictions import (
    SOURCES,
    Predictions,
    Source,
    finite_logits,
    predict,
    scores_of,
)
from autoloss.readout.table import ScoreTable, make_table
from autoloss.readout.temperature import tolerance

# Read-outs whose costs are this close, in nats, count as equal: the simpler is taken.
_SAME = 1e-7
# While a candidate still learns, this tolerance of the temperature suffices: 1e-6 nats.
_LEARNING_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Fitted:
    """The chosen read-out of each of K candidates, and its cost on the rows of the fit.

    Args:
        source: Index into `SOURCES`, shape (K,).
        has_temperature: Whether a temperature is used, shape (K,).
        log_beta: Log inverse temperature, 0 for none, shape (K,), float64.
        fold_log_beta: For each fold, the same fitted on all other folds, shape (K, F).
        refined: Mean cross-fitted log loss in nats, NaN where logits are not finite, shape (K,).
        wrong: Whether the decision is wrong, shape (K, N).
        state: Log inverse temperature by source, NaN where not fitted; the `start` of the next
            fit, (K, 3).
        mix: Weight of the uniform distribution in the probabilities.
        of_labels: The temperatures of several labels a row, in place of `log_beta`; None for one
            label a row. A candidate without a temperature has none for any label.
    """

    source: Tensor
    has_temperature: Tensor
    log_beta: Tensor
    fold_log_beta: Tensor
    refined: Tensor
    wrong: Tensor
    state: Tensor
    mix: float
    of_labels: LabelTemperatures | None = None

    def of_items(self, items: Items) -> Tensor:
        """Return the log inverse temperature of each item, (K, M), or of all, (K,)."""
        if self.of_labels is None:
            return self.log_beta
        return self.of_labels.of_items(items.numbers)

    def crossfitted(self, items: Items, folds: Tensor) -> Tensor:
        """Return the log inverse temperature that other folds give each item, (K, M).

        Args:
            items: The items.
            folds: The fold of each row, (N,).
        """
        own = items.of_rows(folds)
        if self.of_labels is None:
            return self.fold_log_beta[:, own]
        return self.of_labels.crossfitted(items.numbers, own)


@dataclass(frozen=True)
class _Variants:
    """The scores of each distinct source of each candidate, V in all."""

    parts: list[Tensor]
    candidate: Tensor
    source: Tensor


def refined_log_loss(
    logits: Tensor,
    targets: Tensor | Items,
    objective: Objective,
    *,
    folds: Tensor,
    start: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the refined log loss in nats, the error in [0, 1], and the start of the next call.

    The log loss is that of `fit_readouts` to 1e-5 nats, with one temperature for all labels of a
    row. The call is cheap from a near start: it
    makes no probabilities, and leaves out links that need a matrix (C, C) for every example.

    Args:
        logits: Logits of the validation rows.
        targets: Their classes, or their items.
        objective: The losses of the K candidates.
        folds: Fold of each row, from `fold_numbers`.
        start: The state that the last call returned, without the rows of dropped candidates.

    Shape:
        logits (K, N, C), targets (N,), folds (N,), start (K, 3); results (K,), (K,), (K, 3).
    """
    items = Items.of(targets, objective.facts)
    logits, is_finite = finite_logits(logits, items, objective)
    fitted = fit(logits, items, objective, folds, start, tol=_LEARNING_TOLERANCE, costly=False)
    fitted.refined[~is_finite] = torch.nan
    error = fitted.wrong.double().mean(-1)
    return fitted.refined, torch.where(is_finite, error, torch.nan), fitted.state


def fit_and_predict(
    logits: Tensor, items: Items, objective: Objective, folds: Tensor, start: Tensor | None
) -> tuple[Fitted, Predictions]:
    """Fit the read-outs to full precision and return their cross-fitted predictions."""
    logits, is_finite = finite_logits(logits, items, objective)
    tol = tolerance(logits.dtype)
    fitted = fit(logits, items, objective, folds, start, tol=tol, costly=True)
    scores = chosen_scores(logits, items, objective, fitted.source)
    if objective.facts.task == "multilabel":
        fitted = _by_label(fitted, scores, items, objective, folds)
    fitted.refined[~is_finite] = torch.nan
    predictions = predict(
        scores,
        fitted.crossfitted(items, folds),
        items.labels,
        mix=fitted.mix,
        is_finite=is_finite,
        is_yes_or_no=objective.facts.is_yes_or_no,
    )
    return fitted, predictions


def _by_label(
    fitted: Fitted, scores: Tensor, items: Items, objective: Objective, folds: Tensor
) -> Fitted:
    """Return the fit with a temperature of each label, where that lowers the log loss."""
    numbers, own = items.numbers, items.of_rows(folds)
    found = fit_label_temperatures(
        scores,
        items.labels,
        numbers,
        own,
        n_labels=objective.facts.counts.shape[-2],
        shared=fitted.log_beta,
        shared_by_fold=fitted.fold_log_beta,
    )
    margins = (scores[..., 1] - scores[..., 0]) * (items.labels * 2 - 1)
    beta = found.crossfitted(numbers, own).exp().to(margins.dtype)
    cost = -torch.log(torch.sigmoid(margins * beta) * (1 - fitted.mix) + fitted.mix / 2)
    refined = cost.mean(-1, dtype=torch.float64)
    is_better = fitted.has_temperature & (refined < fitted.refined - _SAME)
    own_labels = is_better.unsqueeze(-1)
    return replace(
        fitted,
        refined=torch.where(is_better, refined, fitted.refined),
        of_labels=LabelTemperatures(
            torch.where(own_labels, found.every, fitted.log_beta.unsqueeze(-1)),
            torch.where(
                own_labels.unsqueeze(-1), found.by_fold, fitted.fold_log_beta.unsqueeze(-1)
            ),
        ),
    )


def chosen_scores(logits: Tensor, items: Items, objective: Objective, source: Tensor) -> Tensor:
    """Return the scores of each candidate from its chosen source, shape (K, N, C)."""
    scores = items.scores(objective.facts.over_classes(logits)).clone()
    for number, name in enumerate(SOURCES[1:], start=1):
        rows = (source == number).nonzero().flatten().tolist()
        if rows:
            scores[rows] = items.scores(scores_of(name, logits, objective, rows))
    return scores


def fit(
    logits: Tensor,
    items: Items,
    objective: Objective,
    folds: Tensor,
    start: Tensor | None,
    *,
    tol: float,
    costly: bool,
) -> Fitted:
    """Fit every distinct read-out of finite logits and choose the best for each candidate."""
    variants = _variants(logits, items, objective, costly=costly)
    table = make_table(
        variants.parts, items.labels, items.of_rows(folds), n_folds=int(folds.max()) + 1
    )
    mix = 1 / (len(items) + 1)
    first = _start(start, variants, table)
    log_beta, fold_log_beta = crossfit(table, first, tol=tol)
    costs = torch.full((len(logits), len(SOURCES), 2), torch.inf, dtype=torch.float64)
    costs = costs.to(logits.device)
    place = (variants.candidate, variants.source)
    costs[(*place, 0)] = _mean_cost(table, torch.zeros_like(log_beta), mix)
    costs[(*place, 1)] = _mean_cost(table, fold_log_beta, mix)
    state = torch.full_like(costs[..., 0], torch.nan)
    state[place] = log_beta

    # A link may be undefined far from the minimum of its loss.
    flat = costs.flatten(1).nan_to_num(nan=torch.inf)
    # Of equals the first: softmax, prior, link, each without a temperature before with one.
    choice = (flat <= flat.amin(-1, keepdim=True) + _SAME).int().argmax(-1)
    number = torch.zeros(len(logits), len(SOURCES), dtype=torch.int64, device=logits.device)
    number[place] = torch.arange(table.n_rows, device=logits.device)
    has_temperature = choice % 2 == 1
    row = number.gather(-1, (choice // 2).unsqueeze(-1)).squeeze(-1)
    return Fitted(
        source=choice // 2,
        has_temperature=has_temperature,
        log_beta=torch.where(has_temperature, log_beta[row], 0.0),
        fold_log_beta=torch.where(has_temperature.unsqueeze(-1), fold_log_beta[row], 0.0),
        refined=flat.gather(-1, choice.unsqueeze(-1)).squeeze(-1),
        wrong=table.wrong(row),
        state=state,
        mix=mix,
    )


def _mean_cost(table: ScoreTable, log_beta: Tensor, mix: float) -> Tensor:
    """Return the mean log loss of bounded probabilities in nats, shape (V,), float64."""
    probs = table.target_probs(log_beta)
    probs = probs.mul_(1 - mix).add_(mix / table.n_classes)
    return -probs.log_().sum(-1, dtype=torch.float64) / probs.shape[-1]


def _variants(logits: Tensor, items: Items, objective: Objective, *, costly: bool) -> _Variants:
    """Return the scores of each distinct source of each candidate; costly links on request."""
    n_candidates = len(logits)
    has_prior = objective.has_prior.nonzero().flatten().tolist()
    linked = objective.has_link if costly else objective.has_link & ~objective.has_costly_link
    has_link = linked.nonzero().flatten().tolist()
    found: list[tuple[Source, list[int], Tensor]] = [
        (
            "softmax",
            list(range(n_candidates)),
            items.scores(objective.facts.over_classes(logits)),
        )
    ]
    if has_prior:
        scores = items.scores(scores_of("prior", logits, objective, has_prior))
        found.append(("prior", has_prior, scores))
    if has_link:
        scores = items.scores(scores_of("link", logits, objective, has_link))
        is_new = torch.ones(len(has_link), dtype=torch.bool, device=logits.device)
        if has_prior:
            is_new = _is_new(scores, has_link, found[1][2], has_prior)
        kept = is_new.nonzero().flatten().tolist()
        if kept:
            scores = scores if len(kept) == len(has_link) else scores[kept]
            found.append(("link", [has_link[row] for row in kept], scores))
    candidate = [row for _, rows, _ in found for row in rows]
    source = [SOURCES.index(name) for name, rows, _ in found for _ in rows]
    return _Variants(
        parts=[scores for _, _, scores in found],
        candidate=torch.tensor(candidate, device=logits.device),
        source=torch.tensor(source, device=logits.device),
    )


def _is_new(links: Tensor, of_link: list[int], priors: Tensor, of_prior: list[int]) -> Tensor:
    """Return which links differ from the softmax of the prior-corrected scores."""
    both = [(i, of_prior.index(row)) for i, row in enumerate(of_link) if row in of_prior]
    is_new = torch.ones(len(of_link), dtype=torch.bool, device=links.device)
    if both:
        mine, theirs = (list(rows) for rows in zip(*both, strict=True))
        gap = links[mine].exp() - torch.softmax(priors[theirs], -1)
        is_new[mine] = gap.abs().amax((-1, -2)) > 1e-5
    return is_new


def _start(start: Tensor | None, variants: _Variants, table: ScoreTable) -> Tensor:
    """Return the start of each row: its last value, or no temperature; shape (V,)."""
    if start is None:
        return torch.zeros(table.n_rows, dtype=torch.float64, device=variants.source.device)
    chosen = start.to(variants.source.device, torch.float64)[variants.candidate, variants.source]
    return chosen.nan_to_num(nan=0.0)
