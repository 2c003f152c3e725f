"""How fast candidates train on this machine, against the loops that people write.

Floor 9. Imports from floors 1 to 8.
"""

from autoloss.bench.figures import FIGURES, Figure, Goal
from autoloss.bench.measure import BenchPlan, measure

__all__ = ["FIGURES", "BenchPlan", "Figure", "Goal", "measure"]
