from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from autoloss import data as package
from autoloss.core.errors import InputError
from autoloss.core.settings import ProtocolConfig
from autoloss.data import DataOptions, StudyData

OPTIONS = DataOptions(target="y")
ONE_DIVISION = ProtocolConfig(folds=1, outer_folds=0)


def prepare(source: object, options: DataOptions) -> StudyData:
    return package.prepare(source, options, protocol=ONE_DIVISION)  # type: ignore[arg-type]


def table(n: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "town": rng.choice(["a", "b", "c"], n),
            "day": rng.permutation(n) * 1.5,
            "who": rng.choice([f"p{i}" for i in range(40)], n),
            "y": rng.choice(["no", "yes"], n, p=[0.8, 0.2]),
        }
    )


def rows(data: StudyData) -> list[list[int]]:
    assert data.locked is not None
    parts = (data.train, data.valid, data.locked.open())
    return [part.rows.tolist() for part in parts]


def said(data: StudyData) -> str:
    return " | ".join(data.notes)


def test_parts_are_stratified_and_cover_all_rows() -> None:
    frame = table()
    data = prepare(frame, OPTIONS)
    parts = rows(data)
    assert sorted(itertools.chain(*parts)) == list(range(400))
    assert [len(part) for part in parts] == [240, 80, 80]
    shares = [(frame["y"].iloc[part] == "yes").mean() for part in parts]
    assert np.ptp(shares) < 0.02
    for part, numbers in zip((data.train, data.valid, data.locked.open()), parts, strict=True):
        assert part.targets.tolist() == (frame["y"].iloc[numbers] == "yes").astype(int).tolist()
    assert data.class_counts.tolist() == np.bincount(data.train.targets).tolist()
    assert data.task.classes == ("no", "yes")
    assert data.summary.n_train == 240
    assert sum(data.summary.class_counts) == 400


def test_the_same_seed_gives_the_same_data_and_another_another() -> None:
    one, same = prepare(table(), OPTIONS), prepare(table(), OPTIONS)
    assert rows(one) == rows(same)
    assert one.locked.sha256 == same.locked.sha256
    other = prepare(table(), replace(OPTIONS, seed=1))
    assert rows(one) != rows(other)
    assert one.locked.sha256 != other.locked.sha256
    assert one.fingerprint == same.fingerprint == other.fingerprint
    assert prepare(table(seed=1), OPTIONS).fingerprint != one.fingerprint


def test_only_training_rows_decide_the_encoding() -> None:
    frame = table()
    data = prepare(frame, OPTIONS)
    other = frame.copy()
    held = np.setdiff1d(np.arange(400), data.train.rows.numpy())
    other.loc[held, "x"] = other.loc[held, "x"] * 1e6 + 5.0
    other.loc[held, "town"] = "elsewhere"
    again = prepare(other, OPTIONS)
    assert again.encoding.to_state()[0] == data.encoding.to_state()[0]
    assert torch.equal(again.train.inputs.numeric, data.train.inputs.numeric)


def test_permuted_test_labels_change_nothing_but_the_locked_part() -> None:
    frame = table()
    data = prepare(frame, replace(OPTIONS, test=table(100, seed=1)))
    shuffled = table(100, seed=1)
    shuffled["y"] = shuffled["y"].to_numpy()[::-1].copy()
    again = prepare(frame, replace(OPTIONS, test=shuffled))
    assert rows(again)[:2] == rows(data)[:2]
    assert torch.equal(again.train.inputs.numeric, data.train.inputs.numeric)
    assert again.notes == data.notes
    assert again.locked.sha256 != data.locked.sha256


