"""Executors, which train candidates in this process, in others, or on a cluster.

Names are loaded when they are first used: a worker begins before the search loads torch.

Floor 4. Imports from floors 1 to 3, and from training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.core.lazy import make_lazy

if TYPE_CHECKING:
    from autoloss.executors.crew import Crew
    from autoloss.executors.hiring import Place, crew_of
    from autoloss.executors.local import LocalExecutor
    from autoloss.executors.process_crew import ProcessCrew
    from autoloss.executors.processes import ProcessExecutor, executor_of
    from autoloss.executors.staffing import Staffing, Workers, check_workers, staff
    from autoloss.executors.work import Executor, Report, Work

__all__ = [
    "Crew",
    "Executor",
    "LocalExecutor",
    "Place",
    "ProcessCrew",
    "ProcessExecutor",
    "Report",
    "Staffing",
    "Work",
    "Workers",
    "check_workers",
    "crew_of",
    "executor_of",
    "staff",
]

make_lazy(__name__)
