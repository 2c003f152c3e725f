"""Where candidates are trained."""

from autoloss.executors.local import LocalExecutor

__all__ = ["LocalExecutor"]
