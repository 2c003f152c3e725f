"""A search with class weights, a class similarity and a teacher."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import autoloss
from autoloss.core.errors import InputError
from autoloss.losses import LossSpec
from autoloss.readout import Readout
from tests.spaces import TWO_BASES

NAMES = ("barbera", "barolo", "grignolino")


@pytest.fixture
def frame() -> pd.DataFrame:
    table = load_wine(as_frame=True).frame
    return table.assign(target=[NAMES[code] for code in table["target"]])


def teacher_of(frame: pd.DataFrame):
    inputs = frame.drop(columns="target")
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, frame["target"])


def used(result: autoloss.SearchResult, kind: str) -> set[str]:
    return {trial.loss.get(kind, "none") for trial in result.summary.trials}


def test_what_is_given_is_searched_and_ships_with_the_model(space, frame, tmp_path):
    weights = {"barolo": 3.0, "barbera": 1.0, "grignolino": 2.0}
    alike = pd.DataFrame([[0, 1, 1], [1, 0, 1], [1, 1, 0]], index=NAMES, columns=NAMES)
    arguments = {"space": space, "trials": 24, "track": "off", "out": tmp_path}
    result = autoloss.search(
        frame,
        "target",
        class_weights=weights,
        class_similarity=alike,
        teacher=teacher_of(frame),
        name="all",
        **arguments,
    )
    assert "given_weights" in used(result, "prior")
    assert {"similarity_smoothing", "distillation"} <= used(result, "target")
    plain = autoloss.search(frame, "target", name="none", **arguments)
    assert used(plain, "prior") == {"none"}
    assert used(plain, "target") <= {"none", "smoothing"}

    # The model's files hold the weights and the similarity that the read-out needs.
    model = result.model
    spec = {
        "prior": "given_weights",
        "target": "similarity_smoothing",
        "similarity_smoothing.epsilon": 0.1,
    }
    readout = Readout("link", 1.0, 0.0, LossSpec.from_dict(spec), False)
    linked = replace(
        model, members=tuple(replace(member, readout=readout) for member in model.members)
    )
    folder = linked.save(tmp_path / "linked")
    before, after = linked.predict_proba(frame), autoloss.load(folder).predict_proba(frame)
    assert np.array_equal(before, after)
    assert not np.allclose(before, linked.logits(frame).softmax(-1).mean(0), atol=1e-3)
    assert linked.class_weights.tolist() == [weights[str(name)] for name in linked.classes]


def test_a_teacher_changes_what_its_candidates_learn(space, frame, tmp_path):
    text = f'targets = ["none", "distillation"]\ndistillation.weight = 1.0\n{TWO_BASES}'
    space.write_text(text, encoding="utf-8")
    good = teacher_of(frame)
    bad = teacher_of(frame.assign(target=np.roll(frame["target"], 60)))
    losses = []
    for name, teacher in (("good", good), ("bad", bad)):
        result = autoloss.search(
            frame,
            "target",
            space=space,
            trials=16,
            teacher=teacher,
            name=name,
            track="off",
            out=tmp_path,
        )
        taught = [t for t in result.summary.trials if t.loss.get("target") == "distillation"]
        losses.append(np.median([trial.metrics["log_loss"] for trial in taught]))
    assert losses[0] < losses[1]


def test_a_study_with_a_teacher_goes_on_with_it_alone(space, frame, tmp_path, monkeypatch):
    teacher = teacher_of(frame)
    arguments = {"space": space, "trials": 8, "name": "s", "track": "off", "out": tmp_path}

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("autoloss.experiment.conclusion.replicate", stop)
    with pytest.raises(KeyboardInterrupt):
        autoloss.search(
            frame,
            "target",
            teacher=teacher,
            class_weights=dict.fromkeys(NAMES, 1.0),
            **arguments,
        )
    monkeypatch.undo()
    with pytest.raises(InputError, match="teacher must be given to continue"):
        autoloss.resume("s", data=frame, out=tmp_path)
    result = autoloss.resume("s", data=frame, teacher=teacher, out=tmp_path)
    assert len(result.trials) == 8
    assert result.model.class_weights.tolist() == [1.0, 1.0, 1.0]


def test_a_saved_model_teaches(space, frame, tmp_path):
    arguments = {"space": space, "track": "off", "out": tmp_path}
    first = autoloss.search(frame, "target", trials=6, name="first", **arguments)
    assert first.model is not None
    second = autoloss.search(
        frame, "target", trials=24, name="second", teacher=tmp_path / "first", **arguments
    )
    assert "distillation" in used(second, "target")


def test_boosting_teaches_a_search_of_one_label_and_of_several(space, frame, tmp_path):
    arguments = {"space": space, "trials": 24, "teacher": "boosting", "track": "off"}
    result = autoloss.search(frame, "target", name="one", out=tmp_path, **arguments)
    assert "distillation" in used(result, "target")
    several = frame.assign(
        dark=(frame["color_intensity"] > 5).astype(int), old=(frame["proline"] > 700).astype(int)
    ).drop(columns="target")
    result = autoloss.search(several, ["dark", "old"], name="two", out=tmp_path, **arguments)
    assert "distillation" in used(result, "target")
    assert result.summary.verdict.decision in ("better", "no_evidence", "worse", "undecided")


def test_a_study_goes_on_with_the_file_of_its_teacher_unchanged(
    space, frame, tmp_path, monkeypatch
):
    table, file = tmp_path / "wine.csv", tmp_path / "t.csv"
    frame.to_csv(table, index=False)
    probs = pd.get_dummies(frame["target"]).astype(float) * 0.7 + 0.1
    probs.to_csv(file, index=False)
    arguments = {"space": space, "trials": 8, "name": "s", "track": "off", "out": tmp_path}

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("autoloss.experiment.conclusion.replicate", stop)
    with pytest.raises(KeyboardInterrupt):
        autoloss.search(table, "target", teacher=file, **arguments)
    monkeypatch.undo()
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"t.csv must be as it was when the study began"):
        autoloss.resume("s", out=tmp_path)
    file.write_text(text, encoding="utf-8")
    assert len(autoloss.resume("s", out=tmp_path).trials) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_weights": {"barolo": 1.0}}, "class_weights must have every class"),
        ({"teacher": "nowhere"}, "teacher must be .* there is no file or folder 'nowhere'"),
    ],
)
def test_unsuitable_costs_are_refused_in_one_line_and_leave_nothing(
    space, frame, tmp_path, arguments, message
):
    with pytest.raises(InputError, match=message):
        autoloss.search(frame, "target", space=space, name="s", out=tmp_path, **arguments)
    assert not (tmp_path / "s").exists()
    with pytest.raises(InputError, match=message):
        autoloss.plan(frame, "target", space=space, **arguments)


def test_a_space_that_wants_a_teacher_says_so(space, frame, tmp_path):
    space.write_text(f'targets = ["distillation"]\n{TWO_BASES}', encoding="utf-8")
    with pytest.raises(InputError, match="distillation must be given the logits of a teacher"):
        autoloss.search(frame, "target", space=space, name="s", out=tmp_path)
    with pytest.raises(InputError, match="distillation must be given the logits of a teacher"):
        autoloss.plan(frame, "target", space=space)
    assert not (tmp_path / "s").exists()


def test_a_loop_of_its_own_must_say_what_it_provides(tmp_path):
    with pytest.raises(InputError, match="am_softmax must be given cosine head"):
        autoloss.Study("mine", [5, 5], space="margins", out=tmp_path)
    provided = ("cosine head", "unbiased head", "norms")
    with autoloss.Study(
        "mine", [5, 5], space="margins", trials=60, provides=provided, out=tmp_path
    ) as study:
        assert "arcface" in study.families
        trial = study.ask()
        value = trial.loss(torch.zeros(2, 2), torch.tensor([0, -1]))
        assert value.item() == pytest.approx(np.log(2))


def test_the_code_of_a_result_has_its_settings_in_it(space, frame, tmp_path):
    result = autoloss.search(
        frame, "target", space=space, trials=6, name="s", track="off", out=tmp_path
    )
    ships = result.summary.recommended
    for trial in result.summary.trials:
        spec = result.recommended if trial.number == ships else result.select(by=trial.number)
        assert spec == LossSpec.from_dict(trial.loss)
        namespace: dict = {}
        exec(spec.source([59, 71, 48]), namespace)
        assert namespace["LR"] == pytest.approx(trial.nuisance["lr"], rel=1e-3)
        assert namespace["WEIGHT_DECAY"] == pytest.approx(trial.nuisance["weight_decay"], rel=1e-3)
        # The shipped model was trained again, and its read-out fitted to that.
        again = [1 / member.readout.inverse_temperature for member in result.model.members]
        temperatures = again if trial.number == ships else [trial.metrics["temperature"]]
        assert any(
            namespace["TEMPERATURE"] == pytest.approx(one, rel=1e-3) for one in temperatures
        )
