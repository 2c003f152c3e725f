"""The end of a search: finalists trained again, confirmed on locked rows, the winner shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch

from autoloss.classifier import Classifier
from autoloss.data import StudyData
from autoloss.errors import InputError
from autoloss.losses import LossSpec, Objective
from autoloss.readout import Readout, fit_readouts
from autoloss.records import TrialRecord
from autoloss.report import write_report
from autoloss.search import SearchResult
from autoloss.session import SearchSession
from autoloss.task import TaskKind
from autoloss.training import Outcome

MODEL = "model"
LOSS = "loss.py"
PENDING_SECONDS = 30.0


def conclude(session: SearchSession, data: StudyData) -> SearchResult:
    """Confirm the challenger against tuned cross-entropy, and ship what is recommended.

    The locked rows are opened here and nowhere else.
    """
    choice = session.study.finalists()
    # They are one and the same in a study of cross-entropy alone.
    finalists = list({t.number: t for t in (choice.challenger, choice.baseline)}.values())
    outcomes = session.retrain(finalists)
    models = {
        record.number: _classifier(session, data, outcome, readout)
        for record, outcome, readout in zip(
            finalists, outcomes, _readouts(session, finalists, outcomes), strict=True
        )
    }
    test = data.locked.open()
    result = session.study.finish(
        {number: model.encoded_logits(test.inputs) for number, model in models.items()},
        test.targets,
        data=data.summary,
        readouts={number: model.readout for number, model in models.items()},
        settings=_settings(session, data),
        seconds=_seconds(session),
    )
    result = replace(result, model=models[result.summary.recommended])
    _write(result, session)
    return result


def _readouts(
    session: SearchSession, finalists: Sequence[TrialRecord], outcomes: Sequence[Outcome]
) -> list[Readout]:
    """Fit the read-outs anew: they belong to the weights that ship."""
    specs = [LossSpec.from_dict(record.loss) for record in finalists]
    logits = torch.stack([outcome.logits for outcome in outcomes])
    objective = Objective(specs, session.job.classes, dtype=logits.dtype, device=logits.device)
    fitted = fit_readouts(logits, session.job.valid.targets, objective, folds=session.job.folds)
    return [fitted.row(k) for k in range(len(specs))]


def _classifier(
    session: SearchSession, data: StudyData, outcome: Outcome, readout: Readout
) -> Classifier:
    balanced = session.study.metric.name == "balanced_error"
    return Classifier(
        task=data.task,
        encoding=data.encoding,
        config=session.study.space.network,
        weights=outcome.weights.cpu(),
        readout=readout,
        class_counts=data.class_counts,
        class_weights=session.study.facts.weights,
        class_similarity=session.study.facts.similarity,
        decision="balanced_error" if balanced else "error",
    )


def _settings(session: SearchSession, data: StudyData) -> dict[str, Any]:
    """Return what the report shows besides the space."""
    settings = {
        "device": str(session.job.device),
        "together": session.executor.together,
        "test_sha256": data.locked.sha256,
    }
    uri = session.tracker.shown_uri
    return {**settings, "tracking_uri": uri} if uri else settings


def _seconds(session: SearchSession) -> dict[str, float]:
    total, training = session.clock.elapsed, session.clock.training
    return {"total": total, "training": training, "outside": total - training}


def report_files(folder: Path) -> list[Path]:
    """Return what a study's folder holds for people: the report's files, loss and model."""
    names = ("report.html", "report.md", "summary.json", "trials.csv", LOSS, MODEL)
    return [folder / name for name in names if (folder / name).exists()]


def _write(result: SearchResult, session: SearchSession) -> None:
    """Write report and model, and show the conclusion where the trials are shown."""
    folder = session.study.folder
    if result.model is not None:
        result.model.save(folder / MODEL)
    _write_loss(result, folder / LOSS)
    write_report(result.summary, folder)
    session.tracker.finish(result.summary, report_files(folder))
    pending = session.tracker.close(PENDING_SECONDS)
    if pending.count:
        session.progress.noted(
            f"{pending.count} runs are not in MLflow yet ({pending.reason}); they are kept, and "
            f"`autoloss resume {session.study.name}` writes them."
        )


def _write_loss(result: SearchResult, path: Path) -> None:
    """Write the recommended loss as code with what was tuned."""
    kind = cast("TaskKind", result.summary.data.task)
    try:
        code = result.recommended.source(task=kind)
    except InputError:
        # A loss of the user's own that needs more than torch is in a file of theirs.
        path.unlink(missing_ok=True)
    else:
        path.write_text(code, encoding="utf-8", newline="\n")
