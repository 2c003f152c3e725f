from __future__ import annotations

import json
import runpy
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

import autoloss
from autoloss.core.errors import (
    InputError,
    SearchInterrupted,
    StudyExistsError,
    StudyNotFoundError,
    TrainingError,
)
from autoloss.experiment import rounds
from autoloss.experiment.progress import Silent
from autoloss.experiment.request import Request
from autoloss.experiment.session import SearchSession, TrainedTrial
from autoloss.records import Plan, Update
from autoloss.report import summary_from_json
from autoloss.report.document import summary_json
from tests.spaces import SMALL


@pytest.fixture
def frame() -> pd.DataFrame:
    return load_breast_cancer(as_frame=True).frame


class Watcher:
    """Progress that records its calls."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.updates: list[Update] = []
        self.notes: list[str] = []
        self.details: list[str] = []

    def planned(self, plan: Plan) -> None:
        self.plans.append(plan)

    def updated(self, update: Update) -> None:
        self.updates.append(update)

    def noted(self, text: str) -> None:
        self.notes.append(text)

    def detailed(self, text: str) -> None:
        self.details.append(text)


class Counted(Silent):
    """Keeps how many trials are shown as done."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def updated(self, update: Update) -> None:
        self.done.append(update.done)


def settings(result: autoloss.SearchResult) -> list[tuple[dict, dict]]:
    return [(trial.loss, trial.nuisance) for trial in result.summary.trials]


def test_a_search_leaves_everything_it_promises(small: Path, tmp_path: Path) -> None:
    watcher = Watcher()
    result = autoloss.search(
        "sklearn:iris", space=small, trials=12, name="s", out=tmp_path, progress=watcher
    )
    folder = tmp_path / "s"
    names = {path.name for path in folder.iterdir()}
    shown = {"report.html", "report.md", "summary.json", "trials.csv", "loss.py", "model"}
    assert shown <= names
    assert len(result.trials) == 12
    written = (folder / "summary.json").read_text("utf-8")
    assert summary_json(summary_from_json(written)) == summary_json(result.summary)
    assert result.summary.command.startswith("autoloss search sklearn:iris --space")
    assert result.verdict.decision in {"better", "no_evidence", "worse", "undecided"}
    shipped = result.summary.trial(result.summary.recommended)
    assert result.recommended == autoloss.LossSpec.from_dict(shipped.loss)
    assert watcher.plans[0].families == ("cross_entropy", "focal")
    fractions = [update.fraction for update in watcher.updates]
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1.0
    assert {update.phase for update in watcher.updates} == {"search", "final"}
    assert 0 < result.summary.seconds["training"] <= result.summary.seconds["total"]


def test_the_code_of_the_loss_reads_logits_as_the_model_does(small: Path, tmp_path: Path) -> None:
    small.write_text(SMALL.replace("replicates = 2", "replicates = 1"), encoding="utf-8")
    frame = load_iris(as_frame=True).frame
    result = autoloss.search(frame, target="target", space=small, trials=6, name="s", out=tmp_path)
    code = (tmp_path / "s" / "loss.py").read_text("utf-8")
    pasted = runpy.run_path(str(tmp_path / "s" / "loss.py"))
    assert "import autoloss" not in code
    assert result.model is not None
    (logits,) = result.model.logits(frame)
    probs = pasted["Loss"]().probabilities(logits)
    assert_allclose(probs.numpy(), result.model.predict_proba(frame), atol=1e-6)
    assert pasted["LR"] == result.summary.trial(result.summary.recommended).nuisance["lr"]


def test_the_same_seed_gives_the_same_trials_and_another_seed_others(
    small: Path, tmp_path: Path
) -> None:
    def run(name: str, seed: int) -> autoloss.SearchResult:
        return autoloss.search(
            "sklearn:iris", space=small, trials=18, seed=seed, name=name, out=tmp_path, track="off"
        )

    first, again, other = run("a", 3), run("b", 3), run("c", 4)
    assert settings(first) == settings(again)
    assert [t.metrics for t in first.summary.trials] == [t.metrics for t in again.summary.trials]
    assert settings(first) != settings(other)


