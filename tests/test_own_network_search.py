"""A search with a custom network: from the first plan to the shipped model."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from torch import nn
from typer.testing import CliRunner

import autoloss
from autoloss.cli import app
from autoloss.core.errors import InputError
from autoloss.experiment import own_network
from autoloss.experiment.session import SearchSession
from autoloss.losses import declare
from autoloss.losses.registry import OWN, forget_results
from autoloss.models.custom.check import Behaviour
from autoloss.report import summary_json
from autoloss.search import SearchResult
from autoloss.search.config import StudyConfig
from autoloss.training.form import TrainingForm
from tests.spaces import PROTOCOL, SETTINGS, SMALL

NET = """
import torch


def make_net(n_features, n_outputs):
    return torch.nn.Sequential(
        torch.nn.Linear(n_features, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.1),
        torch.nn.Linear(8, n_outputs),
    )
"""
WITH_HEADS = f'bases = ["cross_entropy", "brier", "am_softmax", "l_softmax"]{SETTINGS}{PROTOCOL}'


def small_net(n_features: int, n_outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_features, 6), nn.Tanh(), nn.Linear(6, n_outputs))


def wider_net(n_features: int, n_outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_features, 7), nn.Tanh(), nn.Linear(7, n_outputs))


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no clock decide between forms that round otherwise."""

    def stacked(
        network: object, behaviour: Behaviour, *rest: object, **more: object
    ) -> TrainingForm:
        return TrainingForm(not behaviour.refusal, behaviour.refusal or "stacked")

    monkeypatch.setattr(own_network, "choose_form", stacked)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NET, encoding="utf-8")
    return path


def search(small: Path, out: Path, *, name: str = "s", **options: Any) -> SearchResult:
    given = {"trials": 5, **options}
    return autoloss.search("sklearn:iris", space=small, name=name, out=out, track="off", **given)


