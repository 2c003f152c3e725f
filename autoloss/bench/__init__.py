"""How fast candidates train on this machine, against the loops that people write.

Floor 9. Imports from floors 1 to 8.
"""

from autoloss.bench.figures import FIGURES, Bar, Figure
from autoloss.bench.measure import Plan, measure

__all__ = ["FIGURES", "Bar", "Figure", "Plan", "measure"]
