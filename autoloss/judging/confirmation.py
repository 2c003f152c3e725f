"""The verdict on the locked test rows."""

from __future__ import annotations

from torch import Tensor

from autoloss.classifier import Classifier
from autoloss.data import LockedPart, Part, StudyData
from autoloss.judging.beside import boost, default_number, gains
from autoloss.judging.reference import reference_record
from autoloss.judging.replication import Replication
from autoloss.records import Finalist, Reference
from autoloss.search import (
    Choice,
    Evidence,
    Study,
    confirmed,
    earlier_looks,
    look_sentence,
    metric_on_rows,
)


def confirm_on_locked(
    study: Study,
    data: StudyData,
    locked: LockedPart,
    choice: Choice,
    finalists: tuple[Finalist, ...],
    replication: Replication,
    *,
    deadline: float | None = None,
) -> Evidence:
    """Open the locked rows and compare the challenger with tuned cross-entropy on them.

    Args:
        study: The study.
        data: Its data.
        locked: Its locked rows, which are opened here and nowhere else.
        choice: Challenger and tuned cross-entropy, chosen without these rows.
        finalists: The finalists.
        replication: What became of them.
        deadline: When nothing more is trained, on `time.monotonic`'s clock.
    """
    test, models = locked.open(), replication.models
    challenger, baseline = choice.challenger.number, choice.baseline.number
    shipped = (_log_probs(models[challenger], locked), _log_probs(models[baseline], locked))
    verdict = confirmed(study, choice, shipped, test.targets, clusters=test.clusters)
    default = default_number(finalists, otherwise=baseline)
    looks = earlier_looks(study.folder.parent, locked.sha256, study.name)
    return Evidence(
        choice=choice,
        verdict=verdict,
        log_probs=shipped,
        targets=test.targets,
        resampling=data.resampling,
        finalists=finalists,
        gains=gains(
            study,
            choice,
            replication,
            (
                _log_probs(models.get(default, models[baseline]), locked, raw=True).numpy(),
                _log_probs(models[baseline], locked, raw=True).numpy(),
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
            shipped[0 if verdict.decision == "better" else 1],
            deadline,
        ),
        looks=len(looks),
        notes=(look_sentence(looks),) if looks else (),
    )


def _log_probs(model: Classifier, locked: LockedPart, *, raw: bool = False) -> Tensor:
    """Return what a model says of the locked rows, ``(N, C)``."""
    encodings = {id(member.encoding): member.encoding for member in model.members}
    parts = {key: locked.open(encoding).inputs for key, encoding in encodings.items()}
    return model.encoded_log_probs([parts[id(m.encoding)] for m in model.members], raw=raw)


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
