"""Teachers of the tokens of sequences: files, models, the study itself; and those that cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.testing import assert_close

import autoloss
from autoloss.core.errors import InputError
from autoloss.core.ragged import Ragged
from autoloss.data import StudyData
from tests.experiment.teachers.test_teachers import made, of
from tests.spaces import PROTOCOL

TAGS = ("O", "x")
SPACE = f"""
bases = ["cross_entropy"]
targets = ["none", "distillation"]
distillation.weight = 1.0
distillation.T = 1.0
[network]
width = 8
depth = 1
embedding = 4
[training]
batch_size = 64
max_epochs = 4
{PROTOCOL}"""


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Return sequences in which the tag of a token is that of its form, a tenth at random."""
    draw, rows = np.random.default_rng(0), []
    for _ in range(90):
        codes = draw.integers(0, 6, draw.integers(2, 9))
        tags = np.where(draw.random(len(codes)) < 0.1, 1 - codes % 2, codes % 2)
        words = [("ant", "bee", "cat", "dog", "elk", "fox")[code] for code in codes]
        rows.append({"words": words, "tags": [TAGS[tag] for tag in tags]})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def data(frame: pd.DataFrame) -> StudyData:
    return of(frame, "tags", tokens="words")


def probs_of(frame: pd.DataFrame, *, right: float = 0.9) -> np.ndarray:
    """Return probabilities of each token that are right of the tag of its form, (T, 2)."""
    forms = np.concatenate(frame["words"].to_numpy())
    is_x = np.isin(forms, ["bee", "dog", "fox"])
    prob = np.where(is_x, right, 1.0 - right)
    return np.stack([1.0 - prob, prob], 1)


def search(frame: pd.DataFrame, out: Path, **options: Any) -> autoloss.SearchResult:
    space = out / "space.toml"
    space.write_text(SPACE, encoding="utf-8")
    given = {"tokens": "words", "space": space, "trials": 14, "track": "off", "workers": 1}
    return autoloss.search(frame, "tags", out=out, refit=False, **{**given, **options})


def test_a_file_has_a_row_for_each_token(
    frame: pd.DataFrame, data: StudyData, tmp_path: Path
) -> None:
    probs = probs_of(frame) + np.random.default_rng(0).uniform(0, 0.05, (1, 1))
    probs /= probs.sum(1, keepdims=True)
    order = [TAGS.index(str(tag)) for tag in data.task.classes]
    table = pd.DataFrame(probs, columns=[f"probability_{tag}" for tag in TAGS])
    file = tmp_path / "tokens.npz"
    np.savez(file, probs=probs, classes=np.array(TAGS))
    lengths = frame["words"].map(len).to_numpy()
    ends = lengths.cumsum()
    fold = data.folds[0]
    rows = fold.train.rows.tolist()
    expected = np.concatenate([probs[ends[row] - lengths[row] : ends[row]] for row in rows])
    for given in (table, file):
        found = made(given, data).logits(fold)
        assert found is not None
        assert_close(found.double().exp().numpy(), expected[:, order], atol=1e-6, rtol=0)
    with pytest.raises(InputError, match=r"for each of [\d,]+ tokens.*token \d+, counted from 0"):
        made(table[:-1], data)


def test_a_model_of_sequences_teaches(frame: pd.DataFrame, tmp_path: Path) -> None:
    wide = search(frame, tmp_path, name="wide", trials=6, teacher=token_table(frame))
    assert wide.model is not None
    data = of(frame, "tags", tokens="words")
    teacher = made(str(tmp_path / "wide" / "model"), data)
    fold = data.folds[0]
    probs = wide.model.predict_proba(frame)
    expected = np.concatenate([probs[row] for row in fold.train.rows.tolist()])
    found = teacher.logits(fold)
    assert found is not None
    assert_close(found.double().exp().numpy(), expected, atol=1e-5, rtol=0)
    assert "may have seen the rows" in teacher.note


def token_table(frame: pd.DataFrame, *, right: float = 0.9) -> pd.DataFrame:
    columns = [f"probability_{tag}" for tag in TAGS]
    return pd.DataFrame(probs_of(frame, right=right), columns=columns)


def test_a_teacher_of_tokens_changes_what_its_candidates_learn(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    losses = []
    for name, right in (("good", 0.9), ("bad", 0.1)):
        result = search(frame, tmp_path, name=name, teacher=token_table(frame, right=right))
        taught = [t for t in result.summary.trials if t.loss.get("target") == "distillation"]
        losses.append(np.median([trial.metrics["raw_log_loss"] for trial in taught]))
    assert losses[0] < losses[1]


def test_sequences_teach_themselves(frame: pd.DataFrame, tmp_path: Path) -> None:
    result = search(frame, tmp_path, name="own", teacher="self", trials=16)
    taught = [t for t in result.summary.trials if t.loss.get("target") == "distillation"]
    assert taught
    assert all(trial.metrics for trial in taught)


def test_teachers_of_rows_are_refused(frame: pd.DataFrame, data: StudyData) -> None:
    rows = LogisticRegression().fit([[0.0], [1.0]], ["O", "x"])
    with pytest.raises(InputError, match="LogisticRegression is a classifier of rows"):
        made(rows, data)
    with pytest.raises(InputError, match="A module must read numbers, images or the tensors"):
        made(nn.Linear(2, 2), data)
    with pytest.raises(InputError, match="teacher must not be boosting for these data"):
        made("boosting", data)


def test_a_sequence_without_a_prediction_is_named(frame: pd.DataFrame, data: StudyData) -> None:
    table = token_table(frame)
    row = int(data.rows_in_use[3])
    first = int(frame["words"].map(len)[:row].sum())
    numbers = [number for number in range(len(table)) if number != first]
    with pytest.raises(InputError, match=f"none for 1 of .*: the first is row {row},"):
        made(table.iloc[numbers].assign(row=numbers), data)


def test_the_tokens_of_a_teacher_stay_with_their_sequence(data: StudyData) -> None:
    values = torch.arange(float(data.n_items))[:, None]
    found = data.by_row(values)
    assert isinstance(found, Ragged)
    assert found.lengths.tolist() == data.table["words"].map(len).tolist()
