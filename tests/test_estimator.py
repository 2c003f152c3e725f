from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autoloss import AutoLossClassifier, InputError
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
    with pytest.raises(InputError, match="one label a row"):
        small().fit(X, Y[:-1])
    with pytest.raises(InputError, match="two axes"):
        small().fit(X[:, 0], Y)
    with pytest.raises(NotFittedError):
        small().predict(X)