def interrupted(small: Path, out: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Begin a search, and stop it before its first trial."""

    def stop(session: SearchSession, *_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SearchSession, "search", stop)
        with pytest.raises(KeyboardInterrupt):
            search(small, out, **options)


def test_a_file_from_search_to_predictions(
    small: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["search", "sklearn:iris", "--space", str(small), "--trials", "5", "--name", "s"]
    words += ["--track", "off", "--model", "net.py:make_net"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    assert "The network is make_net of net.py" in " ".join(result.stderr.split())
    folder = tmp_path / "reports" / "s"
    assert f"--model {file}:make_net" in "".join(result.stdout.split("\n")).replace("  ", "")
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert "--model net.py:make_net" in summary["command"]
    assert summary["settings"]["model"] == f"{file}:make_net"
    assert "width" not in summary["settings"]
    assert any("make_net of net.py" in note for note in summary["data"]["notes"])
    assert {trial["nuisance"]["dropout"] for trial in summary["trials"]} == {0.0}
    assert sorted(path.name for path in (folder / "model").iterdir()) == [
        "config.json",
        "input_example.json",
        "weights.safetensors",
    ]
    predict = ["predict", "s", "sklearn:iris", "-o", "p.csv"]
    result = CliRunner().invoke(app, predict)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "give it by model= or --model FILE.py:NAME" in result.stderr
    result = CliRunner().invoke(app, [*predict, "--model", "net.py:make_net"])
    assert result.exit_code == 0, result.stderr
    select = ["select", "s", "--by", "log_loss", "--source", "loss.py"]
    assert CliRunner().invoke(app, select).exit_code == 0
    result = CliRunner().invoke(app, ["export", "s", "--to", "mlflow", "-o", "served"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "this model has a custom network" in result.stderr
    file.write_text(NET.replace("8", "9"), encoding="utf-8")
    with pytest.raises(InputError, match="other names or shapes"):
        autoloss.load(folder, model="net.py:make_net")


def test_what_is_loaded_predicts_as_what_was_trained(small: Path, tmp_path: Path) -> None:
    result = search(small, tmp_path, model=small_net)
    rows = load_iris(as_frame=True).frame
    probs = result.model.predict_proba(rows)
    loaded = autoloss.load(tmp_path / "s", model=small_net)
    torch.testing.assert_close(torch.tensor(loaded.predict_proba(rows)), torch.tensor(probs))
    assert loaded.predict_proba(rows.iloc[:1]) == pytest.approx(probs[:1])
    again = pickle.loads(pickle.dumps(loaded))
    assert again.predict_proba(rows) == pytest.approx(probs)
    # The mean of the calibrated probabilities of plain modules.
    member, network = loaded.members[0], small_net(4, 3)
    views = loaded.networks[0].layout.views(member.weights[None])
    network.load_state_dict({name: one[0] for name, one in views.items()})
    inputs = loaded.networks[0].encode(member.encoding.transform(rows))["dense"]
    torch.testing.assert_close(network(inputs).detach(), loaded.logits(rows)[0])
    for wrong, words in ((wider_net, "other names or shapes"), ("auto", "must be loaded with")):
        with pytest.raises(InputError, match=words):
            autoloss.load(tmp_path / "s", model=wrong)
    assert "--model FILE.py:NAME" in result.summary.command


def test_losses_with_a_head_are_left_out_and_named(tmp_path: Path) -> None:
    space = tmp_path / "heads.toml"
    space.write_text(WITH_HEADS, encoding="utf-8")
    plan = autoloss.plan("sklearn:iris", space=space, trials=40, model=small_net)
    assert plan.families == ("cross_entropy", "brier")
    assert any(
        note.startswith("Left out: am_softmax, l_softmax, which need") for note in plan.notes
    )
    assert "am_softmax" in autoloss.plan("sklearn:iris", space=space, trials=40).families


def test_an_own_loss_with_a_head_is_refused(small: Path, tmp_path: Path) -> None:
    @declare(source="here", local=True, head="cosine")
    def cosines(log_p: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of cosines."""
        return -log_p

    try:
        with pytest.raises(InputError, match="model must be left out for cosines"):
            search(small, tmp_path, model=small_net, losses=cosines)
    finally:
        OWN.clear()
        forget_results()


def test_a_study_goes_on_with_the_file_that_it_began_with(
    small: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = f"{file}:make_net"
    interrupted(small, tmp_path, monkeypatch, model=model)
    file.write_text(NET + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"net\.py must be as it was when s began"):
        autoloss.resume("s", out=tmp_path)
    file.write_text(NET, encoding="utf-8")
    resumed = autoloss.resume("s", out=tmp_path)
    whole = search(small, tmp_path, name="whole", model=model)
    shown = [(trial.loss, trial.metrics) for trial in resumed.summary.trials]
    assert shown == [(trial.loss, trial.metrics) for trial in whole.summary.trials]
    # It is finished: read again, from where the file is now.
    moved = file.rename(tmp_path / "moved.py")
    with pytest.raises(InputError, match=r"net\.py is not there: give it by model= or --model"):
        autoloss.resume("s", out=tmp_path)
    again = autoloss.resume("s", out=tmp_path, model=f"{moved}:make_net")
    assert summary_json(again.summary) == summary_json(resumed.summary)


def test_a_function_is_given_again_and_has_the_same_parameters(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(small, tmp_path, monkeypatch, model=small_net)
    with pytest.raises(InputError, match="began with small_net, a custom network, and no"):
        autoloss.resume("s", out=tmp_path)
    with pytest.raises(InputError, match="model must have the parameters that s began with"):
        autoloss.resume("s", out=tmp_path, model=wider_net)
    written = StudyConfig.read(tmp_path / "s")
    assert written.origin["model"]["weights"][0] == ["0.weight", [6, 4]]
    interrupted(small, tmp_path, monkeypatch, name="other", model=wider_net)
    assert StudyConfig.read(tmp_path / "other").fingerprint != written.fingerprint
    interrupted(small, tmp_path, monkeypatch, name="built-in")
    with pytest.raises(InputError, match="model must be left out to continue with built-in"):
        autoloss.resume("built-in", out=tmp_path, model=small_net)


def test_a_bad_network_leaves_nothing(small: Path, tmp_path: Path) -> None:
    for model in ("nowhere.py:make", lambda f, c: nn.Linear(f, 1), lambda f, c: nn.Identity()):
        with pytest.raises(InputError, match="model must"):
            search(small, tmp_path, model=model)
        with pytest.raises(InputError, match="model must"):
            autoloss.plan("sklearn:iris", space=small, model=model)
    assert not list(tmp_path.glob("*/study.json"))
    result = CliRunner().invoke(app, ["search", "sklearn:iris", "--model", "nowhere.py:make"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_the_estimator_searches_with_it(small: Path) -> None:
    X, y = load_iris(return_X_y=True)
    classifier = autoloss.AutoLossClassifier(space=str(small), trials=4, model=small_net)
    fitted = clone(classifier).fit(X, y)
    assert fitted.result_.model.model.name == "small_net"
    assert fitted.predict_proba(X).shape == (150, 3)


@pytest.mark.parametrize("judge", ["out_of_fold", "nested"])
def test_few_rows_and_racing_have_it_too(tmp_path: Path, judge: str) -> None:
    space = tmp_path / "race.toml"
    text = SMALL.replace("folds = 1", "folds = 2\nracing = true")
    space.write_text(
        text.replace("outer_folds = 0", f'outer_folds = 2\njudge = "{judge}"'), encoding="utf-8"
    )
    plan = autoloss.plan("sklearn:iris", space=space, trials=6, model=small_net)
    assert plan.verdict == judge
    result = search(space, tmp_path, model=small_net, trials=6)
    assert result.model.model.name == "small_net"
