"""A study that teaches itself: who teaches whom, in which order, and after an interruption."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_wine

import autoloss
from autoloss.core.clock import Clock
from autoloss.core.errors import TrainingError
from autoloss.data import Fold, StudyData
from autoloss.experiment import nesting, running, teaching
from autoloss.experiment.replication import make_divisions
from autoloss.experiment.session import SearchSession
from autoloss.experiment.teachers.of_study import MEMBERS, PARTS
from autoloss.experiment.teachers.teacher import key_of
from autoloss.search import plan_families
from tests.spaces import TWO_BASES

TRIALS = 20
SPACE = f'targets = ["none", "smoothing", "distillation"]\n{TWO_BASES}'


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    table = load_wine(as_frame=True).frame
    names = np.array(["barbera", "barolo", "grignolino"])
    return pd.concat([table, table + 1e-3], ignore_index=True).assign(
        target=np.tile(names[table["target"]], 2)
    )


def search(out: Path, frame: pd.DataFrame, **options: Any) -> autoloss.SearchResult:
    space = out / "space.toml"
    space.write_text(SPACE, encoding="utf-8")
    given = {"space": space, "trials": TRIALS, "teacher": "self", "name": "s", "out": out}
    target = options.pop("target", "target")
    return autoloss.search(frame, target, **{**given, "track": "off", "workers": 1, **options})


def is_taught(trial: Any) -> bool:
    return bool(trial.loss.get("target") == "distillation")


class Stopped(Exception):
    """The search has ended."""


def test_the_best_trials_teach_those_that_follow_them(
    tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def conclude(session: SearchSession, *_: Any) -> None:
        study = session.study
        seen["trials"], seen["early"] = study.trials, study.plan.early
        seen["teachers"], seen["quota"] = study.teachers, study.quota
        check_that_final_training_runs_have_teachers_of_their_own(session)
        check_that_no_row_is_taught_by_a_network_that_saw_it(session, monkeypatch)
        raise Stopped

    monkeypatch.setattr(running, "conclude", conclude)
    with pytest.raises(Stopped):
        search(tmp_path, frame)
    trials, early = seen["trials"], seen["early"]
    assert len(trials) == TRIALS
    assert not any(map(is_taught, trials[:early]))
    late = trials[early : early + seen["quota"]]
    assert all(map(is_taught, late))
    assert all(trial.metrics for trial in late)
    # The first has the declared temperature and weight, the others have draws.
    assert late[0].origin == "default"
    assert {trial.origin for trial in late[1:]} == {"quota"}
    ranked = sorted(trials[:early], key=lambda one: one.metrics["refined_log_loss"])
    assert seen["teachers"] == tuple(one.number for one in ranked[:MEMBERS])


def check_that_final_training_runs_have_teachers_of_their_own(session: SearchSession) -> None:
    """Divisions have a teacher if a trial needs it, with logits for their training rows alone."""
    study, data = session.study, session.opened.data
    plain, taught = study.trial(0), study.trial(study.plan.early)
    folds = (*data.replicates(2, seed=study.seed), data.whole())
    assert all(job.teacher is None for job in make_divisions(session, folds, [plain]).jobs)
    jobs = make_divisions(session, folds, [plain, taught]).jobs
    for job, fold in zip(jobs, folds, strict=True):
        assert job.teacher is not None
        assert job.teacher.shape == (len(fold.train), 3)
        assert job.teacher.isfinite().all()
        right = job.teacher.argmax(-1) == fold.train.targets
        assert right.double().mean() > 0.5


def check_that_no_row_is_taught_by_a_network_that_saw_it(
    session: SearchSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plant another label in a row: all logits but those of its own part change."""
    data, study = session.opened.data, session.study
    fold = data.folds[0]
    teachers = study.teachers
    assert teachers is not None
    crossed = data.crossed(fold, PARTS, seed=study.seed)
    taught = [set(one.test.rows.tolist()) for one in crossed if one.test is not None]
    train = set(fold.train.rows.tolist())
    assert set().union(*taught) == train
    assert sum(map(len, taught)) == len(train)
    for own, one in zip(taught, crossed, strict=True):
        used = {*one.train.rows.tolist(), *one.valid.rows.tolist()}
        assert not own & used
        assert own | used == train
    row = int(fold.train.rows[0])
    before = teaching._learnt(session, fold, teachers)
    planted = tuple(with_other_label(one, row) for one in crossed)
    monkeypatch.setattr(StudyData, "crossed", lambda *_, **__: planted)
    after = teaching._learnt(session, fold, teachers)
    is_changed = (before != after).any(-1)
    own = next(own for own in taught if row in own)
    is_own = torch.tensor([number in own for number in fold.train.rows.tolist()])
    assert not is_changed[is_own].any()
    assert is_changed[~is_own].all()
    session_divisions = session.divisions.jobs[0]
    assert session_divisions.teacher is not None
    assert torch.equal(session_divisions.teacher, before)


