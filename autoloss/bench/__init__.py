"""How fast candidates train on this machine, against the loops that people write."""

from autoloss.bench.figures import FIGURES, Bar, Figure, measure

__all__ = ["FIGURES", "Bar", "Figure", "measure"]
