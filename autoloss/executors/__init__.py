"""Executors, which train candidates on a machine.

Floor 4. Imports from floors 1 to 3, and from training.
"""

from autoloss.executors.local import LocalExecutor

__all__ = ["LocalExecutor"]
