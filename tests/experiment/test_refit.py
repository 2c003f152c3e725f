"""The last training run of the shipped model, on all rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_wine

import autoloss
from autoloss.experiment import refit as module
from autoloss.experiment.held_out import HeldOutFinalists
from autoloss.experiment.refit import _against, lasting_epochs
from autoloss.experiment.session import SearchSession
from autoloss.inference.loading import load
from autoloss.report import render_markdown
from autoloss.report.verdict import refit_text
from tests.spaces import SMALL

FRAME = load_wine(as_frame=True).frame


def search(out: Path, *, name: str, **options: Any) -> autoloss.SearchResult:
    space = out / "small.toml"
    space.write_text(SMALL, encoding="utf-8")
    given = {"trials": 8, "track": "off", "device": "cpu", "out": out, "space": space}
    return autoloss.search(FRAME, "target", name=name, **given, **options)


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("refit")


@pytest.fixture(scope="module")
def plain(out: Path) -> autoloss.SearchResult:
    return search(out, name="plain", refit=False)


@pytest.fixture(scope="module")
def refitted(out: Path) -> autoloss.SearchResult:
    return search(out, name="refitted", refit=True)


def test_all_rows_train_also_the_locked_ones(plain, refitted) -> None:
    assert plain.summary.data.n_test > 0
    assert plain.model.class_counts.sum() < len(FRAME)
    counts = np.bincount(FRAME["target"]).tolist()
    assert all(one.class_counts.tolist() == counts for one in refitted.model.members)
    assert refitted.summary.refit.n_rows == len(FRAME)
    assert refitted.summary.refit.is_done
    assert len(refitted.model.encodings) == 1


def test_readouts_temperature_and_weights_are_kept(plain, refitted) -> None:
    assert plain.model.temperature == refitted.model.temperature
    for one, other in zip(plain.model.members, refitted.model.members, strict=True):
        assert (one.readout, one.weight) == (other.readout, other.weight)
        assert one.weights.shape != other.weights.shape or not torch.equal(
            one.weights, other.weights
        )


def test_the_figures_are_those_of_the_training_runs_before(plain, refitted) -> None:
    assert plain.verdict == refitted.verdict
    assert plain.summary.test_metrics == refitted.summary.test_metrics
    assert plain.summary.policies == refitted.summary.policies
    assert "trained again on all 178 rows" in render_markdown(refitted.summary)
    assert plain.summary.refit is None
    assert "trained again" not in render_markdown(plain.summary)


def test_a_seed_decides_the_refit(out: Path, refitted) -> None:
    again = search(out, name="again", refit=True)
    assert np.array_equal(again.model.predict_proba(FRAME), refitted.model.predict_proba(FRAME))


def test_the_model_that_is_saved_is_the_refitted_one(out: Path, refitted) -> None:
    saved = load(out / "refitted")
    assert np.array_equal(saved.predict_proba(FRAME), refitted.model.predict_proba(FRAME))
    # The shipped model is kept with the finalists, so that shipping it again changes nothing.
    again = autoloss.ship("refitted", refitted.summary.recommended, out=out)
    assert again.summary.refit == refitted.summary.refit


def test_a_blend_is_trained_again_too(out: Path) -> None:
    blend = search(out, name="blend", refit=True, ship="blend")
    own = blend.summary.policies[2]
    assert len(blend.model.encodings) == 1
    assert len(blend.model.members) % len(own.numbers) == 0
    assert np.isfinite(blend.model.predict_proba(FRAME)).all()


def test_given_validation_rows_train_too_and_given_test_rows_do_not(tmp_path: Path) -> None:
    frame = FRAME.sample(frac=1.0, random_state=0)
    train, valid, test = frame[:90], frame[90:130], frame[130:]
    space = tmp_path / "small.toml"
    space.write_text(SMALL, encoding="utf-8")
    result = autoloss.search(
        train, "target", valid=valid, test=test, space=space, trials=8, track="off",
        device="cpu", out=tmp_path, refit=True,
    )  # fmt: skip
    assert result.summary.refit.n_rows == 130
    counts = np.bincount(pd.concat([train, valid])["target"], minlength=3)
    assert result.model.class_counts.tolist() == counts.tolist()


@pytest.mark.parametrize(("best", "epochs"), [([20, 20], 20), ([1, 4], 2), ([3], 3), ([0, 1], 1)])
def test_a_refit_goes_as_far_as_the_training_runs_did(best: list[int], epochs: int) -> None:
    assert lasting_epochs(best) == epochs


def test_the_learning_rate_of_a_refit_falls_to_zero(
    tmp_path: Path, plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[int], set[int]]] = []
    train = SearchSession.train

    def watch(self: SearchSession, divisions: Any, trials: Any, **options: Any) -> Any:
        found = train(self, divisions, trials, **options)
        if not len(divisions.targets):
            own = {options["schedules"][trial.number] for trial in trials}
            seen.append((own, {out.report.epochs for one in found for out in one.outcomes}))
        return found

    monkeypatch.setattr(SearchSession, "train", watch)
    search(tmp_path, name="watched", refit=True, ship="blend")
    # All members train together, each to the last epoch of its schedule.
    [(schedules, ends)] = seen
    assert ends == schedules


def test_a_refit_that_diverges_leaves_the_model_as_it_was(
    tmp_path: Path, plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "trained_again", lambda *given, **options: (given[2], 0))
    result = search(tmp_path, name="plain", refit=True)
    assert not result.summary.refit.is_done
    assert np.array_equal(result.model.predict_proba(FRAME), plain.model.predict_proba(FRAME))


@pytest.fixture
def cut_after_one(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the training on all rows fail after the first trial; keep the members of each."""
    train, calls = SearchSession.train, []

    def cut(self: SearchSession, divisions: Any, *given: Any, **options: Any) -> Any:
        found = train(self, divisions, *given, **options)
        if len(divisions.targets):
            return found
        kept = found[: not calls]
        calls.extend(len(one.outcomes) for one in found)
        gone = found[len(kept) :]
        return kept + [replace(o, report=replace(o.report, state="diverged")) for o in gone]

    monkeypatch.setattr(SearchSession, "train", cut)
    return calls


