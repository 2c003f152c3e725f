"""A search over few rows, as it is by default: no row is locked, all are judged held out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import log_loss

import autoloss
from autoloss.cli.plan import plan_lines
from autoloss.data import DataOptions, StudyData, prepare
from autoloss.experiment.finals import Finals
from autoloss.experiment.timetable import Timetable
from autoloss.inference.loading import read_model
from autoloss.records import Summary
from autoloss.report.brief import brief_pairs
from autoloss.search import confirming
from autoloss.tracking.note import verdict_note
from autoloss.verdict.confirm import confirm
from autoloss.verdict.pooled import PooledRows
from tests.few_rows import N_ROWS, make_few_rows, plain
from tests.spaces import SETTINGS

TRIALS = 12


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return make_few_rows()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("held_out")
    settings = SETTINGS.replace("max_epochs = 4", "max_epochs = 16")
    text = f'bases = ["cross_entropy", "focal"]{settings}'
    (folder / "tiny.toml").write_text(text, encoding="utf-8")
    nested = f'{text}[protocol]\njudge = "nested"\nouter_folds = 2\n'
    (folder / "nested.toml").write_text(nested, encoding="utf-8")
    return folder


def search(
    frame: pd.DataFrame, place: Path, name: str, *, space: str = "tiny.toml", **more: Any
) -> autoloss.SearchResult:
    options: dict[str, Any] = {"space": place / space, "trials": TRIALS, "track": "off"}
    # Time would decide on the last training run.
    options["refit"] = False
    return autoloss.search(frame, "y", name=name, out=place, **options, **more)


@pytest.fixture(scope="module")
def result(frame: pd.DataFrame, place: Path) -> autoloss.SearchResult:
    return search(frame, place, "whole")


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments of the comparison, once a search has ended."""
    found: dict[str, Any] = {}

    def kept(challenger: Any, baseline: Any, targets: Any, **given: Any) -> Any:
        found.update(given, challenger=challenger, baseline=baseline, targets=targets)
        return confirm(challenger, baseline, targets, **given)

    monkeypatch.setattr(confirming, "confirm", kept)
    return found


def comparison(summary: Summary, metric: str) -> Any:
    return next(one for one in summary.verdict.comparisons if one.metric == metric)


def test_no_row_is_locked_and_every_row_counts_in_the_verdict(
    result: autoloss.SearchResult, place: Path
) -> None:
    summary = result.summary
    found = summary.resampling
    assert found is not None
    assert (found.verdict, found.outer, found.replicates) == ("out_of_fold", 0, 10)
    assert (found.kind, found.folds) == ("cross_validation", 5)
    assert "10 training runs of every finalist" in found.text
    assert summary.data.n_train + summary.data.n_valid == N_ROWS
    assert summary.data.n_test == 0
    assert sum(summary.data.class_counts) == N_ROWS
    assert summary.verdict.n_test == N_ROWS
    assert summary.verdict.decision != "undecided"
    assert "on 150 rows that the training runs held out" in summary.verdict.text
    assert "test_sha256" not in summary.settings
    assert summary.coverage is not None
    assert (summary.coverage.trials, summary.coverage.is_final_cut) == (TRIALS, False)
    for diagram in summary.reliability:
        assert sum(diagram.count) == N_ROWS
    assert {len(one.metric) for one in summary.finalists} == {10}
    assert len(autoloss.load(place / "whole").members) == 10
    written = json.loads((place / "whole" / "summary.json").read_text(encoding="utf-8"))
    assert written["resampling"]["verdict"] == "out_of_fold"
    assert written["pair_optimism"].keys() == {"log_loss", "metric"}


def test_each_row_is_judged_by_the_members_that_held_it_out(
    result: autoloss.SearchResult, frame: pd.DataFrame, place: Path
) -> None:
    summary, number = result.summary, result.verdict.baseline
    data = prepare(frame, DataOptions(target="y"))
    model = read_model(place / "whole" / "finalists" / f"{number:05d}", None)
    chance = np.zeros((N_ROWS, 2))
    for member, fold in zip(model.members, data.replicates(10, seed=0), strict=True):
        assert not set(fold.train.rows.tolist()) & set(fold.valid.rows.tolist())
        alone = replace(model, members=(member,))
        log_probs = alone.encoded_log_probs([fold.valid.inputs], raw=True)
        chance[fold.valid.rows.numpy()] += 0.5 * log_probs.exp().numpy()
    tuned = next(gain for gain in summary.gains if gain.step == "tuned")
    assert tuned.log_loss == pytest.approx(log_loss(frame["y"], chance), rel=1e-4)


