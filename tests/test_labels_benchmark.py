"""The benchmark of several labels: figures of known predictions, and the page of a log."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks.labels import Labels, Predicted, by_label, figures, page


def make_set(folder: Path) -> Path:
    """Write a set of two labels, of which the second is rare."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(400, 3))
    table = pd.DataFrame(inputs, columns=["a", "b", "c"])
    noise = random.normal(size=(400, 2))
    table["often"] = (inputs[:, 0] + noise[:, 0] > 0).astype(int)
    table["rare"] = (inputs[:, 1] + noise[:, 1] > 2.0).astype(int)
    table["split"] = np.where(np.arange(400) < 300, "train", "test")
    (folder / "mine").mkdir()
    table.to_parquet(folder / "mine" / "mine.parquet")
    (folder / "mine" / "meta.json").write_text(json.dumps({"targets": ["often", "rare"]}))
    return folder


def test_a_peer_is_judged_on_the_test_rows_alone(tmp_path: Path) -> None:
    labels = Labels.read("mine", make_set(tmp_path))
    assert (len(labels.train), len(labels.test)) == (300, 100)
    assert list(labels.train.columns) == ["a", "b", "c"]
    predicted = by_label(labels, LogisticRegression)
    own = LogisticRegression().fit(labels.train, labels.train_answers[:, 0])
    np.testing.assert_allclose(predicted.probs[:, 0], own.predict_proba(labels.test)[:, 1])
    # A rare label is decided for below a half.
    assert predicted.thresholds[1] < 0.45
    found = figures(predicted, labels.test_answers)
    assert 0.5 < found["auroc"] < 1.0


def test_figures_of_perfect_predictions() -> None:
    answers = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    found = figures(Predicted(answers * 0.98 + 0.01, np.array([0.5, 0.5])), answers)
    ones = ("hamming", "auroc", "precision", "f1", "f1_half", "micro")
    assert [found[key] for key in ones] == [1.0] * 6
    assert found["log_loss"] == pytest.approx(-np.log(0.99))


def test_a_page_has_a_row_for_each_line_of_the_log(tmp_path: Path) -> None:
    one = dict.fromkeys(("hamming", "auroc", "precision", "log_loss", "f1", "f1_half"), 0.5)
    one |= {"micro": 0.5, "seconds": 12.3}
    ours = {"settings": "default", "verdict": "better", "recommends": "focal"}
    lines = [
        {"set": "mine", "model": "peer", **one},
        {"set": "mine", "model": "us", **one, **ours},
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    text = page(log).splitlines()
    assert text[-2].startswith("| mine | peer | 0.5000 |")
    assert "us (default; better; recommends focal)" in text[-1]
    assert text[-1].endswith("| 12 |")
    assert text[-1].count("|") == text[-2].count("|") == text[-3].count("|")
