"""The learning rate schedule over a candidate's own steps: warm-up, constant, decay."""

from __future__ import annotations


def lr_factor(step: int, total: int, *, warmup: float, decay: float) -> float:
    """Return the share of the peak learning rate at `step`: linear rise, constant, linear fall.

    Args:
        step: The candidate's own step, from 0.
        total: Its steps in all.
        warmup: Share of the steps in which the rate rises to its peak.
        decay: Share of the steps, at the end, in which it falls to zero.
    """
    rising = (step + 1) / max(1.0, warmup * total)
    falling = (total - step) / max(1.0, decay * total)
    return min(1.0, rising, falling)
