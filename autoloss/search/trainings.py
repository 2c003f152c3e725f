"""Paired figures of several trainings: the error of their mean, its interval, who is best."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from autoloss.search.corrected import resampled_t_test

FloatArray = npt.NDArray[np.floating]


def corrected_error(differences: FloatArray, *, n_train: float, n_valid: float) -> float:
    """Return the corrected standard error of the mean of paired differences, in their unit.

    The mean of R trainings on overlapping divisions of the same rows varies more than that of R
    independent ones: ``sqrt(1 / R + n_valid / n_train)`` stands in the place of ``sqrt(1 / R)``.

    Args:
        differences: Differences of two candidates, one a training.
        n_train: Training rows of a training, their mean where they differ.
        n_valid: Held-out rows of a training, likewise.

    Returns:
        The error; NaN for one training, and where a difference is not finite.

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
        differences: Differences of two candidates, one a training.
        n_train: Training rows of a training, their mean where they differ.
        n_valid: Held-out rows of a training, likewise.

    Returns:
        Mean, lower end and upper end; the ends are NaN for one training, all three are where a
        difference is not finite.

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


def chances_of_lowest(
    figures: FloatArray, *, n_train: float, n_valid: float, draws: int = 10_000, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Return the probability that each candidate's true mean is the lowest.

    The means are drawn from a multivariate t distribution with R - 1 degrees of freedom, centred
    at those of the trainings, its scale the paired covariance of the candidates times the
    correction of `corrected_error`. Of two candidates this is the posterior of the Bayesian
    correlated t-test, whose quantiles are the ends of `paired_interval`. Equal candidates share
    their chance.

    Args:
        figures: What is better when lower, of M candidates on the same R trainings.
        n_train: Training rows of a training, their mean where they differ.
        n_valid: Held-out rows of a training, likewise.
        draws: Draws.
        seed: Their seed.

    Returns:
        Probabilities that sum to 1; NaN for one training.

    Shape:
        figures (M, R) -> (M,).

    Source:
        Corani and Benavoli 2015, A Bayesian approach for comparing cross-validated algorithms on
        multiple data sets, Machine Learning 100.
    """
    n_candidates, n_trainings = figures.shape
    if n_trainings < 2 or not n_candidates:
        return np.full(n_candidates, np.nan)
    rng = np.random.default_rng(seed)
    means = figures.mean(axis=1)
    # What moves all candidates alike cannot change their order.
    paired = figures - figures.mean(axis=0)
    paired = paired - paired.mean(axis=1, keepdims=True)
    freedom = n_trainings - 1
    normal = rng.standard_normal((draws, n_trainings)) @ paired.T / math.sqrt(freedom)
    spread = np.sqrt(rng.chisquare(freedom, size=(draws, 1)) / freedom)
    drawn = means + _factor(n_trainings, n_train, n_valid) * normal / spread
    is_lowest = np.isclose(drawn, drawn.min(axis=1, keepdims=True), rtol=0.0, atol=1e-12)
    shares = is_lowest / is_lowest.sum(axis=1, keepdims=True)
    chances: npt.NDArray[np.float64] = shares.mean(axis=0)
    return chances


def _factor(n_trainings: int, n_train: float, n_valid: float) -> float:
    return math.sqrt(1.0 / n_trainings + n_valid / n_train)