@pytest.mark.parametrize("limit", [None, 600.0])
def test_members_stay_as_they_were_if_a_later_training_on_all_rows_fails(
    tmp_path: Path, cut_after_one: list[int], limit: float | None
) -> None:
    result = search(tmp_path, name="cut", refit=True, ship="blend", time_limit=limit)
    refit, numbers = (
        result.summary.refit,
        next(one.numbers for one in result.summary.policies if one.ships),
    )
    each = len(result.model.members) // len(numbers)
    # Under a limit no training follows one that failed.
    assert len(cut_after_one) == (len(numbers) if limit is None else min(2, len(numbers)))
    assert (refit.trained, refit.members) == (each, len(result.model.members))
    seen = np.array([member.class_counts.sum().item() for member in result.model.members])
    by_trial = (seen == len(FRAME)).reshape(-1, each)
    weights = np.array([one.weight for one in result.model.members]).reshape(-1, each).sum(1)
    # The trial of the largest weight was first.
    assert by_trial.sum(1).tolist() == [
        each * (k == weights.argmax()) for k in range(len(weights))
    ]
    text = refit_text(result.summary)
    assert (f"{each} of its {len(seen)} members" in text) == (len(numbers) > 1)
    assert np.isfinite(load(tmp_path / "cut").predict_proba(FRAME)).all()


@pytest.mark.parametrize(("left", "against"), [(None, ""), (5.0, "time limit"), (7.0, "")])
def test_a_refit_needs_time(left: float | None, against: str) -> None:
    session: Any = SimpleNamespace(
        clock=SimpleNamespace(left=left),
        opened=SimpleNamespace(teacher=None, data=SimpleNamespace(has_given_file=False)),
    )
    reason = _against(session, seconds=6.0)
    assert (against in reason) if against else not reason


@pytest.mark.parametrize("seconds", [0.0, 1e9])
@pytest.mark.parametrize(("share", "is_done"), [(1e9, True), (0.0, False)])
def test_without_a_limit_the_rows_decide_and_not_the_pace_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, seconds: float, is_done: bool
) -> None:
    monkeypatch.setattr(module, "MORE_ROWS", 1.0)
    monkeypatch.setattr(module, "WORK_SHARE", share)
    monkeypatch.setattr(
        "autoloss.experiment.timetable.Timetable.refit_seconds",
        lambda self, count, epochs, *, share: seconds,
    )
    found = search(tmp_path, name="paced").summary.refit
    assert found.is_done == is_done
    assert is_done or "more than 0% of the training before it" in found.reason


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, False),
        ({"lock": True}, True),
        ({"lock": True, "refit": False}, False),
        ({"refit": True}, True),
    ],
)
def test_by_default_all_rows_train_where_the_training_runs_saw_less_than_two_thirds(
    tmp_path: Path, options: dict[str, bool], wanted: bool
) -> None:
    frame = pd.concat([FRAME] * 4, ignore_index=True)
    frame["alcohol"] += np.random.default_rng(0).normal(0.0, 0.1, len(frame))
    result = autoloss.search(
        frame, "target", trials=8, track="off", device="cpu", out=tmp_path, space="quick",
        time_limit=600.0, **options,
    )  # fmt: skip
    found = result.summary.refit
    assert (found is not None and found.is_done) == wanted
    assert (result.model.class_counts.sum() == len(frame)) == wanted