def test_files_for_test_and_valid(tmp_path: Path) -> None:
    table(100, seed=1).to_csv(tmp_path / "test.csv", index=False)
    table(50, seed=2).to_parquet(tmp_path / "valid.parquet")
    data = prepare(
        table(),
        replace(OPTIONS, test=tmp_path / "test.csv", valid=str(tmp_path / "valid.parquet")),
    )
    assert [len(part) for part in rows(data)] == [400, 50, 100]
    assert len(rows(prepare(table(), replace(OPTIONS, test=tmp_path / "test.csv")))[1]) == 100
    with pytest.raises(InputError, match=r"lacks 'x'"):
        prepare(table(), replace(OPTIONS, test=table().drop(columns="x")))
    with pytest.raises(InputError, match=r"target column 'y' of DATA, but lacks it; it has 'x'"):
        prepare(table(), replace(OPTIONS, valid=table().drop(columns="y")))


def test_labels_unknown_to_train_are_left_out_and_said() -> None:
    test = table(100, seed=1)
    test.loc[:4, "y"] = "perhaps"
    data = prepare(table(), replace(OPTIONS, test=test))
    assert data.locked.n_rows == 95
    assert "5 rows left out, with labels that no training row has: 'perhaps'" in said(data)
    with pytest.raises(InputError, match="but got only others"):
        prepare(table(), replace(OPTIONS, test=test.assign(y="perhaps")))


def test_a_split_column_names_the_parts() -> None:
    frame = table().assign(Split=["train"] * 250 + ["dev"] * 50 + ["TEST"] * 100)
    data = prepare(frame, OPTIONS)
    assert rows(data) == [[*range(250)], [*range(250, 300)], [*range(300, 400)]]
    assert "Split" not in dict(data.summary.columns)
    without_dev = frame.assign(Split=["train"] * 300 + ["test"] * 100)
    assert [len(part) for part in rows(prepare(without_dev, OPTIONS))] == [225, 75, 100]
    dropped = prepare(frame, replace(OPTIONS, drop=("Split",)))
    assert [len(part) for part in rows(dropped)] == [240, 80, 80]


def test_a_column_called_split_may_be_a_feature() -> None:
    frame = table().assign(split=np.random.default_rng(0).choice(["left", "right"], 400))
    assert dict(prepare(frame, OPTIONS).summary.columns)["split"] == "categorical"


def test_groups_never_straddle() -> None:
    frame = table()
    frame.loc[::50, "who"] = None
    data = prepare(frame, replace(OPTIONS, groups="who"))
    groups = [set(frame["who"].iloc[part].dropna()) for part in rows(data)]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert "who" not in dict(data.summary.columns)
    assert "8 rows without 'who'" in said(data)


@pytest.mark.parametrize("form", ["number", "date", "text"])
def test_the_past_trains_and_the_latest_rows_are_locked(form: str) -> None:
    frame = table()
    day = frame["day"].copy()
    if form != "number":
        when = pd.Timestamp("2024-01-01") + pd.to_timedelta(day.to_numpy(), unit="D")
        frame["day"] = when if form == "date" else when.strftime("%d.%m.%Y %H:%M")
    train, valid, test = rows(prepare(frame, replace(OPTIONS, split_by="day")))
    assert day[train].max() < day[valid].min()
    assert day[valid].max() < day[test].min()


def test_rows_without_a_target_are_left_out_and_said() -> None:
    frame = table()
    frame.loc[:9, "y"] = None
    frame.loc[10, "y"] = "  "
    data = prepare(frame, OPTIONS)
    assert sorted(itertools.chain(*rows(data))) == list(range(11, 400))
    assert "11 rows without 'y' left out" in said(data)


def test_a_class_with_one_row_is_trained_on() -> None:
    frame = table()
    frame.loc[7, "y"] = "once"
    frame.loc[[8, 9], "y"] = "twice"
    for seed in range(4):
        data = prepare(frame, replace(OPTIONS, seed=seed))
        assert 7 in data.train.rows
        assert data.class_counts.tolist()[1:] != [0, 0, 0]
        assert (data.class_counts > 0).all()
        assert "Class 'once' with one row" in said(data)


