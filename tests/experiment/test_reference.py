from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss

from autoloss.experiment import boosting
from autoloss.experiment.boosting import Boosted, gradient_boosting
from autoloss.experiment.label_boosting import boosted_labels
from autoloss.experiment.reference import reference_record
from autoloss.metrics import auroc
from autoloss.verdict.comparisons import compare
from tests.verdict.test_confirm import Named, draw, ranking

ERROR = Named("error", lambda probs, y: float((probs.argmax(1) != y).mean()), True)


def table(n=600, seed=0):
    """Return numbers and levels that tell the class."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "level": rng.choice(["low", "middle", "high"], n),
            "flag": rng.random(n) < 0.5,
        }
    )
    frame.loc[rng.random(n) < 0.1, "x"] = np.nan
    tall = (frame["x"].fillna(0.0) > 0.0).to_numpy()
    odd = (frame["level"] == "middle").to_numpy() & frame["flag"].to_numpy()
    return frame, (tall ^ odd).astype(int)


def error_of(boosted, targets):
    return (boosted.log_probs.argmax(axis=1) != targets).mean()


def test_numbers_alone_give_scikit_learns_model():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(500, 3)) * [1.0, 1e6, 1e-6], rng.normal(size=(100, 3))
    targets = (train[:, 0] + train[:, 1] / 1e6 > 0).astype(int)
    boosted = gradient_boosting(train, targets, test, n_classes=2, seed=3)
    model = HistGradientBoostingClassifier(random_state=3).fit(train, targets)
    expected = model.predict_proba(test)
    np.testing.assert_allclose(np.exp(boosted.log_probs), expected, atol=2 / 500)
    assert boosted.notes == ()


def test_levels_and_booleans_are_learnt():
    frame, targets = table(1200)
    boosted = gradient_boosting(frame[:900], targets[:900], frame[900:], n_classes=2)
    assert error_of(boosted, targets[900:]) < 0.03


def test_unseen_levels_and_missing_cells_are_predicted():
    frame, targets = table()
    test = frame[:4].copy()
    test["level"] = ["never seen", None, "low", "high"]
    test.loc[0, "x"] = np.nan
    boosted = gradient_boosting(frame, targets, test, n_classes=2)
    assert np.isfinite(boosted.log_probs).all()
    assert error_of(boosted, targets[:4]) <= 0.5


def test_thousands_of_levels_are_grouped():
    rng = np.random.default_rng(0)
    code = rng.zipf(1.3, 6000) % 3000
    frame = pd.DataFrame({"code": [f"c{one}" for one in code], "x": rng.normal(size=6000)})
    targets = (code % 2 == 0).astype(int)
    boosted = gradient_boosting(frame[:5000], targets[:5000], frame[5000:], n_classes=2)
    assert error_of(boosted, targets[5000:]) < 0.3


def test_dates_are_numbers():
    rng = np.random.default_rng(0)
    day = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 600), "D"))
    targets = (day.dt.year == 2021).to_numpy().astype(int)
    for column in (day, day.dt.strftime("%Y-%m-%d")):
        frame = pd.DataFrame({"when": column})
        boosted = gradient_boosting(frame[:500], targets[:500], frame[500:], n_classes=2)
        assert error_of(boosted, targets[500:]) < 0.05


def test_free_text_is_left_out_and_said():
    frame, targets = table()
    rng = np.random.default_rng(0)
    words = [" ".join(rng.choice(list("abcdefghij"), 12)) for _ in range(600)]
    with_text = frame.assign(note=words)
    boosted = gradient_boosting(with_text, targets, with_text, n_classes=2)
    assert "free text of 'note'" in " ".join(boosted.notes)
    alone = gradient_boosting(frame, targets, frame, n_classes=2)
    np.testing.assert_array_equal(boosted.log_probs, alone.log_probs)


def test_words_alone_are_learnt_by_logistic_regression():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 600)
    words = [
        [*rng.choice(list("abcdefghij"), 9), "klm"[label + rng.integers(2)]] for label in targets
    ]
    frame = pd.DataFrame({"note": [" ".join(rng.permutation(one)) for one in words]})
    frame.loc[7, "note"] = None
    found = gradient_boosting(frame[:400], targets[:400], frame[400:], n_classes=3)
    assert found.name == "logistic regression on words"
    probs = np.exp(found.log_probs)
    np.testing.assert_allclose(probs.sum(1), 1.0)
    assert probs[:, 2].max() < 0.01
    # Half of the rows have a word of their class alone.
    assert (probs.argmax(1) == targets[400:]).mean() > 0.7
    record = reference_record(found, found.log_probs, targets[400:], metric=ERROR)
    assert record.name == found.name
    assert record.text.startswith("Logistic regression on words, untuned, has ")


def test_classes_that_training_lacks_or_has_once_get_next_to_no_probability():
    frame, targets = table()
    targets = 2 * targets
    targets[0] = 3
    boosted = gradient_boosting(frame, targets, frame, n_classes=5)
    probs = np.exp(boosted.log_probs)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0)
    assert probs[:, [1, 3, 4]].max() < 1e-3
    assert np.isfinite(boosted.log_probs).all()


def test_one_class_alone_is_predicted():
    frame, targets = table()
    boosted = gradient_boosting(frame, 0 * targets + 1, frame, n_classes=2)
    assert np.exp(boosted.log_probs[:, 1]).min() > 0.99


def test_rare_classes_do_not_run_away():
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(12), [300, 200, 100, 50, 20, 8, 5, 4, 3, 2, 2, 1])
    frame = rng.normal(size=(len(targets), 4))
    boosted = gradient_boosting(frame[::2], targets[::2], frame[1::2], n_classes=12)
    own = targets[1::2]
    # Nothing can be learnt here; predicting the shares costs 1.6 nats.
    assert log_loss(own, np.exp(boosted.log_probs), labels=range(12)) < 4.0


def test_many_rows_are_sampled_and_said(monkeypatch):
    monkeypatch.setattr(boosting, "_MOST_ROWS", 400)
    frame, targets = table()
    boosted = gradient_boosting(frame, targets, frame, n_classes=2, weights=np.ones(600))
    assert boosted.notes == ("Gradient boosting learnt from 400 of 600 rows, drawn at random.",)
    assert error_of(boosted, targets) < 0.1


def test_weights_are_used():
    rng = np.random.default_rng(0)
    frame, targets = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    weights = np.where(targets == 1, 100.0, 1.0)
    boosted = gradient_boosting(frame, targets, frame, n_classes=2, weights=weights)
    assert (boosted.log_probs.argmax(axis=1) == 1).mean() > 0.9


def test_the_same_seed_gives_the_same_model():
    frame, targets = table()
    first, second = (gradient_boosting(frame, targets, frame, n_classes=2) for _ in range(2))
    np.testing.assert_array_equal(first.log_probs, second.log_probs)


def test_far_ahead_means_that_the_model_is_the_problem():
    one, other, targets = draw(n=2000, noise=(0.2, 1.5))
    record = reference_record(Boosted(one, ("A note.",)), other, targets, metric=ERROR)
    expected = compare(one, other, targets, resamples=1000)["error"].comparison
    assert (record.metric, record.difference) == (expected.challenger, expected.difference)
    assert (record.low, record.high) == (expected.low, expected.high)
    assert record.log_loss == pytest.approx(log_loss(targets, np.exp(one)))
    assert record.is_far_ahead
    assert record.text.startswith("Gradient boosting, untuned, has ")
    assert " pp less error than the shipped model" in record.text
    assert record.text.endswith("the limit is the model, not the loss. A note.")


def test_behind_and_level_are_said_too():
    one, other, targets = draw(n=2000, noise=(0.2, 1.5))
    behind = reference_record(Boosted(other), one, targets, metric=ERROR)
    assert not behind.is_far_ahead
    assert behind.text.endswith("the model is not the limit.")
    level = reference_record(Boosted(one), one, targets, metric=ERROR)
    assert not level.is_far_ahead
    assert level.text.endswith("no clear difference.")


def constant(name, ahead, behind, lower):
    """Return a metric that is one value for the first model and another for the second."""
    return Named(name, lambda probs, _: ahead if probs[0, 0] > 0.5 else behind, lower)


@pytest.mark.parametrize(
    ("name", "ahead", "behind", "lower", "is_far"),
    [
        ("mine", 0.80, 0.90, True, True),
        ("mine", 0.82, 0.90, True, False),
        ("mine", 8.0, 10.0, True, True),
        ("mine", 9.5, 10.0, True, False),
        ("auroc", 0.95, 0.90, False, True),
        ("auroc", 0.91, 0.90, False, False),
        ("auroc", 0.56, 0.52, False, False),
        ("auroc", 0.58, 0.52, False, True),
        ("profit", 120.0, 100.0, False, True),
        ("profit", 105.0, 100.0, False, False),
        ("auroc", 0.90, 0.95, False, False),
    ],
)
def test_far_is_a_tenth_of_what_is_left_and_two_points(name, ahead, behind, lower, is_far):
    one, other = np.log([[0.9, 0.1]] * 20), np.log([[0.1, 0.9]] * 20)
    record = reference_record(
        Boosted(one),
        other,
        np.array([0, 1] * 10),
        metric=constant(name, ahead, behind, lower),
        resamples=20,
    )
    assert record.is_far_ahead == is_far


def test_a_sure_lead_of_less_than_two_points_of_error_is_not_far():
    targets = np.zeros(5000, int)
    targets[::2] = 1
    sure = np.log(np.where(np.eye(2)[targets] > 0, 0.9, 0.1))
    other = sure.copy()
    other[:75] = sure[:75, ::-1]
    record = reference_record(Boosted(sure), other, targets, metric=ERROR, resamples=200)
    assert record.high < 0.0
    assert not record.is_far_ahead
    assert record.text.endswith("not so far that the model is the limit.")


def test_a_ranking_and_clusters_are_compared_as_elsewhere():
    one, other, targets = draw(n=60, classes=2, noise=(0.2, 2.0))
    rows = np.repeat(np.arange(60), 5)
    how = {"metric": ranking(auroc), "resamples": 200}
    alone = reference_record(Boosted(one[rows]), other[rows], targets[rows], **how)
    together = reference_record(
        Boosted(one[rows]), other[rows], targets[rows], clusters=rows, **how
    )
    assert together.high - together.low > 1.7 * (alone.high - alone.low)


def test_labels_have_a_model_each_that_knows_nothing_of_missing_ones() -> None:
    chance = np.random.default_rng(0)
    frame = pd.DataFrame(chance.normal(size=(400, 2)), columns=["a", "b"])
    answers = (frame.to_numpy() > [0.0, 0.5]).astype(int)
    answers[:100, 1] = -100
    found = boosted_labels(lambda rows: frame.iloc[rows], answers, frame)
    assert found is not None
    assert found.log_probs.shape == (400, 2, 2)
    np.testing.assert_allclose(np.exp(found.log_probs).sum(-1), 1.0)
    alone = gradient_boosting(frame, answers[:, 0], frame, n_classes=2)
    assert alone is not None
    np.testing.assert_allclose(found.log_probs[:, 0], alone.log_probs)
    known = gradient_boosting(frame[100:], answers[100:, 1], frame, n_classes=2)
    assert known is not None
    np.testing.assert_allclose(found.log_probs[:, 1], known.log_probs)
