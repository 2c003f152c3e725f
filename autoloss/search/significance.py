"""From several tests to one decision: Holm's rule, a gain and no loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autoloss.records import Decision
from autoloss.search.comparisons import PairedTest, holm

LEVEL = 0.05


def significant(tests: Sequence[PairedTest]) -> list[PairedTest]:
    """Return the tests that show a difference at 5 %, corrected for each other by Holm's rule."""
    corrected = holm(np.array([test.p_value for test in tests]))
    return [test for test, p_value in zip(tests, corrected, strict=True) if p_value < LEVEL]


def decide(shown: Sequence[PairedTest]) -> Decision:
    """Return better for gains without a loss, worse for the reverse, else no evidence."""
    gains = {one.is_gain for one in shown}
    if gains == {True}:
        return "better"
    return "worse" if gains == {False} else "no_evidence"
