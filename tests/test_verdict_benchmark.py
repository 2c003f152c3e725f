"""The benchmark of the verdict: its planted effects are there, and its parts run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from autoloss import search
from benchmarks import equal_losses, held_out, verdict
from benchmarks.planted import Planted, _share_better, mcnemar_power


def test_equal_losses_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    found = equal_losses.equal_losses(3, n_rows=1200, trials=10, epochs=2)
    assert found["judged by"] == "locked"
    assert found["better of these"] + found["worse of these"] <= found["copy challenges"] <= 3
    assert found["better of these"] <= found["better"] <= 3
    assert capsys.readouterr().out.count("of 3") == 3


def test_studies_on_held_out_rows_are_made_once_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_out, "ROWS", (120,))
    log, size = tmp_path / "log" / "studies.jsonl", {"trials": 6, "epochs": 2}
    (found,) = held_out.equal(range(1), log, **size)["table"]
    assert (found["rows"], found["studies"]) == (120, 1)
    (found,) = held_out.planted(range(1), log, **size)["table"]
    assert (found["studies"], found["earlier rule"]) == (1, "nested")
    lines = held_out.read(log)
    assert [line["judged by"] for line in lines] == ["out_of_fold", "out_of_fold", "nested"]
    monkeypatch.setattr(held_out, "study", None)
    assert held_out.equal(range(1), log)["table"][0]["studies"] == 1


def test_fresh_rows_contradict_a_verdict_unless_they_agree_with_it(tmp_path: Path) -> None:
    space = tmp_path / "small.toml"
    losses = 'bases = ["cross_entropy"]'
    text = held_out.SPACE.format(losses=losses, epochs=4, judge="out_of_fold", racing="false")
    space.write_text(text, encoding="utf-8")
    table = equal_losses.drawn_rows(300, 0)
    result = search(
        table, equal_losses.TARGET, space=space, trials=6, seed=0, track="off", out=tmp_path
    )
    found = held_out.true_difference(result, tmp_path, 0)
    assert 0 < found["half"] < 0.05
    swapped = replace(
        result.verdict, challenger=result.verdict.baseline, baseline=result.verdict.challenger
    )
    other = replace(result, summary=replace(result.summary, verdict=swapped))
    assert held_out.true_difference(other, tmp_path, 0)["true"] == -found["true"]
    lines = [
        {"decision": "better", "true": true, "half": 0.001} for true in (-0.01, -0.0005, 0.01)
    ]
    assert held_out._contradicted(lines, "better") == 2
    assert held_out._contradicted(lines, "worse") == 0


def test_the_teacher_of_the_better_loss_knows_the_classes() -> None:
    table = equal_losses.drawn_rows(20_000, 0)
    probs = held_out.Posterior().predict_proba(table.drop(columns=equal_losses.TARGET))
    shares = [probs[table[equal_losses.TARGET] == k, k].mean() for k in range(3)]
    assert min(shares) > 0.5
    # The mean posterior is the share of a class.
    np.testing.assert_allclose(probs.mean(axis=0), 1 / 3, atol=0.01)


def test_limits_are_counted_by_decision() -> None:
    sizes = dict.fromkeys(equal_losses.LIMITS, (10, 2))
    found = equal_losses.limited_equal_losses(4, n_rows=1200, sizes=sizes)
    assert [row["limit"] for row in found["table"]] == ["5%", "20%", "50%", "80%"]
    assert all(sum(row[name] for name in equal_losses.DECISIONS) == 1 for row in found["table"])
    assert found["better"] <= found["studies"] == 4


def test_every_study_has_rows_of_its_own_and_one_population() -> None:
    one, other = equal_losses.drawn_rows(4000, 1), equal_losses.drawn_rows(4000, 2)
    assert not np.allclose(one["x0"], other["x0"])
    means = [table.groupby(equal_losses.TARGET).mean().to_numpy() for table in (one, other)]
    np.testing.assert_allclose(*means, atol=0.15)


def test_the_bar_of_200_studies_is_16_and_a_rate_of_5_percent_stays_within() -> None:
    assert equal_losses.most_allowed(200) == 16
    assert stats.binom.cdf(16, 200, 0.05) > 0.95


def test_the_planted_difference_is_there() -> None:
    planted = Planted(200_000, difference=0.02, disagreement=0.05, margin=1.0)
    challenger, baseline, targets = planted.draw(0)
    wrong, other = (own.argmax(axis=1) != targets for own in (challenger, baseline))
    assert other.mean() - wrong.mean() == pytest.approx(0.02, abs=0.002)
    assert (other != wrong).mean() == pytest.approx(0.05, abs=0.002)
    np.testing.assert_allclose(np.exp(challenger).sum(axis=1), 1.0)


def test_the_power_of_mcnemar_is_that_of_simulated_tests() -> None:
    draw = np.random.default_rng(0)
    differ = draw.binomial(500, 0.1, size=3000)
    gains = draw.binomial(differ, 0.7)
    tables = zip(gains, differ, strict=True)
    shown = [g > d / 2 and stats.binomtest(g, d).pvalue <= 0.05 for g, d in tables]
    expected = mcnemar_power(500, 0.04, 0.1, 0.05)
    assert np.mean(shown) == pytest.approx(expected, abs=0.03)


def test_a_large_planted_difference_is_found_and_none_is_not() -> None:
    large, none = (Planted(1000, own, 0.1, 0.02) for own in (0.08, 0.0))
    assert _share_better(large, 4) == 1.0
    assert _share_better(none, 4) == 0.0


def test_digits_have_wrong_labels_and_the_test_rows_none() -> None:
    clean, _ = verdict.noisy_digits(0.0)
    noisy, test = verdict.noisy_digits(0.4)
    assert (clean[equal_losses.TARGET] != noisy[equal_losses.TARGET]).mean() == pytest.approx(
        0.4, abs=0.04
    )
    assert not set(noisy.index) & set(test.index)
    from sklearn.datasets import load_digits

    np.testing.assert_array_equal(load_digits().target[test.index], test[equal_losses.TARGET])


def test_the_class_priors_stay_off_the_front() -> None:
    found = verdict.constant_among_trials(1, trials=4, n_rows=300)
    assert [row["constant on the front"] for row in found["table"]] == [0] * 6


def test_parts_add_to_the_figures_and_the_page(tmp_path: Path) -> None:
    file = tmp_path / "verdict" / "figures.json"
    verdict.write(file, {"aa": {"studies": 3, "better": 0}})
    comparison = {
        "cross-entropy": 0.2, "challenger": 0.1, "difference": -0.1, "low": -0.15, "high": -0.05,
    }  # fmt: skip
    verdict.write(file, {"noise": [{"wrong labels": 0.2, "error": comparison}]})
    assert set(json.loads(file.read_text(encoding="utf-8"))) == {"aa", "noise"}
    page = (file.parent / "README.md").read_text(encoding="utf-8")
    assert "| studies | better |" in page
    assert "0.2 → 0.1 (-0.15 to -0.05)" in page
