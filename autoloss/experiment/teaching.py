"""A study that teaches itself: its best trials are chosen, and teach the trials that follow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from autoloss.core.errors import TrainingError
from autoloss.core.files import replacing
from autoloss.core.ragged import Ragged
from autoloss.data import Fold
from autoloss.experiment.replication import fresh_seeds, make_divisions, needs_teacher
from autoloss.experiment.session import SearchSession
from autoloss.experiment.teachers.of_study import MEMBERS, PARTS
from autoloss.experiment.teachers.teacher import key_of, logits_of_log_probs
from autoloss.metrics import Scores
from autoloss.readout import mean_log_probs
from autoloss.records import REFINED_LOG_LOSS
from autoloss.report.words import listed
from autoloss.search import Scorer, Study, Trial
from autoloss.training import Job, Outcome
from autoloss.training.divisions import Divisions, Trained
from autoloss.training.rows import logits_of

FOLDER, LOGITS = "teacher", "logits"
"""The folder of a study that keeps the logits of its own teacher, and their name in its files."""


def let_teach(session: SearchSession) -> None:
    """Let the trials of a study teach, if its teacher is the study itself."""
    teacher = session.opened.teacher
    if teacher is not None:
        teacher.learn_by(lambda fold: logits_of_study(session, fold))
        if session.study.teachers is not None:
            session.note(_text(session.study.teachers))


def border(session: SearchSession) -> int | None:
    """Return the slot of the first trial that a search without its own teacher must not train.

    Other processes may ask trials at the same time, so that the number of trials is not a limit.
    """
    has_learnt = session.divisions.jobs[0].teacher is not None
    return session.study.plan.early if session.study.plan.late and not has_learnt else None


def must_teach(session: SearchSession) -> bool:
    """Return whether the trials so far must teach before the next trials can train."""
    study, early = session.study, border(session)
    return early is not None and bool(study.left) and study.budget - study.left >= early


def teach(session: SearchSession) -> bool:
    """Let the best trials so far teach the trials that follow.

    Trials that other processes train are awaited; where some are lost, they must train first.

    Returns:
        Whether there is a teacher: not if the time limit ended its training.
    """
    study = session.study
    if study.teachers is None:
        if session.await_others():
            return True
        session.note(_text(study.teach_by(best_trials(study))))
    try:
        session.begin_late()
    except TrainingError:
        if not session.clock.is_up:
            raise
        return False
    return True


def note_if_untaught(session: SearchSession) -> None:
    """Note that the time limit ended the search before any trial could learn from its teacher."""
    study = session.study
    if study.plan.late and study.left and study.budget - study.left <= study.plan.early:
        session.note("The time limit left no room for trials that learn from the teacher.")


def spare_teacher(session: SearchSession) -> None:
    """Plan the final training runs without a teacher if no finalist learns from it."""
    opened, study = session.opened, session.study
    if opened.teacher is None or opened.data.resampling.verdict == "nested":
        # Every outer fold trains other trials too.
        return
    finalists = [study.trial(one.number) for one in study.pick_finalists()]
    if not any(map(needs_teacher, finalists)):
        session.timetable.leave_teacher()


def best_trials(study: Study) -> list[int]:
    """Return the trials that teach, of the lowest refined log loss, the best first.

    Raises:
        TrainingError: None has a model.
    """
    known = [record for record in study.trials if REFINED_LOG_LOSS in record.metrics]
    whole = [record for record in known if record.state == "complete"] or known
    return _best({record.number: record.metrics[REFINED_LOG_LOSS] for record in whole})


def _best(refined: Mapping[int, float]) -> list[int]:
    """Return the trials of the lowest refined log loss, from that of each by number."""
    if not refined:
        raise TrainingError(
            "A study that teaches itself must have a trial that learns, but all diverged: set a"
            " lower lr in the space."
        )
    return sorted(refined, key=lambda number: (refined[number], number))[:MEMBERS]


def train_outer(
    session: SearchSession, folds: Sequence[Fold], trials: Sequence[Trial]
) -> tuple[Divisions, list[Trained]]:
    """Train trials in every outer fold; trials with hard labels first, if they teach the others.

    A fold has its own teachers, which are chosen on its validation rows: its test rows, on
    which the study chose among its trials, decide nothing.

    Returns:
        The folds on the device, and the training runs.
    """
    has_own = bool(session.study.plan.late)
    late = [trial for trial in trials if has_own and needs_teacher(trial)]
    plain = [trial for trial in trials if not (has_own and needs_teacher(trial))]
    divisions = make_divisions(session, folds, plain)
    trained = session.train(divisions, plain)
    if late:
        for place, (job, fold) in enumerate(zip(divisions.jobs, folds, strict=True)):
            outcomes = [one.outcomes[place] for one in trained]
            session.teachers_of[key_of(fold)] = _best_in_fold(session, job, plain, outcomes)
        trained += session.train(make_divisions(session, folds, late), late)
    places = {trial.number: place for place, trial in enumerate([*plain, *late])}
    return divisions, [trained[places[trial.number]] for trial in trials]


def _best_in_fold(
    session: SearchSession, job: Job, trials: Sequence[Trial], outcomes: Sequence[Outcome]
) -> tuple[int, ...]:
    """Return the trials that teach an outer fold, chosen on its validation rows."""
    whole, scores = _scored(session, job, trials, outcomes)
    refined = (
        {}
        if scores is None
        else {one.number: scores.row(k)[REFINED_LOG_LOSS] for k, (one, _) in enumerate(whole)}
    )
    return tuple(_best(refined))


def _scored(
    session: SearchSession, job: Job, trials: Sequence[Trial], outcomes: Sequence[Outcome]
) -> tuple[list[tuple[Trial, Outcome]], Scores | None]:
    """Return the training runs of a division that have a model, and their scores.

    The scores are on its validation rows; they are None if no training run has a model.
    """
    pairs = zip(trials, outcomes, strict=True)
    whole = [(trial, outcome) for trial, outcome in pairs if outcome.report.has_model]
    if not whole:
        return whole, None
    scores = Scorer(job.classes, session.study.metric, session.study.seed).score(
        torch.stack([outcome.logits for _, outcome in whole]),
        job.valid.targets,
        [trial.spec for trial, _ in whole],
        folds=job.folds,
    )
    return whole, scores


def logits_of_study(session: SearchSession, fold: Fold) -> Tensor | None:
    """Return the logits of a study's own teacher for the training rows of a division.

    The rows are dealt to parts. The best trials are trained on half of the training rows, stopped
    and calibrated on a sixth of them, and the mean of their probabilities teaches the part that
    they have not seen. The logits are kept in the study's folder, so that a resumed search has the
    same.

    Args:
        session: The search.
        fold: The division.

    Returns:
        None if the study has not chosen its teachers yet.

    Raises:
        TrainingError: All training runs of a part diverge.

    Shape:
        - output: ``(N, C)``; of several labels ``(N, L)``; of tokens ``(T, C)``
    """
    numbers = session.teachers_of.get(key_of(fold), session.study.teachers)
    if numbers is None:
        return None
    file = _file(session.study, fold, numbers)
    kept = _kept(file)
    if kept is None:
        kept = _learnt(session, fold, numbers)
        file.parent.mkdir(exist_ok=True)
        with replacing(file) as part:
            save_file({LOGITS: kept.contiguous()}, part)
    return kept


def _learnt(session: SearchSession, fold: Fold, numbers: Sequence[int]) -> Tensor:
    """Train the teachers of a division, and return their logits for its training rows."""
    study, data = session.study, session.opened.data
    trials = [study.trial(number) for number in numbers]
    folds = data.crossed(fold, PARTS, seed=study.seed)
    divisions = make_divisions(session, folds, trials)
    seeds = fresh_seeds(study.seed, len(folds))
    numbers = [trial.number for trial in trials]
    trained = session.train_teachers(divisions, trials, dict.fromkeys(numbers, seeds))
    place_of = {int(row): place for place, row in enumerate(fold.train.rows.tolist())}
    tags = fold.train.targets
    n_items = len(tags.values) if isinstance(tags, Ragged) else len(tags)
    found: Tensor | None = None
    for i, (job, own) in enumerate(zip(divisions.jobs, folds, strict=True)):
        outcomes = [one.outcomes[i] for one in trained]
        taught = _logits(session, job, own, trials, outcomes)
        assert own.test is not None
        places = torch.tensor([place_of[int(row)] for row in own.test.rows.tolist()])
        if isinstance(tags, Ragged):
            places = tags.places(places)
        if found is None:
            found = taught.new_full((n_items, taught.shape[-1]), float("nan"))
        found[places] = taught
    assert found is not None
    return found


def _logits(
    session: SearchSession,
    job: Job,
    fold: Fold,
    trials: Sequence[Trial],
    outcomes: Sequence[Outcome],
) -> Tensor:
    """Return the logits of the mean of some training runs for the test rows of their division."""
    whole, scores = _scored(session, job, trials, outcomes)
    if scores is None:
        raise TrainingError(
            "The teacher self must train, but all of its training runs on a part of the rows "
            "diverged: set a lower lr in the space."
        )
    specs = [trial.spec for trial, _ in whole]
    weights = torch.stack([outcome.weights for _, outcome in whole])
    assert fold.test is not None
    every = logits_of(job.network, weights, specs, job.encoded(fold.test)).cpu()
    read = (
        scores.readouts.row(k).log_probs(own, job.classes).double().log_softmax(-1)
        for k, own in enumerate(every)
    )
    mean = mean_log_probs(map(job.classes.with_constants, read))
    return logits_of_log_probs(mean, session.opened.data.task)


def _file(study: Study, fold: Fold, numbers: Sequence[int]) -> Path:
    """Return the file of a teacher's logits for a division."""
    settings = f"{study.space.training.max_epochs} {list(numbers)}".encode()
    name = hashlib.sha256(key_of(fold) + settings).hexdigest()[:16]
    return study.folder / FOLDER / f"{name}.safetensors"


def _kept(file: Path) -> Tensor | None:
    """Return the logits of a file; None if there is none, or it is broken."""
    try:
        return load_file(file)[LOGITS]
    except (OSError, SafetensorError, KeyError):
        return None


def _text(numbers: Sequence[int]) -> str:
    return f"The teacher is the mean of trials {listed([*map(str, numbers)])}."
