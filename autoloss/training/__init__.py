"""Training candidates together: what becomes of one does not depend on the others."""

from autoloss.training.batch import Batch, Orders, batch_size_for
from autoloss.training.candidate import Candidate, Outcome
from autoloss.training.job import Job
from autoloss.training.loop import EpochReport, train
from autoloss.training.memory import in_halves, is_out_of_memory
from autoloss.training.optimiser import RowAdamW
from autoloss.training.pool import Pool
from autoloss.training.population import Population
from autoloss.training.rows import EncodedRows

__all__ = [
    "Batch",
    "Candidate",
    "EncodedRows",
    "EpochReport",
    "Job",
    "Orders",
    "Outcome",
    "Pool",
    "Population",
    "RowAdamW",
    "batch_size_for",
    "in_halves",
    "is_out_of_memory",
    "train",
]
