"""The report's decisions, thresholds and gradient signals, against slow oracles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from autoloss.losses import ClassFacts, LossSpec, get, names
from autoloss.records.insights import Confusion, Disagreements
from autoloss.report import render_html, render_markdown
from autoloss.report.figures import rule_info, signals_info
from autoloss.report.insights import (
    confusion_facts,
    disagreement_facts,
    signal_at,
    signal_rows,
    threshold_text,
)
from autoloss.search.decisions import (
    MOST_CLASSES,
    confusion,
    decide,
    disagreements,
    threshold,
)
from autoloss.search.signals import gradient_signals, signal_of
from tests.report.summaries import make_honest_summary, make_summary

ODDS = torch.linspace(-9, 9, 129, dtype=torch.float64)
COUNTS = ClassFacts(torch.tensor([50.0, 30.0, 20.0]))


def log_probs(n: int, n_classes: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(n, n_classes, generator=generator, dtype=torch.float64)
    return scores.log_softmax(-1)


def labels(n: int, n_classes: int, seed: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, n_classes, n)


@pytest.mark.parametrize("n_classes", [2, 7, MOST_CLASSES])
def test_confusion_is_that_of_scikit_learn(n_classes: int) -> None:
    truth, ours, theirs = (labels(500, n_classes, seed) for seed in range(3))
    found = confusion("error", ours, theirs, truth, n_classes)
    for matrix, decided in ((found.challenger, ours), (found.baseline, theirs)):
        wanted = confusion_matrix(truth, decided, labels=range(n_classes))
        np.testing.assert_array_equal(matrix, wanted)


def test_many_classes_keep_the_most_confused_pairs_alone() -> None:
    truth, ours = labels(5000, 1000, 0), labels(5000, 1000, 1)
    theirs = np.where(truth == 3, 4, truth)
    found = confusion("error", ours, theirs, truth, 1000)
    assert found.challenger is found.baseline is None
    first = found.pairs[0]
    assert (first.truth, first.decided) == (3, 4)
    assert first.baseline == (truth == 3).sum()
    assert first.challenger == ((truth == 3) & (ours == 4)).sum()
    together = [pair.challenger + pair.baseline for pair in found.pairs]
    assert len(together) == 20
    assert together == sorted(together, reverse=True)
    assert all(pair.truth != pair.decided for pair in found.pairs)


def test_disagreements_are_those_of_a_loop() -> None:
    one, other = log_probs(400, 3), log_probs(400, 3, 1)
    truth, rows = labels(400, 3), np.arange(400) * 7 + 5
    ours, theirs = one.argmax(-1).numpy(), other.argmax(-1).numpy()
    found = disagreements((ours, one), (theirs, other), truth, rows)
    differ = [i for i in range(400) if ours[i] != theirs[i]]
    assert found.challenger_right == sum(ours[i] == truth[i] for i in differ)
    assert found.baseline_right == sum(theirs[i] == truth[i] for i in differ)
    total = found.challenger_right + found.baseline_right + found.both_wrong
    assert total == len(differ)
    gaps = []
    for example in found.examples:
        i = (example.row - 5) // 7
        assert i in differ
        assert example.truth == truth[i]
        assert example.challenger_prob == pytest.approx(float(one[i, truth[i]].exp()))
        gaps.append(abs(example.challenger_prob - example.baseline_prob))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] >= max(
        abs(float((one[i].exp() - other[i].exp())[truth[i]]))
        for i in differ
        if rows[i] not in {example.row for example in found.examples}
    )


def test_the_threshold_of_costs_decides_as_the_least_expected_cost_does() -> None:
    own, truth = log_probs(800, 2), labels(800, 2)
    costs = ((0.5, 2.0), (7.0, 1.0))
    options = {"metric": "error", "facts": ClassFacts(torch.tensor([1.0, 1.0])), "costs": costs}
    found = threshold(own, truth, **options)
    _, decided = decide(own, **options)
    assert found is not None
    np.testing.assert_array_equal(decided, own[:, 1].exp().numpy() >= found.threshold)
    price = np.array(costs)
    assert found.value == pytest.approx(price[truth, decided].mean())
    for prob, value in zip(found.probs[::20], found.values[::20], strict=True):
        at = (own[:, 1].exp().numpy() >= prob).astype(int)
        assert value == pytest.approx(price[truth, at].mean())


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_threshold_of_balanced_error_is_measured_as_scikit_learn_does(n_classes: int) -> None:
    own, truth = log_probs(600, n_classes), labels(600, n_classes)
    counts = torch.arange(1.0, n_classes + 1) * 100
    options = {"metric": "balanced_error", "facts": ClassFacts(counts), "costs": None}
    found = threshold(own, truth, **options)
    assert found is not None
    for value, decided in (
        (found.value, decide(own, **options)[1]),
        (found.likeliest, own.argmax(-1).numpy()),
    ):
        assert value == pytest.approx(1 - balanced_accuracy_score(truth, decided))
    assert math.isnan(found.threshold) == (n_classes > 2)
    assert threshold(own, truth, **(options | {"metric": "error"})) is None


def test_signals_are_those_of_the_formulas() -> None:
    p = ODDS.sigmoid().numpy()
    facts = ClassFacts(torch.tensor([60.0, 40.0]))

    def found(**settings: object) -> np.ndarray:
        signal = signal_of(LossSpec.from_dict(settings), ODDS, facts)
        assert signal is not None
        return signal

    np.testing.assert_allclose(found(base="cross_entropy"), 1.0)
    focal = (1 - p) ** 2 - 2 * p * (1 - p) * np.log(p)
    np.testing.assert_allclose(found(**{"base": "focal", "focal.gamma": 2.0}), focal, atol=1e-9)
    np.testing.assert_allclose(found(base="mae"), p)
    smooth = found(**{"base": "cross_entropy", "target": "smoothing", "smoothing.epsilon": 0.2})
    np.testing.assert_allclose(smooth, (p - 0.9) / (p - 1), rtol=1e-6)
    # The softmax of logits that are divided by T, by its own p, over T.
    half = torch.sigmoid(ODDS / 2).numpy()
    np.testing.assert_allclose(
        found(base="cross_entropy", temperature=2.0), 0.5 * (half - 1) / (p - 1), rtol=1e-6
    )


@pytest.mark.parametrize("name", names())
def test_every_loss_has_finite_signals_or_none(name: str) -> None:
    tasks = get(name).tasks
    if "multiclass" not in tasks:
        facts = ClassFacts(torch.tensor([60.0, 40.0]), task="binary")
        if "binary" not in tasks:
            pytest.skip("needs labels of another kind")
    else:
        facts = COUNTS
    signal = signal_of(LossSpec(name), ODDS, facts)
    assert (signal is None) or np.isfinite(signal).all()
    assert (get(name).view is None) or signal is None


def test_a_penalty_changes_no_signal() -> None:
    plain = signal_of(LossSpec("brier"), ODDS, COUNTS)
    spec = LossSpec.from_dict({"base": "brier", "penalty": "confidence"})
    np.testing.assert_array_equal(signal_of(spec, ODDS, COUNTS), plain)


def test_shares_of_rows_and_of_gradient() -> None:
    probs = np.array([0.25] * 10 + [0.75] * 30 + [0.9999] * 60)
    specs = [
        (3, LossSpec("cross_entropy")),
        (5, LossSpec.from_dict({"base": "focal", "focal.gamma": 3.0})),
    ]
    found = gradient_signals(specs, probs, COUNTS, number=3)
    assert found is not None
    entropy, focal = found.curves
    assert (entropy.dead, focal.dead) == (0.0, 0.6)
    assert entropy.unsure == pytest.approx(7.5 / (7.5 + 7.5 + 0.006), rel=1e-6)
    assert focal.unsure > entropy.unsure
    assert sum(found.counts) == len(probs)
    assert found.counts[6] == 10
    assert gradient_signals([], probs, COUNTS, number=3) is None


def test_values_between_the_measured_ones() -> None:
    assert signal_at((0.2, 0.4), (1.0, 2.0), 0.4) == 2.0
    assert signal_at((0.2, 0.4), (1.0, 2.0), 0.3) == pytest.approx(1.5)
    assert math.isnan(signal_at((0.2, 0.4), (1.0, 2.0), 0.1))
    assert math.isnan(signal_at((0.2, 0.4), (1.0, 2.0), 0.5))


def test_page_and_markdown_say_the_same_of_decisions() -> None:
    summary = make_honest_summary()
    page, text = render_html(summary), render_markdown(summary)
    assert threshold_text(summary) in page
    for output in (page, text):
        assert "They decide differently on 22 rows of 1,409" in output
        assert "no value of any column" in output
        assert "1,021" in output
        assert "&lt;0.1%" in output or r"\<0.1%" in output
        assert f"autoloss report {summary.name}" in output
        assert f"--trial {summary.recommended} --dry-run --source loss.py" in output
    for row in signal_rows(summary):
        assert all(value in page and value in text for value in (row.dead, row.unsure))


def test_rows_of_the_matrix_are_shares_of_the_true_class() -> None:
    facts = confusion_facts(make_honest_summary())
    assert facts is not None
    for matrix in facts.matrices:
        for place, (_, cells) in enumerate(matrix.rows):
            assert sum(cell.share for cell in cells) == pytest.approx(1.0)
            assert [cell.is_right for cell in cells].index(True) == place


def test_many_classes_are_told_by_pairs() -> None:
    summary = make_summary(classes=[f"c{place}" for place in range(1000)])
    pair = make_honest_summary().confusion
    assert pair is not None
    summary = replace(summary, confusion=Confusion("error", None, None, pair.pairs))
    facts = confusion_facts(summary)
    assert facts is not None
    assert not facts.matrices
    assert facts.pairs[0].truth == "c0"
    assert "The most confused pairs" in render_html(summary)


def test_nothing_is_said_of_a_model_beside_itself() -> None:
    summary = make_honest_summary()
    same = replace(summary, verdict=replace(summary.verdict, challenger=summary.verdict.baseline))
    assert disagreement_facts(same) is None
    facts = confusion_facts(same)
    assert facts is not None
    assert [matrix.title for matrix in facts.matrices] == ["Tuned cross-entropy"]
    none = replace(summary, disagreements=Disagreements(1409, 0, 0, 0))
    found = disagreement_facts(none)
    assert found is not None
    assert found.text == "Both decide the same on all 1,409 test rows."


def test_a_summary_from_before_draws_none_of_it() -> None:
    summary = make_summary()
    assert signals_info(summary).curves == ()
    assert not {"decisions", "signals"} & {
        part.partition('"')[0] for part in render_html(summary).split('<section id="')
    }
    assert "## Decisions" not in render_markdown(summary)


def test_the_rule_is_drawn_among_the_finalists_that_take_part() -> None:
    summary = make_honest_summary(n_finalists=6)
    drawn = {one.number: one for one in rule_info(summary)}
    part = [one for one in summary.finalists if one.reasons != ("default cross-entropy",)]
    assert set(drawn) == {one.number for one in part}
    for one in part:
        assert drawn[one.number].is_admissible == one.is_admissible
        assert drawn[one.number].metric == pytest.approx(np.mean(one.metric))


def test_spread_labels_of_very_many_classes_have_no_signal_and_take_no_time() -> None:
    facts = ClassFacts(torch.ones(5000))
    plain = signal_of(LossSpec("focal"), ODDS, facts)
    assert plain is not None
    np.testing.assert_allclose(plain, signal_of(LossSpec("focal"), ODDS, COUNTS), atol=1e-6)
    spread = LossSpec.from_dict({"base": "weston_watkins", "target": "smoothing"})
    assert signal_of(spread, ODDS, facts) is None
