"""What is done after a search: finalists trained again, the verdict, what stands beside it."""

from autoloss.judging.confirmation import confirm_on_locked
from autoloss.judging.nesting import judge_by_nesting
from autoloss.judging.replication import Replication, replicate

__all__ = ["Replication", "confirm_on_locked", "judge_by_nesting", "replicate"]
