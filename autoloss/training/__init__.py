"""Training of many candidates together, with results that do not depend on each other.

Floor 4. Imports from floors 1 to 3.
"""

from autoloss.core.devices import is_out_of_memory
from autoloss.training.batch import Batch, Orders, batch_size_for
from autoloss.training.candidate import Candidate, Outcome
from autoloss.training.job import Job
from autoloss.training.loop import EpochReport, Spare, longest_schedule, train
from autoloss.training.memory import empty_device_cache, half, if_it_fits, in_halves
from autoloss.training.optimiser import RowAdamW
from autoloss.training.pool import Pool
from autoloss.training.population import Population
from autoloss.training.race import Passage, Race, rungs
from autoloss.training.rows import EncodedRows
from autoloss.training.token_rows import EncodedTokens

__all__ = [
    "Batch",
    "Candidate",
    "EncodedRows",
    "EncodedTokens",
    "EpochReport",
    "Job",
    "Orders",
    "Outcome",
    "Passage",
    "Pool",
    "Population",
    "Race",
    "RowAdamW",
    "Spare",
    "batch_size_for",
    "empty_device_cache",
    "half",
    "if_it_fits",
    "in_halves",
    "is_out_of_memory",
    "longest_schedule",
    "rungs",
    "train",
]