def test_copies_of_the_target_are_left_out() -> None:
    frame = table()
    twice = pd.concat([frame, frame[["y"]]], axis=1)
    data = prepare(twice, OPTIONS)
    assert "copies of the target" in said(data)
    assert not [name for name, _ in data.summary.columns if name.startswith("y")]
    twice = pd.concat([frame, frame[["y"]].iloc[::-1].reset_index(drop=True)], axis=1)
    with pytest.raises(InputError, match="one target"):
        prepare(twice, OPTIONS)


def test_columns_may_be_dropped() -> None:
    data = prepare(table(), replace(OPTIONS, drop=("x", "who")))
    assert {name for name, _ in data.summary.columns} == {"town", "day"}


def test_the_notes_name_the_columns_that_are_left_out() -> None:
    frame = table().assign(customer_id=np.arange(400), same=1, gone=None)
    data = prepare(frame, OPTIONS)
    assert "Left out: 'customer_id' (an identifier)." in data.notes
    assert "Left out: 'same' (the same value everywhere)." in data.notes
    assert "Left out: 'gone' (no value)." in data.notes


def test_the_notes_count_rows_that_repeat_training_rows() -> None:
    frame = table(100).drop(columns=["day"])
    data = prepare(pd.concat([frame] * 5, ignore_index=True), OPTIONS)
    assert "equal a training row in every input" in said(data)


def test_a_set_of_scikit_learn_needs_no_target() -> None:
    data = prepare("sklearn:breast_cancer", DataOptions())
    assert data.task.positive == "malignant"
    assert data.summary.source == "sklearn:breast_cancer"
    assert [len(part) for part in rows(data)] == [341, 114, 114]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"target": None}, "target must name"),
        ({"target": "yy"}, "did you mean 'y'"),
        ({"drop": ("townn",)}, "drop must name .* did you mean 'town'"),
        ({"groups": "whom"}, "groups must name"),
        ({"split_by": "dya"}, "split_by must name"),
        ({"split_by": "town"}, "numbers or dates"),
        ({"groups": "y"}, "must not be the target"),
        ({"drop": ("y",)}, "must not be the target"),
        ({"groups": "who", "split_by": "day"}, "together"),
        ({"positive": "maybe"}, "positive must be"),
        ({"drop": ("x", "town", "day", "who")}, "besides the target"),
        ({"test": "nowhere.csv"}, "test must name a file that exists"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_in_one_line(change: dict, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        prepare(table(), replace(OPTIONS, **change))
    assert "\n" not in str(caught.value)


def test_a_split_column_that_does_not_fit_is_refused_in_one_line() -> None:
    named = table().assign(split=["train"] * 300 + ["test"] * 100)
    wrong = named.assign(split=["train"] * 399 + ["holdout"])
    with pytest.raises(InputError, match=r"row 400 has 'holdout'"):
        prepare(wrong, OPTIONS)
    with pytest.raises(InputError, match="rows to train on"):
        prepare(named.assign(split="test"), OPTIONS)
    with pytest.raises(InputError, match="split_by must not be given"):
        prepare(named, replace(OPTIONS, split_by="day"))
    with pytest.raises(InputError, match="test must be given once"):
        prepare(named, replace(OPTIONS, test=table(50)))
    with pytest.raises(InputError, match="are in both train and test"):
        prepare(named, replace(OPTIONS, groups="town"))


def test_a_file_without_a_header_is_told(tmp_path: Path) -> None:
    path = tmp_path / "iris.data"
    path.write_text("5.1,3.5,1\n" * 30)
    with pytest.raises(InputError, match="add a header line"):
        prepare(path, OPTIONS)
    path.write_text("a b y\n" + "1 2 3\n" * 30)
    with pytest.raises(InputError, match="separate cells by"):
        prepare(path, OPTIONS)


def test_time_or_groups_that_leave_one_class_to_train_are_refused() -> None:
    frame = table().assign(y=["no"] * 300 + ["yes"] * 100, day=np.arange(400))
    with pytest.raises(InputError, match="at least two classes of 'y'"):
        prepare(frame, replace(OPTIONS, split_by="day"))
