"""Metrics of segments as quotients of sums over tokens, which a bootstrap adds up at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autoloss.metrics.entities import entity_marks, entity_tags
from autoloss.metrics.segments import overlap_parts
from autoloss.metrics.token_places import FloatArray

if TYPE_CHECKING:
    from autoloss.metrics.judged import Judged


def quotient_of(name: str, judged: Judged) -> FloatArray | None:
    """Return each token's part in the numerator and the denominator of a metric, (N, 2).

    Sequences are resampled whole, so the metric of a resample is the quotient of the sums.

    Args:
        name: The metric.
        judged: The predictions of one candidate, each token once.

    Returns:
        The parts; None for a metric that is not a quotient.
    """
    if name not in ("entity_f1", "segment_overlap") or judged.tokens is None:
        return None
    runs = judged.tokens.runs
    true, decided = judged.true_tags(runs), judged.decided_tags(runs)[0]
    parts = np.zeros((len(true), 2))
    known = entity_tags(judged.tokens.names)
    if name == "segment_overlap" or known is None:
        parts[:, 0], parts[:, 1] = overlap_parts(true, decided, runs.follows)
    else:
        found, starts, others = entity_marks(true, decided, runs.follows, known)
        parts[:, 0], parts[:, 1] = 2.0 * found, starts * 1.0 + others
    by_item = np.empty_like(parts)
    by_item[runs.index] = parts
    return by_item
