"""A search with custom losses: from the first plan to the shipped model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from typer.testing import CliRunner

import autoloss
from autoloss.cli import app
from autoloss.core.errors import InputError
from autoloss.experiment.request import Request
from autoloss.experiment.session import SearchSession
from autoloss.losses import FloatParam, Loss, declare, names, register
from autoloss.losses.own import take_in
from autoloss.losses.registry import OWN, forget_results
from autoloss.report import summary_json
from autoloss.search import Study, load_space
from autoloss.search.config import StudyConfig
from tests.spaces import SMALL

GENTLE = '''
from autoloss.losses import FloatParam, declare


@declare(source="here", local=True, a=FloatParam(0.5, 2.0, default=1.5))
def gentle(log_p, *, a):
    """Scale the log score."""
    return -a * log_p
'''


def forget() -> None:
    """Forget the custom losses, as in a new process."""
    OWN.clear()
    forget_results()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(GENTLE, encoding="utf-8")
    return path


def make_steep(**changes: object) -> Loss:
    """Declare a loss outside any file."""

    def steep(log_p: torch.Tensor, *, power: torch.Tensor) -> torch.Tensor:
        """Cross-entropy to a power."""
        return (-log_p) ** power

    given = {"source": "here", "local": True, "power": FloatParam(1.0, 2.0, default=1.5)}
    return declare(**{**given, **changes})(steep)  # type: ignore[arg-type]


def search(small: Path, out: Path, **given: object) -> autoloss.SearchResult:
    options = {"space": small, "trials": 18, "name": "s", "out": out, "track": "off"}
    return autoloss.search("sklearn:iris", **{**options, **given})  # type: ignore[arg-type]


def interrupted(small: Path, out: Path, patch: pytest.MonkeyPatch, **given: object) -> None:
    """Begin a study and stop before its first training run."""

    def stop(self: SearchSession, *_: object) -> None:
        raise KeyboardInterrupt

    with patch.context() as context:
        context.setattr(SearchSession, "search", stop)
        with pytest.raises(KeyboardInterrupt):
            search(small, out, **given)
    forget()


def test_own_losses_are_families_after_the_baselines(small: Path, file: Path) -> None:
    plan = autoloss.plan("sklearn:iris", space=small, trials=60, losses=[make_steep(), file])
    assert plan.families == ("cross_entropy", "brier", "steep", "gentle", "focal")
    # A short budget drops the others before.
    short = autoloss.plan("sklearn:iris", space=small, trials=12, losses=file)
    assert short.families == ("cross_entropy", "gentle")
    assert short.dropped == ("focal",)


def test_a_search_trains_them_and_keeps_where_they_are(
    small: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = search(small, tmp_path, losses="mine.py")
    own = [trial for trial in result.summary.trials if trial.family == "gentle"]
    assert len(own) >= 4
    assert {trial.state for trial in own} <= {"complete", "stopped"}
    assert own[0].origin == "default"
    assert own[0].loss == {"base": "gentle", "gentle.a": 1.5}
    assert "--losses mine.py" in result.summary.command
    written = StudyConfig.read(tmp_path / "s")
    assert written.origin["options"]["losses"] == [str(file)]
    assert written.losses["gentle"].file == str(file)  # type: ignore[union-attr]
    assert Request.from_dict(written.origin["options"]).losses == (str(file),)


def test_a_space_may_set_the_ranges_of_an_own_loss(small: Path, file: Path) -> None:
    small.write_text("gentle.a = { low = 1.0, high = 1.2 }\n" + SMALL, encoding="utf-8")
    own = tuple(take_in(file))
    space = load_space(small, losses=own)
    assert space.ranges["gentle.a"].high == 1.2  # type: ignore[union-attr]
    assert space.bases == ("cross_entropy", "brier", "gentle", "focal")
    listed = (
        'bases = ["cross_entropy", "focal", "gentle"]\n'
        + SMALL.partition("\n")[2].partition("\n")[2]
    )
    small.write_text(listed, encoding="utf-8")
    assert load_space(small, losses=own).bases == ("cross_entropy", "focal", "gentle")


def test_a_study_is_resumed_with_the_file_that_it_began_with(
    small: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(small, tmp_path, monkeypatch, losses=file)
    assert "gentle" not in names()
    resumed = autoloss.resume("s", out=tmp_path)
    forget()
    whole = search(small, tmp_path, losses=file, name="whole")
    shown = [(trial.loss, trial.nuisance) for trial in resumed.summary.trials]
    assert shown == [(trial.loss, trial.nuisance) for trial in whole.summary.trials]
    # It is finished: read again, still with the loss.
    forget()
    again = autoloss.resume("s", out=tmp_path)
    assert summary_json(again.summary) == summary_json(resumed.summary)


def test_a_file_that_moved_is_given_once(
    small: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(small, tmp_path, monkeypatch, losses=file)
    moved = file.rename(tmp_path / "moved.py")
    with pytest.raises(InputError, match=r"gentle must be given to continue, .*mine\.py"):
        autoloss.resume("s", out=tmp_path)
    Study.open("s", out=tmp_path, losses=moved).close()
    forget()
    with Study.open("s", out=tmp_path) as study:
        assert "gentle" in study.families
    moved.write_text(GENTLE.replace("1.5", "1.6"), encoding="utf-8")
    with pytest.raises(InputError, match=r"moved\.py must be as it was when s began"):
        autoloss.resume("s", out=tmp_path)


def test_a_loss_that_no_file_holds_is_given_again(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steep = make_steep()
    interrupted(small, tmp_path, monkeypatch, losses=steep)
    with pytest.raises(InputError) as error:
        autoloss.resume("s", out=tmp_path)
    assert str(error.value) == (
        "steep must be given to continue, because s began with this custom loss and no file "
        "has it: give it by losses= or --losses FILE."
    )
    result = autoloss.resume("s", out=tmp_path, losses=steep)
    assert "steep" in {trial.family for trial in result.summary.trials}
    assert "--losses" not in result.summary.command


def test_a_model_says_which_loss_it_lacks_and_runs_no_code(
    small: Path, file: Path, tmp_path: Path
) -> None:
    search(small, tmp_path, losses=file, trials=4)
    config = tmp_path / "s" / "model" / "config.json"
    values = json.loads(config.read_text("utf-8"))
    # One of its training runs is enough.
    values["members"][-1]["readout"]["spec"] = {"base": "gentle", "gentle.a": 1.5}
    config.write_text(json.dumps(values), encoding="utf-8")
    forget()
    with pytest.raises(InputError, match=r"'gentle' is not known: .* losses= or --losses FILE"):
        autoloss.load(tmp_path / "s")
    assert "gentle" not in names()
    rows = load_iris(as_frame=True).frame
    model = autoloss.load(tmp_path / "s", losses=file)
    assert model.predict_proba(rows).sum(1) == pytest.approx(1.0)


def test_a_study_around_another_loop_has_them_too(file: Path, tmp_path: Path) -> None:
    given = {"class_counts": [30, 30], "trials": 24, "space": "quick", "out": tmp_path}
    with Study("own", losses=[file, make_steep()], **given) as study:  # type: ignore[arg-type]
        assert study.families[2:4] == ("gentle", "steep")
        asked = study.ask(8)
        assert "gentle" in {trial.spec.base for trial in asked}
    forget()
    with pytest.raises(InputError, match="steep must be given to continue"):
        Study.open("own", out=tmp_path)
    with Study.open("own", out=tmp_path, losses=make_steep()) as study:
        assert study.families[2:4] == ("gentle", "steep")


def test_a_loss_for_other_labels_is_refused(small: Path, tmp_path: Path) -> None:
    steep = make_steep(tasks=("multilabel",))
    message = r"steep must be for multiclass labels to be searched here, but got tasks="
    with pytest.raises(InputError, match=message):
        search(small, tmp_path, losses=steep)
    with pytest.raises(InputError, match=message):
        autoloss.plan("sklearn:iris", space=small, losses=steep)
    assert not list(tmp_path.glob("*/study.json"))


def test_a_bad_file_leaves_nothing(small: Path, file: Path, tmp_path: Path) -> None:
    file.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.py must declare a loss"):
        search(small, tmp_path, losses=file)
    assert not list(tmp_path.glob("*/study.json"))


def test_other_searches_do_not_see_them(small: Path, file: Path) -> None:
    register(make_steep())
    plan = autoloss.plan("sklearn:iris", space=small, trials=60)
    assert plan.families == ("cross_entropy", "brier", "focal")


def test_the_estimator_searches_them(small: Path, file: Path) -> None:
    X, y = load_iris(return_X_y=True)
    classifier = autoloss.AutoLossClassifier(space=str(small), trials=12, losses=[file])
    fitted = clone(classifier).fit(X, y)
    assert "gentle" in {trial.family for trial in fitted.result_.summary.trials}


def test_the_program_searches_them(small: Path, file: Path) -> None:
    words = ["search", "sklearn:iris", "--space", str(small), "--losses", str(file)]
    result = CliRunner().invoke(app, [*words, "--trials", "30", "--dry-run", "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["families"][2] == "gentle"
    result = CliRunner().invoke(app, [*words[:-1], "nowhere.py", "--dry-run"])
    assert result.exit_code == 2
    assert "losses must be a Python file that can be read" in result.stderr
