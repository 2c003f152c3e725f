"""The measured figures and their bars."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Unit = Literal["times", "share", "seconds"]


@dataclass(frozen=True)
class Goal:
    """The bar of a figure.

    Args:
        what: The figure in words.
        unit: Unit of the figure and its bar.
        least: Lower bound of the figure; None without one.
        most: Upper bound of the figure; None without one.
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
        least=8.0,
    ),
    "default": Goal("the same with the network of the default space", "times"),
    "tutorial": Goal(
        "candidates a second against the loop of the tutorials: DataLoader, one trial at a time",
        "times",
        least=20.0,
    ),
    "peak": Goal(
        "share of the machine's matrix-product peak that a training step of width 256 reaches",
        "share",
        least=0.5,
    ),
    "peak_bfloat16": Goal("the same share if both are in bfloat16", "share", least=0.5),
    "outside": Goal(
        "share of a small search's wall time outside training (10 000 rows, quick, 32 trials)",
        "share",
        most=0.05,
    ),
    "help": Goal("autoloss --help", "seconds", most=0.5),
    "start": Goal(
        "start of a search to its first training step (10 000 rows)", "seconds", most=4.0
    ),
}


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    Args:
        key: Its key in `FIGURES`.
        what: The figure in words.
        unit: Unit of its numbers.
        value: Median of the repeats.
        low: The lowest repeat.
        high: The highest repeat.
        repeats: The number of repeats.
        least: Lower bound; None without one.
        most: Upper bound; None without one.
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
        """Return a figure from its repeats."""
        goal = FIGURES[key]
        return cls(
            key=key,
            what=goal.what.format(together=together),
            unit=goal.unit,
            value=statistics.median(values),
            low=min(values),
            high=max(values),
            repeats=len(values),
            least=goal.least,
            most=goal.most,
            detail=detail or {},
        )

    @property
    def holds(self) -> bool | None:
        """Return whether the median reaches the bar; None without a bar."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figure as JSON values."""
        return {**asdict(self), "detail": dict(self.detail), "holds": self.holds}
