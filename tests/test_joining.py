"""Processes without a shared folder work on one study in a database; one reaches its verdict."""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from optuna.trial import TrialState
from sklearn.datasets import load_iris
from typer.testing import CliRunner

import autoloss
from autoloss.cli.app import app
from autoloss.core.errors import InputError, StudyNotFoundError
from autoloss.experiment import agreeing, joining, running
from autoloss.experiment.session import SearchSession
from autoloss.report import summary_json
from autoloss.search import Study
from autoloss.search.opening import BEGAN
from tests.spaces import TWO_BASES
from tests.tracking.test_tracking_interrupted import runs_in

TRIALS = 8


def begin(home: Path, patch: pytest.MonkeyPatch, storage: str | None, **options: object) -> None:
    """Begin a study that is interrupted before its first training run."""

    def stop(self: SearchSession, *_: object) -> None:
        raise KeyboardInterrupt

    home.mkdir(exist_ok=True)
    (home / "small.toml").write_text(TWO_BASES, encoding="utf-8")
    iris = load_iris(as_frame=True).frame
    iris.to_csv(home / "iris.csv", index=False)
    with patch.context() as context:
        context.setattr(SearchSession, "search", stop)
        with pytest.raises(KeyboardInterrupt):
            autoloss.search(
                home / "iris.csv",
                "target",
                classes=True,
                space=home / "small.toml",
                name="s",
                out=home,
                storage=storage,
                workers=1,
                **{"track": "off", "trials": TRIALS, **options},  # type: ignore[arg-type]
            )


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{(tmp_path / 'studies.db').as_posix()}"


def test_a_machine_without_the_folder_trains_and_concludes_and_the_others_read_it(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path / "a", monkeypatch, url)
    part = autoloss.join("s", storage=url, out=tmp_path / "b")
    assert (part.trained, part.trials, part.concluder) == (TRIALS, TRIALS, "")
    assert part.result is not None
    assert "Trained 8 of 8 trials of s and reached the verdict" in part.text
    again = autoloss.join("s", storage=url, out=tmp_path / "c")
    assert (again.trained, again.result) == (0, None)
    assert again.folder == str(tmp_path / "b/s")
    assert again.text.startswith("Trained 0 of 8 trials of s; ")
    assert "reached the verdict, which is there in" in again.text
    (tmp_path / "a/s/study.json").rename(tmp_path / "study.json")
    # The first machine reads the same verdict, and its model predicts the same.
    for out in (tmp_path / "a", tmp_path / "d"):
        found = autoloss.resume("s", storage=url, out=out)
        assert summary_json(found.summary) == summary_json(part.result.summary)
        assert (out / "s/report.html").read_bytes() == (tmp_path / "b/s/report.html").read_bytes()
        rows = pd.read_csv(tmp_path / "a/iris.csv").drop(columns="target")
        ours, theirs = found.model, part.result.model
        assert ours is not None
        assert theirs is not None
        assert (ours.predict_proba(rows) == theirs.predict_proba(rows)).all()


