"""How fast candidates train on this machine, against the loops that people write."""

from autoloss.bench.figures import FIGURES, Bar, Figure
from autoloss.bench.measure import Plan, measure

__all__ = ["FIGURES", "Bar", "Figure", "Plan", "measure"]
