"""Out-of-distribution (OOD) rows in a search choose a score, judge it, and can be an objective."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

import autoloss
from autoloss.core.errors import InputError
from autoloss.data.fingerprint import source_digest
from autoloss.inference.ood import OodScore
from autoloss.records import PersonalChoice
from autoloss.report import render_html, render_markdown, summary_from_json, summary_json
from autoloss.tracking.content import stranger_figures, stranger_points
from autoloss.verdict.rules import rules_found, select_trial
from tests.spaces import SMALL

CHANCE = np.random.default_rng(0)
N = 600


def rows(n: int, shift: float = 0.0) -> pd.DataFrame:
    return pd.DataFrame({name: CHANCE.normal(shift, 1.0, n) for name in "abc"})


FAMILIAR = rows(N).assign(y=lambda f: np.where(f.a + CHANCE.normal(size=N) * 0.5 > 0, "yes", "no"))
# Undecided between the classes, far away in the other columns.
STRANGE = rows(240, 4.0).assign(a=CHANCE.normal(0.0, 0.05, 240))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("strangers")
    text = SMALL.replace("bases", 'objectives = ["refined_log_loss", "ood_auroc"]\nbases', 1)
    (folder / "space.toml").write_text(text, encoding="utf-8")
    # Without an outer fold rows would be locked.
    judged = SMALL.replace("outer_folds = 0\n", "")
    (folder / "judged.toml").write_text(judged, encoding="utf-8")
    STRANGE.to_csv(folder / "strange.csv", index=False)
    return folder


def search(place: Path, data=FAMILIAR, **options):
    given = {"space": place / "space.toml", "ood": place / "strange.csv", "trials": 6} | options
    return autoloss.search(data, "y", out=place, track="off", workers=1, **given)


@pytest.fixture(scope="module")
def found(place):
    return search(place, name="whole", lock=True)


def test_half_of_the_ood_rows_choose_and_the_other_half_judges(found) -> None:
    strangers = found.summary.strangers
    assert (strangers.chose, strangers.judged) == (120, 120)
    assert {one.number for one in strangers.finalists} == {
        f.number for f in found.summary.finalists
    }
    for one in (strangers.ships, *(finalist.chosen for finalist in strangers.finalists)):
        for figure in (one.auroc, one.average_precision, one.false_acceptance):
            assert figure.low <= figure.value <= figure.high
            assert figure.low >= 0.0
            assert figure.high <= 1.0
    sides = {found.verdict.challenger, found.verdict.baseline}
    shown = {one.number for one in strangers.finalists if one.scores}
    assert shown == sides
    for one in strangers.finalists:
        if one.number in sides:
            assert [score.name for score in one.scores][-1] == "class_distance"
            assert [curve.name for curve in one.curves] == ["max_probability", "energy"]


def test_the_figures_are_those_of_the_model_on_locked_rows_and_locked_ood_rows(place) -> None:
    fresh = rows(400).assign(y=lambda f: np.where(f.a > 0, "yes", "no"))
    result = search(place, ood=STRANGE, test=fresh, refit=False, name="exact")
    model, ships = result.model, result.summary.strangers.ships
    assert model.strangers.is_chosen
    assert str(model.strangers.score) == ships.name
    # The seed alone divides the OOD rows.
    locked = np.random.default_rng([0, 17]).permutation(240) % 2 == 1
    known, strange = model.ood_scores(fresh), model.ood_scores(STRANGE)[locked]
    is_strange = np.r_[np.zeros(400), np.ones(120)]
    scores = np.r_[known, strange]
    assert ships.auroc.value == pytest.approx(roc_auc_score(is_strange, scores))
    precision = average_precision_score(is_strange, scores)
    assert ships.average_precision.value == pytest.approx(precision)
    accepted = (strange <= np.sort(known)[379]).mean()
    assert ships.false_acceptance.value == pytest.approx(accepted, abs=0.01)
    # 381 of the 400 scores of familiar rows are the conformal quantile of 95 %.
    assert model.strangers.threshold() == pytest.approx(np.sort(known)[380])
    assert (model.are_strangers(fresh) == (known > np.sort(known)[380])).all()


def test_an_ood_figure_is_an_objective_and_stands_with_every_trial(found) -> None:
    assert found.summary.settings["objectives"] == ["refined_log_loss", "ood_auroc"]
    for trial in found.summary.trials:
        assert 0.0 <= trial.metrics["ood_auroc"] <= 1.0
        assert {"ood_aupr", "ood_fpr95"} <= set(trial.metrics)
    assert len({trial.metrics["ood_auroc"] for trial in found.summary.trials}) > 2


def test_select_ships_the_trial_of_the_best_ood_figure(place, found) -> None:
    trials = found.summary.trials
    by = {one.number: one.metrics["ood_auroc"] for one in trials}
    chosen = select_trial(found.summary, "ood_auroc")
    assert chosen.metrics["ood_auroc"] == max(by.values())
    fewest = select_trial(found.summary, "ood_fpr95").metrics["ood_fpr95"]
    assert fewest == min(one.metrics["ood_fpr95"] for one in trials)
    sentence = (
        "The highest ood auroc on the choosing half of the out-of-distribution rows and the "
        "validation rows."
    )
    assert rules_found(found.summary)["ood_auroc"] == (chosen.number, sentence)
    plain = replace(found.summary, trials=tuple(replace(one, metrics={}) for one in trials))
    with pytest.raises(InputError, match="known rule, but got by='ood_auroc'"):
        select_trial(plain, "ood_auroc")


def test_mlflow_gets_the_ood_figures_of_finalists_and_of_what_ships(found) -> None:
    summary = found.summary
    figures = stranger_figures(summary)
    assert figures.keys() == {one.number for one in summary.finalists}
    baseline = figures[summary.verdict.baseline]
    assert baseline.keys() == {"auroc", "aupr", "fpr95"}
    points = {one.key: one.value for one in stranger_points(summary, 0)}
    assert points["ood/auroc"] == summary.strangers.ships.auroc.value
    promoted = PersonalChoice(1, summary.recommended, "smaller", "Ada", "2026-01-01T00:00:00")
    later = stranger_points(replace(summary, choices=(promoted,)), 0)
    assert all(np.isnan(one.value) for one in later)
    assert stranger_points(replace(summary, strangers=None), 0) == ()


def test_the_report_shows_ood_rows_and_keeps_them_in_json(found) -> None:
    again = summary_from_json(summary_json(found.summary))
    assert again.strangers == found.summary.strangers
    page, text = render_html(again), render_markdown(again)
    assert 'id="strangers"' in page
    assert "AUROC of the energy over the temperature" in page
    for words in (
        "## Out-of-distribution rows",
        "Distance to the class means",
        "Tuned cross-entropy: ",
    ):
        assert words in text
    assert "The shipped model has the" in text
    promoted = PersonalChoice(1, again.recommended, "smaller", "Ada", "2026-01-01T00:00:00")
    later = render_markdown(replace(again, choices=(promoted,), recommended=1))
    assert "The first shipped model has the" in later


def test_an_interrupted_search_goes_on_with_its_ood_rows(place, found, monkeypatch) -> None:
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("autoloss.experiment.running.conclude", stop)
        with pytest.raises(KeyboardInterrupt):
            search(place, name="later", lock=True, ood=STRANGE)
    with pytest.raises(InputError, match="ood must be given to continue"):
        autoloss.resume("later", out=place, data=FAMILIAR)
    with pytest.raises(InputError, match="ood, a table, must be as it was when the study"):
        autoloss.resume("later", out=place, data=FAMILIAR, ood=STRANGE.assign(a=0.0))
    again = autoloss.resume("later", out=place, data=FAMILIAR, ood=STRANGE)
    one, other = again.summary.strangers, found.summary.strangers
    assert one.ships.name == other.ships.name
    assert one.ships.auroc.value == pytest.approx(other.ships.auroc.value, abs=1e-6)


def test_rows_alike_are_no_ood_rows_and_the_halves_keep_groups(place) -> None:
    data = FAMILIAR.assign(g=np.arange(N) // 3)
    alike = rows(200).assign(g=np.repeat(np.arange(20), 10))
    result = search(place, data, ood=alike, groups="g", name="alike", space=place / "judged.toml")
    strangers = result.summary.strangers
    assert (strangers.chose, strangers.judged) == (100, 100)
    assert strangers.ships.auroc.low < 0.5 < strangers.ships.auroc.high
    assert "does not separate the 100 OOD rows" in render_markdown(result.summary)
    assert "ood_auroc" not in result.summary.trials[0].metrics


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ood": STRANGE.drop(columns="b")}, r"ood: a table must have .*'b'.*or leave ood out"),
        ({"ood": STRANGE.iloc[:39]}, "ood must have at least 40 rows.*a table has 39 rows"),
        ({"ood": None}, "ood must be given, because the objectives .* 'ood_auroc'"),
        ({"ood": "nowhere.csv"}, "ood must name a file that exists, but got 'nowhere.csv'"),
        ({"ood": ("broken.parquet", b"PAR1 and no table")}, "ood: .*broken.parquet must "),
        ({"ood": ("empty.csv", b"")}, "ood: .*empty.csv must "),
        ({"ood": ("cells.csv", b"\x00\xff\xfe a,b\n1,2\n")}, "ood: .*cells.csv must "),
        ({"ood": ("a-folder.csv", None)}, "ood: .*a-folder.csv must "),
        ({"target": ("a", "y")}, "ood must be left out for several labels"),
    ],
)
def test_unsuitable_ood_rows_are_refused_before_a_study_begins(place, options, message) -> None:
    given = dict(options)
    target, data = given.pop("target", "y"), FAMILIAR
    if target != "y":
        data = data.assign(a=(data.a > 0).astype(int), y=(data.y == "yes").astype(int))
    arguments = {"space": place / "space.toml", "ood": place / "strange.csv", "trials": 4} | given
    if isinstance(arguments["ood"], tuple):
        name, content = arguments["ood"]
        arguments["ood"] = place / name
        arguments["ood"].mkdir() if content is None else arguments["ood"].write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        autoloss.search(data, target, out=place, track="off", name="refused", **arguments)
    assert "\n" not in str(refused.value)
    assert not (place / "refused").exists()


def test_a_loop_of_ones_own_tells_the_ood_figure(place) -> None:
    with autoloss.Study("own", [50, 50], space=place / "space.toml", trials=4, out=place) as study:
        logits, labels = CHANCE.normal(size=(40, 2)), np.arange(40) % 2
        with pytest.raises(InputError, match=r"figures must have 'ood_auroc'"):
            study.tell(study.ask(), logits, labels)
        trial = study.ask()
        told = study.tell(trial, logits, labels, figures={"ood_auroc": 0.75})
        assert told.metrics["ood_auroc"] == 0.75
        assert told.state == "complete"


def test_scores_have_a_text_that_is_read_again() -> None:
    for text in ("energy", "energy@10", "max_probability@0.25"):
        assert str(OodScore.of(text)) == text


def test_inputs_without_labels_are_ood_rows_of_tensors(place) -> None:
    inputs, labels = torch.randn(200, 3), torch.arange(200) % 2
    inputs[:, 0] += 2.0 * labels
    far = torch.full((60, 3), 5.0)
    given = {"model": two_classes, "space": place / "judged.toml", "trials": 4, "lock": True}
    options = {**given, "out": place, "track": "off", "workers": 1}
    bare = autoloss.search((inputs, labels), ood=far, name="bare", **options)
    pair = autoloss.search((inputs, labels), ood=(far, torch.zeros(60)), name="pair", **options)
    assert bare.summary.strangers == pair.summary.strangers
    assert bare.summary.strangers.source == "a data set"
    assert bare.summary.strangers.chose == 30


def two_classes(example, n_outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, n_outputs))


def test_a_digest_is_of_contents(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.csv", tmp_path / "pictures"
    (folder / "one").mkdir(parents=True)
    file.write_text("a\n1\n", encoding="utf-8")
    (folder / "one" / "x.png").write_bytes(b"x")
    frame = pd.DataFrame({"a": [1, 2]})
    sources = (file, folder, frame)
    before = [source_digest(one) for one in sources]
    assert len({*before}) == 3
    assert [source_digest(str(one)) for one in sources[:2]] == before[:2]
    assert source_digest(frame.copy()) == before[2]
    file.write_text("a\n2\n", encoding="utf-8")
    (folder / "one" / "x.png").rename(folder / "one" / "y.png")
    changed = [source_digest(one) for one in (file, folder, frame[::-1])]
    assert all(now != then for now, then in zip(changed, before, strict=True))
    assert source_digest("sklearn:digits") == source_digest(torch.ones(2)) == ""
