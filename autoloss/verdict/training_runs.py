"""Statistics of paired training runs: standard error, interval, and chances of being the best."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from autoloss.records import Comparison
from autoloss.verdict.corrected import resampled_t_test
from autoloss.verdict.paired import PairedTest

FloatArray = npt.NDArray[np.floating]
_DRAWS = 2000


def corrected_error(differences: FloatArray, *, n_train: float, n_valid: float) -> float:
    """Return the corrected standard error of the mean of paired differences, in their unit.

    The mean of R training runs on overlapping divisions of the same rows varies more than that of
    R independent training runs: ``sqrt(1 / R + n_valid / n_train)`` replaces ``sqrt(1 / R)``.

    Args:
        differences: Differences of two candidates, one for each training run.
        n_train: Mean number of training rows of a training run.
        n_valid: Mean number of held-out rows of a training run.

    Returns:
        The error; NaN for a single training run, or if a difference is not finite.

    Shape:
        differences (R,) -> ().

    Source:
        Nadeau and Bengio 2003, Inference for the Generalization Error, Machine Learning 52.
    """
    if len(differences) < 2 or not np.isfinite(differences).all():
        return math.nan
    return _factor(len(differences), n_train, n_valid) * float(np.std(differences, ddof=1))


def paired_interval(
    differences: FloatArray, *, n_train: float, n_valid: float
) -> tuple[float, float, float]:
    """Return the mean of paired differences and its 95 % interval, by `resampled_t_test`.

    Args:
        differences: Differences of two candidates, one for each training run.
        n_train: Mean number of training rows of a training run.
        n_valid: Mean number of held-out rows of a training run.

    Returns:
        Mean, lower end and upper end. The ends are NaN for a single training run; all three are
        NaN if a difference is not finite.

    Shape:
        differences (R,) -> three numbers.

    Examples:
        >>> ends = paired_interval(np.array([0.01, 0.02, 0.03]), n_train=300, n_valid=100)
        >>> [round(end, 4) for end in ends]
        [0.02, -0.0151, 0.0551]
    """
    if not np.isfinite(differences).all():
        return math.nan, math.nan, math.nan
    if len(differences) < 2:
        return float(np.mean(differences)), math.nan, math.nan
    mean, low, high, _ = resampled_t_test(differences, test_share=n_valid / n_train)
    return mean, low, high


def paired_test(
    name: str,
    ones: FloatArray,
    others: FloatArray,
    *,
    lower_is_better: bool,
    n_train: float,
    n_valid: float,
) -> PairedTest:
    """Return the comparison of two candidates in a metric by their paired training runs.

    Args:
        name: The metric.
        ones: Its value in each training run of the challenger.
        others: Its value in the same training runs of the baseline.
        lower_is_better: Its direction.
        n_train: Mean number of training rows of a training run.
        n_valid: Mean number of held-out rows of a training run.

    Returns:
        The means, with the interval and the p-value of `resampled_t_test`. The draws are quantiles
        of its t distribution.

    Shape:
        ones (R,), others (R,).
    """
    mean, low, high, p_value = resampled_t_test(ones - others, test_share=n_valid / n_train)
    drawn = np.empty(0)
    if p_value < 1.0:
        degrees = len(ones) - 1
        error = (high - mean) / float(special.stdtrit(degrees, 0.975))
        drawn = mean + error * special.stdtrit(degrees, (np.arange(_DRAWS) + 0.5) / _DRAWS)
    one, other = float(np.mean(ones)), float(np.mean(others))
    return PairedTest(Comparison(name, other, one, low, high, lower_is_better), p_value, drawn)


def chances_of_lowest(
    figures: FloatArray, *, n_train: float, n_valid: float, draws: int = 10_000, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Return the probability that each candidate's true mean is the lowest.

    The true means are drawn by `drawn_means`. For two candidates this is the posterior of the
    Bayesian correlated t-test, whose quantiles are the ends of `paired_interval`. Equal candidates
    share their chance.

    Args:
        figures: Figures of M candidates on the same R training runs; lower is better.
        n_train: Mean number of training rows of a training run.
        n_valid: Mean number of held-out rows of a training run.
        draws: Draws.
        seed: Their seed.

    Returns:
        Probabilities that sum to 1; NaN for one training run.

    Shape:
        figures (M, R) -> (M,).

    Source:
        Corani and Benavoli 2015, A Bayesian approach for comparing cross-validated algorithms on
        multiple data sets, Machine Learning 100.
    """
    if figures.shape[1] < 2 or not len(figures):
        return np.full(len(figures), np.nan)
    drawn = drawn_means(figures[None], n_train=n_train, n_valid=n_valid, draws=draws, seed=seed)[0]
    return _shares(np.isclose(drawn, drawn.min(axis=1, keepdims=True), rtol=0.0, atol=1e-12))