def test_the_challenger_is_worse_by_the_optimism_of_its_selection(
    frame: pd.DataFrame, place: Path, judged: dict[str, Any]
) -> None:
    # With this seed the challenger is ahead in log loss before the correction.
    summary = search(frame, place, "judged", seed=3).summary
    found = summary.pair_optimism
    assert found is not None
    assert min(found.log_loss, found.metric) >= 0.0
    # The shipped model has a temperature of its mean besides, which the verdict leaves out.
    of_truth = judged["challenger"].log_probs[np.arange(N_ROWS), judged["targets"]]
    bare = {
        "log_loss": -of_truth.mean(),
        "error": summary.test_metrics["challenger"]["error"],
    }
    ahead = []
    for metric, amount in (("log_loss", found.log_loss), ("error", found.metric)):
        one = comparison(summary, metric)
        gain = max(one.baseline - bare[metric], 0.0)
        # A correction never makes a loss of a gain.
        assert one.challenger == pytest.approx(bare[metric] + min(amount, gain))
        ahead.append(amount > 0.0 and gain > 0.0)
    assert any(ahead)
    last = summary.gains[-1]
    assert last.step == "another loss"
    compared = comparison(summary, "log_loss")
    assert (last.log_loss, last.log_loss_change) == (compared.challenger, compared.difference)
    assert last.metric_low == comparison(summary, "error").low


def test_the_report_and_the_note_name_the_rows_and_the_correction(
    result: autoloss.SearchResult, place: Path
) -> None:
    optimism = autoloss.records.PairOptimism(0.0123, 0.004)
    summary = replace(result.summary, pair_optimism=optimism)
    result = replace(result, summary=summary)
    result.report(place / "report")
    page, text = (
        (place / "report" / name).read_text(encoding="utf-8")
        for name in ("report.html", "report.md")
    )
    note = verdict_note(summary)
    for one in (page, text):
        assert "No row is locked: 10 training runs of every finalist hold out" in one
        assert "the 150 held-out rows could not show a smaller difference" in one
        assert "All metrics on the held-out rows, not corrected for the selection" in one
        assert "corrected for the selection on these rows" in one
        assert "tuning is not" in one
    for one in (page, text, note):
        assert "0.0123 nats in log loss and 0.40 pp in error" in one
        assert "150 held-out rows" in one
        for word in ("test rows", "locked test", "nested"):
            assert word not in one
    brief = dict(brief_pairs(summary))
    assert brief["Rows"] == (
        "5-fold cross-validation, 10 training runs per finalist, 150 held-out rows"
    )
    assert "reduced by 0.0123 nats" in brief["Correction"]


def test_a_plan_says_which_rows_decide_and_a_part_can_be_locked(
    frame: pd.DataFrame, place: Path
) -> None:
    plan = autoloss.plan(frame, "y", space=place / "tiny.toml", trials=TRIALS)
    lines = dict(plan_lines(plan))
    assert plan.verdict == "out_of_fold"
    assert "none locked to test" in lines["Split"]
    assert "on the held-out rows" in lines["Smallest detectable difference"]
    locked = autoloss.plan(frame, "y", space=place / "tiny.toml", trials=TRIALS, lock=True)
    assert locked.verdict == "locked"
    assert "30 locked to test" in dict(plan_lines(locked))["Split"]
    assert "on the test rows" in dict(plan_lines(locked))["Smallest detectable difference"]
    # All rows show a smaller difference than a fifth of them.
    assert plan.detectable < 0.5 * locked.detectable


def test_a_locked_part_judges_where_it_is_asked_for(frame: pd.DataFrame, place: Path) -> None:
    summary = search(frame, place, "locked", lock=True).summary
    assert summary.resampling is not None
    assert summary.resampling.verdict == "locked"
    assert summary.verdict.n_test == summary.data.n_test == 30
    assert summary.pair_optimism is None
    assert "--lock" in summary.command


