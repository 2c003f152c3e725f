"""Executors, which train candidates on a machine.

Floor 4. Imports from floors 1 to 3, and from training.
"""

from autoloss.executors.local import LocalExecutor
from autoloss.executors.work import Executor, Report, Work

__all__ = ["Executor", "LocalExecutor", "Report", "Work"]
