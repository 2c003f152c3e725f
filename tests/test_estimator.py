from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from autoloss import AutoLossClassifier, InputError
from autoloss.core.errors import UnusableCellsWarning
from tests.spaces import make_quicker

Small = Callable[..., AutoLossClassifier]
X, Y = load_breast_cancer(return_X_y=True)
LABELS = np.where(Y == 1, "benign", "malignant")


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Make an estimator whose search takes a moment."""
    space = tmp_path_factory.mktemp("space") / "quicker.toml"
    space.write_text(make_quicker(), encoding="utf-8")
    return partial(AutoLossClassifier, space=str(space), trials=4)


def test_it_learns_labels_of_text_in_a_pipeline(small: Small) -> None:
    pipeline = make_pipeline(StandardScaler(), small()).fit(X, LABELS)
    assert pipeline.score(X, LABELS) > 0.9
    assert pipeline.classes_.tolist() == ["benign", "malignant"]
    probs = pipeline.predict_proba(X)
    assert probs.shape == (len(X), 2)
    most_likely = pipeline.classes_[probs.argmax(1)]
    np.testing.assert_array_equal(most_likely, pipeline.predict(X))


def test_rows_with_a_blank_label_are_left_out(small: Small) -> None:
    labels = np.where(np.arange(len(Y)) < 9, " ", LABELS)
    with pytest.warns(UserWarning, match=r"y: 9 rows with a blank label left out\."):
        classifier = small().fit(X, labels)
    assert classifier.classes_.tolist() == ["benign", "malignant"]
    whole = small().fit(X[9:], LABELS[9:])
    np.testing.assert_array_equal(classifier.predict_proba(X), whole.predict_proba(X))


def test_it_can_be_cloned_and_cross_validated(small: Small) -> None:
    classifier = small(seed=3)
    assert clone(classifier).get_params() == classifier.get_params()
    assert cross_val_score(classifier, X, Y, cv=2).min() > 0.85


def test_frames_keep_their_columns(small: Small) -> None:
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    frame["target"] = "not the label"
    classifier = small().fit(frame, Y)
    assert classifier.n_features_in_ == 31
    shuffled = frame[frame.columns[::-1]]
    np.testing.assert_array_equal(
        classifier.predict_proba(shuffled), classifier.predict_proba(frame)
    )


def test_nothing_is_kept_unless_a_folder_is_named(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small().fit(X, Y)
    assert list(tmp_path.iterdir()) == []
    small(out=tmp_path / "kept", name="s").fit(X, Y)
    assert (tmp_path / "kept" / "s" / "report.html").is_file()


def test_bad_input_is_named(small: Small) -> None:
    with pytest.raises(InputError, match="one label per row"):
        small().fit(X, Y[:-1])
    with pytest.raises(InputError, match="two axes"):
        small().fit(X[:, 0], Y)
    with pytest.raises(NotFittedError):
        small().predict(X)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        small().fit(sparse.csr_matrix(X), Y)
    with pytest.raises(ValueError, match="contains NaN"):
        small().fit(X, np.where(np.arange(len(Y)) == 5, np.nan, Y))
    with pytest.raises(ValueError, match="contains NaN"):
        small().fit(X, np.where(np.arange(len(Y)) == 5, None, LABELS))
    with (
        pytest.warns(UserWarning, match=r"y: 357 rows with a blank label left out\."),
        pytest.raises(ValueError, match="at least two classes"),
    ):
        small().fit(X, np.where(Y == 1, " ", "malignant"))


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> AutoLossClassifier:
    """An estimator that was fitted to a frame."""
    space = tmp_path_factory.mktemp("space") / "quicker.toml"
    space.write_text(make_quicker(), encoding="utf-8")
    return AutoLossClassifier(space=str(space), trials=4).fit(FRAME, LABELS)


FRAME = pd.DataFrame(X[:, :5], columns=["a", "b", "c", "target ", "target"])


def test_columns_are_known_by_name_and_counted(named: AutoLossClassifier) -> None:
    assert named.feature_names_in_.tolist() == list(FRAME.columns)
    wanted = named.predict_proba(FRAME)
    np.testing.assert_array_equal(named.predict_proba(FRAME[FRAME.columns[::-1]]), wanted)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(named.predict_proba(FRAME.to_numpy()), wanted)
    more = FRAME.assign(id=np.arange(len(FRAME)))
    with pytest.raises(ValueError, match="unseen at fit time"):
        named.predict(more)
    with pytest.raises(ValueError, match="seen at fit time, yet now missing"):
        named.predict(FRAME.drop(columns="a"))
    wider = np.c_[np.arange(len(FRAME)), FRAME.to_numpy()]
    message = "X has 6 features, but AutoLossClassifier is expecting 5 features as input"
    with (
        pytest.warns(UserWarning, match="valid feature names"),
        pytest.raises(ValueError, match=message),
    ):
        named.predict(wider)


def test_a_frame_of_polars_is_known_by_its_names(named: AutoLossClassifier) -> None:
    polars = pytest.importorskip("polars")
    given = polars.DataFrame({name: FRAME[name].to_numpy() for name in FRAME.columns[::-1]})
    np.testing.assert_array_equal(named.predict_proba(given), named.predict_proba(FRAME))
    assert named.score(given, polars.Series(LABELS)) > 0.8


def test_columns_that_cannot_be_read_are_told_or_refused(named: AutoLossClassifier) -> None:
    lost = FRAME.astype({"a": str})
    lost.loc[:10, "a"] = "much"
    with pytest.warns(UnusableCellsWarning, match="11 of 569 in 'a'") as told:
        named.predict(lost)
    assert told[0].filename == __file__
    lost["a"] = "much"
    with pytest.raises(InputError, match="'a' must hold numbers"):
        named.predict_proba(lost)
    with pytest.warns(UnusableCellsWarning):
        assert named.predict(lost, force=True).shape == Y.shape


@pytest.mark.parametrize(
    "labels",
    [
        np.where(Y == 1, " >50K", " <=50K"),
        np.where(Y == 1, "1.1", "1.10"),
        np.where(Y == 1, 2**53, 2**53 + 1),
        Y.astype(np.float64),
        Y.astype(np.float32),
        Y.astype(bool),
        Y.astype(np.uint8),
        np.where(Y == 1, np.datetime64("2021-03-01"), np.datetime64("2022-05-06")),
        np.where(Y == 1, "yes", "NA").astype(object),
    ],
    ids=lambda labels: f"{labels.dtype}-{labels[0]}",
)
def test_predicted_labels_have_the_type_of_the_training_labels(
    small: Small, labels: np.ndarray
) -> None:
    classifier = small(trials=2).fit(FRAME, labels)
    np.testing.assert_array_equal(classifier.classes_, np.unique(labels))
    assert classifier.classes_.dtype == np.unique(labels).dtype
    found = classifier.predict(FRAME)
    assert found.dtype == labels.dtype
    assert np.mean(found == labels) > 0.8
    probs = classifier.predict_proba(FRAME)
    assert np.mean(classifier.classes_[probs.argmax(1)] == labels) > 0.8


def test_a_column_of_labels_is_taken_with_a_warning(small: Small) -> None:
    with pytest.warns(DataConversionWarning):
        classifier = small(trials=2).fit(FRAME, Y[:, None])
    assert classifier.classes_.tolist() == [0, 1]


# The others need no more rows than scikit-learn gives them.
TOO_FEW_ROWS = {
    "check_classifier_data_not_an_array": "n_samples=12",
    "check_n_features_in_after_fitting": "n_samples=15",
    "check_fit2d_1feature": "n_samples=10",
}


@pytest.mark.slow
def test_all_checks_of_scikit_learn_pass_but_those_on_fewer_than_20_rows(small: Small) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(small(trials=2), on_fail=None)
    failed = {
        one["check_name"]: str(one["exception"]) for one in results if one["status"] == "failed"
    }
    assert failed.keys() == TOO_FEW_ROWS.keys()
    for name, why in TOO_FEW_ROWS.items():
        assert why in failed[name]


def test_it_learns_several_labels_of_a_frame_or_an_indicator_matrix(small: Small) -> None:
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(200, 3))
    labels = (rows + 0.3 * chance.normal(size=(200, 3)) > [0.0, 0.5, 1.0]).astype(int)
    classifier = small().fit(rows, labels)
    assert classifier.classes_.tolist() == ["y0", "y1", "y2"]
    probs = classifier.predict_proba(rows)
    assert probs.shape == (200, 3)
    assert (classifier.predict(rows) == (probs > 0.5)).all()
    # Subset accuracy, as of scikit-learn's own estimators of several labels.
    assert classifier.score(rows, labels) > 0.5
    frame = pd.DataFrame(labels.astype(float), columns=["a", "b,c", "x0"])
    frame.iloc[:20, 1] = np.nan
    named = small().fit(pd.DataFrame(rows, columns=["x0", "x1", "x2"]), frame)
    assert named.classes_.tolist() == ["a", "b;c", "x0_"]
    with pytest.raises(InputError, match="one row for each row of X"):
        small().fit(rows, labels[:50])
    lists = [[name for name, has in zip("abc", own, strict=True) if has] for own in labels]
    for given in (lists, pd.Series(lists)):
        with pytest.raises(InputError, match="MultiLabelBinarizer makes the matrix"):
            small().fit(rows, given)
    with pytest.raises(InputError, match="lists of unequal length; for tags of sequences"):
        small().fit([["a", "b"], ["c"]], [["O", "B"], ["O"]])
