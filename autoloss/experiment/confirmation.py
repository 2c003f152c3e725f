"""The verdict on the locked test rows."""

from __future__ import annotations

import functools
from collections.abc import Callable

from torch import Tensor

from autoloss.data import LockedPart, Part, StudyData, TableEncoding
from autoloss.data.protocol import carried_out
from autoloss.experiment.beside import boost, default_number, gains
from autoloss.experiment.reference import reference_record
from autoloss.experiment.replication import Replication
from autoloss.inference.classifier import Classifier
from autoloss.records import Coverage, Finalist, Reference
from autoloss.search import Evidence, Study, StudySnapshot, confirmed, earlier_looks, look_sentence
from autoloss.verdict.metric_rows import metric_on_rows
from autoloss.verdict.select import Choice


def confirm_on_locked(
    study: Study,
    data: StudyData,
    locked: LockedPart,
    choice: Choice,
    finalists: tuple[Finalist, ...],
    replication: Replication,
    *,
    snapshot: StudySnapshot,
    coverage: Coverage,
    deadline: float | None = None,
) -> Evidence:
    """Open the locked rows and compare the challenger with tuned cross-entropy on them.

    Args:
        study: The study.
        data: Its data.
        locked: Its locked rows, which only this function opens.
        choice: Challenger and tuned cross-entropy, chosen without these rows.
        finalists: The finalists.
        replication: Their trainings.
        snapshot: The study after the search.
        coverage: The share of the planned training that ran.
        deadline: The time after which nothing is trained, on `time.monotonic`'s clock.
    """
    test, models = locked.open(), replication.models
    challenger, baseline = choice.challenger.number, choice.baseline.number
    # Members of several models have the encoding of the same division.
    opened = functools.cache(locked.open)
    shipped = (_log_probs(models[challenger], opened), _log_probs(models[baseline], opened))
    raw = (
        _log_probs(models[challenger], opened, raw=True),
        _log_probs(models[baseline], opened, raw=True),
    )
    verdict = confirmed(
        snapshot, choice, shipped, test.targets, coverage=coverage, clusters=test.clusters
    )
    default = default_number(finalists, otherwise=baseline)
    looks = earlier_looks(study.folder.parent, locked.sha256, study.name)
    return Evidence(
        choice=choice,
        verdict=verdict,
        log_probs=shipped,
        targets=test.targets,
        resampling=carried_out(data.resampling, replicates=replication.figures.count),
        finalists=finalists,
        gains=gains(
            study,
            choice,
            replication,
            (
                _log_probs(models.get(default, models[baseline]), opened, raw=True).numpy(),
                raw[1].numpy(),
                shipped[1].numpy(),
                shipped[0].numpy(),
            ),
            test.targets,
            test.clusters,
        ),
        reference=_reference(
            study,
            data,
            test,
            shipped[choice.place_of_shipped(verdict.decision)],
            deadline,
        ),
        looks=len(looks),
        notes=(look_sentence(looks),) if looks else (),
        raw=raw,
        rows=test.rows,
        table=test.table,
        coverage=coverage,
    )


def _log_probs(
    model: Classifier, opened: Callable[[TableEncoding], Part], *, raw: bool = False
) -> Tensor:
    """Return the log probabilities of a model for the encoded locked rows, ``(N, C)``."""
    inputs = [opened(member.encoding).encoded() for member in model.members]
    return model.encoded_log_probs(inputs, raw=raw)


def _reference(
    study: Study, data: StudyData, test: Part, shipped: Tensor, deadline: float | None
) -> Reference | None:
    boosted = boost(study, data, (data.train, data.valid), test, deadline=deadline)
    if boosted is None:
        return None
    return reference_record(
        boosted,
        shipped.numpy(),
        test.targets.numpy(),
        metric=metric_on_rows(study.metric, study.class_counts),
        class_counts=study.class_counts.numpy(),
        clusters=test.clusters.numpy(),
        seed=study.seed,
    )