def with_other_label(fold: Fold, row: int) -> Fold:
    def planted(part: Any) -> Any:
        other = (part.targets + 1) % 3
        return replace(part, targets=torch.where(part.rows == row, other, part.targets))

    return replace(fold, train=planted(fold.train), valid=planted(fold.valid))


@pytest.mark.parametrize("after", ["in the quotas", "before its teacher", "among the late"])
def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    tells = 0
    told, train = autoloss.Study.tell_many, SearchSession.train_teachers

    def tell(self: Any, *given: Any, **options: Any) -> Any:
        nonlocal tells
        found = told(self, *given, **options)
        tells += 1
        if (after == "in the quotas" and tells == 1) or (self.teachers and after[0] == "a"):
            raise KeyboardInterrupt
        return found

    def teachers(self: Any, *given: Any) -> Any:
        if after == "before its teacher":
            raise KeyboardInterrupt
        return train(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(autoloss.Study, "tell_many", tell)
        patch.setattr(SearchSession, "train_teachers", teachers)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, frame)
    if after == "among the late":
        # Made again: the folder may be on another machine.
        shutil.rmtree(tmp_path / "s" / teaching.FOLDER)
    whole = search(tmp_path, frame, name="whole")
    result = autoloss.resume("s", data=frame, out=tmp_path)
    for one, other in zip(result.summary.trials, whole.summary.trials, strict=True):
        assert (one.loss, one.nuisance) == (other.loss, other.nuisance)
        assert one.metrics == pytest.approx(other.metrics, abs=1e-4)
    assert any("The teacher is the mean of trials" in note for note in result.summary.data.notes)
    assert result.challenger.to_dict() == whole.challenger.to_dict()


