"""The figures that are measured, and the bar of each."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Unit = Literal["times", "share", "seconds"]


@dataclass(frozen=True)
class Goal:
    """What a figure is to reach.

    Args:
        what: The figure in words.
        unit: Of the bar and of what is measured.
        least: The least that it is to be; None where there is no such bar.
        most: The most.
    """

    what: str
    unit: Unit
    least: float | None = None
    most: float | None = None


FIGURES: Mapping[str, Goal] = {
    "tight": Goal(
        "candidates a second, {together} together, against the same network one by one in a "
        "tight loop",
        "times",
        least=4.0,
    ),
    "default": Goal("the same with the network of the default space", "times"),
    "tutorial": Goal(
        "candidates a second against the loop of the tutorials: DataLoader, one trial at a time",
        "times",
        least=10.0,
    ),
    "peak": Goal(
        "share of the machine's matrix-product peak that a training step of width 256 reaches",
        "share",
        least=0.5,
    ),
    "peak_bfloat16": Goal("the same share where both are in bfloat16", "share"),
    "outside": Goal(
        "share of a small search's wall time outside training (10 000 rows, quick, 32 trials)",
        "share",
    ),
    "help": Goal("autoloss --help", "seconds", most=0.5),
    "start": Goal(
        "start of a search to its first training step (10 000 rows)", "seconds", most=8.0
    ),
}


@dataclass(frozen=True)
class Figure:
    """A figure as measured.

    Args:
        key: Its key in `FIGURES`.
        what: The figure in words.
        unit: Of its numbers.
        value: Median of the repeats.
        low: The lowest of them.
        high: The highest.
        repeats: How many there were.
        least: The least that it is to be; None where there is no such bar.
        most: The most.
        detail: Further medians, by name.
    """

    key: str
    what: str
    unit: Unit
    value: float
    low: float
    high: float
    repeats: int
    least: float | None
    most: float | None
    detail: Mapping[str, float]

    @classmethod
    def of(
        cls,
        key: str,
        values: Sequence[float],
        *,
        together: int = 32,
        detail: Mapping[str, float] | None = None,
    ) -> Figure:
        """Return the figure of several measurements."""
        bar = FIGURES[key]
        return cls(
            key=key,
            what=bar.what.format(together=together),
            unit=bar.unit,
            value=statistics.median(values),
            low=min(values),
            high=max(values),
            repeats=len(values),
            least=bar.least,
            most=bar.most,
            detail=detail or {},
        )

    @property
    def holds(self) -> bool | None:
        """Return whether the median reaches the bar; None where there is none."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figure as JSON values."""
        return {**asdict(self), "detail": dict(self.detail), "holds": self.holds}