def test_the_saved_model_has_the_predictions_of_the_search(small: Path, tmp_path: Path) -> None:
    frame = load_iris(as_frame=True).frame
    test = frame.groupby("target").tail(20)
    rest = frame.drop(test.index)
    result = autoloss.search(
        rest,
        "target",
        test=test,
        space=small,
        trials=12,
        # The figures are from the model before its last training run on all rows.
        refit=False,
        name="s",
        out=tmp_path,
        track="off",
    )
    model = autoloss.load(tmp_path / "s")
    probs = model.predict_proba(test)
    assert probs.sum(1) == pytest.approx(np.ones(len(test)))
    role = "challenger" if result.verdict.decision == "better" else "cross-entropy"
    figures = result.summary.test_metrics[role]
    assert 1 - accuracy_score(test["target"], model.predict(test)) == pytest.approx(
        figures["error"]
    )
    assert log_loss(test["target"], probs) == pytest.approx(figures["log_loss"], abs=1e-6)
    assert result.model is not None
    np.testing.assert_array_equal(result.model.predict_proba(test), probs)


def test_a_model_is_data_and_is_refused_when_it_is_broken(small: Path, tmp_path: Path) -> None:
    autoloss.search("sklearn:iris", space=small, trials=4, name="s", out=tmp_path, track="off")
    folder = tmp_path / "s" / "model"
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    with pytest.raises(InputError, match="lacks"):
        autoloss.load(folder).predict(pd.DataFrame({"petal length (cm)": [1.0]}))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"format_version": 99}))
    with pytest.raises(InputError, match=r"format_version of \(2, 3, 4\), but got 99"):
        autoloss.load(folder)
    (folder / "weights.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InputError, match="must hold a model"):
        autoloss.load(folder)
    with pytest.raises(InputError, match=r"config\.json"):
        autoloss.load(tmp_path / "nowhere")


def test_balanced_error_decides_by_the_share_of_a_class(
    frame: pd.DataFrame, small: Path, tmp_path: Path
) -> None:
    test = frame.tail(150)
    result = autoloss.search(
        frame.head(400),
        "target",
        test=test,
        metric="balanced_error",
        space=small,
        trials=6,
        refit=False,
        out=tmp_path,
        track="off",
    )
    model = autoloss.load(tmp_path / result.summary.name)
    role = "challenger" if result.verdict.decision == "better" else "cross-entropy"
    balanced = balanced_accuracy_score(test["target"], model.predict(test))
    shown = result.summary.test_metrics[role]["balanced_error"]
    assert 1 - balanced == pytest.approx(shown)
    assert result.verdict.comparisons[0].metric == "balanced_error"


def test_decide_takes_the_least_expected_cost(small: Path, tmp_path: Path) -> None:
    autoloss.search("sklearn:iris", space=small, trials=4, name="s", out=tmp_path, track="off")
    model = autoloss.load(tmp_path / "s")
    data = load_iris(as_frame=True).frame
    plain = np.ones((3, 3)) - np.eye(3)
    np.testing.assert_array_equal(model.decide(data, plain), model.predict(data))
    never_first = plain + np.array([1e6, 0.0, 0.0])
    assert 0 not in model.decide(data, never_first)
    with pytest.raises(InputError, match=r"\(3, 3\)"):
        model.decide(data, [[0, 1], [1, 0]])


def test_a_metric_of_the_users_own_takes_the_place_of_error(small: Path, tmp_path: Path) -> None:
    def confidence(probs: np.ndarray, targets: np.ndarray) -> float:
        return float(probs[np.arange(len(targets)), targets].mean())

    confidence.lower_is_better = False  # type: ignore[attr-defined]
    result = autoloss.search(
        "sklearn:iris", space=small, trials=6, metric=confidence, out=tmp_path, track="off"
    )
    assert result.summary.metric == "confidence"
    assert not result.summary.lower_is_better
    assert result.verdict.comparisons[0].metric == "confidence"
    assert result.trials["confidence"].between(0, 1).all()


def test_names_are_free_by_default_and_never_overwritten(small: Path, tmp_path: Path) -> None:
    def run(name: str | None = None) -> str:
        return autoloss.search(
            "sklearn:iris", space=small, trials=4, name=name, out=tmp_path, track="off"
        ).summary.name

    assert (run(), run()) == ("iris", "iris-2")
    before = (tmp_path / "iris" / "summary.json").read_bytes()
    with pytest.raises(StudyExistsError, match="iris"):
        run("iris")
    assert (tmp_path / "iris" / "summary.json").read_bytes() == before
    listed = {listing.name: listing for listing in autoloss.list_studies(tmp_path)}
    assert set(listed) == {"iris", "iris-2"}
    assert (listed["iris"].done, listed["iris"].trials) == (4, 4)
    assert listed["iris"].decision in {"better", "no_evidence", "worse", "undecided"}


def test_an_interrupted_search_goes_on_to_the_same_end(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(name: str) -> autoloss.SearchResult:
        return autoloss.search(
            "sklearn:iris", space=small, trials=24, name=name, out=tmp_path, track="off"
        )

    whole = run("whole")
    told = 0

    def interrupted(self: SearchSession, trained: list[TrainedTrial]) -> None:
        nonlocal told
        told += len(trained)
        if told > 10:
            raise KeyboardInterrupt
        unharmed(self, trained)

    unharmed = SearchSession.tell
    monkeypatch.setattr(SearchSession, "tell", interrupted)
    with pytest.raises(SearchInterrupted) as stop:
        run("cut")
    assert stop.value.study == "cut"
    assert autoloss.list_studies(tmp_path)[0].decision is None
    monkeypatch.setattr(SearchSession, "tell", unharmed)
    shown = Counted()
    resumed = autoloss.resume("cut", out=tmp_path, progress=shown)
    # Trials that were lost with the search are trained again, and count once.
    assert max(shown.done) == 24
    assert sorted(map(str, settings(resumed))) == sorted(map(str, settings(whole)))
    assert resumed.recommended == whole.recommended
    # A finished study is read, not searched again.
    monkeypatch.setattr(SearchSession, "search", None)
    again = autoloss.resume("cut", out=tmp_path)
    assert summary_json(again.summary) == summary_json(resumed.summary)
    assert again.model is not None


def test_a_killed_search_goes_on_to_the_same_end(small: Path, tmp_path: Path) -> None:
    def arguments(name: str) -> dict:
        given = {"space": str(small), "trials": 60, "out": str(tmp_path), "track": "off"}
        return given | {"name": name}

    code = f"import autoloss; autoloss.search('sklearn:iris', **{arguments('cut')!r})"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        journal, deadline = tmp_path / "cut" / "study.journal", time.monotonic() + 60
        while not journal.is_file() or b"readout_state" not in journal.read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    assert not (tmp_path / "cut" / "summary.json").exists()
    resumed = autoloss.resume("cut", out=tmp_path)
    whole = autoloss.search("sklearn:iris", **arguments("whole"))
    assert sorted(map(str, settings(resumed))) == sorted(map(str, settings(whole)))
    assert {trial.state for trial in resumed.summary.trials} <= {"complete", "pruned"}


def test_a_study_that_cannot_be_resumed_names_the_reason(
    frame: pd.DataFrame, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StudyNotFoundError):
        autoloss.resume("nothing", out=tmp_path)

    def stop(self: SearchSession, *_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SearchSession, "search", stop)
        with pytest.raises(KeyboardInterrupt):
            autoloss.search(
                frame, "target", space=small, trials=6, name="f", out=tmp_path, track="off"
            )
    with pytest.raises(InputError, match="data must be given to continue"):
        autoloss.resume("f", out=tmp_path)
    with pytest.raises(InputError, match="have changed"):
        autoloss.resume("f", out=tmp_path, data=frame.head(500))
    assert len(autoloss.resume("f", out=tmp_path, data=frame).trials) == 6
    with autoloss.Study("own", class_counts=[5, 5], trials=2, out=tmp_path):
        pass
    with pytest.raises(InputError, match=r"autoloss\.Study\.open"):
        autoloss.resume("own", out=tmp_path)


def test_a_time_limit_bounds_everything(tmp_path: Path) -> None:
    # Of this process: other programs do not count.
    started = time.process_time()
    result = autoloss.search(
        "sklearn:digits", trials=100_000, time_limit=8.0, out=tmp_path, track="off"
    )
    assert time.process_time() - started < 8.0 + 6.0
    assert 0 < len(result.trials) < 100_000
    assert result.model is not None


def test_a_search_in_which_all_candidates_diverge_names_a_remedy(
    tmp_path: Path, small: Path
) -> None:
    small.write_text("lr = 1e30\n" + SMALL, encoding="utf-8")
    with pytest.raises(TrainingError, match="lower lr"):
        autoloss.search("sklearn:iris", space=small, trials=4, out=tmp_path, track="off")


def test_a_plan_trains_and_writes_nothing(small: Path, tmp_path: Path) -> None:
    plan = autoloss.plan("sklearn:digits", space=small, trials=40)
    assert (plan.data.n_train, plan.data.n_valid, plan.data.n_test) == (1078, 360, 359)
    assert plan.together == 8
    assert 10_000 < plan.memory < 100_000_000
    assert plan.expected_seconds is not None
    assert plan.expected_seconds > 0
    assert 6 / 359 <= plan.detectable < 0.1
    assert list(tmp_path.iterdir()) == [small]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "trials must be at least 1"),
        ({"trials": -5}, "trials must be at least 1"),
        ({"time_limit": 0.0}, "time_limit must be a number of seconds above 0"),
        ({"time_limit": "20s"}, "time_limit must be a number of seconds above 0, but got"),
        ({"device": "gpu"}, "device must be auto, cpu, cuda"),
        ({"device": "cuda:99"}, "device must be one that this machine has"),
        ({"metric": "errror"}, "error"),
        ({"metric": "auroc"}, "auroc"),
        ({"space": "defalt"}, "default"),
        ({"target": "nothing"}, "nothing"),
        ({"name": "a/b"}, "name"),
        ({"seed": -1}, "seed"),
        ({"tracking_uri": "nonsense://x"}, "nonsense"),
        ({"storage": "nonsense://x"}, "nonsense"),
        ({"drop": ["nothing"]}, "nothing"),
        ({"groups": "nothing"}, "nothing"),
        ({"positive": "setosa"}, "positive"),
        ({"test": "nowhere.csv"}, r"nowhere\.csv"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(
    given: dict, message: str, tmp_path: Path
) -> None:
    options = {"space": "quick", "trials": 4, "out": tmp_path / "out"} | given
    with pytest.raises(InputError, match=message) as error:
        autoloss.search("sklearn:iris", **options)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "out").glob("*/study.json"))


