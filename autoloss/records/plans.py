"""The plan of a search, and its progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoloss.records.divisions import DataSummary


@dataclass(frozen=True)
class Plan:
    """The plan of a search, before anything is trained.

    Args:
        data: The data, split and typed.
        families: Families that will be searched, in the order in which a short budget drops them
            from the end.
        dropped: Families that the budget is too small for.
        trials: The number of trials.
        quota: Trials that every family gets before the sampler may drop it.
        together: Candidates trained together; 0 if the search finds out.
        expected_seconds: Expected wall time of the whole search; None if it was not measured.
        detectable: The smallest difference in error that the verdict can show.
        device: ``"cpu"`` or ``"cuda"``.
        notes: Findings in the data and the choices that follow, one sentence each.
        name: The study's name; empty if no study has begun.
        metric: The metric in place of error.
        resampling: How rows are divided, in a sentence or two.
        verdict: ``"locked"`` test rows; ``"out_of_fold"``: all rows, by training runs that held
            them out; or ``"nested"`` cross-validation.
        allowed: The work that the time limit allows, in a sentence; empty without a limit.
        network: The built-in network, whose size depends on the table; empty for a custom network.
        race: The rungs at which trials stop early without a time limit, in words; empty for none.
        memory: The most bytes that the candidates in training take besides the data; 0 if unknown.
    """

    data: DataSummary
    families: tuple[str, ...]
    dropped: tuple[str, ...]
    trials: int
    quota: int
    together: int
    expected_seconds: float | None
    detectable: float
    device: str
    notes: tuple[str, ...] = ()
    name: str = ""
    metric: str = "error"
    resampling: str = ""
    verdict: Literal["locked", "out_of_fold", "nested"] = "locked"
    allowed: str = ""
    network: str = ""
    race: str = ""
    memory: int = 0


@dataclass(frozen=True)
class Update:
    """The progress of a search, sent after every epoch of a population.

    Args:
        phase: ``"search"`` or ``"final"`` (the final training runs).
        done: Trials that ended.
        total: Trials planned.
        fraction: Share of the whole work that is done, 0 to 1.
        elapsed: Seconds since the start.
        left: Expected seconds to the end.
        rate: Candidates a second so far.
        best_label: Readable name of the best trial so far, empty before the first ended.
        best_metric: Its value of the metric.
        best_log_loss: Its refined log loss in nats.
    """

    phase: Literal["search", "final"]
    done: int
    total: int
    fraction: float
    elapsed: float
    left: float
    rate: float
    best_label: str = ""
    best_metric: float = float("nan")
    best_log_loss: float = float("nan")