@pytest.mark.faults
@pytest.mark.slow
def test_mlflow_is_complete_if_a_process_that_joined_concludes(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, empty_store: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    begin(tmp_path / "a", monkeypatch, url, track="all")
    part = autoloss.join("s", storage=url, out=tmp_path / "b")
    assert part.result is not None
    assert part.result.unwritten == ""
    for out in ("b", "a"):
        found = runs_in(f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}")
        [study] = [run for run in found if run.data.tags["autoloss.role"] == "study"]
        trials = [run for run in found if run.data.tags["autoloss.role"] == "trial"]
        assert study.info.status == "FINISHED"
        assert study.data.tags["autoloss.verdict"] == part.result.verdict.decision
        numbers = sorted(int(run.data.tags["autoloss.trial"]) for run in trials)
        assert numbers == list(range(TRIALS))
        assert {run.info.status for run in trials} <= {"FINISHED", "KILLED"}
        # Each machine finds the same runs, and none is missing.
        autoloss.resume("s", storage=url, out=tmp_path / out)


def test_data_that_lie_elsewhere_are_named_and_must_be_the_same(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path / "a", monkeypatch, url)
    there, here = tmp_path / "a/iris.csv", tmp_path / "moved.csv"
    there.rename(here)
    runner = CliRunner()
    words = ["join", "s", "--storage", url, "--out", str(tmp_path / "b")]
    refused = runner.invoke(app, words)
    assert refused.exit_code == 2
    assert f"{str(there)!r}, which is not here: give their path by --data." in refused.stderr
    other = tmp_path / "other.csv"
    pd.read_csv(here).iloc[1:].to_csv(other, index=False)
    with pytest.raises(InputError, match="must be the same as at the start of s"):
        autoloss.join("s", storage=url, out=tmp_path / "b", data=other)
    done = runner.invoke(app, [*words, "--data", str(here)])
    assert done.exit_code == 0
    assert "Trained 8 of 8 trials of s and reached the verdict" in done.stdout
    unknown = runner.invoke(app, ["join", "t", "--storage", url, "--out", str(tmp_path)])
    assert unknown.exit_code == 2
    assert "which is not in" in unknown.stderr


def concluding_beside(
    out: Path,
    storage: str | None,
    patch: pytest.MonkeyPatch,
    act: Callable[[Study], object],
    call: Callable[[], object],
) -> tuple[object, int]:
    """Call a function while another worker concludes, which then acts.

    Returns:
        The result, and how often a verdict was reached.
    """
    other = Study.open("s", out=out, storage=storage)
    assert other.conclusion.take() is None
    acted, reached, conclude = list[bool](), list[bool](), running.conclude

    def sleep(seconds: float) -> None:
        if not acted:
            acted.append(True)
            act(other)

    def count(*arguments: object) -> object:
        reached.append(True)
        return conclude(*arguments)  # type: ignore[arg-type]

    with patch.context() as context:
        context.setattr(agreeing.time, "sleep", sleep)
        context.setattr(running, "conclude", count)
        found = call()
    other.close()
    return found, len(reached)


@pytest.mark.parametrize("is_database", [True, False])
def test_the_verdict_of_a_process_that_dies_is_reached_by_the_next(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, is_database: bool
) -> None:
    storage = url if is_database else None
    begin(tmp_path, monkeypatch, storage)

    def train() -> object:
        return autoloss.join("s", out=tmp_path, storage=storage)

    # While another process concludes, a further one trains nothing and leaves.
    left, reached = concluding_beside(tmp_path, storage, monkeypatch, Study.close, train)
    assert isinstance(left, autoloss.experiment.joining.Joined)
    assert (left.trained, left.result, reached) == (0, None, 0)
    assert left.text.endswith("reaches the verdict.")
    found, reached = concluding_beside(
        tmp_path,
        storage,
        monkeypatch,
        Study.close,
        lambda: autoloss.resume("s", out=tmp_path, storage=storage),
    )
    assert isinstance(found, autoloss.SearchResult)
    # It waited before it had trained anything, and the other left without a verdict.
    assert reached == 1


def test_a_process_that_waits_reads_the_verdict_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path, monkeypatch, None)

    def conclude_elsewhere(other: Study) -> None:
        other.close()
        autoloss.resume("s", out=tmp_path)

    found, reached = concluding_beside(
        tmp_path,
        None,
        monkeypatch,
        conclude_elsewhere,
        lambda: autoloss.resume("s", out=tmp_path),
    )
    assert isinstance(found, autoloss.SearchResult)
    assert reached == 1
    again = autoloss.resume("s", out=tmp_path)
    assert summary_json(found.summary) == summary_json(again.summary)


