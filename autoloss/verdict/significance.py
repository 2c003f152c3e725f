"""Makes a decision from several tests: Holm's rule, then gains, losses and the primary metric."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from autoloss.records import Comparison, Decision
from autoloss.verdict.comparisons import PairedTest, holm

LEVEL = 0.05


def significant(tests: Sequence[PairedTest]) -> list[PairedTest]:
    """Return the tests that are significant at 5 %, corrected by Holm's rule."""
    corrected = holm(np.array([test.p_value for test in tests]))
    return [test for test, p_value in zip(tests, corrected, strict=True) if p_value < LEVEL]


def decide(shown: Sequence[PairedTest], primary: Comparison) -> Decision:
    """Return better for gains without losses, worse for the reverse, else no evidence.

    A gain in another score than the primary metric counts only if the primary metric is not worse
    (see `counts_as_worse`).

    Args:
        shown: The significant tests.
        primary: The comparison in the primary metric.
    """
    gains = {one.is_gain for one in shown}
    if gains == {True}:
        return "no_evidence" if counts_as_worse(primary) else "better"
    return "worse" if gains == {False} else "no_evidence"


def counts_as_worse(one: Comparison) -> bool:
    """Return whether a metric is worse by more than one paired standard error of the difference.

    The selection has the same margin, within which two candidates count as equal. The standard
    error comes from the width of the 95 % interval.
    """
    loss = one.difference if one.lower_is_better else -one.difference
    error = (one.high - one.low) / (2.0 * float(stats.norm.isf(0.025)))
    return loss > error
