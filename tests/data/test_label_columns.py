"""Several labels a row: columns of yes and no, their gaps, and labels that do not vary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.data import DataOptions, prepare

N = 120


def table(n_rows: int = N, seed: int = 0) -> pd.DataFrame:
    """Return rows of two numbers and of three labels that depend on them."""
    chance = np.random.default_rng(seed)
    numbers = chance.normal(size=(n_rows, 2))
    return pd.DataFrame(
        {
            "x0": numbers[:, 0],
            "x1": numbers[:, 1],
            "topic_a": (numbers[:, 0] > 0).astype(int),
            "topic_b": (numbers[:, 1] > 0.5).astype(int),
            "other": (numbers.sum(1) > 1).astype(int),
        }
    )


@pytest.mark.parametrize(
    "write",
    [
        lambda one: one.map({0: "no", 1: "yes"}),
        lambda one: one.map({0: "FALSE", 1: "True"}),
        lambda one: one.astype(bool),
        lambda one: one.astype(float),
        lambda one: one.map({0: "n", 1: "y"}).astype("category"),
    ],
)
def test_each_spelling_of_yes_and_no_is_the_same_label(write, tmp_path: Path) -> None:
    frame = table()
    names = ["topic_a", "topic_b", "other"]
    spelt = frame.assign(**{name: write(frame[name]) for name in names})
    spelt.to_csv(tmp_path / "t.csv", index=False)
    for source in (spelt, tmp_path / "t.csv"):
        data = prepare(source, DataOptions(target=names))
        assert data.task.names == tuple(names)
        assert data.task.kind == "multilabel"
        rows = torch.cat([data.train.rows, data.valid.rows])
        found = torch.cat([data.train.targets, data.valid.targets])
        assert (found.numpy() == frame[names].to_numpy()[rows.numpy()]).all()
        inputs = {name for name, _ in data.summary.columns}
        assert inputs == {"x0", "x1"}


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("topic_a,other", ("topic_a", "other")),
        (" other , topic_*", ("other", "topic_a", "topic_b")),
        ("topic_?", ("topic_a", "topic_b")),
        (("other", "topic_*"), ("other", "topic_a", "topic_b")),
    ],
)
def test_a_target_names_columns_or_patterns(target, names: tuple[str, ...]) -> None:
    assert prepare(table(), DataOptions(target=target)).task.names == names


def test_a_column_whose_name_has_a_comma_is_one_target() -> None:
    data = prepare(table().rename(columns={"other": "a,b"}), DataOptions(target="a,b"))
    assert data.task.kind == "binary"


def test_missing_labels_count_nowhere() -> None:
    frame = table().astype({"topic_b": float, "other": float})
    chance = np.random.default_rng(1)
    frame.loc[chance.random(N) < 0.3, "topic_b"] = np.nan
    frame.loc[chance.random(N) < 0.3, "other"] = np.nan
    data = prepare(frame, DataOptions(target=["topic_b", "other"]))
    kept = frame[["topic_b", "other"]].notna().any(axis=1)
    assert data.summary.n_rows == kept.sum() < N
    for label in data.summary.labels:
        column = frame[label.name].dropna()
        assert (label.positives, label.negatives) == (column.sum(), (1 - column).sum())
    for fold in data.folds:
        truth = frame[["topic_b", "other"]].to_numpy()[fold.train.rows.numpy()]
        assert (fold.train.targets.numpy() == np.where(np.isnan(truth), -100, truth)).all()
        assert (fold.class_counts[:, 1].numpy() == np.nansum(truth, 0)).all()
    assert any("missing label" in note for note in data.notes)


def test_a_label_that_the_training_rows_do_not_tell_apart_is_judged_nowhere() -> None:
    frame = table().assign(never=0, always="yes", once=0)
    frame.loc[7, "once"] = 1
    test = table(40, seed=3).assign(never=1, always=1, once=1)
    data = prepare(frame, DataOptions(target=["topic_a", "never", "always", "once"], test=test))
    assert any("'never': never yes" in note for note in data.notes)
    assert any("'always': always yes" in note for note in data.notes)
    assert data.locked is not None
    locked = data.locked.open().targets
    assert (locked[:, 1:3] == -100).all()
    assert (locked[:, [0, 3]] >= 0).all()
    for fold in data.folds:
        # The only row of a label trains.
        assert fold.class_counts[3, 1] == 1
        assert (fold.valid.targets[:, 1:3] == -100).all()
        assert (fold.train.targets >= 0).all()


@pytest.mark.parametrize(
    ("change", "target", "words"),
    [
        ({"other": list(range(3)) * 40}, "topic_a,other", "'other' of DATA has 3 values"),
        ({"other": ["yes", "maybe"] * 60}, "topic_a,other", "'maybe' in row 2"),
        ({}, ["topic_a"], "it is a binary task"),
        ({}, "*_a", "it is a binary task"),
        ({}, [], "must name columns of DATA, but got none"),
        ({}, "topic_a,topic_c", "got 'topic_c', did you mean 'topic_"),
        ({"other": 0, "topic_a": 1}, "topic_a,other", "at least 3 rows of yes and 3 of no"),
        ({"other": None, "topic_a": None}, "topic_a,other", "empty throughout"),
    ],
)
def test_a_wrong_target_is_told_in_one_line(change, target, words: str) -> None:
    with pytest.raises(InputError) as told:
        prepare(table().assign(**change), DataOptions(target=target))
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_options_for_classes_are_refused() -> None:
    for more, words in (({"positive": "1"}, "positive"), ({"classes": True}, "classes")):
        with pytest.raises(InputError, match=f"{words} must be left out"):
            prepare(table(), DataOptions(target="topic_*", **more))


def test_groups_stay_whole_and_the_latest_rows_are_locked() -> None:
    frame = table(300).assign(who=np.arange(300) // 5, day=np.arange(300))
    data = prepare(frame, DataOptions(target="topic_*,other", groups="who", drop=("day",)))
    for fold in data.folds:
        assert not set(fold.train.clusters.tolist()) & set(fold.valid.clusters.tolist())
    late = prepare(frame, DataOptions(target="topic_*,other", split_by="day", drop=("who",)))
    assert late.locked is not None
    assert late.locked.open().rows.min() > max(fold.train.rows.max() for fold in late.folds)
