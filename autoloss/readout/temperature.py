"""Temperatures of many candidates at once, by safeguarded Newton steps on log inverses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.readout.table import ScoreTable, make_table

# At exp(16), a temperature of 1e-7, scores are read as a decision; at exp(-16) as uniform.
LOG_BETA_BOUND = 16.0
# Far from the root the slope is concave, and Newton steps may be too small or too large. After
# this many steps the search bisects.
_NEWTON_STEPS = 12
_MAX_STEPS = 60


@dataclass(frozen=True)
class Optimum:
    """The fitted temperatures, and the derivatives near them.

    Args:
        log_beta: Log inverse temperatures, shape (P,), float64.
        at: Where the derivatives were taken, within the tolerance of `log_beta`, shape (P,).
        slope: First derivative of the summed log loss by the inverse temperature, shape (P, F).
        curvature: Second derivative of it, shape (P, F).
    """

    log_beta: Tensor
    at: Tensor
    slope: Tensor
    curvature: Tensor


def tolerance(dtype: torch.dtype) -> float:
    """Return the size below which a Newton step is the last; the step itself squares the error."""
    return 1e-6 if dtype == torch.float64 else 1e-4


def fit_temperature(scores: Tensor, targets: Tensor, *, start: Tensor | None = None) -> Tensor:
    """Return the log inverse temperature of each candidate that minimises its log loss.

    ``softmax(exp(log_beta) * scores)`` has the lowest mean log loss on these examples. The loss is
    convex in the inverse temperature, so its slope has one root, searched in [-16, 16].

    Args:
        scores: Logits or log probabilities.
        targets: Classes 0 .. C-1.
        start: Start of the search, such as the values of the last epoch; 0 by default and where
            NaN.

    Returns:
        Log inverse temperatures, float64; NaN for a candidate whose scores are not finite.

    Shape:
        scores (K, N, C), targets (N,), start (K,), result (K,).

    Examples:
        >>> scores = torch.tensor([[[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]]])
        >>> beta = fit_temperature(scores, torch.tensor([0, 0, 0, 1])).exp()
        >>> round((beta * 4).item(), 4)  # ln(3): three of four are right
        1.0986
    """
    scores = scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
    is_finite = torch.isfinite(scores).all(-1).all(-1)
    scores = torch.where(is_finite[:, None, None], scores, 0.0)
    folds = torch.zeros_like(targets)
    table = make_table([scores], targets, folds, n_folds=1)
    found = solve(table, _started(start, is_finite), tol=tolerance(scores.dtype))
    return torch.where(is_finite, found.log_beta, torch.nan)


def _started(start: Tensor | None, like: Tensor) -> Tensor:
    """Return the start in float64; 0 by default."""
    if start is None:
        return torch.zeros(like.shape, dtype=torch.float64, device=like.device)
    return start.to(like.device, torch.float64).nan_to_num(nan=0.0)


def solve(
    table: ScoreTable,
    start: Tensor,
    *,
    tol: float,
    rows: Tensor | None = None,
    without: Tensor | None = None,
) -> Optimum:
    """Find the root of the slope for P problems at once, each by its own steps.

    Args:
        table: The scores, V rows.
        start: Start of each problem, shape (P,).
        tol: A Newton step at most this large is the last.
        rows: Row of each problem, shape (P,); all V by default.
        without: Fold that each problem leaves out, shape (P,); none by default.
    """
    log_beta = start.clamp(-LOG_BETA_BOUND, LOG_BETA_BOUND)
    rows = torch.arange(table.n_rows, device=start.device) if rows is None else rows
    at = log_beta.clone()
    slope = log_beta.new_zeros(len(rows), table.n_folds)
    curvature = torch.zeros_like(slope)
    low = torch.full_like(log_beta, -LOG_BETA_BOUND)
    high = -low
    active = torch.arange(len(rows), device=start.device)
    for count in range(_MAX_STEPS):
        here = log_beta[active]
        first, second = table.moments(here, rows[active])
        at[active], slope[active], curvature[active] = here, first, second
        excluded = None if without is None else without[active]
        root, rate = _total(first, excluded), _total(second, excluded) * here.exp()
        low[active] = torch.where(root <= 0, here, low[active])
        high[active] = torch.where(root >= 0, here, high[active])
        lower, upper = low[active], high[active]
        middle = (lower + upper) / 2
        # Constant or separated scores have no curvature: 0 / 0 falls back to the bracket.
        target = here - root / rate
        is_newton = (target >= lower) & (target <= upper) & (count < _NEWTON_STEPS)
        # A flat slope far from the root may step across most of the bracket.
        target = torch.where(is_newton, here + (target - here).clamp(-2, 2), middle)
        log_beta[active] = target
        is_done = ((target - here).abs() <= tol) | (upper - lower <= tol)
        active = active[~is_done]
        if len(active) == 0:
            break
    return Optimum(log_beta=log_beta, at=at, slope=slope, curvature=curvature)


def _total(per_fold: Tensor, without: Tensor | None) -> Tensor:
    """Sum (P, F) over the folds, without the fold that each problem leaves out."""
    if without is None:
        return per_fold.sum(-1)
    return per_fold.scatter(-1, without.unsqueeze(-1), 0.0).sum(-1)