def chances_by_rule(
    metric: FloatArray,
    log_loss: FloatArray,
    simplicity: npt.NDArray[np.integer],
    *,
    n_train: float,
    n_valid: float,
    draws: int = 4_000,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Return the probability that each candidate wins by the rule of the selection.

    In every draw of the true means (`drawn_means`, metric and log loss of a training run together)
    the rule of `admissible.winner` is applied: within one paired standard error of the lowest
    metric, the lowest log loss; within one paired standard error of that, the simplest.

    Args:
        metric: The metric, turned so that lower is better, of M candidates in R training runs.
        log_loss: Their log loss in nats.
        simplicity: Rank of each candidate's loss, lower for a simpler loss.
        n_train: Mean number of training rows of a training run.
        n_valid: Mean number of held-out rows of a training run.
        draws: Draws.
        seed: Their seed.

    Returns:
        Probabilities that sum to 1; NaN for one training run.

    Shape:
        metric (M, R), log_loss (M, R), simplicity (M,) -> (M,).
    """
    if metric.shape[1] < 2 or not len(metric):
        return np.full(len(metric), np.nan)
    rows = {"n_train": n_train, "n_valid": n_valid}
    both = np.stack([metric, log_loss])
    of_metric, of_log_loss = drawn_means(both, draws=draws, seed=seed, **rows)
    error_of_metric, error_of_log_loss = (_paired_errors(one, **rows) for one in both)
    best = of_metric.argmin(axis=1)
    is_admissible = of_metric - of_metric.min(axis=1, keepdims=True) <= error_of_metric[best]
    kept = np.where(is_admissible, of_log_loss, np.inf)
    lowest = kept.argmin(axis=1)
    is_tied = kept - kept.min(axis=1, keepdims=True) <= error_of_log_loss[lowest]
    rank = np.where(is_tied, simplicity, np.iinfo(np.int64).max)
    is_simplest = rank == rank.min(axis=1, keepdims=True)
    simplest = np.where(is_simplest, kept, np.inf)
    return _shares(np.isclose(simplest, simplest.min(axis=1, keepdims=True), rtol=0.0, atol=1e-12))


def drawn_means(
    figures: FloatArray, *, n_train: float, n_valid: float, draws: int, seed: int
) -> FloatArray:
    """Return draws of the true means of candidates, from their posterior.

    The posterior is a multivariate t distribution with R - 1 degrees of freedom. Its centre is the
    means of the training runs; its scale is the paired covariance of the candidates times the
    correction of `corrected_error`. Several figures of a training run are drawn together, so that
    they correlate as in the training runs.

    Args:
        figures: F figures of M candidates on the same R training runs, R of two or more.
        n_train: Mean number of training rows of a training run.
        n_valid: Mean number of held-out rows of a training run.
        draws: Draws D.
        seed: Their seed.

    Shape:
        figures (F, M, R) -> (F, D, M).
    """
    n_trainings = figures.shape[-1]
    rng = np.random.default_rng(seed)
    # A shift that all candidates share cannot change their order.
    paired = figures - figures.mean(axis=1, keepdims=True)
    paired = paired - paired.mean(axis=-1, keepdims=True)
    freedom = n_trainings - 1
    normal = rng.standard_normal((draws, n_trainings)) @ paired.swapaxes(1, 2)
    spread = np.sqrt(rng.chisquare(freedom, size=(draws, 1)) / freedom)
    scaled = _factor(n_trainings, n_train, n_valid) * normal / math.sqrt(freedom) / spread
    means: FloatArray = figures.mean(axis=-1)[:, None, :] + scaled
    return means


def _paired_errors(figures: FloatArray, *, n_train: float, n_valid: float) -> FloatArray:
    """Return the corrected error of the difference of each pair: (M, R) -> (M, M)."""
    n_trainings = figures.shape[1]
    differences = figures[:, None] - figures[None]
    spread: FloatArray = np.std(differences, axis=-1, ddof=1)
    # Means that are equal up to rounding are within an error of zero.
    return _factor(n_trainings, n_train, n_valid) * spread + 1e-12


def _shares(is_winner: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return each candidate's share of wins; joint winners share a draw: (D, M) -> (M,)."""
    shares: npt.NDArray[np.float64] = is_winner / is_winner.sum(axis=1, keepdims=True)
    chances: npt.NDArray[np.float64] = shares.mean(axis=0)
    return chances


def _factor(n_trainings: int, n_train: float, n_valid: float) -> float:
    return math.sqrt(1.0 / n_trainings + n_valid / n_train)