def test_an_unwritable_folder_is_named(small: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="file"):
        autoloss.search(
            "sklearn:iris", space=small, trials=4, out=tmp_path / "file" / "x", track="off"
        )


def test_memory_that_is_full_makes_smaller_populations_and_the_same_trials(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autoloss.training import pool as loop

    def run(name: str, watcher: Watcher) -> autoloss.SearchResult:
        return autoloss.search(
            "sklearn:iris",
            space=small,
            trials=16,
            name=name,
            out=tmp_path,
            track="off",
            progress=watcher,
        )

    whole = run("whole", Watcher())
    population = loop.Population

    def scarce(network: object, candidates: list, *rest: object, **more: object) -> object:
        if len(candidates) > 2:
            raise MemoryError
        return population(network, candidates, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "Population", scarce)
    watcher = Watcher()
    halved = run("halved", watcher)
    assert any("2 candidates train together now" in note for note in watcher.notes)
    first = min(rounds.SMALLEST_ROUND, 16)
    assert settings(halved)[:first] == settings(whole)[:first]
    assert len(halved.trials) == 16


def test_how_many_train_together_decides_nothing_but_the_time(tmp_path: Path) -> None:
    """The order of the trials does not depend on it, so that timing may choose it."""
    found = []
    for together in (0, 20, 7):
        text = SMALL.replace("together = 8", f"together = {together}")
        path = tmp_path / f"{together}.toml"
        path.write_text(text, encoding="utf-8")
        watcher = Watcher()
        result = autoloss.search(
            "sklearn:iris",
            space=path,
            trials=24,
            name=path.stem,
            out=tmp_path,
            track="off",
            progress=watcher,
        )
        assert any("train together:" in note for note in watcher.details)
        found.append(result.trials.drop(columns="seconds"))
    pd.testing.assert_frame_equal(found[0], found[1])
    pd.testing.assert_frame_equal(found[0], found[2])


def test_the_options_of_a_study_make_its_command() -> None:
    options = Request(
        data="a b.csv",
        test="t.csv",
        target="y",
        drop=("p", "q"),
        time_limit=90.0,
        trials=64,
        track="off",
    )
    assert options.command() == (
        "autoloss search 'a b.csv' --target y --space default --trials 64 --time-limit 90 "
        "--test t.csv --drop p --drop q --seed 0 --track off"
    )
    placed = replace(
        options,
        name="it's",
        out=Path("o"),
        storage="postgresql://me:secret@h/s",
        tracking_uri="http://h",
    )
    assert placed.command() == (
        options.command()
        + """ --name 'it'"'"'s' --out o --storage 'postgresql://me:***@h/s' --tracking-uri http://h"""
    )
    again = Request.from_dict(json.loads(json.dumps(options.to_dict())))
    assert vars(again) == vars(options)
    assert "--seed 7" in replace(options, seed=7).command()
