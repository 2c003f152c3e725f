"""The folds of a study: which rows they hold out, and that they know nothing of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.core.settings import ProtocolConfig
from autoloss.data import DataOptions, Fold, Part, StudyData, prepare
from autoloss.data.split import cut, part_size

OPTIONS = DataOptions(target="y")
LOCKING = ProtocolConfig(outer_folds=0)
LOCKED = ProtocolConfig(judge="locked")
NESTING = ProtocolConfig(judge="nested")


def table(n: int, seed: int = 0, rare: float = 0.3) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": random.normal(size=n),
            "town": random.choice(["a", "b", "c"], n),
            "day": random.permutation(n) * 1.5,
            "who": random.choice([f"p{i}" for i in range(n // 8)], n),
            "y": random.choice(["no", "yes"], n, p=[1 - rare, rare]),
        }
    )


def rows(part: Part | None) -> list[int]:
    return [] if part is None else part.rows.tolist()


def locked_rows(data: StudyData) -> list[int]:
    return [] if data.locked is None else rows(data.locked.open())


def all_folds(data: StudyData) -> tuple[Fold, ...]:
    return (*data.folds, *data.replicates(3, seed=1), *data.outer())


def same_fold(one: Fold, other: Fold) -> bool:
    pairs = ((one.train, other.train), (one.valid, other.valid))
    return all(
        torch.equal(a.rows, b.rows)
        and torch.equal(a.targets, b.targets)
        and torch.equal(a.inputs.numeric, b.inputs.numeric)
        for a, b in pairs
    )


def parts_of(folds: Iterable[Fold]) -> list[Part]:
    parts = ((fold.train, fold.valid, fold.test) for fold in folds)
    return [part for part in itertools.chain.from_iterable(parts) if part is not None]


@pytest.mark.parametrize(
    ("n", "protocol", "kind", "n_folds"),
    [
        (13_000, ProtocolConfig(), "holdout", 1),
        (12_400, ProtocolConfig(), "repeated_holdout", 2),
        (2_600, LOCKED, "repeated_holdout", 2),
        (2_400, LOCKED, "cross_validation", 5),
        (2_400, replace(NESTING, folds=3), "cross_validation", 3),
        (2_400, replace(LOCKED, folds=1), "holdout", 1),
        (4_000, replace(LOCKED, folds=1), "holdout", 1),
    ],
)
def test_the_number_of_rows_decides_how_they_are_divided(
    n: int, protocol: ProtocolConfig, kind: str, n_folds: int
) -> None:
    data = prepare(table(n), OPTIONS, protocol=protocol)
    found = data.resampling
    assert (found.kind, found.folds, len(data.folds)) == (kind, n_folds, n_folds)
    assert (found.verdict, found.outer) == ("locked", 0)
    assert found.text.endswith("locked until then.")
    assert data.outer() == ()
    assert len(locked_rows(data)) == n // 5
    for fold in data.folds:
        share = len(fold.valid) / (len(fold.valid) + len(fold.train))
        assert share == pytest.approx(
            1 / n_folds if kind == "cross_validation" else 0.25, abs=0.01
        )


def test_no_row_stands_in_two_parts_and_every_row_in_one() -> None:
    for n in (300, 2_400, 4_000):
        data = prepare(table(n), OPTIONS)
        for fold in all_folds(data):
            numbers = rows(fold.train) + rows(fold.valid) + rows(fold.test)
            assert sorted(numbers + locked_rows(data)) == list(range(n))
            assert torch.equal(fold.class_counts, fold.train.targets.bincount(minlength=2))


def test_cross_validation_holds_every_row_out_once() -> None:
    frame = table(400)
    frame.loc[7, "y"] = "once"
    data = prepare(frame, OPTIONS)
    held = list(itertools.chain.from_iterable(rows(fold.valid) for fold in data.folds))
    # The only row of a class always trains.
    assert sorted(held) == [row for row in range(400) if row != 7]
    assert all(7 in fold.train.rows for fold in (*data.folds, *data.outer()))
    assert "Class 'once' with one row" in " ".join(data.notes)
    assert data.resampling.text.startswith("Under 2,000 rows: 5-fold cross-validation;")


def test_classes_are_held_out_within_one_row() -> None:
    data = prepare(table(400), OPTIONS)
    counts = torch.stack([fold.valid.targets.bincount(minlength=2) for fold in data.folds])
    assert (counts.amax(0) - counts.amin(0)).max() <= 1
    for fold in prepare(table(4_000), OPTIONS).folds:
        share = fold.valid.targets.double().mean()
        whole = torch.cat([fold.valid.targets, fold.train.targets]).double().mean()
        assert abs(share - whole) * len(fold.valid) <= 1


def test_locked_rows_are_a_stratified_cut_of_all_rows() -> None:
    frame = table(2_400)
    codes = pd.factorize(frame["y"])[0].astype(np.int64)
    expected = cut(
        np.arange(2_400), codes, size=part_size(2_400, test=True), seed=5, spare=2
    ).tolist()
    data = prepare(frame, replace(OPTIONS, seed=5), protocol=LOCKED)
    assert locked_rows(data) == expected


def test_the_seed_decides_every_fold() -> None:
    for n in (300, 4_000):
        one, same = (prepare(table(n), OPTIONS) for _ in range(2))
        pairs = list(zip(all_folds(one), all_folds(same), strict=True))
        assert all(same_fold(a, b) for a, b in pairs)
        other = prepare(table(n), replace(OPTIONS, seed=1))
        pairs = list(zip(all_folds(one), all_folds(other), strict=True))
        assert not any(rows(a.valid) == rows(b.valid) for a, b in pairs)


@pytest.mark.parametrize("n", [300, 2_400])
def test_an_encoding_knows_nothing_of_rows_held_out(n: int) -> None:
    frame = table(n)
    data = prepare(frame, OPTIONS)
    for number, (fold, kind) in enumerate(
        [
            (data.folds[0], "search"),
            (data.folds[-1], "search"),
            *((f, "outer") for f in data.outer()[:3]),
        ]
    ):
        other = frame.copy()
        held = np.setdiff1d(np.arange(n), fold.train.rows.numpy())
        other.loc[held, "x"] = other.loc[held, "x"] * 1e6 + 5.0
        other.loc[held, "town"] = "elsewhere"
        again = prepare(other, OPTIONS)
        folds = again.folds if kind == "search" else again.outer()
        found = next(f for f in folds if rows(f.train) == rows(fold.train))
        assert found.encoding.to_state()[0] == fold.encoding.to_state()[0], number
        assert torch.equal(found.train.inputs.numeric, fold.train.inputs.numeric)
        assert not torch.equal(found.valid.inputs.numeric, fold.valid.inputs.numeric)


def test_encodings_differ_where_training_rows_do() -> None:
    data = prepare(table(300), OPTIONS)
    for one, other in itertools.combinations(all_folds(data), 2):
        assert rows(one.train) != rows(other.train)
        assert one.encoding.to_state()[0] != other.encoding.to_state()[0]


@pytest.mark.parametrize("n", [300, 2_400, 13_000])
def test_replicates_are_new_divisions_of_the_rows_not_locked(n: int) -> None:
    data = prepare(table(n), OPTIONS)
    drawn = data.replicates(4, seed=0)
    held = [rows(fold.valid) for fold in (*drawn, *data.folds)]
    assert len({tuple(part) for part in held}) == len(held)
    for fold in drawn:
        assert fold.test is None
        assert len(fold.valid) == pytest.approx(0.25 * (n - len(locked_rows(data))), abs=1)
    assert rows(data.replicates(4, seed=1)[0].valid) != held[0]
    # The first ones do not depend on how many are drawn.
    assert [rows(fold.valid) for fold in data.replicates(2, seed=0)] == held[:2]


def test_groups_never_straddle_and_are_clusters() -> None:
    for n, protocol in itertools.product((300, 2_400, 4_000), (ProtocolConfig(), NESTING)):
        frame = table(n)
        frame.loc[::50, "who"] = None
        data = prepare(frame, replace(OPTIONS, groups="who"), protocol=protocol)
        numbers = [rows(fold.valid) for fold in all_folds(data)]
        assert len({tuple(part) for part in numbers}) == len(numbers)
        for fold in all_folds(data):
            parts = [
                fold.train,
                fold.valid,
                fold.test,
                data.locked.open() if data.locked else None,
            ]
            present = [part for part in parts if part is not None]
            for one, other in itertools.combinations(present, 2):
                assert not set(one.clusters.tolist()) & set(other.clusters.tolist())
            cluster = pd.Series(torch.cat([part.clusters for part in present]).numpy())
            who = frame["who"].iloc[torch.cat([part.rows for part in present]).numpy()]
            pairs = pd.DataFrame({"cluster": cluster, "who": who.to_numpy()})
            assert (pairs.dropna().groupby("who")["cluster"].nunique() == 1).all()
            assert pairs["cluster"].nunique() == frame["who"].nunique() + frame["who"].isna().sum()
        few = 5 if n == 300 or (protocol == NESTING and n == 2_400) else 2
        assert len(data.folds) == few


def test_replicates_of_groups_of_unequal_size_differ() -> None:
    sizes = np.arange(10, 70, 3)
    frame = table(int(sizes.sum())).assign(who=np.repeat(np.arange(len(sizes)), sizes))
    data = prepare(frame, replace(OPTIONS, groups="who"), protocol=LOCKING)
    drawn = [tuple(rows(fold.valid)) for fold in (*data.replicates(5, seed=0), *data.folds)]
    assert len(set(drawn)) == 10


def test_a_group_that_alone_has_a_class_always_trains() -> None:
    frame = table(400)
    frame.loc[frame["who"] == "p3", "y"] = "other"
    data = prepare(frame, replace(OPTIONS, groups="who"))
    alone = set(frame.index[frame["who"] == "p3"])
    for fold in all_folds(data):
        assert alone <= set(rows(fold.train))
        assert (fold.class_counts > 0).all()
    assert "The valid part has no row of 'other'." in data.notes


def test_rows_are_their_own_clusters_in_every_table() -> None:
    data = prepare(table(400), replace(OPTIONS, test=table(90, 1), valid=table(60, 2)))
    assert data.locked is not None
    fold, test = data.folds[0], data.locked.open()
    assert torch.equal(fold.train.clusters, fold.train.rows)
    assert torch.equal(test.clusters, test.rows + 400)
    assert torch.equal(fold.valid.clusters, fold.valid.rows + 490)
    assert [part.table for part in (fold.train, fold.valid, test)] == ["data", "valid", "test"]


@pytest.mark.parametrize(("n", "n_folds"), [(1_000, 2), (4_000, 2), (13_000, 1)])
def test_time_goes_forward(n: int, n_folds: int) -> None:
    frame = table(n)
    day = frame["day"].to_numpy()
    data = prepare(frame, replace(OPTIONS, split_by="day"))
    test = locked_rows(data)
    assert len(data.folds) == n_folds
    assert data.resampling.kind == ("forward" if n_folds == 2 else "holdout")
    for fold in data.folds:
        assert day[rows(fold.train)].max() < day[rows(fold.valid)].min()
        assert day[rows(fold.valid)].max() < day[test].min()
    pool = n - len(test)
    assert len(data.folds[-1].train) == pytest.approx(0.75 * pool, abs=1)
    if n_folds == 2:
        assert len(data.folds[0].train) == pytest.approx(0.5 * pool, abs=2)
        assert set(rows(data.folds[0].valid)) | set(rows(data.folds[0].train)) == set(
            rows(data.folds[1].train)
        )
    assert all(fold is data.folds[-1] for fold in data.replicates(3, seed=0))
    assert data.outer() == ()


def test_a_class_that_comes_late_is_still_known() -> None:
    frame = table(1_000)
    late = frame["day"].rank(pct=True).between(0.5, 0.58)
    frame.loc[late, "y"] = "new"
    data = prepare(frame, replace(OPTIONS, split_by="day"))
    assert data.task.classes == ("new", "no", "yes")
    assert len(data.folds) == 1
    frame.loc[:, "y"] = table(1_000)["y"]
    frame.loc[frame["day"].rank(pct=True).between(0.7, 0.78), "y"] = "newer"
    data = prepare(frame, replace(OPTIONS, split_by="day"))
    assert data.task.classes == ("no", "yes")
    assert len(data.folds) == 2
    assert "left out, with labels that no training row has: 'newer'" in " ".join(data.notes)


def test_validation_rows_that_are_given_stay_what_they_are() -> None:
    by_file = prepare(table(2_400), replace(OPTIONS, valid=table(50, 1)))
    named = ["train"] * 2_000 + ["valid"] * 100 + ["test"] * 300
    by_column = prepare(table(2_400).assign(split=named), OPTIONS)
    for data, n_valid in ((by_file, 50), (by_column, 100)):
        assert data.resampling.kind == "holdout"
        assert f"the {n_valid} rows given to validate" in data.resampling.text
        assert [len(fold.valid) for fold in data.folds] == [n_valid]
        assert all(fold is data.folds[0] for fold in data.replicates(3, seed=0))
    assert rows(by_column.train) == list(range(2_000))
    nested = prepare(table(500), replace(OPTIONS, valid=table(50, 1)))
    assert nested.resampling.verdict == "nested"
    for fold in nested.outer():
        assert fold.valid.table == "valid"
        assert sorted(rows(fold.train) + rows(fold.test)) == list(range(500))


def test_few_rows_are_all_tested_once_a_repeat_and_none_is_locked() -> None:
    data = prepare(table(300), OPTIONS, protocol=NESTING)
    assert data.locked is None
    assert (data.resampling.verdict, data.resampling.outer) == ("nested", 10)
    assert "5 outer folds, twice" in data.resampling.text
    outer = data.outer()
    for repeat in (outer[:5], outer[5:]):
        tested = itertools.chain.from_iterable(rows(fold.test) for fold in repeat)
        assert sorted(tested) == list(range(300))
    assert {tuple(rows(fold.test)) for fold in outer[:5]}.isdisjoint(
        tuple(rows(fold.test)) for fold in outer[5:]
    )
    for fold in outer:
        assert len(fold.valid) == pytest.approx(0.25 * 240, abs=1)
        counts = fold.test.targets.bincount() if fold.test is not None else torch.zeros(2)
        assert abs(counts[1] - data.summary.class_counts[1] / 5) <= 1
    assert data.summary.n_test == 0
    assert sum(data.summary.class_counts) == 300
    assert data.summary.n_train == len(data.train)
    once = prepare(table(300), OPTIONS, protocol=replace(NESTING, outer_folds=3, outer_repeats=1))
    assert len(once.outer()) == once.resampling.outer == 3


@pytest.mark.parametrize(
    ("n", "rare", "protocol", "change", "is_nested"),
    [
        (999, 0.3, NESTING, {}, True),
        (1_000, 0.3, NESTING, {}, False),
        (3_000, 0.02, NESTING, {}, True),
        (3_000, 0.05, NESTING, {}, False),
        (10_001, 0.004, ProtocolConfig(), {}, False),
        (999, 0.3, LOCKING, {}, False),
        (999, 0.3, LOCKED, {}, False),
        (999, 0.3, ProtocolConfig(), {"split_by": "day"}, False),
        (999, 0.3, ProtocolConfig(), {"test": table(50, 1)}, False),
        (999, 0.3, NESTING, {"groups": "who"}, True),
        # No training holds out other rows than those that are given.
        (999, 0.3, ProtocolConfig(), {"valid": table(50, 1)}, True),
    ],
)
def test_rows_are_locked_where_enough_can_be(
    n: int, rare: float, protocol: ProtocolConfig, change: dict, is_nested: bool
) -> None:
    data = prepare(table(n, rare=rare), replace(OPTIONS, **change), protocol=protocol)
    assert (data.locked is None) == is_nested
    assert (data.resampling.verdict == "nested") == is_nested
    assert bool(data.outer()) == is_nested
    said = [note for note in data.notes if "show little of that class" in note]
    assert len(said) == (n > 10_000 and rare < 0.01)


@pytest.mark.parametrize("n", [300, 9_999])
def test_final_training_runs_of_few_rows_hold_out_every_row_as_often(n: int) -> None:
    data = prepare(table(n), OPTIONS)
    assert (data.locked, data.outer()) == (None, ())
    found = data.resampling
    assert (found.verdict, found.outer, found.replicates) == ("out_of_fold", 0, 10)
    assert data.summary.n_test == 0
    assert sum(data.summary.class_counts) == n
    trained = data.replicates(10, seed=0)
    for deal in (trained[:5], trained[5:]):
        held = itertools.chain.from_iterable(rows(fold.valid) for fold in deal)
        assert sorted(held) == list(range(n))
    searched = {tuple(rows(fold.valid)) for fold in data.folds}
    held_out = [tuple(rows(fold.valid)) for fold in trained]
    assert len(searched | set(held_out)) == len(searched) + 10
    # A shorter plan trains the first ones.
    assert [tuple(rows(fold.valid)) for fold in data.replicates(7, seed=0)] == held_out[:7]
    few = [rows(fold.valid) for fold in data.replicates(2, seed=0)]
    assert not set(few[0]) & set(few[1])
    assert len(few[0]) == pytest.approx(n / 4, abs=1)


def test_ten_thousand_rows_are_enough_to_lock_some() -> None:
    assert prepare(table(10_000), OPTIONS).resampling.verdict == "locked"


def test_labels_of_locked_rows_change_no_fold() -> None:
    frame = table(700).assign(split=["test"] * 100 + ["train"] * 600)
    frame.loc[:99, "y"] = ["yes"] * 50 + ["no"] * 50
    shuffled = frame.copy()
    shuffled.loc[:99, "y"] = frame["y"].to_numpy()[:100][::-1]
    one, other = prepare(frame, OPTIONS), prepare(shuffled, OPTIONS)
    pairs = list(zip(all_folds(one), all_folds(other), strict=True))
    assert all(same_fold(a, b) for a, b in pairs)
    assert one.notes == other.notes
    assert one.resampling == other.resampling
    assert one.locked is not None
    assert other.locked is not None
    assert one.locked.sha256 != other.locked.sha256


def test_locked_rows_can_be_read_by_any_encoding() -> None:
    data = prepare(table(2_400), OPTIONS, protocol=LOCKED)
    assert data.locked is not None
    first, fold = data.locked.open(), data.replicates(1, seed=0)[0]
    read = data.locked.open(fold.encoding)
    expected = fold.encoding.transform(data.frame(first)).numeric
    assert torch.equal(read.inputs.numeric, expected)
    assert torch.equal(read.rows, first.rows)
    assert not torch.equal(read.inputs.numeric, first.inputs.numeric)


def test_the_raw_rows_of_a_part_come_from_its_table() -> None:
    frame, test, valid = table(400), table(90, 1), table(60, 2)
    options = replace(OPTIONS, test=test, valid=valid, drop=("town",), groups="who")
    with pytest.raises(InputError, match="must stay in one part"):
        prepare(frame, options)
    data = prepare(frame, replace(options, groups=None))
    assert data.locked is not None
    for part, source in ((data.train, frame), (data.valid, valid), (data.locked.open(), test)):
        expected = source.iloc[rows(part)][["x", "day", "who"]]
        pd.testing.assert_frame_equal(data.frame(part), expected, check_dtype=False)


def test_class_counts_are_the_mean_of_the_folds() -> None:
    frame = table(400)
    frame.loc[[8, 9, 10], "y"] = "few"
    data = prepare(frame, OPTIONS)
    counts = torch.stack([fold.class_counts for fold in data.folds]).double()
    assert len(data.folds) == 5
    assert data.class_counts.tolist() == counts.mean(0).round().long().tolist()
    assert data.encoding is data.folds[0].encoding
    assert data.train is data.folds[0].train


def test_the_whole_has_every_row_once_and_holds_out_none() -> None:
    frame = table(600)
    for protocol in (LOCKED, NESTING, ProtocolConfig()):
        data = prepare(frame, OPTIONS, protocol=protocol)
        whole = data.whole()
        assert sorted(rows(whole.train)) == list(range(600))
        assert len(whole.valid) == 0
        assert whole.class_counts.sum() == 600
        assert data.share_of_whole(300.0) == 2.0


def test_the_whole_is_encoded_by_all_rows_as_a_training_on_them_would_be() -> None:
    frame = table(400)
    whole = prepare(frame, OPTIONS, protocol=LOCKED).whole()
    given = prepare(frame, replace(OPTIONS, valid=table(50, seed=1), test=table(50, seed=2)))
    assert torch.equal(whole.encoding.edges, given.folds[0].encoding.edges)
    assert torch.equal(whole.train.inputs.numeric, given.folds[0].train.inputs.numeric)


def test_the_whole_has_given_validation_rows_but_no_given_test_rows() -> None:
    frame = table(400)
    part = np.where(np.arange(400) < 80, "test", np.where(np.arange(400) < 160, "valid", "train"))
    data = prepare(frame.assign(split=part), OPTIONS)
    assert sorted(rows(data.whole().train)) == list(range(80, 400))
    other = prepare(frame, replace(OPTIONS, valid=table(50, seed=1)))
    assert len(other.whole().train) == 450
    assert other.has_given_file
    assert not data.has_given_file
