"""Overlap of the segments of tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray, Judged


@declare(
    title="Segment overlap",
    meaning="Overlap of true and predicted segments of the same tag (SOV of 1999).",
    lower_is_better=False,
    aliases=("sov",),
    kind="share",
    reads="segments",
)
def segment_overlap(judged: Judged) -> FloatArray:
    """Return the segment overlap over all tags, in [0, 1]; see `overlap_sums`."""
    above, below = judged.overlaps
    return judged.ratio(above, below)
