"""The choice among the trials of a study, by validation rows and by final training runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from autoloss.losses import LossSpec
from autoloss.metrics import Metric
from autoloss.records import Finalist, Optimism, PairOptimism, TrialRecord
from autoloss.search.examples import ExampleFiles
from autoloss.verdict.baseline import comparable, is_plain_cross_entropy
from autoloss.verdict.finalists import FinalistChoice, pick_finalists
from autoloss.verdict.optimism import study_optimism, study_pair_optimism
from autoloss.verdict.replicates import Replicates, choose_on_replicates, finalist_records
from autoloss.verdict.select import Choice, choose

T = TypeVar("T")


@dataclass(frozen=True)
class Selector:
    """Chooses among the trials of a study.

    Args:
        trials: The trials.
        examples: Their losses on the validation rows.
        metric: The study's metric.
        seed: The study's seed.
    """

    trials: tuple[TrialRecord, ...]
    examples: ExampleFiles
    metric: Metric
    seed: int

    def on_validation(self) -> Choice:
        """Return the challenger and tuned cross-entropy, chosen on the validation rows alone."""
        return self._among(self.trials)

    def pick(self, *, families: int) -> tuple[FinalistChoice, ...]:
        """Return the finalists, with the reasons."""
        return pick_finalists(
            self.trials,
            metric=self.metric.name,
            lower_is_better=self.metric.lower_is_better,
            families=families,
        )

    def on_replicates(
        self, picked: Sequence[FinalistChoice], replicates: Replicates, *, by_log_loss: bool
    ) -> tuple[Choice, tuple[Finalist, ...]]:
        """Choose among the finalists by their final training runs; see `Study.choose`."""
        by_number = {record.number: record for record in self.trials}
        competing = [by_number[one.number] for one in picked if one.competes]
        among = self._among(competing)
        plain = [n for n in replicates.numbers if is_plain_cross_entropy(by_number[n].loss)]
        baseline = replicates.lowest(plain or [among.baseline.number])
        if baseline not in [record.number for record in competing]:
            competing.append(by_number[baseline])
        chosen = choose_on_replicates(
            replicates,
            competing=competing,
            baseline=baseline,
            simplicity=_complexity,
            metric=self.metric.name,
            lower_is_better=self.metric.lower_is_better,
            by_log_loss=by_log_loss,
            fallback=among,
        )
        records = finalist_records(picked, replicates, chosen, baseline=baseline, seed=self.seed)
        choice = replace(
            self.on_validation(),
            challenger=by_number[chosen.challenger],
            baseline=by_number[baseline],
            admissible=chosen.admissible,
            rule=chosen.rule,
            best=replicates.lowest([chosen.challenger, baseline]),
            chance=chosen.chance,
        )
        return choice, records

    def optimism(self) -> Optimism | None:
        """Return the optimism of the selection; None if the rows of a trial were not kept."""
        return self._bootstrapped(study_optimism)

    def pair_optimism(self) -> PairOptimism | None:
        """Return how much the selection flatters the challenger; None as for `optimism`."""
        return self._bootstrapped(study_pair_optimism)

    def _bootstrapped(self, optimism: Callable[..., T]) -> T | None:
        """Return an optimism of the trials by a bootstrap of their validation rows."""
        if self.examples.lacking(record.number for record in self.trials if record.metrics):
            return None
        return optimism(
            self.trials,
            self.examples.load(record.number for record in self.trials),
            metric=self.metric.name,
            targets=self.examples.load_targets(),
            clusters=self.examples.load_clusters(),
            seed=self.seed,
        )

    def _among(self, records: Sequence[TrialRecord]) -> Choice:
        return choose(
            records,
            self.examples.load(record.number for record in comparable(records)),
            simplicity=_complexity,
            metric=self.metric.name,
            lower_is_better=self.metric.lower_is_better,
            targets=self.examples.load_targets(),
            clusters=self.examples.load_clusters(),
        )


def _complexity(record: TrialRecord) -> tuple[Any, ...]:
    return LossSpec.from_dict(record.loss).complexity
