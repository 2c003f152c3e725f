"""The corrected resampled t-test, for folds that share training rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from autoloss.verdict.comparisons import interval_of_one
from autoloss.verdict.confirm import ASSUMED_DISAGREEMENT, LEVEL_OF_ONE

FloatArray = npt.NDArray[np.floating]


def resampled_t_test(
    differences: FloatArray, *, test_share: float
) -> tuple[float, float, float, float]:
    """Return the mean of the folds' differences, the ends of its 95 % interval, and the p-value.

    The variance of the mean is ``(1 / J + n_test / n_train) * s ** 2`` and t has J - 1 degrees
    of freedom: the folds share training rows, so their differences are not independent. Without
    any spread the p-value is 1.

    Args:
        differences: The difference of each of J folds; (J,).
        test_share: Test rows for each training row of a fold.

    Source:
        Nadeau & Bengio 2003, Inference for the Generalization Error, Machine Learning 52.
    """
    mean, folds = float(np.mean(differences)), len(differences)
    spread = float(np.std(differences, ddof=1)) if folds > 1 else 0.0
    # Values that are equal in all folds still differ by rounding.
    if spread <= 1e-12 * max(1.0, abs(mean)):
        return mean, *interval_of_one(mean), 1.0
    error = spread * float(np.sqrt(1.0 / folds + test_share))
    half = error * float(special.stdtrit(folds - 1, 0.975))
    p_value = 2.0 * float(special.stdtr(folds - 1, -abs(mean) / error))
    return mean, mean - half, mean + half, p_value


def detectable_nested(
    n_rows: int, folds: int, repeats: int, *, disagreement: float = ASSUMED_DISAGREEMENT
) -> float:
    """Return the smallest difference in error that nested cross-validation can detect, in [0, 1].

    It is detected in half of all cases, as in `detectable_difference`, by the corrected resampled
    t-test at the level of a single test of three. The differences of the folds are assumed to vary
    like differences of independent rows: ``t * sqrt((1 / J + 1 / (folds - 1)) * d * folds / n)``.

    Args:
        n_rows: All rows; each is tested once in every repeat.
        folds: Outer folds of a repeat, at least two.
        repeats: Repeats.
        disagreement: Share d of rows on which exactly one of the two models is wrong.

    Raises:
        ValueError: If there are no rows to test or fewer than two folds.

    Examples:
        >>> round(detectable_nested(500, 5, 2), 4)
        0.0347
    """
    if n_rows < 1 or folds < 2 or repeats < 1:
        raise ValueError(
            "Nested cross-validation must have rows, two folds and a repeat, but got "
            f"n_rows={n_rows}, folds={folds}, repeats={repeats}."
        )
    outer = folds * repeats
    variance = (1.0 / outer + 1.0 / (folds - 1)) * disagreement * folds / n_rows
    half = -float(special.stdtrit(outer - 1, LEVEL_OF_ONE / 2.0) * np.sqrt(variance))
    return min(1.0, max(half, 1.0 / n_rows))