def test_a_process_waits_for_the_start_of_its_study(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        if not waited:
            begin(tmp_path / "a", monkeypatch, url)
        waited.append(seconds)

    with monkeypatch.context() as context:
        context.setattr(joining.time, "sleep", sleep)
        with pytest.raises(StudyNotFoundError):
            autoloss.join("s", storage=url, out=tmp_path / "b")
        assert autoloss.join("s", storage=url, out=tmp_path / "b", wait=60).trained == TRIALS
    assert waited == [joining.POLL_SECONDS]


def test_a_loop_of_its_own_is_not_joined(tmp_path: Path, url: str) -> None:
    Study("mine", [50, 50], trials=4, out=tmp_path, storage=url).close()
    with pytest.raises(InputError, match="a custom loop asks its trials"):
        autoloss.join("mine", storage=url, out=tmp_path)


def test_a_lacking_driver_is_named_before_anything_is_read(tmp_path: Path) -> None:
    if importlib.util.find_spec("MySQLdb"):
        pytest.skip("MySQLdb is installed")
    url = "mysql://me:secret@127.0.0.1/studies"
    told = CliRunner().invoke(app, ["join", "s", "--storage", url, "--out", str(tmp_path)])
    assert told.exit_code == 2
    [line] = told.stderr.splitlines()
    assert "pip install 'autoloss[mysql]'" in line
    assert "secret" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.faults
@pytest.mark.slow
def test_two_processes_of_a_machine_that_joins_train_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for count in (1, 2):
        home = tmp_path / str(count)
        begin(home, monkeypatch, None)
        told = CliRunner().invoke(app, ["join", "s", "--out", str(home), "--workers", str(count)])
        assert told.exit_code == 0
        assert "Trained 8 of 8 trials of s and reached the verdict" in told.stdout
        summary = autoloss.resume("s", out=home).summary
        found.append([(one.loss, one.nuisance, one.metrics, one.state) for one in summary.trials])
    assert len(found[0]) == TRIALS
    for one, other in zip(*found, strict=True):
        assert one[:2] == other[:2]
        assert one[3] == other[3]
        assert one[2] == pytest.approx(other[2], rel=1e-6, abs=1e-9)


@pytest.mark.faults
@pytest.mark.slow
def test_a_process_that_joins_keeps_the_time_limit_of_the_study(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, left = 600.0, 15.0
    begin(tmp_path / "a", monkeypatch, url, time_limit=limit, trials=5000)
    with Study.open("s", out=tmp_path / "a", storage=url) as study:
        study._session.note(BEGAN, study._session.opened.ledger.now() - limit + left)
    began = time.monotonic()
    part = autoloss.join("s", storage=url, out=tmp_path / "b")
    # The limit of this process alone would end it much later, even beside other programs.
    assert time.monotonic() - began < limit / 3
    assert part.result is not None
    # In ten minutes there was time for all.
    assert 0 < part.trained < part.trials
    with Study.open("s", out=tmp_path / "a", storage=url) as study:
        assert not [one for one in study._session.trials() if one.state == TrialState.RUNNING]


@pytest.mark.faults
@pytest.mark.slow
def test_a_study_whose_time_is_up_is_judged_at_once(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path / "a", monkeypatch, url, time_limit=600.0)
    train = SearchSession.tell

    def tell_and_end(self: SearchSession, ended: object) -> None:
        train(self, ended)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SearchSession, "tell", tell_and_end)
        with pytest.raises(KeyboardInterrupt):
            autoloss.join("s", storage=url, out=tmp_path / "b")
    with Study.open("s", out=tmp_path / "a", storage=url) as study:
        ended = sum(bool(one.metrics) for one in study.trials)
        assert ended
        study._session.note(BEGAN, study._session.opened.ledger.now() - 601.0)
    part = autoloss.join("s", storage=url, out=tmp_path / "c")
    assert (part.trained, part.concluder) == (0, "")
    assert part.result is not None
    assert sum(bool(one.metrics) for one in part.result.summary.trials) == ended
