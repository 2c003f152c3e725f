"""The training speed of this machine, compared with usual training loops.

Floor 9. Imports from floors 1 to 8.
"""

from autoloss.bench.figures import FIGURES, Figure, Goal
from autoloss.bench.measure import BenchPlan, measure

__all__ = ["FIGURES", "BenchPlan", "Figure", "Goal", "measure"]
