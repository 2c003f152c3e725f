"""The verdict of a study, on locked rows or on held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from autoloss.core.task import Task
from autoloss.readout import Items
from autoloss.records import Coverage, PairOptimism, Verdict
from autoloss.search.evidence import StudySnapshot
from autoloss.verdict.confirm import Shipped, confirm, unopposed
from autoloss.verdict.coverage import shortfall
from autoloss.verdict.learnt import learnt
from autoloss.verdict.paired import PairedTest
from autoloss.verdict.phrases import loss_name, undecided_text
from autoloss.verdict.select import Choice
from autoloss.verdict.units import FEWEST, units_of


def confirmed(
    study: StudySnapshot,
    choice: Choice,
    log_probs: tuple[Tensor, Tensor],
    items: Items,
    *,
    coverage: Coverage,
    paired: Mapping[str, PairedTest] | None = None,
) -> Verdict:
    """Return the verdict on locked test rows.

    Args:
        study: The study.
        choice: Challenger and tuned cross-entropy.
        log_probs: Predictions of the two.
        items: The items of the rows.
        coverage: How much of the planned training ran.
        paired: The comparisons of metrics by paired training runs.

    Shape:
        log_probs twice (M, C).
    """
    verdict = verdict_by_tests(
        study, choice, log_probs, items, paired=paired, where=_where(study, items)
    )
    if not choice.is_opposed:
        return verdict
    return trusted(verdict, study, choice, log_probs[1], items, coverage)


def verdict_by_tests(
    study: StudySnapshot,
    choice: Choice,
    log_probs: tuple[Tensor, Tensor],
    items: Items,
    *,
    paired: Mapping[str, PairedTest] | None = None,
    optimism: PairOptimism | None = None,
    where: str = "",
) -> Verdict:
    """Return the verdict by the tests alone.

    Args:
        study: The study.
        choice: Challenger and tuned cross-entropy.
        log_probs: Predictions of the two.
        items: The items of the rows.
        paired: The comparisons of metrics by paired training runs.
        optimism: How much the selection flatters the challenger on these rows.
        where: The rows in words; by default the test rows.

    Shape:
        log_probs twice (M, C).
    """
    judged = study.judged(items, paired)
    if not choice.is_opposed:
        return unopposed(choice.baseline.number, items.n_rows, primary=judged.primary)
    challenger, baseline = (
        Shipped(one.number, one.label, own.numpy())
        for one, own in zip((choice.challenger, choice.baseline), log_probs, strict=True)
    )
    verdict = confirm(
        challenger,
        baseline,
        items.labels.numpy(),
        metric=judged.metric,
        beside=judged.beside,
        primary=judged.primary,
        class_counts=study.class_counts.numpy(),
        clusters=items.cluster_numbers,
        optimism=optimism,
        where=where,
        seed=study.seed,
    )
    return replace(verdict, n_test=items.n_rows)


def trusted(
    verdict: Verdict,
    study: StudySnapshot,
    choice: Choice,
    baseline: Tensor,
    items: Items,
    coverage: Coverage,
) -> Verdict:
    """Return the verdict, or an undecided one if models or clusters are too few to tell.

    Args:
        verdict: The verdict by the tests alone.
        study: The study.
        choice: Challenger and tuned cross-entropy.
        baseline: Log probabilities of tuned cross-entropy.
        items: The items of the rows.
        coverage: How much of the planned training ran.

    Shape:
        baseline (M, C).
    """
    verdict = replace(verdict, chance=choice.chance)
    reason = shortfall(coverage)
    if not reason:
        reason = learnt(
            baseline.numpy(),
            items.labels.numpy(),
            items.counts(study.facts).numpy(),
            clusters=items.cluster_numbers,
        ).reason
    if not reason and not study.metric.is_of_trainings:
        reason = _few_clusters(items, study.task)
    if not reason:
        return verdict
    both = (choice.challenger, choice.baseline)
    ships = both[choice.place_of_shipped("undecided")]
    return replace(
        verdict,
        decision="undecided",
        reason=reason,
        text=undecided_text(reason, loss_name(ships.label)),
    )


def _few_clusters(items: Items, task: Task) -> str:
    """Return the reason why the clusters cannot show a difference; empty if they can."""
    units = units_of(items.labels.numpy(), items.cluster_numbers)
    if not units.is_clustered or units.count >= FEWEST:
        return ""
    name = "group"
    if items.rows is not None:
        name = "sequence" if task.kind == "sequence" else "row"
    own = f"{units.count} {name}{'s' * (units.count > 1)}"
    return f"the verdict is on {own}, and fewer than {FEWEST} {name}s cannot show a difference"


def _where(study: StudySnapshot, items: Items) -> str:
    """Return the test items in words; empty where they are the rows."""
    if items.rows is None:
        return ""
    return f"on {items_text(items, study.task)} that were resampled whole"


def items_text(items: Items, task: Task) -> str:
    """Return the number of rows in words, with the number of items where a row has several."""
    if items.rows is None:
        return f"{items.n_rows:,} rows"
    what = "labels of {:,} rows" if task.kind == "multilabel" else "tokens of {:,} sequences"
    return f"{len(items):,} {what.format(items.n_rows)}"