@pytest.mark.filterwarnings("ignore::autoloss.errors.UnusableCellsWarning")
def test_a_model_is_no_mixture_of_weights_of_different_shapes(
    tmp_path: Path, cut_after_one: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        HeldOutFinalists, "blend", lambda self, rows: {self.numbers[0]: 0.3, self.numbers[1]: 0.7}
    )
    # All rows have more of the levels than those of a training run.
    places = pd.Series(np.arange(len(FRAME)) // 3).map("place {}".format)
    frame = FRAME.assign(place=places)
    space = tmp_path / "small.toml"
    space.write_text(SMALL, encoding="utf-8")
    result = autoloss.search(
        frame, "target", trials=8, track="off", device="cpu", out=tmp_path, space=space,
        refit=True, ship="blend",
    )  # fmt: skip
    assert len(cut_after_one) == 2
    assert not result.summary.refit.is_done
    assert all(one.class_counts.sum() < len(frame) for one in result.model.members)
    assert np.isfinite(result.model.predict_proba(frame)).all()
    # Under a time limit all rows are encoded as the rows of each member were.
    cut_after_one.clear()
    limited = autoloss.search(
        frame, "target", trials=8, track="off", device="cpu", out=tmp_path, space=space,
        refit=True, ship="blend", time_limit=600.0, name="limited",
    )  # fmt: skip
    refit, members = limited.summary.refit, limited.model.members
    assert (refit.trained, refit.members) == (2, 4)
    assert [one.class_counts.sum() == len(frame) for one in members] == [False, False, True, True]
    assert [one.encoding for one in members[:2]] == [one.encoding for one in members[2:]]
    assert not any(
        torch.equal(one.weights, other.weights)
        for one, other in zip(members[2:], result.model.members[2:], strict=True)
    )
    saved = load(tmp_path / "limited")
    assert np.array_equal(saved.predict_proba(frame), limited.model.predict_proba(frame))


def test_where_no_time_is_left_for_all_trials_those_of_the_largest_weight_are_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_against", lambda session, seconds: "late" if seconds > 2 else "")
    monkeypatch.setattr(
        HeldOutFinalists, "blend", lambda self, rows: {self.numbers[0]: 0.3, self.numbers[1]: 0.7}
    )
    monkeypatch.setattr(
        "autoloss.experiment.timetable.Timetable.refit_seconds",
        lambda self, count, epochs, *, share: float(count),
    )
    result = search(tmp_path, name="some", refit=True, ship="blend", time_limit=600.0)
    numbers = next(one.numbers for one in result.summary.policies if one.ships)
    refit, members = result.summary.refit, result.model.members
    assert (refit.trained, refit.members) == (2, 2 * len(numbers)) == (2, 4)
    again = [place for place, one in enumerate(members) if one.class_counts.sum() == len(FRAME)]
    assert again == [2, 3]
    assert "no room for more" in refit.reason


@pytest.mark.parametrize(("ship", "room", "members"), [("verdict", 3.2, 3), ("blend", 99.0, None)])
def test_where_time_is_short_fewer_members_are_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ship: str, room: float, members: int | None
) -> None:
    space = tmp_path / "small.toml"
    space.write_text(SMALL.replace("replicates = 2", "replicates = 4"), encoding="utf-8")

    def reason(session: SearchSession, seconds: float) -> str:
        return "no time" if seconds > room else ""

    monkeypatch.setattr(module, "_against", reason)
    monkeypatch.setattr(
        "autoloss.experiment.timetable.Timetable.refit_seconds",
        lambda self, count, epochs, *, share: float(count),
    )
    result = autoloss.search(
        FRAME, "target", space=space, trials=8, track="off", device="cpu", out=tmp_path,
        refit=True, ship=ship, name="short",
    )  # fmt: skip
    own = next(one for one in result.summary.policies if one.ships)
    each = 4 if members is None else members
    assert result.summary.refit.is_done
    assert len(result.model.members) == each * len(own.numbers)
    assert len(result.model.encodings) == 1
    shares = np.array([one.weight for one in result.model.members]).reshape(-1, each).sum(1)
    assert shares / shares.sum() == pytest.approx(own.weights)
    if members:
        assert result.model.temperature != own.temperature
    assert np.isfinite(result.model.predict_proba(FRAME)).all()


def test_no_two_members_share_a_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        HeldOutFinalists, "blend", lambda self, rows: {self.numbers[0]: 0.3, self.numbers[1]: 0.7}
    )
    seen: list[int] = []
    train = SearchSession.train

    def watch(self: SearchSession, divisions: Any, trials: Any, **options: Any) -> Any:
        if not len(divisions.targets):
            seen.extend(seed for one in trials for seed in options["seeds"][one.number])
        return train(self, divisions, trials, **options)

    monkeypatch.setattr(SearchSession, "train", watch)
    result = search(tmp_path, name="seeds", refit=True, ship="blend")
    assert len(seen) == len(set(seen)) == len(result.model.members) == 4