def test_several_labels_with_free_text_teach_themselves_under_a_time_limit(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    labels = pd.DataFrame(
        {"strong": frame["alcohol"] > 13, "dark": frame["color_intensity"] > 5}
    ).astype(int)
    notes = [
        f"a {'dark' if dark else 'pale'} wine of plot {n % 97}, case {n}"
        for n, dark in enumerate(labels["dark"])
    ]
    table = frame[["hue", "ash"]].join(labels).assign(notes=notes)
    result = search(tmp_path, table, target=["strong", "dark"], time_limit=40)
    taught = [trial for trial in result.summary.trials if is_taught(trial)]
    assert any(trial.metrics for trial in taught)


def test_a_time_limit_without_room_for_the_teacher_is_noted(
    tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: Any) -> Any:
        raise TrainingError("none has a model")

    monkeypatch.setattr(Clock, "is_up", property(lambda _: True))
    monkeypatch.setattr(SearchSession, "train_teachers", train)
    result = search(tmp_path, frame, time_limit=30)
    assert not any(map(is_taught, result.summary.trials))
    notes = " ".join(result.summary.data.notes)
    assert "left no room for trials that learn from the teacher" in notes


def test_every_outer_fold_has_its_own_teachers(
    tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[SearchSession, tuple[Fold, ...], list[int], list[Any]]] = []
    train = nesting.train_outer

    def spied(session: SearchSession, folds: Any, trials: Any) -> Any:
        divisions, trained = train(session, folds, trials)
        seen.append((session, tuple(folds), [one.number for one in trials], trained))
        return divisions, trained

    monkeypatch.setattr(nesting, "train_outer", spied)
    text = SPACE.replace("outer_folds = 0", 'outer_folds = 3\nouter_repeats = 1\njudge = "nested"')
    (tmp_path / "nested.toml").write_text(text, encoding="utf-8")
    result = search(tmp_path, frame, space=tmp_path / "nested.toml")
    [(session, folds, numbers, trained)] = seen
    plain = {one.number for one in result.summary.trials if not is_taught(one)}
    late = [number for number in numbers if number not in plain]
    assert late
    assert len(folds) == len(session.teachers_of) == 3
    for place, fold in enumerate(folds):
        teachers = session.teachers_of[key_of(fold)]
        assert len(teachers) == MEMBERS
        assert set(teachers) <= plain & set(numbers)
        # The lowest log loss after calibration on the validation rows of this fold.
        best = {
            number: one.outcomes[place].report.curve
            for number, one in zip(numbers, trained, strict=True)
            if number in plain
        }
        refined = {n: min(point.refined_log_loss for point in curve) for n, curve in best.items()}
        assert sorted(refined, key=refined.__getitem__)[0] in teachers
    assert result.verdict.text


def test_a_study_whose_trials_all_diverged_has_no_teacher(tmp_path: Path) -> None:
    study = autoloss.Study("own", [5, 5], trials=4, out=tmp_path, late=["distillation"])
    with study, pytest.raises(TrainingError, match="must have a trial that learns"):
        teaching.best_trials(study)


def test_processes_that_ask_at_once_stop_at_the_border(tmp_path: Path) -> None:
    given = {"space": "distillation", "provides": ["teacher_logits"], "late": ["distillation"]}
    with autoloss.Study("own", [50, 50], trials=20, out=tmp_path, **given) as study:
        early = study.plan.early
        asked = study.ask(20, until=early)
        assert [trial.slot for trial in asked] == list(range(early))
        assert not any(trial.spec.to_dict().get("target") == "distillation" for trial in asked)
        with autoloss.Study.open("own", out=tmp_path) as other:
            assert other.ask(20, until=early) == []
            [late] = other.ask(1)
            assert late.slot == early
            assert late.spec.to_dict()["target"] == "distillation"
            assert other.teach_by([2, 0]) == (2, 0)
        assert study.teachers == (2, 0)
        assert study.teach_by([1]) == (2, 0)


@pytest.mark.parametrize("trials", [4, 16, 20, 64, 128])
def test_late_targets_have_their_quota_at_the_end(trials: int) -> None:
    targets = ["none", "smoothing", "distillation", "mixup"]
    bases = ["cross_entropy", "brier", "focal", "poly1"]
    usual = plan_families(bases, trials, targets)
    late = plan_families(bases, trials, targets, late=["distillation"])
    arms, before = late.first + late.then, usual.first + usual.then
    assert sorted(map(str, arms)) == sorted(map(str, before))
    is_late = [arm.target == "distillation" for arm in arms]
    assert is_late == sorted(is_late)
    assert late.early == is_late.count(False)
    for slot, own in enumerate(is_late):
        assert late.is_early(slot) == (not own)
    own = [slot for slot, one in enumerate(is_late) if one]
    assert [late.is_first(slot) for slot in own] == [True, *[False] * (len(own) - 1)][: len(own)]
    assert [late.turn(slot) for slot in own[1:]] == list(range(len(own[1:])))
    assert usual.early == len(before)