def test_groups_stay_whole_in_every_training_and_are_the_clusters(
    frame: pd.DataFrame,
    place: Path,
    judged: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    who = np.arange(N_ROWS) // 3
    parts: list[tuple[set[int], set[int]]] = []
    replicates = StudyData.replicates

    def kept(self: StudyData, n: int, *, seed: int) -> Any:
        folds = replicates(self, n, seed=seed)
        parts.extend(({*who[fold.train.rows]}, {*who[fold.valid.rows]}) for fold in folds)
        return folds

    monkeypatch.setattr(StudyData, "replicates", kept)
    search(frame.assign(who=who), place, "groups", groups="who")
    assert len(parts) >= 10
    assert not any(trained & held for trained, held in parts)
    assert len(judged["clusters"]) == N_ROWS
    pairs = {*zip(who.tolist(), judged["clusters"].tolist(), strict=True)}
    assert len(pairs) == len({*who}) == len({*judged["clusters"].tolist()})


@pytest.mark.parametrize(("count", "n_rows"), [(7, N_ROWS), (3, 3 * N_ROWS / 4), (2, N_ROWS / 2)])
def test_fewer_training_runs_of_a_short_limit_judge_the_rows_that_they_hold_out(
    frame: pd.DataFrame,
    place: Path,
    judged: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    n_rows: float,
) -> None:
    finals = Timetable.finals

    def fewer(self: Timetable, **given: Any) -> Finals:
        return replace(finals(self, **given), finalists=2, replicates=count)

    monkeypatch.setattr(Timetable, "finals", fewer)
    summary = search(frame, place, f"fewer{count}").summary
    assert summary.verdict.n_test == len(judged["targets"]) == pytest.approx(n_rows, abs=1)
    assert summary.resampling is not None
    assert summary.resampling.replicates == count
    assert f"{count} training runs of every finalist" in summary.resampling.text
    assert {len(one.metric) for one in summary.finalists} == {count}
    # Gradient boosting predicts the same rows.
    assert summary.reference is not None
    assert any(f"{count} of each finalist instead of 10" in one for one in summary.data.notes)


def test_an_interrupted_study_goes_on_to_the_same_end(
    result: autoloss.SearchResult,
    frame: pd.DataFrame,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("autoloss.experiment.conclusion.judge_out_of_fold", _stop)
        with pytest.raises(KeyboardInterrupt):
            search(frame, place, "cut")
    assert not (place / "cut" / "summary.json").exists()
    resumed = autoloss.resume("cut", data=frame, out=place)
    assert plain(resumed.summary) == plain(result.summary)


def test_a_study_of_an_earlier_version_keeps_its_rule(
    frame: pd.DataFrame, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("autoloss.experiment.conclusion.judge_by_nesting", _stop)
        with pytest.raises(KeyboardInterrupt):
            search(frame, place, "earlier", space="nested.toml")
    file = place / "earlier" / "study.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    # Earlier versions had neither the judge nor the option.
    assert stored["space"].pop("protocol.judge") == "nested"
    assert stored["origin"]["options"].pop("lock", False) is False
    file.write_text(json.dumps(stored), encoding="utf-8")
    summary = autoloss.resume("earlier", data=frame, out=place).summary
    assert summary.resampling is not None
    assert (summary.resampling.verdict, summary.resampling.outer) == ("nested", 4)
    assert summary.pair_optimism is None


def test_another_trial_can_ship_afterwards(
    result: autoloss.SearchResult, frame: pd.DataFrame, place: Path
) -> None:
    finalists = {one.number for one in result.summary.finalists}
    whole = [one.number for one in result.summary.trials if one.metrics]
    other = next(number for number in whole if number not in finalists)
    before = search(frame, place, "shipped").summary
    for number in (other, next(iter(finalists - {before.recommended}))):
        shipped = autoloss.ship("shipped", number, out=place, data=frame)
        assert shipped.summary.recommended == number
        assert shipped.summary.verdict == before.verdict
        assert shipped.model is not None
        assert len(shipped.model.members) == 10


def test_labels_that_mean_nothing_decide_nothing(frame: pd.DataFrame, place: Path) -> None:
    shuffled = frame.assign(y=np.random.default_rng(1).permutation(frame["y"]))
    summary = search(shuffled, place, "nothing").summary
    assert summary.verdict.decision == "undecided"
    assert "not better than the class shares" in summary.verdict.reason


def test_the_order_of_the_held_out_rows_means_nothing() -> None:
    draw = np.random.default_rng(2)
    rows = np.concatenate([draw.permutation(40), draw.permutation(40)[:25]])
    targets, clusters = rows % 3, rows // 4
    log_probs = torch.from_numpy(draw.normal(size=(65, 3))).log_softmax(-1).numpy()
    pooled = PooledRows.of(rows, targets)
    assert pooled.rows.tolist() == list(range(40))
    for row in (0, 17, 39):
        expected = np.exp(log_probs[rows == row]).mean(axis=0)
        np.testing.assert_allclose(np.exp(pooled.mean([log_probs]))[row], expected)
    order = draw.permutation(65)
    again = PooledRows.of(rows[order], targets[order])
    np.testing.assert_array_equal(again.targets, pooled.targets)
    np.testing.assert_array_equal(again.once(clusters[order]), pooled.once(clusters))
    cut = [log_probs[order][part] for part in (slice(0, 11), slice(11, None))]
    np.testing.assert_allclose(again.mean(cut), pooled.mean([log_probs]))


def _stop(*args: object, **kwargs: object) -> None:
    raise KeyboardInterrupt
