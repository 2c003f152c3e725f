"""Executors, which train candidates on a machine.

Floor 4. Imports from floors 1 to 3, and from training.
"""

from autoloss.executors.crew import Crew
from autoloss.executors.local import LocalExecutor
from autoloss.executors.processes import ProcessExecutor, executor_of
from autoloss.executors.staffing import Staffing, Workers, check_workers, staff
from autoloss.executors.work import Executor, Report, Work

__all__ = [
    "Crew",
    "Executor",
    "LocalExecutor",
    "ProcessExecutor",
    "Report",
    "Staffing",
    "Work",
    "Workers",
    "check_workers",
    "executor_of",
    "staff",
]
